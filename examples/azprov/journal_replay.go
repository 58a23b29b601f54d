package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov/emulator"
)

const verbReplay = "replay"

type journalReplayFlags struct {
	vm         string
	imds       address
	wireServer address
	hostGA     address
	journal    string
}

func (a *app) journalReplayCommand() *cobra.Command {
	f := &journalReplayFlags{imds: address{loopback}, wireServer: address{loopback}, hostGA: address{loopback}}
	command := &cobra.Command{
		Use: verbReplay + " FILE", Short: "Answer an agent as a journal has recorded it, until interrupted",
		Long: `Serves a recorded conversation: to each request the answer that its counterpart had, the same
service, method and path but for ids, in the order of the journal, and the last one again and
again. Delays, resets, hangs and cut answers of the recording come as they came then. A
request without a counterpart is answered with 404, and logged as a warning. Nothing is
checked, and no state is kept: to see an agent judged, use azprov emulate.

The URLs in the goal state lead back here. What a journal does not hold is replaced, and told
on standard error at the start: user data and other secrets are "[redacted]", in base64 where
there was base64; of the VM's certificates the guest gets those that IMDS tells of, encrypted
for it, and no private keys; bodies over 64 KiB end there. Nor does a journal hold the medium,
refused connections, or what happens to the VM's network.

The journal must have bodies, as azprov emulate --journal writes it. The first line on
standard output, once all services listen, is one JSON object: {"imds":URL,"wireserver":URL,
"hostga":URL,"pid":N}. Nobody is at the port of a service that the journal has no requests for.`,
		Example: `  azprov emulate --scenario slow-start --journal recording.jsonl
  azprov journal replay recording.jsonl --listen-imds 127.0.0.1:8001 --listen-wireserver 127.0.0.1:8002
  azprov journal replay recording.jsonl --journal again.jsonl`,
		Args:        journalFiles("FILE"),
		Annotations: map[string]string{annotationAction: "replay the journal"},
		RunE:        func(command *cobra.Command, args []string) error { return a.runJournalReplay(command, f, args[0]) },
	}
	flags := command.Flags()
	flags.Var(&f.imds, "listen-imds", "where IMDS listens; port 0 is any free one")
	flags.Var(&f.wireServer, "listen-wireserver", "where the wire server listens")
	flags.Var(&f.hostGA, "listen-hostga", "where the HostGAPlugin listens")
	flags.StringVar(&f.journal, "journal", "", "`FILE` to write the requests to the replay to, as JSON lines; it is replaced")
	flags.StringVar(&f.vm, "vm", "", "the VM with that `NAME`, in a journal of several")
	return command
}

func (a *app) runJournalReplay(command *cobra.Command, f *journalReplayFlags, path string) (err error) {
	if a.global.imds.value != "" || a.global.wireServer.value != "" {
		return usagef("use --listen-imds and --listen-wireserver", "--imds and --wireserver name services to ask, and this verb serves")
	}
	entries, err := a.readJournal(path)
	if err != nil {
		return err
	}
	if entries, err = (&entryFilter{vm: f.vm}).choose(path, entries); err != nil {
		return err
	}
	if names := vmNames(entries); len(names) > 1 {
		return usagef("choose one with --vm: it has "+firstFew(names), "%s is the journal of %d VMs", path, len(names))
	}
	journal := &journalWriter{logger: a.logger(a.err)}
	options := &emulator.ReplayOptions{Journal: journal}
	if f.journal != "" {
		if sameFile(f.journal, path) {
			return usagef("name another file", "--journal would replace the journal that is replayed")
		}
		if journal.file, err = openJournal(f.journal); err != nil {
			return err
		}
		defer func() { _ = journal.file.Close() }()
		options.Bodies = emulator.BodiesWritten
	}
	replay, err := emulator.NewReplay(entries, options)
	if err != nil {
		return err
	}
	ctx, cancel := a.context(command.Context())
	defer cancel()
	server, err := replay.Listen(ctx, emulator.Addresses{IMDS: f.imds.value, WireServer: f.wireServer.value, HostGA: f.hostGA.value})
	if err != nil {
		return err
	}
	defer func() {
		if closed := server.Close(); err == nil {
			err = closed
		}
	}()
	if err := journal.begin(); err != nil {
		return err
	}
	if err := a.explainReplay(replay, server, path, hasCustomData(entries)); err != nil {
		return err
	}
	<-ctx.Done()
	a.concludeReplay(replay)
	return nil
}

// hasCustomData reports whether the recorded IMDS has told of custom data.
func hasCustomData(entries []emulator.Entry) bool {
	return slices.ContainsFunc(entries, func(e emulator.Entry) bool {
		return e.Answer != nil && e.Answer.Body != nil && strings.Contains(e.Answer.Body.Text, `"hasCustomData":true`)
	})
}

// sameFile reports whether both names are of one file that is there.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// explainReplay says where the services are, and what is not as it was.
func (a *app) explainReplay(replay *emulator.Replay, server *emulator.Server, path string, customData bool) error {
	ready := struct {
		IMDS       string `json:"imds"`
		WireServer string `json:"wireserver"`
		HostGA     string `json:"hostga"`
		PID        int    `json:"pid"`
	}{server.IMDSURL(), server.WireServerURL(), server.HostGAURL(), os.Getpid()}
	line, err := encodeJSON(ready)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.out, "%s\n", line)
	if err := a.out.failure(); err != nil {
		return err // nobody could find the services
	}
	a.remark("Replaying %s. Provision against it from a second shell:\n\n  %s provision --imds %s --wireserver %s\n", printable(path), a.program, ready.IMDS, ready.WireServer)
	if customData {
		a.remark("The VM has custom data, and no journal holds the medium that it is on: give provision --ovf DIR, as emulate --medium DIR has written it.")
	}
	if list := replay.StandIns(); len(list) > 0 {
		var b strings.Builder
		for _, text := range list {
			printIndented(&b, "  ", text)
		}
		a.remark("What the journal does not hold is replaced:\n%s", b.String())
	}
	a.remark("Interrupt (Ctrl-C) to end.")
	return nil
}

// concludeReplay says what was asked, and what was not.
func (a *app) concludeReplay(replay *emulator.Replay) {
	unknown := 0
	entries := replay.Journal()
	for i := range entries {
		if len(entries[i].Verdicts) > 0 {
			unknown++
		}
	}
	a.remark("\nEnd. The replay had %s, %d of them not in the recording.", plural(len(entries), "request", "requests"), unknown)
	if list := replay.Unasked(); len(list) > 0 {
		var b strings.Builder
		printIndented(&b, "  ", strings.Join(list, "\n"))
		a.remark("Recorded, and not asked for:\n%s", strings.TrimRight(b.String(), "\n"))
	}
}
