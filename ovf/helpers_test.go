package ovf

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/azprov/azprov"
)

const (
	header = `<?xml version="1.0" encoding="utf-8"?>` +
		`<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"` +
		` xmlns:wa="http://schemas.microsoft.com/windowsazure" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">`
	setStart = `<wa:ProvisioningSection><wa:Version>1.0</wa:Version><wa:LinuxProvisioningConfigurationSet>`
	setEnd   = `</wa:LinuxProvisioningConfigurationSet></wa:ProvisioningSection>`
	footer   = `</Environment>`
	hostName = `<wa:HostName>vm1</wa:HostName>`
)

// document returns a document with these elements in its configuration set and
// in its platform settings.
func document(set, settings string) string {
	return header + setStart + set + setEnd +
		`<wa:PlatformSettingsSection><wa:Version>1.0</wa:Version><wa:PlatformSettings>` +
		settings + `</wa:PlatformSettings></wa:PlatformSettingsSection>` + footer
}

// withSet is document with the host name and an empty platform section.
func withSet(set string) string { return document(hostName+set, "") }

func mustParse(t *testing.T, doc string) *Environment {
	t.Helper()
	env, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// parseError parses and returns the error, after checking what all have.
func parseError(t *testing.T, doc string) *azprov.Error {
	t.Helper()
	env, err := Parse([]byte(doc))
	var e *azprov.Error
	if env != nil || !errors.As(err, &e) {
		t.Fatalf("Parse = %v, %v, want an *azprov.Error", env, err)
	}
	if e.Op != "ovf.Parse" {
		t.Errorf("op = %q", e.Op)
	}
	if line := e.Error(); strings.Contains(line, "\n") {
		t.Errorf("error is not one line: %q", line)
	}
	return e
}

// sameFields compares all but the raw bytes.
func sameFields(t *testing.T, want, got *Environment) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Environment{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func secret(s string) azprov.Secret { return azprov.NewSecret([]byte(s)) }
