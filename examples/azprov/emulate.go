package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
)

const verbEmulate = "emulate"

type emulateFlags struct {
	list             bool
	listenIMDS       address
	listenWireServer address
	listenHostGA     address
	scenario         scenarioName
	journal          string
	journalBodies    bool
	kvpPool          string
	dmi              string
	medium           string
	media            string
	mediaFormat      choice
	schema           bool
	assert           assertFlags
	lab              labFlags
	fleet            fleetFlags
}

const emulateHelp = `Serves the Instance Metadata Service, the wire server and the HostGAPlugin of one VM, as a
scenario describes it, until it is interrupted or --timeout is over; both are a clean end.

The first line on standard output, once all listen, is one JSON object:
{"imds":URL,"wireserver":URL,"hostga":URL,"pid":N}.

Agents ask the HostGAPlugin at port 32526 of the wire server's address, and know no other:
where that address is this machine's, --listen-hostga 168.63.129.16:32526.

--dmi and --medium write here what a VM finds beside its services; elsewhere --dmi is
where it is read from. --media writes the medium as the image of a disc, for a loop
device, the CD drive of a virtual machine, or provision --media. The scenario's medium
may hold a password: what is written is for its owner alone.

A scenario of a pre-provisioning pool goes on by time alone, once the VM's first Ready is
accepted; each phase is told on standard error as it begins. Whoever has made the network
may move its links meanwhile.

--lab (Linux, as root) needs no ports: the services are at their real addresses in a
network namespace, and a second one is the VM's network, with an interface eth0 that DHCP
answers on. In a scenario of a pool that interface really loses its carrier, or vanishes
and comes back. The first line has the VM's namespace as "netns", for nsenter --net=. Files
are this machine's there too: an agent that remembers its outcome (provision --state) or tells
the host by KVP (--channel) needs places of its own.

--kvp-pool is the file in which the VM tells the host by Hyper-V's key-value pairs,
/var/lib/hyperv/.kvp_pool_1 below the VM's root; it need not be there yet. It is read
every second, and when a health report says that provisioning has ended. Reports of both
channels are told on standard error as they come, with what is wrong about them: a channel
that contradicts the other one or itself, a record that is stale, of another VM, unreadable,
or holds a secret. A VM that only tells the host of a failure is shown as Failed.

A scenario is a shipped one (--list) or a file, which may extend a shipped one or another
file beside it; docs/scenarios.md has the form, and --print-schema its JSON Schema.

With --assert the verb ends by itself, once the VM's outcome (Ready or a failure) was
accepted, no request came for --assert-quiet, and no step waits for the delay after its event;
without an outcome it ends with --timeout or an interrupt. Then the scenario's assertions are
held against all that has happened: the exit code is 1 if one is not met, and each such is told
with what was seen instead; with --output json in the last line on standard output,
{"error":…,"unmet":[{"index":N,"want":TEXT,"saw":TEXT}]}. Faults that no request met are told at
the end of every run.

--journal gets one JSON object per request, and per report in the pool, with what was wrong
about it in "verdicts". Those with any are logged as warnings, and all with --log-level
info. It has the bodies of requests and answers, up to 64 KiB each, without the VM's secrets;
--journal-bodies=false leaves them out. "azprov journal" shows, compares and replays it.`

func (a *app) emulateCommand() *cobra.Command {
	f := &emulateFlags{mediaFormat: choice{value: string(emulator.ImageFormatBridge), name: "FORMAT"}, listenIMDS: address{loopback}, listenWireServer: address{loopback}, listenHostGA: address{loopback}, scenario: scenarioName{emulator.DefaultScenario}}
	for _, known := range emulator.PossibleImageFormatValues() {
		f.mediaFormat.known = append(f.mediaFormat.known, string(known))
	}
	command := &cobra.Command{
		Use:   verbEmulate,
		Short: "Play the platform: IMDS, wire server and HostGAPlugin, until interrupted",
		Long:  emulateHelp + "\n\n" + fleetHelp,
		Example: `  azprov emulate --list
  azprov emulate --scenario slow-start --listen-imds 127.0.0.1:8001 --listen-wireserver 127.0.0.1:8002
  azprov emulate --listen-imds 169.254.169.254:80 --listen-wireserver 168.63.129.16:80 --listen-hostga 168.63.129.16:32526
  azprov emulate --dmi ./sys --medium ./medium --journal journal.jsonl
  azprov emulate --kvp-pool /mnt/var/lib/hyperv/.kvp_pool_1
  azprov emulate --lab --scenario pps-savable
  azprov emulate --vms 5000 --sources 10.20.0.0/16 --journal journal.jsonl
  azprov emulate --vms 20 --by port --listen-imds 127.0.0.1:8100 --listen-wireserver 127.0.0.1:8200

  azprov emulate --scenario migration --assert --timeout 2m
  azprov emulate --scenario my-scenario.yaml --assert`,
		Args:        emulateArguments,
		Annotations: map[string]string{annotationAction: "emulate the platform"},
		RunE: func(command *cobra.Command, _ []string) error {
			switch {
			case f.list:
				return a.runList()
			case f.schema:
				return a.runPrintSchema()
			}
			return a.runEmulate(command, f)
		},
	}
	f.add(command.Flags())
	return command
}

// emulateArguments explains the one stray argument that is likely.
func emulateArguments(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("write --scenario "+quote(args[0]), "stray argument %q", args[0])
	}
	return noArguments(command, args)
}

func (f *emulateFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.list, "list", false, "list the scenarios, and serve nothing")
	flags.BoolVar(&f.schema, "print-schema", false, "print the JSON Schema of a scenario, and serve nothing")
	flags.Var(&f.listenIMDS, "listen-imds", "where IMDS listens; port 0 is any free one")
	flags.Var(&f.listenWireServer, "listen-wireserver", "where the wire server listens")
	flags.Var(&f.listenHostGA, "listen-hostga", "where the HostGAPlugin listens")
	flags.Var(&f.scenario, "scenario", "a shipped scenario, or a file in YAML or JSON; - is standard input")
	flags.StringVar(&f.journal, "journal", "", "`FILE` to write every request to, as JSON lines; it is replaced")
	flags.BoolVar(&f.journalBodies, "journal-bodies", true, "write bodies to the journal too; journal replay needs them")
	flags.StringVar(&f.kvpPool, "kvp-pool", "", "`FILE` in which the VM tells the host, to read; it need not be there yet")
	flags.StringVar(&f.dmi, "dmi", "", "`DIR` to write the firmware's tables to, as a tree like /sys")
	flags.StringVar(&f.medium, "medium", "", "`DIR` to write the provisioning medium's files to")
	flags.StringVar(&f.media, "media", "", "`FILE` to write the provisioning medium to, as the image of a disc")
	flags.Var(&f.mediaFormat, "media-format", "what is on that disc: bridge (UDF and ISO 9660), udf or iso9660")
	f.assert.add(flags)
	f.lab.add(flags)
	f.fleet.add(flags)
}

func (a *app) runEmulate(command *cobra.Command, f *emulateFlags) (err error) {
	if a.global.imds.value != "" || a.global.wireServer.value != "" {
		return usagef("use --listen-imds and --listen-wireserver", "--imds and --wireserver name services to ask, and this verb serves")
	}
	if err := f.lab.check(command.Flags()); err != nil {
		return err
	}
	if err := f.checkFleet(command.Flags()); err != nil {
		return err
	}
	scenario, err := a.scenario(f.scenario.value)
	if err != nil {
		return err
	}
	if err := f.assert.check(command.Flags(), &scenario); err != nil {
		return err
	}
	journal := &journalWriter{logger: a.logger(a.err)}
	if f.kvpPool != "" {
		journal.tell = a.remark
	}
	if f.journal != "" {
		if journal.file, err = openJournal(f.journal); err != nil {
			return err
		}
		defer func() { _ = journal.file.Close() }()
	}
	ctx, cancel := a.context(command.Context())
	defer cancel()
	if f.fleet.vms > 0 {
		return a.runFleet(ctx, f, scenario, journal)
	}
	e, err := f.start(ctx, scenario, journal)
	if err != nil {
		return f.namedListen(err)
	}
	err = errors.Join(journal.begin(), writeSurroundings(e.fabric, f))
	if err == nil {
		err = a.serve(ctx, e, f)
	}
	if closed := e.close(); err == nil {
		err = closed
	}
	if err == nil && f.assert.wanted {
		err = a.assert(e.fabric)
	}
	return err
}

// bodies says where the journal keeps bodies: in its file, if there is one.
func (f *emulateFlags) bodies() emulator.Bodies {
	if f.journal != "" && f.journalBodies {
		return emulator.BodiesWritten
	}
	return emulator.BodiesNone
}

// emulation is what serves a scenario.
type emulation struct {
	fabric *emulator.Fabric
	server *emulator.Server
	lab    *lab.Lab // nil without one
}

func (e emulation) close() error {
	if e.lab != nil {
		return e.lab.Close()
	}
	return e.server.Close()
}

// start listens on the ports that the flags name, or in a lab.
func (f *emulateFlags) start(ctx context.Context, scenario emulator.Scenario, journal io.Writer) (e emulation, err error) {
	if f.lab.wanted {
		if e.lab, err = lab.New(ctx, f.lab.options(scenario, journal, f.bodies(), f.kvpPool)); err != nil {
			return e, err
		}
		e.fabric, e.server = e.lab.Fabric(), e.lab.Server()
		return e, nil
	}
	if e.fabric, err = emulator.NewFabric(scenario, &emulator.Options{Journal: journal, Bodies: f.bodies(), KVPPool: f.kvpPool}); err != nil {
		return e, err
	}
	e.server, err = e.fabric.Listen(ctx, f.addresses())
	return e, err
}

func (f *emulateFlags) addresses() emulator.Addresses {
	return emulator.Addresses{IMDS: f.listenIMDS.value, WireServer: f.listenWireServer.value, HostGA: f.listenHostGA.value}
}

// namedListen puts the flags that name an address into an error of listening on it.
func (f *emulateFlags) namedListen(err error) error {
	var typed *azprov.Error
	if !errors.As(err, &typed) || typed.Kind != azprov.KindNetwork {
		return err
	}
	var names []string
	for _, flag := range []struct{ name, value string }{
		{"--listen-imds", f.listenIMDS.value}, {"--listen-wireserver", f.listenWireServer.value}, {"--listen-hostga", f.listenHostGA.value},
	} {
		if flag.value == typed.Target {
			names = append(names, flag.name)
		}
	}
	if len(names) == 0 {
		return err
	}
	named := *typed
	named.Hint = strings.Join(names, ", ") + ": " + typed.Hint
	return &named
}

// openJournal opens a file for its owner alone; [journalWriter.begin] empties it. It follows
// no symbolic link: who owns the link may not own what it names.
func openJournal(path string) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
		return nil, fileError("emulate", path, errors.New("it is a symbolic link"))
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		text, _ := describe(fileError("emulate", path, err))
		return nil, usagef("name a file that can be written", "--journal: %s", text)
	}
	return file, nil
}

// serve says where the services are, and tells the phases until it is to end.
func (a *app) serve(ctx context.Context, e emulation, f *emulateFlags) error {
	ready := struct {
		IMDS       string `json:"imds"`
		WireServer string `json:"wireserver"`
		HostGA     string `json:"hostga"`
		PID        int    `json:"pid"`
		Netns      string `json:"netns,omitempty"`
	}{IMDS: e.server.IMDSURL(), WireServer: e.server.WireServerURL(), HostGA: e.server.HostGAURL(), PID: os.Getpid()}
	if e.lab != nil {
		ready.Netns = e.lab.Namespace()
	}
	line, err := encodeJSON(ready)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.out, "%s\n", line)
	if err := a.out.failure(); err != nil {
		return err // nobody could find the services
	}
	if e.lab != nil {
		a.explainLab(e.lab, f)
	} else {
		a.explain(e.fabric, e.server, f)
	}
	var watching sync.WaitGroup
	ctx, end := context.WithCancel(ctx)
	defer end()
	if f.assert.wanted {
		watching.Go(func() { settled(ctx, e.fabric, f.assert.quiet); end() })
	}
	watching.Go(func() { e.fabric.WatchKVP(ctx, 0) })
	for milestone := range e.fabric.Follow(ctx) {
		if e.fabric.Scenario().Pool.Type != "" {
			a.remark("%s  %s", milestone.Time.Format("15:04:05.000"), milestone.Phase)
		}
	}
	watching.Wait()
	_ = e.fabric.CollectKVP(context.WithoutCancel(ctx)) // what is wrong with the pool is told as a remark
	host := ""
	if f.kvpPool != "" {
		host = " The host saw " + plural(len(e.fabric.HostReports()), "report", "reports") + " and " +
			plural(len(e.fabric.HostEvents()), "event", "events") + "."
	}
	a.remark("\nEnd. The VM's state is %s. The services had %s.%s", e.fabric.State(), summary(e.fabric.Journal()), host)
	for _, unused := range e.fabric.Unused() {
		a.remark("%s", unused)
	}
	return nil
}

// explain tells people how to go on in a second shell.
func (a *app) explain(fabric *emulator.Fabric, server *emulator.Server, f *emulateFlags) {
	scenario := fabric.Scenario()
	_, hasMedium := fabric.Medium()
	a.remark("%s\nProvision against it from a second shell:\n\n  %s\n", title(&scenario),
		a.suggest(fabric, f, server.IMDSURL(), server.WireServerURL()))
	if path := f.medium + f.media; !hasMedium && path != "" {
		a.remark("The scenario has no provisioning medium; nothing was written to %s.", path)
	}
	switch {
	case !hasMedium || f.medium+f.media != "":
	case fabric.VM().CustomData.Len() > 0:
		a.remark("That goes without the custom data, which is on the medium alone: begin again with --medium ./medium, and give provision --ovf ./medium.")
	default:
		a.remark("The scenario has a provisioning medium; --medium DIR writes its files, for --ovf, and --media FILE a disc.")
	}
	if f.dmi == "" {
		a.remark("--dmi DIR writes the firmware's tables, for --dmi of provision and vm-id.")
	}
	a.remark("%s", f.assert.ending())
}

// title is the scenario's name, with its description if it has one.
func title(s *emulator.Scenario) string {
	if s.Description == "" {
		return "Scenario " + s.Name + "."
	}
	return "Scenario " + s.Name + ": " + s.Description
}

// suggest is the command that provisions the VM.
func (a *app) suggest(fabric *emulator.Fabric, f *emulateFlags, imdsURL, wireServerURL string) string {
	command := []string{a.program, "provision", "--imds", imdsURL, "--wireserver", wireServerURL}
	if f.dmi != "" {
		command = append(command, "--dmi", quote(f.dmi))
	}
	_, hasMedium := fabric.Medium()
	switch {
	case hasMedium && f.medium != "":
		command = append(command, "--ovf", quote(f.medium))
	case hasMedium && f.media != "":
		command = append(command, "--media", quote(f.media))
	case fabric.VM().CustomData.Len() > 0: // it is on the medium only
		command = append(command, "--allow-missing-custom-data")
	}
	if f.kvpPool != "" {
		command = append(command, "--kvp-pool", quote(f.kvpPool))
	}
	return strings.Join(command, " ")
}

// quote makes a word safe for a POSIX shell.
func quote(word string) string {
	plain := func(r rune) bool {
		return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') || strings.ContainsRune("/._-:=+,@%", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
