package main

import (
	"context"
	"errors"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/memlinks"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/provision"
)

// emulate starts a platform in this process and makes it the one that is asked.
func (a *app) emulate(ctx context.Context, p *platform) (imdsURL, wireServerURL string, err error) {
	scenario, err := emulator.LookupScenario(a.flags.emulate)
	if err != nil {
		var typed *azprov.Error
		_ = errors.As(err, &typed)
		return "", "", usagef(typed.Hint, "there is no scenario %q", a.flags.emulate)
	}
	links := emulator.NewMemoryLinks(scenario)
	fabric, err := emulator.NewFabric(scenario, &emulator.Options{Links: links})
	if err != nil {
		return "", "", err
	}
	// The end of ctx must not end the services before a failure was reported.
	server, err := fabric.Listen(context.WithoutCancel(ctx), emulator.Addresses{})
	if err != nil {
		return "", "", err
	}
	p.closers = append(p.closers, func() { _ = server.Close() })
	o := p.options
	o.AssumeAzure, o.StateDir, o.Host = true, provision.NoStateDir, provision.NoHost()
	o.Pool.Links = memlinks.Links(links)
	if scenario.Pool.Switched { // it has reported to its pool before it was rebooted
		if err := o.Pool.Store.Save(ctx, pps.Marker{VMID: scenario.VM.ID, Phase: pps.PhaseReported}); err != nil {
			return "", "", err
		}
	}
	if a.flags.dmi == "/sys" {
		p.sysfs = fabric.DMI()
	}
	if a.flags.media == "" {
		o.Medium = provision.NoMedium()
		if files, ok := fabric.Medium(); ok {
			o.Medium = provision.MediumFS(files)
		}
	}
	return server.IMDSURL(), server.WireServerURL(), nil
}
