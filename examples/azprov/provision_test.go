package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/emulator"
)

// normalise replaces what differs from run to run.
func normalise(s string) string {
	s = regexp.MustCompile(` +(<1ms|\d+ms|\d+\.\d+s)( |\n)`).ReplaceAllString(s, " TIME$2")
	s = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`).ReplaceAllString(s, "WHEN")
	return regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(s, "HOST")
}

func TestProvisionEmulatedInText(t *testing.T) {
	t.Parallel()
	got := cli(t, "provision", "--emulate").want(t, exitDone)
	want := `ok     identify TIME  the chassis carries Azure's asset tag
ok     medium TIME  ovf-env.xml read
ok     imds TIME  api-version 2023-11-15
ok     merge TIME
ok     apply TIME  nothing to apply
ok     eject TIME
ok     report TIME  Ready accepted

Machine, and where each value came from
  VM id                    dmi        2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20
  host name                imds       harbour-01
  user                     imds       pilot
  SSH keys                 imds       2
                                      ssh-ed25519 SHA256:DhR/7FLgDMt6bgLLMaUFuk036lfJqSdfbhRnZXkR2kw pilot@example.test
                                      ecdsa-sha2-nistp256 SHA256:i+DArTTWmvwVXKeexhzvTY0ZDHNUOKxYAJxa0/GTq38 spare@example.test
  password                            none
  password authentication  imds       off
  custom data                         none
  user data                imds       39 bytes, [redacted]
  config                   user data  39 bytes, [redacted]
  region                   imds       westeurope
  zone                     imds       1
  interface                imds       002248A1B2C3 10.20.0.4/24 fd00:20::4/128
  interface                imds       002248A1B2C4 10.21.0.7/24

Emulated scenario linux-vm: 3 requests, no remarks.
KVP: the host's record was written at WHEN.
Ready: accepted at WHEN by the emulated wire server at http://HOST (xml, incarnation 1).
`
	if diff := cmp.Diff(want, normalise(got.stdout)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.stderr != "" {
		t.Errorf("standard error has:\n%s", got.stderr)
	}
}

func TestProvisionEmulatedInJSON(t *testing.T) {
	t.Parallel()
	got := cli(t, "provision", "--emulate", "--output", "json").want(t, exitDone)
	object := oneObject(t, got.stdout)
	for path, want := range map[string]any{
		"machine.vmId":                   "2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20",
		"machine.hostname":               "harbour-01",
		"machine.user.name":              "pilot",
		"machine.passwordAuthentication": false,
		"machine.region":                 "westeurope",
		"machine.userData":               "[redacted]",
		"machine.sources.vmId":           "dmi",
		"machine.sources.customData":     "none",
		"machine.sources.userData":       "imds",
		"machine.sources.region":         "imds",
		"pps.type":                       "None",
		"report.state":                   "Ready",
	} {
		if got := at(t, object, strings.Split(path, ".")...); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if got := at(t, object, "machine", "sources").(map[string]any)["user.name"]; got != "imds" {
		t.Errorf("the source of user.name is %v, want imds", got)
	}
	if keys, ok := at(t, object, "machine", "user", "sshKeys").([]any); !ok || len(keys) != 2 {
		t.Errorf("machine.user.sshKeys is %v, want two keys", at(t, object, "machine", "user", "sshKeys"))
	}
	if _, has := object["error"]; has {
		t.Error("a run that succeeded has an error")
	}
	acceptedAt, _ := at(t, object, "report", "acceptedAt").(string)
	if when, err := time.Parse(time.RFC3339Nano, acceptedAt); err != nil || !strings.HasSuffix(acceptedAt, "Z") || time.Since(when) > time.Minute {
		t.Errorf("report.acceptedAt is %q, want this minute in UTC", acceptedAt)
	}
	checkTimeline(t, object, "identify", "medium", "imds", "merge", "apply", "eject", "report")
	contains(t, got.stderr, "identify", "report")
}

func checkTimeline(t *testing.T, object map[string]any, want ...string) {
	t.Helper()
	steps, ok := at(t, object, "timeline").([]any)
	if !ok {
		t.Fatalf("timeline is %v, want a list", object["timeline"])
	}
	names := []string{}
	for _, item := range steps {
		step, _ := item.(map[string]any)
		name, _ := step["step"].(string)
		names = append(names, name)
		start, _ := step["start"].(string)
		if _, err := time.Parse(time.RFC3339Nano, start); err != nil || !strings.HasSuffix(start, "Z") {
			t.Errorf("%s starts at %q, want RFC 3339 in UTC", name, start)
		}
		if seconds, ok := step["seconds"].(float64); !ok || seconds < 0 {
			t.Errorf("%s took %v, want seconds", name, step["seconds"])
		}
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
}

func TestProvisionFailures(t *testing.T) {
	t.Parallel()
	nowhere := []string{"--imds", "http://127.0.0.1:1", "--wireserver", "http://127.0.0.1:1"}
	for _, row := range []struct {
		name   string
		args   []string
		code   int
		report string
		kind   string
		reason string
	}{
		{"a broken medium is reported", []string{"--emulate=bad-ovf"}, exitFailed, "Failed", "Malformed", "error parsing ovf-env.xml: "},
		{"a refusal is reported", []string{"--emulate=imds-denied"}, exitFailed, "Failed", "Denied", "http error 403 querying IMDS"},
		{"another machine is left alone", []string{"--dmi", notAzure(t)}, exitNotFound, "None", "NotAzure", ""},
		{"nobody answers in time", append([]string{"--timeout", "1s"}, nowhere...), exitTimeout, "None", "Timeout", "connection error querying IMDS"},
		{"no time at all", []string{"--emulate", "--timeout", "1ns"}, exitTimeout, "Failed", "Timeout", ""},
		{"an unknown scenario", []string{"--emulate=submarine"}, exitUsage, "None", "Usage", ""},
		{"a scenario that is no file", []string{"--emulate=./submarine.json"}, exitUsage, "None", "Usage", ""},
		{"an unknown flag", []string{"--emulated"}, exitUsage, "None", "Usage", ""},
		{"a bad value", []string{"--emulate", "--timeout", "soon"}, exitUsage, "None", "Usage", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			got := cli(t, append([]string{"provision", "--output", "json"}, row.args...)...).want(t, row.code)
			if took := time.Since(started); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			object := oneObject(t, got.stdout)
			if object["machine"] != nil {
				t.Errorf("machine is %v, want null", object["machine"])
			}
			if got := at(t, object, "report", "state"); got != row.report {
				t.Errorf("report.state is %v, want %s", got, row.report)
			}
			if accepted := at(t, object, "report", "acceptedAt"); (accepted != nil) != (row.report != "None") {
				t.Errorf("report.acceptedAt is %v", accepted)
			}
			if _, ok := object["timeline"].([]any); !ok {
				t.Errorf("timeline is %v, want a list", object["timeline"])
			}
			if got := at(t, object, "error", "kind"); got != row.kind {
				t.Errorf("error.kind is %v, want %s", got, row.kind)
			}
			if got, _ := at(t, object, "error", "reason").(string); !strings.HasPrefix(got, row.reason) {
				t.Errorf("error.reason is %q, want %q", got, row.reason)
			}
			for _, name := range []string{"op", "message"} {
				if at(t, object, "error", name) == "" {
					t.Errorf("error.%s is empty", name)
				}
			}
			contains(t, got.stderr, "azprov: cannot provision: ")
		})
	}
}

func TestProvisionFailureInText(t *testing.T) {
	t.Parallel()
	got := cli(t, "provision", "--emulate=bad-ovf").want(t, exitFailed)
	contains(t, normalise(got.stdout), "failed medium TIME  not well-formed", "Failed: accepted at WHEN by the emulated")
	lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
	if !strings.HasPrefix(lines[0], "azprov: cannot provision: ovf.") || len(lines) > 2 {
		t.Errorf("standard error has:\n%s", got.stderr)
	}
}

// TestProvisionSlowStart is the one test that waits, because the services do.
func TestProvisionSlowStart(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(s *emulator.Scenario) {
		s.IMDS.Faults = []emulator.Fault{{Status: 410}}
		s.WireServer.Faults = []emulator.Fault{{Status: 503}}
	})
	got := cli(t, p.flags("provision", "--ovf", p.medium)...).want(t, exitDone)
	contains(t, got.stdout, "Ready: accepted")
}

func TestProvisionFlags(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	document := filepath.Join(p.medium, "ovf-env.xml")
	for _, row := range []struct {
		name string
		args []string
		want string // in the text output
	}{
		{"a medium's directory", p.flags("--ovf", p.medium), "config                   custom data"},
		{"a medium's document", p.flags("--ovf", document), "config                   custom data"},
		{"user data first", p.flags("--ovf", document, "--config-order", "user-data-first"), "config                   user data"},
		{"no medium, allowed", p.flags("--allow-missing-custom-data"), "warning: IMDS says that there is custom data, and none was read"},
		{"DMI and medium replace the scenario's", []string{"--emulate=bad-ovf", "--ovf", document, "--dmi", p.dmi}, "2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20"},
		{"a name of its own", p.flags("--ovf", document, "--agent-name", "tugboat/2"), "Ready: accepted"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := cli(t, append([]string{"provision"}, row.args...)...).want(t, exitDone)
			contains(t, got.stdout, row.want)
		})
	}
	t.Run("a medium that is missing", func(t *testing.T) {
		t.Parallel()
		cli(t, p.flags("provision", "--timeout", "5s")...).want(t, exitNotFound)
	})
}

func TestProvisionDefaultUser(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(s *emulator.Scenario) {
		s.VM.UserName = ""
		s.IMDS.Instance = json.RawMessage(`{"compute":{"osProfile":{"adminUsername":""}}}`)
	})
	got := cli(t, p.flags("provision", "--ovf", p.medium, "--default-user", "deckhand", "--output", "json")...).want(t, exitDone)
	object := oneObject(t, got.stdout)
	if got := at(t, object, "machine", "user", "name"); got != "deckhand" {
		t.Errorf("the user is %v, want deckhand", got)
	}
}

func TestProvisionReadsTheMediumFromStandardInput(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	document, err := readFile(filepath.Join(p.medium, "ovf-env.xml"))
	if err != nil {
		t.Fatal(err)
	}
	got := cliWith(t.Context(), string(document), p.flags("provision", "--ovf", "-")...).want(t, exitDone)
	contains(t, got.stdout, "custom data              ovf")
}

func TestProvisionInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	got := cliWith(ctx, "", "provision", "--imds", "http://127.0.0.1:1", "--wireserver", "http://127.0.0.1:1", "--output", "json").want(t, exitFailed)
	object := oneObject(t, got.stdout)
	if kind := at(t, object, "error", "kind"); kind != "Canceled" {
		t.Errorf("error.kind is %v, want Canceled", kind)
	}
}

// TestStateDirectory follows the latch from one process to the next.
func TestStateDirectory(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	state := filepath.Join(t.TempDir(), "state")
	first := cli(t, p.flags("provision", "--ovf", p.medium, "--state", state)...).want(t, exitDone)
	contains(t, first.stdout, "Ready: accepted at")
	again := cli(t, p.flags("report", "ready", "--state", state)...).want(t, exitDone)
	contains(t, again.stdout, "accepted earlier in this boot", "nothing was sent")
	refused := cli(t, p.flags("report", "failure", "--reason", "too late", "--state", state)...).want(t, exitFailed)
	contains(t, refused.stderr, "azprov: cannot report the failure: ", "has accepted Ready", "\nhint: ")
	if n := len(p.fabric.Reports()); n != 1 {
		t.Errorf("%d reports were accepted, want 1", n)
	}
	cli(t, p.flags("report", "failure", "--reason", "without memory")...).want(t, exitDone)
}
