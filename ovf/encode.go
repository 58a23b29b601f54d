package ovf

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/beevik/etree"

	"github.com/azprov/azprov"
)

// declaration is the content of the XML declaration of what this package writes.
const declaration = `version="1.0" encoding="utf-8"`

const (
	schemaInstanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"
	// sectionVersion is the one that all documents have; WALinuxAgent warns about
	// newer ones (common/protocol/ovfenv.py).
	sectionVersion = "1.0"
)

// Encode writes the document that says what e says, in the layout the platform
// uses. It goes by the fields alone: of a document that was parsed, elements
// unknown to this package are not in it. Fields that are not set are left out,
// but for those that the platform writes always. The same fields give the same
// bytes.
//
// The document holds the secrets in clear text. What [Parse] would not read is an
// error of [azprov.KindMalformed]: a character that XML does not allow, a
// password that is too long or blank.
func (e *Environment) Encode() ([]byte, error) {
	const op = "ovf.Environment.Encode"
	w := &writer{}
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.CreateProcInst("xml", declaration)
	root := doc.CreateElement("Environment")
	root.CreateAttr("xmlns", environmentNamespace)
	root.CreateAttr("xmlns:wa", azureNamespace)
	root.CreateAttr("xmlns:i", schemaInstanceNamespace)
	w.provisioning(root, e)
	w.platform(root, e.Platform)
	if w.bad != "" {
		return nil, &azprov.Error{
			Op: op, Kind: azprov.KindMalformed,
			Message: w.bad + " holds a character that XML does not allow",
		}
	}
	doc.Indent(2)
	out, err := doc.WriteToBytes()
	if err != nil {
		return nil, &azprov.Error{Op: op, Kind: azprov.KindInternal, Message: "the document cannot be written", Last: err}
	}
	again, err := parse(op, out)
	if err != nil {
		return nil, err
	}
	if e.UserPassword.Len() > 0 && !again.UserPassword.Equal(e.UserPassword) {
		return nil, &azprov.Error{
			Op: op, Kind: azprov.KindMalformed,
			Message: "UserPassword is one that no reader takes for a password: blank, or " + RedactedText,
		}
	}
	return out, nil
}

// A writer adds elements and remembers the first one that cannot be written.
type writer struct{ bad string }

func section(parent *etree.Element, name string) *etree.Element {
	return parent.CreateElement("wa:" + name)
}

// text adds an element, empty or not.
func (w *writer) text(parent *etree.Element, name, value string) {
	el := section(parent, name)
	if value == "" {
		return
	}
	if w.bad == "" && !isXMLText(value) {
		w.bad = name
	}
	el.SetText(value)
}

// optional adds an element unless value is empty.
func (w *writer) optional(parent *etree.Element, name, value string) {
	if value != "" {
		w.text(parent, name, value)
	}
}

// nillable adds an element that says nil if value is empty.
func (w *writer) nillable(parent *etree.Element, name, value string) {
	if value != "" {
		w.text(parent, name, value)
		return
	}
	section(parent, name).CreateAttr("i:nil", "true")
}

// toggle adds true or false, and nothing for what is not set.
func (w *writer) toggle(parent *etree.Element, name string, value azprov.Switch) {
	on, ok := value.Value()
	switch {
	case ok && on:
		w.text(parent, name, "true")
	case ok:
		w.text(parent, name, "false")
	}
}

func (w *writer) provisioning(root *etree.Element, e *Environment) {
	el := section(root, "ProvisioningSection")
	w.text(el, "Version", orDefault(e.Version, sectionVersion))
	set := section(el, "LinuxProvisioningConfigurationSet")
	w.text(set, "ConfigurationSetType", orDefault(e.ConfigurationSetType, "LinuxProvisioningConfiguration"))
	w.text(set, "HostName", e.HostName)
	w.optional(set, "UserName", e.UserName)
	password := e.UserPassword.RevealString()
	if e.UserPassword.IsZero() && e.UserPasswordRedacted {
		password = RedactedText
	}
	w.optional(set, "UserPassword", password)
	w.toggle(set, "DisableSshPasswordAuthentication", e.DisableSSHPasswordAuthentication)
	if len(e.PublicKeys)+len(e.KeyPairs) > 0 {
		w.ssh(section(set, "SSH"), e)
	}
	w.optional(set, "CustomData", customDataText(e))
}

func (w *writer) ssh(ssh *etree.Element, e *Environment) {
	if len(e.PublicKeys) > 0 {
		list := section(ssh, "PublicKeys")
		for _, k := range e.PublicKeys {
			key := section(list, "PublicKey")
			w.optional(key, "Fingerprint", k.Fingerprint)
			w.optional(key, "Path", k.Path)
			w.optional(key, "Value", k.Value)
		}
	}
	if len(e.KeyPairs) > 0 {
		list := section(ssh, "KeyPairs")
		for _, k := range e.KeyPairs {
			pair := section(list, "KeyPair")
			w.optional(pair, "Fingerprint", k.Fingerprint)
			w.optional(pair, "Path", k.Path)
		}
	}
}

func (w *writer) platform(root *etree.Element, s PlatformSettings) {
	el := section(root, "PlatformSettingsSection")
	w.text(el, "Version", orDefault(s.Version, sectionVersion))
	settings := section(el, "PlatformSettings")
	w.optional(settings, "KmsServerHostname", s.KMSServerHostname)
	w.toggle(settings, "ProvisionGuestAgent", s.ProvisionGuestAgent)
	w.toggle(settings, "ProvisionGuestProxyAgent", s.ProvisionGuestProxyAgent)
	w.nillable(settings, "GuestAgentPackageName", s.GuestAgentPackageName)
	w.toggle(settings, "RetainWindowsPEPassInUnattend", s.RetainWindowsPEPassInUnattend)
	w.toggle(settings, "RetainOfflineServicingPassInUnattend", s.RetainOfflineServicingPassInUnattend)
	w.toggle(settings, "PreprovisionedVm", s.PreprovisionedVM)
	w.nillable(settings, "PreprovisionedVMType", string(s.PreprovisionedVMType))
	w.toggle(settings, "EnableTrustedImageIdentifier", s.EnableTrustedImageIdentifier)
}

// customDataText is the inverse of the reader's decoding.
func customDataText(e *Environment) string {
	data := e.CustomData.Reveal()
	switch {
	case e.CustomData.IsZero() && e.CustomDataRedacted:
		return RedactedText
	case e.CustomData.IsZero():
		return e.CustomDataText.RevealString()
	case IsProtected(data):
		return string(data)
	default:
		return base64.StdEncoding.EncodeToString(data)
	}
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// isXMLText reports whether s can stand in a document (XML 1.0, section 2.2);
// etree would write U+FFFD for what cannot.
func isXMLText(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return utf8.ValidString(s)
}
