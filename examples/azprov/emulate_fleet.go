package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/wait"
)

// The values of --by.
const (
	byAddress = "address"
	byPort    = "port"
)

const (
	// vmPlaceholder stands for the number of a VM in --kvp-pool.
	vmPlaceholder = "{}"
	// standingInterval is how often people are told how a fleet stands.
	standingInterval = time.Second
)

// fleetHelp is the part of the help about many VMs.
const fleetHelp = `--vms N plays the platform around N VMs, numbered from 0, that are made from the scenario: each
has ids, names (the scenario's with -NUMBER behind them), MAC and private addresses of its own,
always the same for a number, and meets every fault by itself. With --by address all have the
same URLs, and the address that a request comes from says whose it is: of --sources
10.20.0.0/16, VM 0 has 10.20.0.1, VM 1 the next, and without --sources an address that is new
becomes that of the next VM. Strangers are answered with 421, and a verdict. With --by port each
VM has URLs of its own: those of VM 0 are at the ports of the --listen flags, and the others'
count on; port 0 is any free one, for each. The first line has the number of VMs as "vms", and
"by". One line for each VM follows with --by port, {"vm":NUMBER,"name":NAME,"imds":URL,
"wireserver":URL,"hostga":URL}, and with --sources, {"vm":NUMBER,"name":NAME,"source":ADDRESS}.
The journal's entries have the VM's name as "vm". --dmi and --medium write a directory NUMBER
for each VM below DIR, and {} in --kvp-pool stands for the number. How many VMs are in which
state is told on standard error every second in which something has changed, and at the end;
with --output json the end is one more line on standard output. --assert checks one VM, and does
not go with --vms.`

// fleetFlags are those of emulate --vms.
type fleetFlags struct {
	vms     int
	by      choice
	sources sourceRange
}

func (f *fleetFlags) add(flags *pflag.FlagSet) {
	f.by = choice{value: byAddress, name: "WHAT", known: []string{byAddress, byPort}}
	flags.Var((*count)(&f.vms), "vms", "play `N` VMs, made from the scenario")
	flags.Var(&f.by, "by", "what tells the VMs apart: address or port")
	flags.Var(&f.sources, "sources", "the network that the VMs' requests come from; VM 0 has the first address behind the network's own")
}

// sourceRange is a flag for a network whose addresses are the VMs'.
type sourceRange struct{ prefix netip.Prefix }

func (r *sourceRange) Type() string { return "NETWORK" }

func (r *sourceRange) String() string {
	if !r.prefix.IsValid() {
		return ""
	}
	return r.prefix.String()
}

// Set takes an address with a prefix length; bits behind that are not to be set.
func (r *sourceRange) Set(s string) error {
	prefix, err := netip.ParsePrefix(s)
	if err != nil || prefix != prefix.Masked() {
		return usagef("", "want a network like 10.20.0.0/16")
	}
	r.prefix = prefix
	return nil
}

// addresses are the first n of the network, without that of the network itself.
func (r *sourceRange) addresses(n int) ([]netip.Addr, error) {
	if !r.prefix.IsValid() {
		return nil, nil
	}
	all := make([]netip.Addr, 0, n)
	for at := r.prefix.Addr().Next(); len(all) < n; at = at.Next() {
		if !r.prefix.Contains(at) {
			return nil, usagef("name a larger network", "--sources %s has %s for %d VMs", r.prefix, plural(len(all), "address", "addresses"), n)
		}
		all = append(all, at)
	}
	return all, nil
}

// check refuses flags that do not go together.
func (f *emulateFlags) checkFleet(flags *pflag.FlagSet) error {
	wanted := flags.Changed("vms")
	switch {
	case wanted && (f.fleet.vms < 1 || f.fleet.vms > emulator.FleetLimit):
		return usagef("", "want 1 to %d for --vms", emulator.FleetLimit)
	case !wanted && (flags.Changed("by") || flags.Changed("sources")):
		return usagef("add --vms N", "--by and --sources tell many VMs apart")
	case !wanted:
		return nil
	case f.lab.wanted:
		return usagef("leave --lab or --vms out", "a lab has one VM")
	case f.assert.wanted:
		return usagef("leave --vms out", "--assert checks one VM")
	case f.media != "":
		return usagef("use --medium", "--media writes one disc, and --vms has many VMs")
	case f.kvpPool != "" && !strings.Contains(f.kvpPool, vmPlaceholder):
		return usagef("put {} where the number of the VM is to stand", "--kvp-pool names one file, and --vms has many VMs")
	case f.fleet.by.value == byPort && flags.Changed("sources"):
		return usagef("leave --sources out", "--by port tells the VMs apart by their ports")
	}
	return nil
}

// runFleet serves many VMs until it is to end.
func (a *app) runFleet(ctx context.Context, f *emulateFlags, scenario emulator.Scenario, journal *journalWriter) (err error) {
	options := &emulator.FleetOptions{Journal: journal, Bodies: f.bodies()}
	if options.Sources, err = f.fleet.sources.addresses(f.fleet.vms); err != nil {
		return err
	}
	if f.kvpPool != "" {
		options.KVPPool = func(number int) string { return f.ofVM(number).kvpPool }
	}
	fleet, err := emulator.NewFleet(scenario, f.fleet.vms, options)
	if err != nil {
		return err
	}
	listen := fleet.Listen
	if f.fleet.by.value == byPort {
		listen = fleet.ListenPorts
	}
	server, err := listen(ctx, f.addresses())
	if err != nil {
		return f.namedListen(err)
	}
	err = errors.Join(journal.begin(), writeFleetSurroundings(fleet, f))
	if err == nil {
		err = a.serveFleet(ctx, fleet, server, f)
	}
	if closed := server.Close(); err == nil {
		err = closed
	}
	return err
}

// writeFleetSurroundings is writeSurroundings in a directory for each VM.
func writeFleetSurroundings(fleet *emulator.Fleet, f *emulateFlags) error {
	if f.dmi == "" && f.medium == "" {
		return nil
	}
	for number := range fleet.Len() {
		if err := writeSurroundings(fleet.VM(number), f.ofVM(number)); err != nil {
			return err
		}
	}
	return nil
}

// ofVM are the flags with the directories and the file of one VM.
func (f *emulateFlags) ofVM(number int) *emulateFlags {
	one, text := *f, strconv.Itoa(number)
	for _, dir := range []*string{&one.dmi, &one.medium} {
		if *dir != "" {
			*dir = filepath.Join(*dir, text)
		}
	}
	one.kvpPool = strings.ReplaceAll(f.kvpPool, vmPlaceholder, text)
	return &one
}

// serviceURLs are where services are.
type serviceURLs struct {
	IMDS       string `json:"imds,omitempty"`
	WireServer string `json:"wireserver,omitempty"`
	HostGA     string `json:"hostga,omitempty"`
}

func urlsOf(server *emulator.FleetServer, number int) serviceURLs {
	return serviceURLs{server.IMDSURL(number), server.WireServerURL(number), server.HostGAURL(number)}
}

// serveFleet says where the VMs' services are, and how the fleet stands until it is to end.
func (a *app) serveFleet(ctx context.Context, fleet *emulator.Fleet, server *emulator.FleetServer, f *emulateFlags) error {
	lines, err := fleetLines(fleet, server, f)
	if err != nil {
		return err
	}
	_, _ = a.out.Write(lines)
	if err := a.out.failure(); err != nil {
		return err // nobody could find the services
	}
	a.explainFleet(fleet, server, f)
	var watching sync.WaitGroup
	watching.Go(func() { fleet.WatchKVP(ctx, 0) })
	for told := standing(fleet.Summary()); wait.For(ctx, standingInterval) == nil; {
		if now := standing(fleet.Summary()); now != told {
			a.remark("%s  %s", time.Now().UTC().Format("15:04:05"), now)
			told = now
		}
	}
	watching.Wait()
	fleet.CollectKVP(context.WithoutCancel(ctx))
	summary := fleet.Summary()
	a.remark("\nEnd. %s.", standing(summary))
	if !a.json() {
		return nil
	}
	line, err := encodeJSON(summary)
	if err == nil {
		_, _ = fmt.Fprintf(a.out, "%s\n", line)
		err = a.out.failure()
	}
	return err
}

// fleetLines are what programs read: the first line, and one for each VM where there is
// something to say.
func fleetLines(fleet *emulator.Fleet, server *emulator.FleetServer, f *emulateFlags) ([]byte, error) {
	type head struct {
		serviceURLs

		PID int    `json:"pid"`
		VMs int    `json:"vms"`
		By  string `json:"by"`
	}
	type member struct {
		VM     int        `json:"vm"`
		Name   string     `json:"name"`
		Source netip.Addr `json:"source,omitzero"`
		serviceURLs
	}
	ports := f.fleet.by.value == byPort
	first := head{PID: os.Getpid(), VMs: fleet.Len(), By: f.fleet.by.value}
	if !ports {
		first.serviceURLs = urlsOf(server, 0)
	}
	values := []any{first}
	for _, vm := range fleet.VMs() {
		switch {
		case ports:
			values = append(values, member{VM: vm.Number, Name: vm.Name, serviceURLs: urlsOf(server, vm.Number)})
		case vm.Source.IsValid():
			values = append(values, member{VM: vm.Number, Name: vm.Name, Source: vm.Source})
		}
	}
	var b bytes.Buffer
	for _, value := range values {
		line, err := encodeJSON(value)
		if err != nil {
			return nil, err
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// standing says in a line how a fleet stands.
func standing(s emulator.FleetSummary) string {
	var states []string
	for _, state := range []emulator.ReportState{emulator.StateReady, emulator.StateFailed, emulator.StateInProgress, emulator.StateNone} {
		states = append(states, fmt.Sprintf("%d %s", s.States[state], state))
	}
	text := strings.Join(states, ", ") + "; " + plural(s.Requests, "request", "requests") + ", " + remarks(s.Remarks)
	if s.Refused > 0 {
		text += ", " + strconv.Itoa(s.Refused) + " refused: of no VM"
	}
	return text
}

// explainFleet tells people who is who.
func (a *app) explainFleet(fleet *emulator.Fleet, server *emulator.FleetServer, f *emulateFlags) {
	vms := fleet.VMs()
	first, last := vms[0], vms[len(vms)-1]
	scenario := fleet.VM(0).Scenario()
	a.remark("%s\n%s: %s to %s.", title(&scenario), plural(len(vms), "VM", "VMs"), first.Name, last.Name)
	switch {
	case f.fleet.by.value == byPort:
		one := f.ofVM(0)
		a.remark("Each has its ports, which standard output lists. Provision the first from a second shell:\n\n  %s\n",
			a.suggest(fleet.VM(0), one, server.IMDSURL(0), server.WireServerURL(0)))
	case first.Source.IsValid():
		a.remark("They are who comes from %s to %s, to IMDS at %s and the wire server at %s.", first.Source, last.Source, server.IMDSURL(0), server.WireServerURL(0))
	default:
		a.remark("An address becomes the next VM's with its first request, to IMDS at %s or the wire server at %s.", server.IMDSURL(0), server.WireServerURL(0))
	}
	a.remark("Interrupt (Ctrl-C) to end.")
}
