package provision_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/wireserver"
)

// BenchmarkBoot is the whole course against the emulator in memory, with keys by value
// and with keys by fingerprint. The difference is the transport key, its request, and
// the emulator's own encryption; keys-ns/op is what the boot waits for them.
func BenchmarkBoot(b *testing.B) {
	for _, name := range []string{"linux-vm", "fingerprint-keys"} {
		b.Run(name, func(b *testing.B) {
			scenario, err := emulator.LookupScenario(name)
			if err != nil {
				b.Fatal(err)
			}
			scenario.IMDS.RateLimit = azprov.SwitchOff
			var keys time.Duration
			for b.Loop() {
				keys += boot(b, scenario)
			}
			b.ReportMetric(float64(keys.Nanoseconds())/float64(b.N), "keys-ns/op")
		})
	}
}

// boot provisions once and returns how long the keys took.
func boot(b *testing.B, scenario emulator.Scenario) (keys time.Duration) {
	b.Helper()
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		b.Fatal(err)
	}
	server := fabric.ListenInMemory(b.Context())
	defer func() { _ = server.Close() }()
	transport := azcore.ClientOptions{Transport: server.Client()}
	options := &provision.Options{Sysfs: fabric.DMI(), StateDir: provision.NoStateDir}
	if options.IMDS, err = imds.NewClient(&imds.ClientOptions{ClientOptions: transport}); err != nil {
		b.Fatal(err)
	}
	if options.WireServer, err = wireserver.NewClient(&wireserver.ClientOptions{ClientOptions: transport}); err != nil {
		b.Fatal(err)
	}
	medium, _ := fabric.Medium()
	options.Medium = provision.MediumFS(medium)
	result, err := provision.Run(b.Context(), options)
	if err != nil {
		b.Fatal(err)
	}
	for _, step := range result.Timeline {
		if step.Name == provision.StepKeys {
			keys += step.Duration
		}
	}
	return keys
}
