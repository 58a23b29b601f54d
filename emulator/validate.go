package emulator

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// withDefaults returns a copy with the fields filled in that have a default.
func (s Scenario) withDefaults() Scenario {
	s.VM = s.VM.withDefaults()
	s.Pool = s.Pool.withDefaults(s.VM)
	if len(s.IMDS.APIVersions) == 0 {
		s.IMDS.APIVersions = documentedVersions()
	}
	s.IMDS.APIVersions = slices.Sorted(slices.Values(s.IMDS.APIVersions))
	s.IMDS.PPSType = cmp.Or(s.IMDS.PPSType, string(s.Pool.Type), "None")
	if s.WireServer.Incarnation == 0 {
		s.WireServer.Incarnation = 1
	}
	if len(s.WireServer.Ciphers) == 0 {
		s.WireServer.Ciphers = []string{defaultCipher, laterCipher}
	}
	return s
}

// withDefaults returns a copy with the fields filled in that have a default.
func (vm VM) withDefaults() VM {
	vm.Generation = cmp.Or(vm.Generation, 2)
	vm.Name = cmp.Or(vm.Name, vm.HostName)
	vm.Environment = cmp.Or(vm.Environment, "AzurePublicCloud")
	vm.SSHKeys = slices.Clone(vm.SSHKeys)
	for i := range vm.SSHKeys {
		if vm.SSHKeys[i].Path == "" {
			vm.SSHKeys[i].Path = "/home/" + vm.UserName + "/.ssh/authorized_keys"
		}
	}
	return vm
}

// validate returns what is wrong with the VM, which is called path, "" if nothing is.
func (vm VM) validate(path string) string {
	switch {
	case vm.ID.IsZero():
		return path + ".id is missing: write a UUID, or extends: " + DefaultScenario + ", which has one"
	case vm.Generation != 1 && vm.Generation != 2:
		return fmt.Sprintf("%s.generation is %d, want 1 or 2", path, vm.Generation)
	case vm.Name == "":
		return fmt.Sprintf("%s.name and %s.hostName are both empty", path, path)
	}
	for i, nic := range vm.Interfaces {
		if b, err := hex.DecodeString(nic.MACAddress); err != nil || len(b) != 6 {
			return fmt.Sprintf("%s.interfaces[%d].macAddress is not twelve hexadecimal digits", path, i)
		}
		for j, prefix := range nic.Addresses {
			if !prefix.IsValid() {
				return fmt.Sprintf("%s.interfaces[%d].addresses[%d] is not an address with a prefix length", path, i, j)
			}
		}
	}
	return ""
}

// validate names the first field that cannot be as it is.
func (s Scenario) validate() error {
	complain := func(format string, args ...any) error {
		return malformed("emulator.NewFabric", fmt.Sprintf(format, args...))
	}
	switch {
	case s.Name == "":
		return complain("name is empty")
	case s.WireServer.Incarnation < 0:
		return complain("wireServer.incarnation is negative")
	case s.Medium.Absent && !s.Medium.Document.IsZero():
		return complain("medium is absent and has a document")
	}
	for i, name := range s.WireServer.Ciphers {
		if _, known := envelopes[name]; !known {
			return complain("wireServer.ciphers[%d] is not one of %s", i, strings.Join(slices.Sorted(maps.Keys(envelopes)), ", "))
		}
	}
	for i, version := range s.IMDS.APIVersions {
		if _, err := time.Parse(time.DateOnly, version); err != nil {
			return complain("imds.apiVersions[%d] is not a date such as 2021-08-01", i)
		}
	}
	for _, wrong := range []string{s.VM.validate("vm"), s.Pool.validate(s.IMDS.RateLimit)} {
		if wrong != "" {
			return complain("%s", wrong)
		}
	}
	if wrong := s.WireServer.Extensions.validate(); wrong != "" {
		return complain("wireServer.extensions.%s", wrong)
	}
	for _, list := range []struct {
		path   string
		faults []Fault
	}{{"imds.faults", s.IMDS.Faults}, {"wireServer.faults", s.WireServer.Faults}, {"hostGA.faults", s.HostGA.Faults}} {
		if wrong := validateFaults(list.path, list.faults); wrong != "" {
			return complain("%s", wrong)
		}
	}
	for _, wrong := range []string{validateSteps(s.Steps), validateAssertions(s.Assert, s.Steps)} {
		if wrong != "" {
			return complain("%s", wrong)
		}
	}
	return nil
}
