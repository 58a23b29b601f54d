package provision_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/wireserver"
)

// fabric serves a VM in memory and returns the options to provision against it. On a
// real VM the zero Options will do.
func fabric(ctx context.Context) (*emulator.Fabric, *provision.Options, func()) {
	scenario, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		panic(err)
	}
	f, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		panic(err)
	}
	server := f.ListenInMemory(ctx)
	transport := azcore.ClientOptions{Transport: server.Client()}
	metadata, err := imds.NewClient(&imds.ClientOptions{ClientOptions: transport})
	if err != nil {
		panic(err)
	}
	wire, err := wireserver.NewClient(&wireserver.ClientOptions{ClientOptions: transport})
	if err != nil {
		panic(err)
	}
	options := &provision.Options{IMDS: metadata, WireServer: wire, Sysfs: f.DMI(), StateDir: provision.NoStateDir}
	if medium, ok := f.Medium(); ok {
		options.Medium = provision.MediumFS(medium)
	}
	return f, options, func() { _ = server.Close() }
}

// The whole course in one call: Ready means that Apply returned nil.
func ExampleRun() {
	ctx := context.Background()
	f, options, stop := fabric(ctx)
	defer stop()

	options.Apply = func(_ context.Context, m *provision.Machine) error {
		fmt.Println("host name", m.HostName, "from", m.Sources[provision.FieldHostName])
		fmt.Println("user", m.User.Name, "with", len(m.User.SSHKeys), "keys")
		return nil
	}
	result, err := provision.Run(ctx, options)
	fmt.Println(result.Report.State, err, "- the fabric was told", f.State())
	// Output:
	// host name harbour-01 from imds
	// user pilot with 2 keys
	// Ready <nil> - the fabric was told Ready
}

// An agent of several processes collects in the first and reports in the last; a
// state directory keeps the reports from contradicting each other.
func ExampleProvisioner_Report() {
	ctx := context.Background()
	_, options, stop := fabric(ctx)
	defer stop()

	p, err := provision.New(options)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := p.Collect(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := p.Report(ctx, provision.Outcome{State: provision.ReportReady, VMID: m.VMID})
	fmt.Println(result.State, err)
	// Output: Ready <nil>
}

// A program that systemd starts when another one has failed: the failure is in the host's
// file at once, and at the wire server when there is a network.
func ExampleReporter() {
	reporter, err := provision.NewReporter(&provision.ReporterOptions{
		Channel:  provision.ChannelKVP, // an agent leaves it out, for both
		Host:     onScreen{},
		StateDir: provision.NoStateDir,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := reporter.Report(context.Background(), provision.Outcome{
		State: provision.ReportFailed,
		Err:   &azprov.Error{Op: "disks", Reason: "disk is full", Details: []azprov.Detail{{Key: "device", Value: "/dev/sda"}}},
	})
	fmt.Println(result.State, err)
	// Output:
	// result=error|reason=disk is full
	// Failed <nil>
}

type onScreen struct{}

func (onScreen) WriteReport(_ context.Context, record string) error {
	fields := strings.Split(record, "|")
	fmt.Println(strings.Join(fields[:2], "|"))
	return nil
}
