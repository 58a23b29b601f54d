package provider

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/wireserver"
)

// Source is where the user's config may be.
type Source string

// The sources.
const (
	// UserData comes from IMDS.
	UserData Source = "user-data"
	// CustomData comes on the provisioning medium, which is there without a network.
	CustomData Source = "custom-data"
)

const (
	// DefaultReportTimeout bounds a report: a machine that failed goes to its emergency
	// shell, and one that boots must not wait for the platform.
	DefaultReportTimeout = 10 * time.Second
	// NoReady as Options.ReadyAfter leaves Ready to a program of the real root.
	NoReady = "-"
)

// Options configures the provider. The zero value is for Ignition on Azure.
type Options struct {
	// Sources are asked in this order, and the first that has something is the config:
	// [UserData] and then [CustomData] if nil, which is Ignition's order; CustomData alone
	// is for Azure Stack, whose IMDS has no user data.
	Sources []Source
	// IMDS and WireServer are the clients to use; nil is a client with its defaults.
	IMDS       *imds.Client
	WireServer *wireserver.Client
	// Medium reads the medium. nil looks for the machine's own disc, and waits for one that
	// is late for 30 seconds.
	Medium func(ctx context.Context) (*ovf.Environment, error)
	// FetchTimeout bounds Fetch, if it is set; IMDS has 5 minutes without.
	FetchTimeout time.Duration
	// ReportTimeout bounds each report, [DefaultReportTimeout] if zero.
	ReportTimeout time.Duration
	// ReadyAfter is the stage after which the machine is Ready: the last one, umount, if
	// empty. [NoReady] is for images with a check-in of their own.
	ReadyAfter string
	// AgentName is in the reports, "Ignition" if empty.
	AgentName string
	// Sysfs is the view of /sys to read the VM's id from; nil is the machine's own.
	Sysfs fs.FS
}

// platform is a provider with its options filled in.
type platform struct{ o Options }

// New returns the provider. It does no I/O.
func New(options *Options) (Provider, error) {
	var o Options
	if options != nil {
		o = *options
	}
	if err := o.check(); err != nil {
		return Provider{}, err
	}
	if err := o.clients(); err != nil {
		return Provider{}, err
	}
	if o.Sources == nil {
		o.Sources = []Source{UserData, CustomData}
	}
	if o.Medium == nil {
		o.Medium = ownMedium
	}
	if o.ReportTimeout <= 0 {
		o.ReportTimeout = DefaultReportTimeout
	}
	if o.ReadyAfter == "" {
		o.ReadyAfter = StageUmount
	}
	if o.AgentName == "" {
		o.AgentName = "Ignition"
	}
	if o.Sysfs == nil {
		o.Sysfs = os.DirFS("/sys")
	}
	p := &platform{o}
	return Provider{Name: Name, Fetch: p.fetch, Status: p.status}, nil
}

func (o *Options) check() error {
	for _, source := range o.Sources {
		if source != UserData && source != CustomData {
			return fmt.Errorf("no source %q: want %s or %s", source, UserData, CustomData)
		}
	}
	if o.ReadyAfter != "" && o.ReadyAfter != NoReady && !slices.Contains(Stages(), o.ReadyAfter) {
		return fmt.Errorf("no stage %q", o.ReadyAfter)
	}
	return nil
}

func (o *Options) clients() (err error) {
	if o.IMDS == nil {
		if o.IMDS, err = imds.NewClient(nil); err != nil {
			return err
		}
	}
	if o.WireServer == nil {
		o.WireServer, err = wireserver.NewClient(nil)
	}
	return err
}

// ownMedium reads the disc of this machine.
func ownMedium(ctx context.Context) (*ovf.Environment, error) {
	medium, err := media.Open(ctx, nil)
	if err != nil {
		return nil, err
	}
	return medium.Environment()
}

// vmID is that of the firmware, zero if it cannot be read.
func (p *platform) vmID() (id azprov.VMID) {
	if dmi, err := azprov.ReadDMI(p.o.Sysfs); err == nil {
		id, _ = dmi.VMID()
	}
	return id
}
