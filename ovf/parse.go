package ovf

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/xmldoc"
)

const (
	// fileName is the document's name on the medium, and in reason texts.
	fileName = "ovf-env.xml"

	// environmentNamespace is the root element's (DMTF DSP8027).
	environmentNamespace = "http://schemas.dmtf.org/ovf/environment/1"
	// azureNamespace is that of every element below the root.
	azureNamespace = "http://schemas.microsoft.com/windowsazure"

	// maxPasswordLength is Azure's limit for administrator passwords, in
	// characters. What is longer was not meant to be used as it is (cloud-init:
	// sources/azure/errors.py, ReportableErrorOsProfilePasswordTooLong).
	maxPasswordLength = 72
)

// documentOptions is what every document must be. The reason text is cloud-init's
// (sources/azure/errors.py, ReportableErrorOvfParsingException).
func documentOptions() xmldoc.Options {
	return xmldoc.Options{
		Root: "Environment", Namespace: environmentNamespace,
		Reason: "error parsing " + fileName,
	}
}

// Parse reads an ovf-env.xml of at most 1 MiB, in UTF-8 or UTF-16.
//
// Errors are [azprov.Error]. [azprov.KindNotAzure]: it is an OVF environment
// without a provisioning section; look for another medium.
// [azprov.KindTooLarge]: over the limit. [azprov.KindMalformed]: it cannot be
// read, an element that must be single is there twice, the Linux configuration
// set or the HostName element is missing, or the password is too long. All but
// NotAzure carry a reason for the platform. Custom data that cannot be decoded is
// a warning and not an error: whoever only wants the user's keys need not care.
func Parse(b []byte) (*Environment, error) { return parse("ovf.Parse", b) }

func parse(op string, b []byte) (*Environment, error) {
	root, err := xmldoc.Parse(op, b, documentOptions())
	if err != nil {
		return nil, err
	}
	p := &parser{op: op, env: &Environment{raw: azprov.NewSecret(b)}}
	if p.provisioning(root); p.err == nil {
		p.platform(root)
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.env, nil
}

// A parser fills an environment and keeps the first error; after it, everything
// reads as absent.
type parser struct {
	op  string
	env *Environment
	err error
}

// reject is an error about the document's content, with cloud-init's reason text
// (sources/azure/errors.py, ReportableErrorOvfInvalidMetadata).
func (p *parser) reject(message, reason string) {
	if p.err == nil {
		p.err = &azprov.Error{
			Op: p.op, Kind: azprov.KindMalformed, Message: message,
			Reason: "unexpected metadata parsing " + fileName + ": " + reason,
		}
	}
}

func (p *parser) missing(name string) {
	reason := "missing configuration for '" + name + "'"
	p.reject(reason, reason)
}

func (p *parser) multiple(name string, n int) {
	reason := "multiple configuration matches for '" + name + "' (" + strconv.Itoa(n) + ")"
	p.reject(reason, reason)
}

// single returns the child of that name, nil if there is none; more than one is
// an error, because nobody can tell which is meant.
func (p *parser) single(parent *etree.Element, name string) *etree.Element {
	if p.err != nil {
		return nil
	}
	found := xmldoc.Children(parent, azureNamespace, name)
	if len(found) > 1 {
		p.multiple(name, len(found))
	}
	if p.err != nil || len(found) == 0 {
		return nil
	}
	return found[0]
}

// value returns the element's text as it is; ok is false if the child is absent
// or nil.
func (p *parser) value(parent *etree.Element, name string) (text string, ok bool) {
	el := p.single(parent, name)
	if el == nil || xmldoc.IsNil(el) {
		return "", false
	}
	return xmldoc.Text(el), true
}

// text is value without the white space around it.
func (p *parser) text(parent *etree.Element, name string) string {
	text, _ := p.value(parent, name)
	return strings.TrimSpace(text)
}

// toggle reads a boolean.
func (p *parser) toggle(parent *etree.Element, name string) azprov.Switch {
	text, ok := p.value(parent, name)
	if !ok {
		return azprov.SwitchUnset
	}
	position, known := parseSwitch(text)
	if !known {
		p.env.warn(name + " is neither true nor false and taken as false")
	}
	return position
}

// provisioning reads the section in cloud-init's order, so that a document with
// two faults is reported by the same one.
func (p *parser) provisioning(root *etree.Element) {
	section := p.single(root, "ProvisioningSection")
	if section == nil {
		if p.err == nil {
			p.err = &azprov.Error{
				Op: p.op, Kind: azprov.KindNotAzure,
				Message: "not an Azure " + fileName + ": it has no ProvisioningSection",
			}
		}
		return
	}
	set := p.configurationSet(section)
	env := p.env
	env.Version = p.text(section, "Version")
	env.ConfigurationSetType = p.text(set, "ConfigurationSetType")
	p.customData(set)
	env.UserName = p.text(set, "UserName")
	p.password(set)
	p.hostName(set)
	env.DisableSSHPasswordAuthentication = p.toggle(set, "DisableSshPasswordAuthentication")
	p.ssh(set)
}

func (p *parser) configurationSet(section *etree.Element) *etree.Element {
	const linux, windows = "LinuxProvisioningConfigurationSet", "WindowsProvisioningConfigurationSet"
	set := p.single(section, linux)
	if set != nil || p.err != nil {
		return set
	}
	if xmldoc.Child(section, azureNamespace, windows) != nil {
		p.reject(
			"the configuration set is for Windows (<"+windows+">), want <"+linux+">",
			"missing configuration for '"+linux+"'",
		)
	}
	p.missing(linux)
	return nil
}

// hostName asks for the element only: cloud-init takes an empty one for "no host
// name", and so do we take a nil one.
func (p *parser) hostName(set *etree.Element) {
	const name = "HostName"
	if p.single(set, name) == nil {
		p.missing(name)
	}
	p.env.HostName = p.text(set, name)
}

// password keeps white space, which may be part of a password, unless there is
// nothing else: that is an empty element somebody indented.
func (p *parser) password(set *etree.Element) {
	const name = "UserPassword"
	text, _ := p.value(set, name)
	switch {
	case text == "":
		return
	case strings.TrimSpace(text) == "":
		p.env.warn(name + " holds only white space and is taken as no password")
		return
	case text == RedactedText:
		p.env.UserPasswordRedacted = true
		p.env.warn(name + " was redacted when the document was written")
		return
	}
	if n := utf8.RuneCountInString(text); n > maxPasswordLength && !IsProtected([]byte(text)) {
		p.passwordTooLong(n)
		return
	}
	p.env.UserPassword = azprov.NewSecret([]byte(text))
}

func (p *parser) passwordTooLong(n int) {
	length, limit := strconv.Itoa(n), strconv.Itoa(maxPasswordLength)
	p.err = &azprov.Error{
		Op: p.op, Kind: azprov.KindMalformed,
		Message: "UserPassword has " + length + " characters, more than the limit of " + limit,
		Reason:  "unsupported password length=" + length + " max=" + limit,
		Details: []azprov.Detail{{Key: "length", Value: length}, {Key: "max_length", Value: limit}},
	}
}

func (p *parser) customData(set *etree.Element) {
	text, ok := p.value(set, "CustomData")
	if !ok || text == "" {
		return
	}
	if strings.TrimSpace(text) == RedactedText {
		p.env.CustomDataRedacted = true
		p.env.warn("CustomData was redacted when the document was written")
		return
	}
	data, warning, ok := decodeCustomData(text)
	if warning != "" {
		p.env.warn(warning)
	}
	if ok {
		p.env.CustomData = azprov.NewSecret(data)
	} else {
		p.env.CustomDataText = azprov.NewSecret([]byte(text))
	}
}

func (p *parser) ssh(set *etree.Element) {
	ssh := p.single(set, "SSH")
	for _, key := range xmldoc.Children(p.single(ssh, "PublicKeys"), azureNamespace, "PublicKey") {
		p.env.PublicKeys = append(p.env.PublicKeys, PublicKey{
			Fingerprint: p.text(key, "Fingerprint"),
			Path:        p.text(key, "Path"),
			Value:       p.text(key, "Value"),
		})
	}
	for _, pair := range xmldoc.Children(p.single(ssh, "KeyPairs"), azureNamespace, "KeyPair") {
		p.env.KeyPairs = append(p.env.KeyPairs, KeyPair{
			Fingerprint: p.text(pair, "Fingerprint"),
			Path:        p.text(pair, "Path"),
		})
	}
}

func (p *parser) platform(root *etree.Element) {
	section := p.single(root, "PlatformSettingsSection")
	settings := p.single(section, "PlatformSettings")
	p.env.Platform = PlatformSettings{
		Version:                              p.text(section, "Version"),
		KMSServerHostname:                    p.text(settings, "KmsServerHostname"),
		ProvisionGuestAgent:                  p.toggle(settings, "ProvisionGuestAgent"),
		ProvisionGuestProxyAgent:             p.toggle(settings, "ProvisionGuestProxyAgent"),
		GuestAgentPackageName:                p.text(settings, "GuestAgentPackageName"),
		RetainWindowsPEPassInUnattend:        p.toggle(settings, "RetainWindowsPEPassInUnattend"),
		RetainOfflineServicingPassInUnattend: p.toggle(settings, "RetainOfflineServicingPassInUnattend"),
		PreprovisionedVM:                     p.toggle(settings, "PreprovisionedVm"),
		PreprovisionedVMType:                 p.preprovisionedVMType(settings),
		EnableTrustedImageIdentifier:         p.toggle(settings, "EnableTrustedImageIdentifier"),
	}
}

// preprovisionedVMType reads the element in any case of its name: cloud-init
// looks for PreprovisionedVMType, azure-init (libazureinit/src/media.rs) for
// PreprovisionedVmType. A document that serves both, with the same
// value, is no duplicate.
func (p *parser) preprovisionedVMType(settings *etree.Element) PreprovisionedVMType {
	const name = "PreprovisionedVMType"
	if p.err != nil {
		return ""
	}
	found := xmldoc.ChildrenFunc(settings, azureNamespace, func(local string) bool {
		return strings.EqualFold(local, name)
	})
	values := make(map[string]bool)
	spellings := make(map[string]bool)
	for _, el := range found {
		text := ""
		if !xmldoc.IsNil(el) {
			text = strings.TrimSpace(xmldoc.Text(el))
		}
		values[text], spellings[el.Tag] = true, true
	}
	if len(values) > 1 || len(spellings) < len(found) {
		p.multiple(name, len(found))
		return ""
	}
	for value := range values {
		return PreprovisionedVMType(value)
	}
	return ""
}
