package lab

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// Options are the optional settings of [New].
type Options struct {
	// Scenario describes the VM; one without a name stands for the default scenario.
	Scenario emulator.Scenario
	// Journal is that of the fabric ([emulator.Options]).
	Journal io.Writer
	// Bodies says where the fabric's journal keeps bodies.
	Bodies emulator.Bodies
	// KVPPool is that of the fabric ([emulator.Options]).
	KVPPool string
	// Secondary gives the VM two interfaces, of which the first, eth0, is not the
	// primary one: it gets a lease without routes to the platform, and reaches nothing.
	Secondary bool
	// Twin gives the VM an interface with the address of the primary one, as the virtual
	// function of accelerated networking has. Nothing answers on it.
	Twin bool
	// LeaseTime is that of the DHCP leases; 0 stands for an infinite one, which is
	// Azure's.
	LeaseTime time.Duration
	// NoDHCP leaves DHCP to a server of somebody else's, in the namespace NAME-fabric.
	NoDHCP bool
	// Name makes the namespaces known to ip-netns(8) as NAME and NAME-fabric, by mounts
	// below /run/netns which only Close takes away. Without one they have no name and
	// leave nothing behind, however the process ends.
	Name string
}

// Lab is a fabric in a network of its own. All methods are safe for concurrent use.
// [Lab.Close] must be called.
type Lab struct {
	fabric  *emulator.Fabric
	server  *emulator.Server
	network *network
	ended   context.Context //nolint:containedctx // It ends with the lab, and with it what runs in the guest.
	cancel  context.CancelFunc
}

// New makes the namespaces, and in them the interfaces, the services on their real
// addresses and the DHCP server. It returns when they answer. The end of ctx ends the
// requests that are waiting and the programs of [Lab.Command], not the lab.
//
// Errors: Denied without the rights of root, NotFound off Linux or if the system lacks
// something, Malformed for a scenario that contradicts itself or a name that cannot be.
func New(ctx context.Context, options *Options) (*Lab, error) {
	if options == nil {
		options = &Options{}
	}
	if err := options.validate(); err != nil {
		return nil, err
	}
	scenario := options.Scenario
	if scenario.Name == "" {
		var err error
		if scenario, err = emulator.LookupScenario(""); err != nil {
			return nil, err
		}
	}
	l := &Lab{network: &network{}}
	var err error
	l.fabric, err = emulator.NewFabric(scenario, &emulator.Options{
		Journal: options.Journal, Bodies: options.Bodies, Links: l.network, KVPPool: options.KVPPool,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	l.ended, l.cancel = ctx, cancel
	if err = l.network.build(ctx, planOf(l.fabric.Scenario(), *options)); err == nil {
		l.server, err = l.fabric.ListenWith(ctx, l.network.listen, platformAddresses())
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// Fabric returns the fabric: its journal, timeline and state.
func (l *Lab) Fabric() *emulator.Fabric { return l.fabric }

// Server returns the fabric's server, for its URLs: they are reached from the guest only,
// its client from nowhere.
func (l *Lab) Server() *emulator.Server { return l.server }

// Links returns what moves the interfaces of the guest. The fabric calls it as the
// scenario wants; it may be called besides.
func (l *Lab) Links() emulator.LinkDriver { return l.network }

// Namespace returns the path of the guest's network namespace, for nsenter --net=PATH. It
// is one of this process unless the lab has a name.
func (l *Lab) Namespace() string { return l.network.path() }

// Guest runs f in the guest's network namespace, on the calling goroutine. Sockets that f
// opens belong to the guest for good; goroutines that it starts run outside. So do
// dialers that try several addresses at once: an address, not a name, stays inside.
func (l *Lab) Guest(f func() error) error { return l.network.inGuest(f) }

// Command returns a program that runs in the guest's network namespace, and is killed
// when ctx or the lab ends. File systems are the host's: /sys/class/net too shows the
// host's interfaces, and /etc/resolv.conf its name servers.
func (l *Lab) Command(ctx context.Context, name string, args ...string) *Command {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(l.ended, cancel) //nolint:contextcheck // Whichever ends first.

	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // It is what the caller wants.
	return &Command{Cmd: command, guest: l.Guest}
}

// Close stops the services and takes the namespaces away with all that is in them. A
// namespace that another process has entered lives on, unconnected, as long as that. It
// may be called more than once.
func (l *Lab) Close() error {
	var err error
	if l.server != nil {
		err = l.server.Close()
	}
	l.cancel()
	if closed := l.network.close(); err == nil && closed != nil {
		err = labError(azprov.KindInternal, "the network could not be taken down", "", closed)
	}
	return err
}

// Command is a program in the guest. Its fields are those of [exec.Cmd]; only the methods
// here run it in the guest.
type Command struct {
	*exec.Cmd

	guest func(func() error) error
}

// Start is that of [exec.Cmd].
func (c *Command) Start() error { return c.guest(c.Cmd.Start) }

// Run is that of [exec.Cmd].
func (c *Command) Run() error { return c.guest(c.Cmd.Run) }

// Output is that of [exec.Cmd].
func (c *Command) Output() ([]byte, error) { return c.collect(c.Cmd.Output) }

// CombinedOutput is that of [exec.Cmd].
func (c *Command) CombinedOutput() ([]byte, error) { return c.collect(c.Cmd.CombinedOutput) }

func (c *Command) collect(run func() ([]byte, error)) (out []byte, err error) {
	err = c.guest(func() error {
		out, err = run()
		return err
	})
	return out, err
}

// nameLimit keeps a name short enough for every table that shows it.
const nameLimit = 32

func (o *Options) validate() error {
	plain := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' }
	switch {
	case len(o.Name) > nameLimit || strings.ContainsFunc(o.Name, func(r rune) bool { return !plain(r) }):
		return labError(azprov.KindMalformed, "the name is not one of 32 small letters, digits and dashes at most", "", nil)
	case o.LeaseTime < 0:
		return labError(azprov.KindMalformed, "the lease time is negative", "", nil)
	}
	return nil
}

func labError(kind azprov.Kind, message, hint string, last error) error {
	return &azprov.Error{Op: "lab.New", Kind: kind, Message: message, Hint: hint, Last: last}
}
