package provision

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/wireserver"
)

// ConfigOrder decides which of custom data and user data is the machine's Config.
type ConfigOrder string

// The orders.
const (
	// CustomDataFirst is cloud-init's order.
	CustomDataFirst ConfigOrder = "customDataFirst"
	// UserDataFirst is Ignition's order.
	UserDataFirst ConfigOrder = "userDataFirst"
)

// PossibleConfigOrderValues returns all orders.
func PossibleConfigOrderValues() []ConfigOrder {
	return []ConfigOrder{CustomDataFirst, UserDataFirst}
}

const (
	// DefaultFailureTimeout bounds a failure report: a machine that failed should
	// say so and stop.
	DefaultFailureTimeout = 2 * time.Minute
	// DefaultStateDir holds the latch. It is on a file system that a reboot empties.
	DefaultStateDir = "/run/azprov"
	// NoStateDir as Options.StateDir keeps the latch in memory: for tests, and for
	// reports to a platform that is not this machine's.
	NoStateDir = "-"
)

// Options configures a [Provisioner]. The zero value is for a VM on Azure whose
// network is up.
type Options struct {
	// Apply makes the machine what it is to be. Ready means that it returned nil. An
	// error that is an *azprov.Error with Reason and Details is reported with these,
	// any other as "unhandled exception" with its text. A nil Apply applies nothing.
	// Only Run calls it.
	Apply func(ctx context.Context, m *Machine) error

	// IMDS and WireServer are the clients to use; nil is a client with its defaults.
	IMDS       *imds.Client
	WireServer *wireserver.Client
	// AssumeAzure goes on without Azure's chassis asset tag, and takes IMDS's VM id
	// where the tag is not there. It is for clients with endpoints of their own.
	AssumeAzure bool
	// Sysfs is the view of /sys to read DMI from; nil is the machine's own.
	Sysfs fs.FS

	// Medium is the machine's own disc if nil, [Disc]; with AssumeAzure or Sysfs, which
	// say that the platform is not this machine's, it is [NoMedium].
	Medium Medium
	// Pool is how a VM of a pre-provisioning pool waits for its owner.
	Pool PoolOptions
	// Network and ProxyAgent may be nil: then the network is up, and nobody waits for the
	// guest proxy agent. A nil Keys is [CertificateKeys] of WireServer. ProxyAgent is also what the default clients ask
	// after a 401; clients of your own have their own WaitForProxyAgent. What is waited
	// for here is bounded by the context alone.
	Network    Network
	Keys       KeyResolver
	ProxyAgent func(context.Context) error
	// Host is the way to the host beside the wire server. nil is [DefaultHost]; with
	// AssumeAzure or Sysfs it is [NoHost]. Steps are events there, if it is an [EventChannel].
	Host HostChannel
	// Channel is which of Host and WireServer reports take, [ChannelBoth] if empty.
	Channel Channel

	// ConfigOrder is [CustomDataFirst] if empty.
	ConfigOrder ConfigOrder
	// DefaultUser is created if neither IMDS nor the medium names a user.
	DefaultUser string
	// AllowMissingCustomData goes on if IMDS says that there is custom data and none
	// was read.
	AllowMissingCustomData bool

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

	// Logger is silent if nil. It never sees a secret.
	Logger *zap.Logger
	// OnStep, if set, is called at the start and at the end of every step, one call
	// at a time.
	OnStep func(StepEvent)
}

// Provisioner provisions one machine. It is safe for concurrent use.
type Provisioner struct {
	o        Options
	reporter *Reporter
}

// New checks the options, fills in the defaults and returns a Provisioner. It does
// no I/O.
func New(options *Options) (*Provisioner, error) {
	o := Options{}
	if options != nil {
		o = *options
	}
	if o.ConfigOrder == "" {
		o.ConfigOrder = CustomDataFirst
	}
	if !slices.Contains(PossibleConfigOrderValues(), o.ConfigOrder) {
		return nil, &azprov.Error{
			Op: "provision.New", Kind: azprov.KindInternal,
			Message: "unknown ConfigOrder " + azprov.OneLine(string(o.ConfigOrder)),
		}
	}
	var err error
	if o.IMDS == nil {
		if o.IMDS, err = imds.NewClient(&imds.ClientOptions{Logger: o.Logger, WaitForProxyAgent: o.ProxyAgent}); err != nil {
			return nil, err
		}
	}
	if o.WireServer == nil {
		if o.WireServer, err = wireserver.NewClient(&wireserver.ClientOptions{Logger: o.Logger, WaitForProxyAgent: o.ProxyAgent}); err != nil {
			return nil, err
		}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	o.Logger = o.Logger.Named("provision")
	ownPlatform := o.Sysfs == nil && !o.AssumeAzure
	if o.Medium == nil {
		o.Medium = NoMedium()
		if ownPlatform {
			o.Medium = Disc(nil)
		}
	}
	poolDefaults(&o, ownPlatform)
	if o.Sysfs == nil {
		o.Sysfs = os.DirFS("/sys")
	}
	o.Keys = keysOrDefault(o.Keys, o.WireServer)
	reporter, err := newReporter("provision.New", o.reporting(), ownPlatform)
	if err != nil {
		return nil, err
	}
	return &Provisioner{o: o, reporter: reporter}, nil
}

// reporting is the part of the options that is for reports.
func (o *Options) reporting() ReporterOptions {
	return ReporterOptions{
		WireServer: o.WireServer, Host: o.Host, Channel: o.Channel, Network: o.Network,
		AgentName: o.AgentName, Dialect: o.Dialect, HealthFormat: o.HealthFormat, FailureTimeout: o.FailureTimeout,
		StateDir: o.StateDir, BootID: o.BootID, Sysfs: o.Sysfs, Logger: o.Logger,
	}
}
