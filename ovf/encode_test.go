package ovf

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/azprov/azprov"
)

var update = flag.Bool("update", false, "write the golden files")

func everyField() *Environment {
	return &Environment{
		Version: "1.0", ConfigurationSetType: "LinuxProvisioningConfiguration",
		HostName: "vm1", UserName: "azureuser", UserPassword: secret(" <pass> & \"word\"\r\n"),
		CustomData:                       secret("#cloud-config\n"),
		DisableSSHPasswordAuthentication: azprov.SwitchOff,
		PublicKeys: []PublicKey{
			{Path: "/home/azureuser/.ssh/authorized_keys", Value: "ssh-ed25519 AAAAC3Nz user@host"},
			{Fingerprint: "00112233445566778899AABBCCDDEEFF00112233", Path: "/home/azureuser/.ssh/authorized_keys"},
		},
		KeyPairs: []KeyPair{{Fingerprint: "00112233445566778899AABBCCDDEEFF00112233", Path: "/home/azureuser/.ssh/id_rsa"}},
		Platform: PlatformSettings{
			Version: "1.0", KMSServerHostname: "kms.core.windows.net",
			ProvisionGuestAgent: azprov.SwitchOn, ProvisionGuestProxyAgent: azprov.SwitchOff,
			GuestAgentPackageName:         "agent.zip",
			RetainWindowsPEPassInUnattend: azprov.SwitchOn, RetainOfflineServicingPassInUnattend: azprov.SwitchOn,
			PreprovisionedVM: azprov.SwitchOn, PreprovisionedVMType: PreprovisionedVMTypeSavable,
			EnableTrustedImageIdentifier: azprov.SwitchOff,
		},
	}
}

func TestEncodeGolden(t *testing.T) {
	t.Parallel()
	for file, env := range map[string]*Environment{
		"testdata/every-field.xml": everyField(),
		"testdata/minimal.xml":     {HostName: "vm1"},
	} {
		got, err := env.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: wrote\n%s\nwant\n%s", file, got, want)
		}
	}
}

func TestEncodeRoundTrips(t *testing.T) {
	t.Parallel()
	jwt := secret(token(jwtHeader, strings.Repeat("x", 500)))
	base := func(change func(*Environment)) *Environment {
		env := &Environment{
			Version: "1.0", ConfigurationSetType: "LinuxProvisioningConfiguration", HostName: "vm1",
			Platform: PlatformSettings{Version: "1.0"},
		}
		change(env)
		return env
	}
	for name, env := range map[string]*Environment{
		"every field":       everyField(),
		"host name only":    base(func(*Environment) {}),
		"no host name":      base(func(e *Environment) { e.HostName = "" }),
		"protected secrets": base(func(e *Environment) { e.UserPassword, e.CustomData = jwt, jwt }),
		"binary data":       base(func(e *Environment) { e.CustomData = secret("\x00\xff\xfe") }),
		"unknown type":      base(func(e *Environment) { e.Platform.PreprovisionedVMType = "Future" }),
		"undecoded data": base(func(e *Environment) {
			e.CustomDataText = secret("CustomData")
			e.Warnings = []string{"CustomData is no base64 and is not decoded"}
		}),
		"redacted": base(func(e *Environment) {
			e.UserPasswordRedacted, e.CustomDataRedacted = true, true
			e.Warnings = []string{
				"CustomData was redacted when the document was written",
				"UserPassword was redacted when the document was written",
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := env.Encode()
			if err != nil {
				t.Fatal(err)
			}
			sameFields(t, env, mustParse(t, string(out)))
		})
	}
}

// A protected secret stands in the place of base64, not in it.
func TestEncodeProtectedCustomData(t *testing.T) {
	t.Parallel()
	jwt := token(jwtHeader, "{}")
	out, err := (&Environment{CustomData: secret(jwt)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out, []byte("<wa:CustomData>"+jwt+"</wa:CustomData>")) {
		t.Errorf("wrote %s", out)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]*Environment{
		"control character":  {HostName: "a\x01b"},
		"not UTF-8":          {UserName: "\xff"},
		"noncharacter":       {UserName: "\uffff"},
		"in a password":      {UserPassword: secret("hunter2\x00")},
		"in undecoded data":  {CustomDataText: secret("hunter2\x00")},
		"in a key":           {PublicKeys: []PublicKey{{Value: "\x1b"}}},
		"long password":      {UserPassword: secret(strings.Repeat("x", 73))},
		"blank password":     {UserPassword: secret(" ")},
		"password REDACTED":  {UserPassword: secret("REDACTED")},
		"more than a MiB":    {CustomData: secret(strings.Repeat("x", 1<<20))},
		"in platform config": {Platform: PlatformSettings{KMSServerHostname: "\x02"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := env.Encode()
			kind := azprov.KindOf(err)
			if out != nil || (kind != azprov.KindMalformed && kind != azprov.KindTooLarge) {
				t.Fatalf("Encode = %d bytes, %v", len(out), err)
			}
			if !strings.HasPrefix(err.Error(), "ovf.Environment.Encode: ") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error = %v", err)
			}
		})
	}
}
