package ovf

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/azprov/azprov"
)

// Documents captured by WALinuxAgent (tests/data), which differ in one setting.
func TestCapturedDocuments(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("AZPROV_VECTORS")
	if dir == "" {
		t.Skip("AZPROV_VECTORS does not name the directory of captured documents")
	}
	for name, guestAgent := range map[string]azprov.Switch{
		"walinuxagent/ovf-env.xml":   azprov.SwitchOff,
		"walinuxagent/ovf-env-2.xml": azprov.SwitchOn,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			got := mustParse(t, string(b))
			sameFields(t, &Environment{
				Version: "1.0", ConfigurationSetType: "LinuxProvisioningConfiguration",
				HostName: "HostName", UserName: "UserName", UserPassword: secret("UserPassword"),
				CustomDataText:                   secret("CustomData"),
				DisableSSHPasswordAuthentication: azprov.SwitchOff,
				PublicKeys: []PublicKey{{
					Fingerprint: "EB0C0AB4B2D5FC35F2F0658D19F44C8283E2DD62",
					Path:        "$HOME/UserName/.ssh/authorized_keys",
					Value:       "ssh-rsa AAAANOTAREALKEY== foo@bar.local",
				}},
				KeyPairs: []KeyPair{{
					Fingerprint: "EB0C0AB4B2D5FC35F2F0658D19F44C8283E2DD62",
					Path:        "$HOME/UserName/.ssh/id_rsa",
				}},
				Platform: PlatformSettings{
					Version: "1.0", KMSServerHostname: "kms.core.windows.net",
					ProvisionGuestAgent:                  guestAgent,
					RetainWindowsPEPassInUnattend:        azprov.SwitchOn,
					RetainOfflineServicingPassInUnattend: azprov.SwitchOn,
					PreprovisionedVM:                     azprov.SwitchOff,
				},
				Warnings: []string{"CustomData is no base64 and is not decoded"},
			}, got)
			if !got.Raw().Equal(azprov.NewSecret(b)) {
				t.Error("Raw is not what was parsed")
			}
			if _, err := got.Redacted(); err != nil {
				t.Error(err)
			}
		})
	}
}
