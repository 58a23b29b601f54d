package emulator

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// withDefaults returns a copy with the fields filled in that have a default.
func (s Scenario) withDefaults() Scenario {
	vm := &s.VM
	if vm.Generation == 0 {
		vm.Generation = 2
	}
	if vm.Name == "" {
		vm.Name = vm.HostName
	}
	if vm.Environment == "" {
		vm.Environment = "AzurePublicCloud"
	}
	vm.SSHKeys = slices.Clone(vm.SSHKeys)
	for i := range vm.SSHKeys {
		if vm.SSHKeys[i].Path == "" {
			vm.SSHKeys[i].Path = "/home/" + vm.UserName + "/.ssh/authorized_keys"
		}
	}
	if len(s.IMDS.APIVersions) == 0 {
		s.IMDS.APIVersions = documentedVersions()
	}
	s.IMDS.APIVersions = slices.Sorted(slices.Values(s.IMDS.APIVersions))
	if s.IMDS.PPSType == "" {
		s.IMDS.PPSType = "None"
	}
	if s.WireServer.Incarnation == 0 {
		s.WireServer.Incarnation = 1
	}
	if len(s.WireServer.Ciphers) == 0 {
		s.WireServer.Ciphers = []string{defaultCipher, laterCipher}
	}
	return s
}

// validate names the first field that cannot be as it is.
func (s Scenario) validate() error {
	complain := func(format string, args ...any) error {
		return malformed("emulator.NewFabric", fmt.Sprintf(format, args...))
	}
	switch {
	case s.Name == "":
		return complain("name is empty")
	case s.VM.ID.IsZero():
		return complain("vm.id is missing")
	case s.VM.Generation != 1 && s.VM.Generation != 2:
		return complain("vm.generation is %d, want 1 or 2", s.VM.Generation)
	case s.VM.Name == "":
		return complain("vm.name and vm.hostName are both empty")
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
	for i, nic := range s.VM.Interfaces {
		if b, err := hex.DecodeString(nic.MACAddress); err != nil || len(b) != 6 {
			return complain("vm.interfaces[%d].macAddress is not twelve hexadecimal digits", i)
		}
		for j, prefix := range nic.Addresses {
			if !prefix.IsValid() {
				return complain("vm.interfaces[%d].addresses[%d] is not an address with a prefix length", i, j)
			}
		}
	}
	for name, faults := range map[string][]Fault{"imds": s.IMDS.Faults, "wireServer": s.WireServer.Faults} {
		for i := range faults {
			if wrong := faults[i].validate(); wrong != "" {
				return complain("%s.faults[%d]: %s", name, i, wrong)
			}
		}
	}
	return nil
}

// ParseScenario reads a scenario from JSON, with defaults filled in. It is strict:
// an unknown key is an error that names it and the known key most like it, and so
// is everything that [NewFabric] refuses. Errors are of azprov.KindMalformed.
func ParseScenario(b []byte) (Scenario, error) {
	const op = "emulator.ParseScenario"
	var s Scenario
	if err := strictJSON(op, b, &s); err != nil {
		return Scenario{}, err
	}
	s = s.withDefaults()
	err := s.validate()
	if err == nil {
		_, err = NewFabric(s, nil)
	}
	if err != nil {
		return Scenario{}, jsonError(op, b, err)
	}
	return s, nil
}
