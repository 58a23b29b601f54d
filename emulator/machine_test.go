package emulator_test

import (
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/ovf"
)

func TestDMIGivesTheVMsID(t *testing.T) {
	t.Parallel()
	for generation, wantUUID := range map[int]string{
		1: "527c2691-029f-fe4c-b1f4-a4da7ebac2cf",
		2: "91267c52-9f02-4cfe-b1f4-a4da7ebac2cf",
	} {
		f := fabric(t, func(s *emulator.Scenario) { s.VM.Generation = generation })
		dir := t.TempDir()
		// Twice, and over a tree of the other generation.
		other := fabric(t, func(s *emulator.Scenario) { s.VM.Generation = 3 - generation })
		for _, fabric := range []*emulator.Fabric{other, f, f} {
			if err := fabric.WriteDMI(dir); err != nil {
				t.Fatal(err)
			}
		}
		for name, tree := range map[string]fs.FS{"in memory": f.DMI(), "on disk": os.DirFS(dir)} {
			dmi, err := azprov.ReadDMI(tree)
			if err != nil {
				t.Fatal(err)
			}
			id, err := dmi.VMID()
			if err != nil || id != f.VM().ID {
				t.Errorf("generation %d %s: id %s, %v", generation, name, id, err)
			}
			if dmi.ProductUUID != wantUUID || dmi.EFI != (generation == 2) || !dmi.OnAzure() || dmi.SystemVendor != "Microsoft Corporation" {
				t.Errorf("generation %d %s: %+v", generation, name, dmi)
			}
		}
	}
}

func TestWriteDMISaysWhere(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fabric(t, nil).WriteDMI(file); azprov.KindOf(err) != azprov.KindDenied {
		t.Errorf("error %v", err)
	}
}

func TestMediumHasWhatTheVMHas(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	medium, ok := f.Medium()
	if !ok {
		t.Fatal("no medium")
	}
	environment, err := ovf.ReadFS(medium)
	if err != nil {
		t.Fatal(err)
	}
	vm := f.VM()
	if environment.HostName != vm.HostName || environment.UserName != vm.UserName ||
		!environment.UserPassword.Equal(vm.Password) || !environment.CustomData.Equal(vm.CustomData) ||
		environment.DisableSSHPasswordAuthentication != azprov.SwitchOn || len(environment.Warnings) > 0 {
		t.Errorf("environment %+v", environment)
	}
	if len(environment.PublicKeys) != 2 || environment.PublicKeys[0].Value != "ssh-ed25519 AAAA one" || environment.PublicKeys[1].Path != "/keys" {
		t.Errorf("keys %+v", environment.PublicKeys)
	}
	raw, err := fs.ReadFile(medium, "CustomData.bin")
	if err != nil || string(raw) != testCustomData {
		t.Errorf("CustomData.bin: %q, %v", raw, err)
	}
}

func TestMediumOfShippedScenarios(t *testing.T) {
	t.Parallel()
	for _, s := range emulator.Scenarios() {
		f, err := emulator.NewFabric(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		medium, ok := f.Medium()
		if want := !slices.Contains([]string{"no-ovf", "imds-denied", "imds-hangs", "imds-late"}, s.Name); ok != want {
			t.Errorf("%s: medium %t, want %t", s.Name, ok, want)
		}
		if !ok {
			continue
		}
		environment, err := ovf.ReadFS(medium)
		if (err == nil) == (s.Name == "bad-ovf" || s.Name == "ovf-duplicate") {
			t.Errorf("%s: %v", s.Name, err)
		}
		if err == nil && environment.HostName != s.VM.HostName {
			t.Errorf("%s: host name %s", s.Name, environment.HostName)
		}
		if _, err := fs.Stat(medium, "CustomData.bin"); (err == nil) != (s.VM.CustomData.Len() > 0) {
			t.Errorf("%s: CustomData.bin: %v", s.Name, err)
		}
	}
}
