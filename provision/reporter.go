package provision

import (
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/wireserver"
)

// Channel is a way to the platform.
type Channel string

// The channels.
const (
	// ChannelBoth is the wire server, and the host channel where there is one.
	ChannelBoth Channel = "both"
	// ChannelWireServer is the wire server alone.
	ChannelWireServer Channel = "wireserver"
	// ChannelKVP is the host channel alone: it needs no network.
	ChannelKVP Channel = "kvp"
)

// PossibleChannelValues returns all channels.
func PossibleChannelValues() []Channel {
	return []Channel{ChannelBoth, ChannelWireServer, ChannelKVP}
}

// ReporterOptions configures a [Reporter]. The zero value is for a VM on Azure.
type ReporterOptions struct {
	// WireServer is the client to use; nil is a client with its defaults.
	WireServer *wireserver.Client
	// Host is the way to the host beside the wire server. nil is [DefaultHost];
	// if WireServer or Sysfs is set, which says that the platform may not be this
	// machine's, it is [NoHost].
	Host HostChannel
	// Channel is which of the two to use, [ChannelBoth] if empty.
	Channel Channel
	// Network, if set, is brought up for the report of an outcome if the wire server
	// cannot be reached without, and taken down again.
	Network Network

	// AgentName is in the reports: "NAME/VERSION". It is "azprov/" and the SDK's
	// version if empty.
	AgentName string
	// Dialect is that of the record of an outcome, [report.DialectCloudInit] if empty.
	Dialect report.Dialect
	// HealthFormat is tried first, [wireserver.HealthFormatXML] if empty.
	HealthFormat wireserver.HealthFormat
	// FailureTimeout bounds a failure report without a deadline of its own,
	// [DefaultFailureTimeout] if zero.
	FailureTimeout time.Duration
	// StateDir holds the latch that keeps reports from contradicting each other
	// across processes: [DefaultStateDir] if empty, none for [NoStateDir]. A directory
	// that cannot be used is a warning: the report matters more.
	StateDir string
	// BootID distinguishes boots in the latch; empty reads the kernel's.
	BootID string
	// Sysfs is the view of /sys to read the VM's id from; nil is the machine's own.
	Sysfs fs.FS

	// Logger is silent if nil. It never sees a secret.
	Logger *zap.Logger
}

// Reporter tells the platform how provisioning went, once per VM and boot, whichever
// process of the machine is first. It is safe for concurrent use.
type Reporter struct {
	o     ReporterOptions
	latch *latch
	id    func() azprov.VMID // from the firmware; zero if that cannot be read
}

// NewReporter checks the options, fills in the defaults and returns a Reporter. It does
// no I/O.
func NewReporter(options *ReporterOptions) (*Reporter, error) {
	o := ReporterOptions{}
	if options != nil {
		o = *options
	}
	own := o.WireServer == nil && o.Sysfs == nil
	if o.WireServer == nil && o.Channel != ChannelKVP {
		var err error
		if o.WireServer, err = wireserver.NewClient(&wireserver.ClientOptions{Logger: o.Logger}); err != nil {
			return nil, err
		}
	}
	return newReporter("provision.NewReporter", o, own)
}

// newReporter fills in what does not depend on whose clients they are. own: the platform is
// this machine's.
func newReporter(op string, o ReporterOptions, own bool) (*Reporter, error) {
	if o.Channel == "" {
		o.Channel = ChannelBoth
	}
	switch {
	case o.Host == nil && own:
		o.Host = DefaultHost()
	case o.Host == nil:
		o.Host = NoHost()
	}
	if err := checkReporter(op, o); err != nil {
		return nil, err
	}
	if o.AgentName == "" {
		o.AgentName = "azprov/" + azprov.Version
	}
	if o.FailureTimeout <= 0 {
		o.FailureTimeout = DefaultFailureTimeout
	}
	if o.Sysfs == nil {
		o.Sysfs = os.DirFS("/sys")
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	dir := o.StateDir
	switch dir {
	case "":
		dir = DefaultStateDir
	case NoStateDir:
		dir = ""
	}
	id := sync.OnceValue(func() (id azprov.VMID) {
		if dmi, err := azprov.ReadDMI(o.Sysfs); err == nil {
			id, _ = dmi.VMID()
		}
		return id
	})
	return &Reporter{o: o, latch: newLatch(dir, o.BootID), id: id}, nil
}

func checkReporter(op string, o ReporterOptions) error {
	bad := func(message string) error {
		return &azprov.Error{Op: op, Kind: azprov.KindInternal, Message: message}
	}
	switch {
	case o.HealthFormat != "" && !slices.Contains(wireserver.PossibleHealthFormatValues(), o.HealthFormat):
		return bad("unknown HealthFormat " + azprov.OneLine(string(o.HealthFormat)))
	case o.Dialect != "" && !slices.Contains(report.PossibleDialectValues(), o.Dialect):
		return bad("unknown Dialect " + azprov.OneLine(string(o.Dialect)))
	case !slices.Contains(PossibleChannelValues(), o.Channel):
		return bad("unknown Channel " + azprov.OneLine(string(o.Channel)))
	case o.Channel == ChannelKVP && o.Host == NoHost():
		return bad("the Channel is the host's alone, and there is no Host")
	}
	return nil
}

// usesHost and usesWireServer say which ways a report takes.
func (r *Reporter) usesHost() bool       { return r.o.Channel != ChannelWireServer && r.o.Host != NoHost() }
func (r *Reporter) usesWireServer() bool { return r.o.Channel != ChannelKVP }
