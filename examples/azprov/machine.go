package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
)

// printResult shows what a run came to, in words.
func printResult(w io.Writer, result *provision.Result, s *stage, reveal bool) {
	if m := result.Machine; m != nil {
		_, _ = fmt.Fprintln(w, "\nMachine, and where each value came from")
		printMachine(w, m, reveal)
		printWarnings(w, m.Warnings)
	}
	printWarnings(w, result.Report.Warnings)
	_, _ = fmt.Fprintln(w)
	if s.fabric != nil {
		printJournal(w, s.fabric)
	}
	printReport(w, result.Report, s.reporter)
}

// printReport is the last line: what the platform has accepted, or at least heard.
func printReport(w io.Writer, report provision.ReportResult, reporter string) {
	printHost(w, report)
	at, hostAt := report.AcceptedAt.UTC().Format(time.RFC3339), report.HostAt.UTC().Format(time.RFC3339)
	switch {
	case report.State == provision.ReportNone || report.AcceptedAt.IsZero() && report.HostAt.IsZero():
		_, _ = fmt.Fprintln(w, "None:", reporter, "has accepted no report.")
	case report.AcceptedAt.IsZero() && report.Repeated:
		_, _ = fmt.Fprintf(w, "%s: the host was told earlier in this boot, at %s, by KVP; nothing was written.\n", report.State, hostAt)
	case report.AcceptedAt.IsZero():
		_, _ = fmt.Fprintf(w, "%s: the host was told at %s by KVP; %s has accepted no report.\n", report.State, hostAt, reporter)
	case report.Repeated:
		_, _ = fmt.Fprintf(w, "%s: accepted earlier in this boot, at %s; nothing was sent.\n", report.State, at)
	case report.Incarnation != "":
		_, _ = fmt.Fprintf(w, "%s: accepted at %s by %s (%s, incarnation %s).\n",
			report.State, at, reporter, report.Format, azprov.OneLine(report.Incarnation))
	case report.Format != "":
		_, _ = fmt.Fprintf(w, "%s: accepted at %s by %s (%s).\n", report.State, at, reporter, report.Format)
	default:
		_, _ = fmt.Fprintf(w, "%s: accepted before, at %s.\n", report.State, at)
	}
}

// printJournal says how the emulated services found the run.
func printJournal(w io.Writer, fabric *emulator.Fabric) {
	entries := fabric.Journal()
	_, _ = fmt.Fprintf(w, "Emulated scenario %s: %s.\n", fabric.Scenario().Name, summary(entries))
	for _, e := range entries {
		for _, verdict := range e.Verdicts {
			_, _ = fmt.Fprintf(w, "  %s %s: %s\n", e.Method, e.Path, verdict)
		}
	}
	for _, unused := range fabric.Unused() {
		_, _ = fmt.Fprintln(w, "  "+unused)
	}
	for _, unmet := range fabric.Check() {
		_, _ = fmt.Fprintf(w, "  not met: %s\n", unmet)
	}
}

// summary counts requests, and what was wrong about them.
func summary(entries []emulator.Entry) string {
	n, asked := 0, 0
	for _, e := range entries {
		n += len(e.Verdicts)
		if e.Service != emulator.ServiceKVP {
			asked++
		}
	}
	return plural(asked, "request", "requests") + ", " + remarks(n)
}

func printWarnings(w io.Writer, warnings []string) {
	for _, warning := range warnings {
		_, _ = fmt.Fprintln(w, "warning:", azprov.OneLine(warning))
	}
}

func printMachine(w io.Writer, m *provision.Machine, reveal bool) {
	from := func(field provision.Field) string {
		if source := m.Sources[field]; source != provision.SourceNone {
			return string(source)
		}
		return ""
	}
	facts := []fact{
		{"VM id", m.VMID.String(), from(provision.FieldVMID)},
		{"host name", m.HostName, from(provision.FieldHostName)},
		{"user", m.User.Name, from(provision.FieldUserName)},
		{"SSH keys", strconv.Itoa(len(m.User.SSHKeys)), from(provision.FieldSSHKeys)},
	}
	for _, key := range m.User.SSHKeys {
		facts = append(facts, fact{name: "", value: describeKey(key)})
	}
	facts = append(facts,
		fact{"password", size(m.User.Password), from(provision.FieldUserPassword)},
		fact{"password authentication", m.PasswordAuthentication.String(), from(provision.FieldPasswordAuthentication)},
		fact{"custom data", size(m.CustomData), from(provision.FieldCustomData)},
		fact{"user data", size(m.UserData), from(provision.FieldUserData)},
		fact{"config", size(m.Config), configFrom(m)},
		fact{"region", m.Region, from(provision.FieldRegion)},
		fact{"zone", m.Zone, from(provision.FieldZone)},
	)
	facts = append(facts, networkFacts(m, from(provision.FieldNetwork))...)
	if m.PPSType != "" && m.PPSType != "None" {
		facts = append(facts, fact{name: "pre-provisioning", value: string(m.PPSType)})
	}
	printFacts(w, "  ", facts)
	if reveal {
		printSecret(w, "password", m.User.Password)
		printSecret(w, "custom data", m.CustomData)
		printSecret(w, "user data", m.UserData)
	}
}

// configFrom tells which of the two data is the config, which its source does not
// where both come from one place.
func configFrom(m *provision.Machine) string {
	switch {
	case m.Config.IsZero():
		return ""
	case m.Config.Equal(m.CustomData):
		return "custom data"
	default:
		return "user data"
	}
}

func networkFacts(m *provision.Machine, from string) []fact {
	if len(m.Network.Interface) == 0 {
		return []fact{{name: "network"}}
	}
	var facts []fact
	for _, nic := range m.Network.Interface {
		words := []string{nic.MACAddress}
		for _, prefix := range append(nic.IPv4Prefixes(), nic.IPv6Prefixes()...) {
			words = append(words, prefix.String())
		}
		facts = append(facts, fact{"interface", strings.Join(words, " "), from})
	}
	return facts
}

// describeKey shows a public key as ssh-keygen -l does: type, fingerprint, comment.
func describeKey(line string) string {
	fields := strings.Fields(line)
	for i := 0; i+1 < len(fields); i++ {
		blob, err := base64.StdEncoding.DecodeString(fields[i+1])
		if err != nil || len(blob) == 0 || !strings.Contains(fields[i], "-") {
			continue
		}
		sum := sha256.Sum256(blob)
		text := fields[i] + " SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
		return azprov.OneLine(strings.Join(append([]string{text}, fields[i+2:]...), " "))
	}
	return azprov.OneLine(line)
}

// printSecret shows a secret in full, under a heading. Bytes that would steer a
// terminal are shown in base64.
func printSecret(w io.Writer, name string, s azprov.Secret) {
	if s.IsZero() {
		return
	}
	text := s.RevealString()
	harmless := func(r rune) bool { return r == '\n' || r == '\t' || (r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f)) }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !harmless(r) }) {
		name, text = name+" in base64", base64.StdEncoding.EncodeToString(s.Reveal())
	}
	_, _ = fmt.Fprintf(w, "\n%s:\n%s\n", name, strings.TrimSuffix(text, "\n"))
}
