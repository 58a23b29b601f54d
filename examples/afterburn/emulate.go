package main

import (
	"context"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
)

// emulate starts the platform of a scenario in this process, and points the flags at it.
func (a *app) emulate(ctx context.Context, p *platform) (done func(), err error) {
	scenario, err := emulator.LookupScenario(a.flags.emulate)
	if err != nil {
		return nil, usagef("go run ./examples/azprov emulate --list names the scenarios", "there is no scenario %q", a.flags.emulate)
	}
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		return nil, err
	}
	server, err := fabric.Listen(ctx, emulator.Addresses{})
	if err != nil {
		return nil, err
	}
	a.flags.imds, a.flags.wireServer, a.sys = server.IMDSURL(), server.WireServerURL(), fabric.DMI()
	files, there := fabric.Medium()
	if a.flags.media == "" {
		p.disc = func(time.Duration) provision.Medium {
			if !there {
				return provision.NoMedium()
			}
			return provision.MediumFS(files)
		}
	}
	return func() { _ = server.Close() }, nil // its trouble was the run's trouble
}
