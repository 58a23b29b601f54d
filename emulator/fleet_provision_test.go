package emulator_test

import (
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/memlinks"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/wireserver"
)

// VMs of a pool become their owners' side by side, each over its own links, and VMs with
// certificates get them, which are the same for all, encrypted for each.
func TestFleetProvisionsInMemory(t *testing.T) {
	t.Parallel()
	const vms = 4
	for _, name := range []string{"pps-running", "pps-savable", "fingerprint-keys"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				scenario, err := emulator.LookupScenario(name)
				if err != nil {
					t.Fatal(err)
				}
				links := make([]*emulator.MemoryLinks, vms)
				fleet, err := emulator.NewFleet(scenario, vms, &emulator.FleetOptions{
					Links: func(number int, scenario emulator.Scenario) emulator.LinkDriver {
						links[number] = emulator.NewMemoryLinks(scenario)
						return links[number]
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				server := fleet.ListenInMemory(t.Context())
				defer func() { _ = server.Close() }()
				results := make(chan error)
				for number := range vms {
					client := server.Client(number) // makes the VM, and so its links
					go func() {
						results <- provisionInMemory(t, fleet.VM(number), azcore.ClientOptions{Transport: client}, links[number])
					}()
				}
				for range vms {
					if err := <-results; err != nil {
						t.Error(err)
					}
				}
				if s := fleet.Summary(); s.States[emulator.StateReady] != vms || s.Remarks != 0 || s.Seen != vms {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// provisionInMemory provisions a VM, and compares it with what was promised.
func provisionInMemory(t *testing.T, fabric *emulator.Fabric, transport azcore.ClientOptions, links *emulator.MemoryLinks) error {
	t.Helper()
	i, err := imds.NewClient(&imds.ClientOptions{ClientOptions: transport})
	if err != nil {
		return err
	}
	w, err := wireserver.NewClient(&wireserver.ClientOptions{ClientOptions: transport})
	if err != nil {
		return err
	}
	options := &provision.Options{IMDS: i, WireServer: w, Sysfs: fabric.DMI(), StateDir: provision.NoStateDir, BootID: "boot-1"}
	options.Pool.Links = memlinks.Links(links)
	if medium, ok := fabric.Medium(); ok {
		options.Medium = provision.MediumFS(medium)
	}
	result, err := provision.Run(t.Context(), options)
	if err != nil {
		return err
	}
	if owner := fabric.Owner(); result.Machine.VMID != owner.ID || result.Machine.HostName != owner.HostName ||
		len(result.Machine.User.SSHKeys) != len(owner.SSHKeys) {
		t.Errorf("it is %s with %d keys, want %s with %d", result.Machine.HostName, len(result.Machine.User.SSHKeys), owner.HostName, len(owner.SSHKeys))
	}
	return nil
}
