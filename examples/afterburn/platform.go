package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/wireserver"
)

// agentName is in the requests to the wire server and in the report.
const agentName = "azprov-afterburn"

// platform is Azure or Azure Stack around the machine. Each source is asked when an
// action needs it, and once.
type platform struct {
	app   *app
	stack bool
	// named: its endpoints are not the machine's own.
	named bool
	// disc is the provisioning medium.
	disc func(wait time.Duration) provision.Medium

	compute    func(context.Context) (imds.Compute, error)
	wireServer func(context.Context) (*wireserver.Client, error)
}

// newPlatform returns the platform that the flags mean; done ends an emulated one.
func (a *app) newPlatform(ctx context.Context, provider string) (p *platform, done func(), err error) {
	f := &a.flags
	p, done = &platform{app: a, stack: provider == azureStack}, func() {}
	p.disc = p.localDisc
	if f.emulate != "" {
		if f.imds != "" || f.wireServer != "" {
			return nil, nil, usagef("leave out --emulate, or --imds and --wireserver", "--emulate brings services of its own")
		}
		if done, err = a.emulate(ctx, p); err != nil {
			return nil, nil, err
		}
	}
	p.named = f.imds != "" || f.wireServer != ""
	if dmi, _ := azprov.ReadDMI(a.sys); !p.named && !p.stack && !dmi.OnAzure() {
		return nil, nil, &azprov.Error{
			Op: "--provider azure", Kind: azprov.KindNotAzure, Message: "this machine is no VM on Azure",
			Hint: "to try the command here, give it --emulate",
		}
	}
	if _, err := os.Stat(f.media); f.media != "" && err != nil && !strings.HasPrefix(f.media, "/dev/") { // a device may come yet
		done()
		return nil, nil, usagef("name a device or an image of a disc", "--media: there is no %s", f.media)
	}
	client, err := imds.NewClient(&imds.ClientOptions{ClientOptions: a.http(), Endpoint: f.imds, OnRetry: a.onRetry})
	if err != nil {
		done()
		return nil, nil, usagef("", "--imds: %v", err)
	}
	p.compute = once(func(ctx context.Context) (imds.Compute, error) { return p.readCompute(ctx, client) })
	p.wireServer = once(func(ctx context.Context) (*wireserver.Client, error) { return p.newWireServer(ctx) })
	return p, done, nil
}

func (a *app) http() azcore.ClientOptions { return azcore.ClientOptions{Transport: a.transport} }

// once is sync.OnceValues for a function of a context.
func once[T any](f func(context.Context) (T, error)) func(context.Context) (T, error) {
	var first sync.Once
	var value T
	var err error
	return func(ctx context.Context) (T, error) {
		first.Do(func() { value, err = f(ctx) })
		return value, err
	}
}

// onRetry shows that something is waited for.
func (a *app) onRetry(e azprov.RetryEvent) {
	if e.Attempt&(e.Attempt-1) == 0 { // 1, 2, 4, 8, …
		a.note("waiting: attempt %d: %s", e.Attempt, azprov.OneLine(e.Err.Error()))
	}
}

// readCompute reads what IMDS says. There are Azure Stacks without IMDS, where nothing
// ever answers: then the medium has to do.
func (p *platform) readCompute(ctx context.Context, client *imds.Client) (imds.Compute, error) {
	options := &imds.GetInstanceOptions{}
	if p.stack {
		options.SilentAttempts, options.SilentTime = 10, 30*time.Second
	}
	resp, err := client.GetInstance(ctx, options)
	if p.stack && errors.Is(err, azprov.ErrNoAnswer) && ctx.Err() == nil {
		p.app.note("warning: there is no IMDS here; going on with the provisioning medium")
		return imds.Compute{}, nil
	}
	return resp.Compute, err
}

// newWireServer finds the wire server, which is elsewhere on an Azure Stack.
func (p *platform) newWireServer(ctx context.Context) (*wireserver.Client, error) {
	endpoint := p.app.flags.wireServer
	if endpoint == "" && p.stack {
		found, err := wireserver.Discover(ctx, nil)
		if err != nil {
			return nil, err
		}
		endpoint = found.URL
	}
	return wireserver.NewClient(&wireserver.ClientOptions{
		ClientOptions: p.app.http(), Endpoint: endpoint, AgentName: agentName, OnRetry: p.app.onRetry,
	})
}

// reporter reports to the wire server, and on the machine's own platform to the host.
func (p *platform) reporter(ctx context.Context) (*provision.Reporter, error) {
	client, err := p.wireServer(ctx)
	if err != nil {
		return nil, err
	}
	options := &provision.ReporterOptions{
		WireServer: client, Host: p.app.host, AgentName: agentName + "/" + azprov.Version,
		StateDir: p.app.state, Sysfs: p.app.sys,
	}
	if p.named { // what another platform is told does not bind this machine
		options.Host, options.StateDir = provision.NoHost(), provision.NoStateDir
	}
	return provision.NewReporter(options)
}

// localDisc is the machine's own provisioning disc, or the one that was named.
func (p *platform) localDisc(wait time.Duration) provision.Medium {
	if p.named && p.app.flags.media == "" {
		return provision.NoMedium() // another platform's machine
	}
	return provision.Disc(&media.Options{Device: p.app.flags.media, Wait: wait, System: p.app.system})
}

// medium reads the provisioning medium; nil if there is none.
func (p *platform) medium(ctx context.Context, wait time.Duration) (*ovf.Environment, error) {
	env, err := p.disc(wait).Read(ctx, func() { p.app.note("waiting for the provisioning medium") })
	if azprov.KindOf(err) == azprov.KindNotFound && p.app.flags.media == "" {
		return nil, nil //nolint:nilnil // No medium is an answer, after the first boot the usual one.
	}
	return env, err
}
