package ovf

import (
	"strings"

	"github.com/azprov/azprov"
)

// RedactedText stands in a redacted document where a secret was. It is too short
// and too plain to be a password on Azure, which is why cloud-init writes the
// same text into its copy.
const RedactedText = "REDACTED"

// Environment is what an ovf-env.xml says. An element that is absent, or present
// with xsi:nil="true", leaves its field at the zero value.
type Environment struct {
	// Version is that of the provisioning section, "1.0" to date.
	Version string
	// ConfigurationSetType is "LinuxProvisioningConfiguration".
	ConfigurationSetType string
	// HostName is the name of the machine. Its element must be there and may be
	// empty.
	HostName string
	// UserName is the name of the administrator; empty for the image's default.
	UserName string
	// UserPassword is the administrator's password in clear text, zero without
	// one. It has at most 72 characters, unless [IsProtected] holds for it: then
	// it is encrypted for somebody else.
	UserPassword azprov.Secret
	// UserPasswordRedacted says that the document is a redacted copy: there was
	// a password, and UserPassword is zero because it is gone.
	UserPasswordRedacted bool
	// CustomData is the decoded custom data, zero without any. If [IsProtected]
	// holds for it, it is encrypted for somebody else.
	CustomData azprov.Secret
	// CustomDataText is the text of a CustomData element that is no base64, else
	// zero. CustomData is zero then.
	CustomDataText azprov.Secret
	// CustomDataRedacted is UserPasswordRedacted for custom data.
	CustomDataRedacted bool
	// DisableSSHPasswordAuthentication is on if sshd shall refuse passwords. Not
	// set, the document leaves it to the reader.
	DisableSSHPasswordAuthentication azprov.Switch
	// PublicKeys are the keys for the user to log in with, in order.
	PublicKeys []PublicKey
	// KeyPairs name keys whose private half the wire server has, in order.
	KeyPairs []KeyPair
	// Platform is the section that concerns the guest's agents.
	Platform PlatformSettings
	// Warnings says what was odd in the document and how it was taken, in order,
	// without secrets.
	Warnings []string

	raw azprov.Secret
}

// PublicKey is an SSH key. Newer documents give the key itself, older ones only
// the fingerprint of a certificate that the wire server has.
type PublicKey struct {
	// Fingerprint is the SHA-1 of the certificate as it is written in the
	// document; see [PublicKey.Thumbprint].
	Fingerprint string
	// Path is where the platform wants the key, for example
	// "/home/azureuser/.ssh/authorized_keys". It may start with "$HOME".
	Path string
	// Value is the key in OpenSSH's one-line form; it may be empty.
	Value string
}

// Thumbprint returns the fingerprint in the form that the wire server and
// certificate tools share: 40 hexadecimal digits, upper case, without colons and
// without "sha1:".
func (k PublicKey) Thumbprint() string { return thumbprint(k.Fingerprint) }

// KeyPair names a private key to be installed.
type KeyPair struct {
	// Fingerprint is the SHA-1 of the certificate as it is written in the
	// document; see [KeyPair.Thumbprint].
	Fingerprint string
	// Path is where the platform wants the private key.
	Path string
}

// Thumbprint is [PublicKey.Thumbprint] for a key pair.
func (k KeyPair) Thumbprint() string { return thumbprint(k.Fingerprint) }

func thumbprint(fingerprint string) string {
	digits := strings.ToUpper(strings.Join(strings.Fields(fingerprint), ""))
	digits = strings.TrimPrefix(digits, "SHA1:")
	return strings.ReplaceAll(digits, ":", "")
}

// PlatformSettings is the content of PlatformSettingsSection. Azure Stack Hub
// leaves out parts of it, or all (WALinuxAgent issue 1507).
type PlatformSettings struct {
	// Version is that of the section, "1.0" to date.
	Version string
	// KMSServerHostname is for the activation of Windows.
	KMSServerHostname string
	// ProvisionGuestAgent is off if the VM agent shall not run.
	ProvisionGuestAgent azprov.Switch
	// ProvisionGuestProxyAgent is on if IMDS and the wire server must be reached
	// through the guest proxy agent (Metadata Security Protocol).
	ProvisionGuestProxyAgent azprov.Switch
	// GuestAgentPackageName is for Windows.
	GuestAgentPackageName string
	// RetainWindowsPEPassInUnattend is for Windows.
	RetainWindowsPEPassInUnattend azprov.Switch
	// RetainOfflineServicingPassInUnattend is for Windows.
	RetainOfflineServicingPassInUnattend azprov.Switch
	// PreprovisionedVM is on for a VM of the pre-provisioning pool.
	PreprovisionedVM azprov.Switch
	// PreprovisionedVMType says how such a VM gets its owner.
	PreprovisionedVMType PreprovisionedVMType
	// EnableTrustedImageIdentifier is for Windows.
	EnableTrustedImageIdentifier azprov.Switch
}

// PreprovisionedVMType says how a VM of the pre-provisioning pool gets its
// owner. Unknown values are kept.
type PreprovisionedVMType string

// The types that cloud-init knows (DataSourceAzure.py, class PPSType).
const (
	// PreprovisionedVMTypeRunning waits for a change of its network link.
	PreprovisionedVMTypeRunning PreprovisionedVMType = "Running"
	// PreprovisionedVMTypeSavable waits for its network interfaces to be
	// exchanged.
	PreprovisionedVMTypeSavable PreprovisionedVMType = "Savable"
	// PreprovisionedVMTypeOSDisk is shut down by the host and later started as
	// another VM.
	PreprovisionedVMTypeOSDisk PreprovisionedVMType = "PreprovisionedOSDisk"
)

// PossiblePreprovisionedVMTypeValues returns the known types.
func PossiblePreprovisionedVMTypeValues() []PreprovisionedVMType {
	return []PreprovisionedVMType{
		PreprovisionedVMTypeRunning, PreprovisionedVMTypeSavable, PreprovisionedVMTypeOSDisk,
	}
}

// Raw returns the bytes that were parsed, zero for an Environment that was not.
// They hold the password in clear text; see [Environment.Redacted].
func (e *Environment) Raw() azprov.Secret { return e.raw }

func (e *Environment) warn(text string) { e.Warnings = append(e.Warnings, text) }
