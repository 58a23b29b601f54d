package provision

import (
	"cmp"
	"slices"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
)

// merge applies the rules of precedence. IMDS wins for host name, user name, the
// password-authentication switch and the SSH keys; the medium alone has password and
// custom data.
func merge(s *sources, o Options) (*Machine, error) {
	m := &Machine{Sources: map[Field]Source{}, PPSType: s.pps, Warnings: slices.Clone(s.notes)}
	for _, field := range PossibleFieldValues() {
		m.Sources[field] = SourceNone
	}
	if s.env == nil && s.inst == nil {
		return nil, &azprov.Error{
			Op: "provision.Collect", Kind: azprov.KindNotFound,
			Message: "neither a provisioning medium nor IMDS is there",
			Hint:    "check the medium, and the network's route to " + azprov.IMDSEndpoint,
		}
	}
	env, inst := s.env, s.inst
	if env == nil {
		env = &ovf.Environment{}
	}
	if inst == nil {
		inst = &imds.GetInstanceResponse{}
	}
	m.Warnings = append(append(m.Warnings, env.Warnings...), inst.Warnings...)
	making := &merging{Machine: m, from: s, env: env, inst: inst, o: o}
	for _, rule := range []func(*merging) error{
		(*merging).identity, (*merging).names, (*merging).password, (*merging).keys, (*merging).data, (*merging).login,
	} {
		if err := rule(making); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// merging is a Machine in the making. env and inst are empty where a source is missing,
// which from tells.
type merging struct {
	*Machine
	from *sources
	env  *ovf.Environment
	inst *imds.GetInstanceResponse
	o    Options
	// keysLost counts the medium's keys that were left out.
	keysLost int
}

// set puts the first candidate that is not empty into value and notes its source.
func (m *Machine) set(field Field, value *string, candidates ...candidate) {
	for _, c := range candidates {
		if c.text != "" {
			*value, m.Sources[field] = c.text, c.from
			return
		}
	}
}

type candidate struct {
	text string
	from Source
}

func (m *merging) identity() error {
	fromDMI, dmiErr := m.from.dmi.VMID()
	fromIMDS, imdsErr := azprov.ParseVMID(m.inst.Compute.VMID)
	switch {
	case dmiErr == nil && (m.from.dmi.OnAzure() || imdsErr != nil):
		m.VMID, m.Sources[FieldVMID] = fromDMI, SourceDMI
		if imdsErr == nil && !fromDMI.Same(fromIMDS) {
			m.warn("the firmware's VM id and IMDS's differ; the firmware's was taken")
		}
	case imdsErr == nil:
		m.VMID, m.Sources[FieldVMID] = fromIMDS, SourceIMDS
	case m.o.AssumeAzure && m.inst.Compute.VMID == "":
		m.warn("the VM has no id: " + dmiErr.Error())
	default:
		return dmiErr
	}
	return nil
}

func (m *merging) warn(text string) { m.Warnings = append(m.Warnings, text) }

// names merges what is a single word.
func (m *merging) names() error {
	compute := m.inst.Compute
	m.set(FieldHostName, &m.HostName,
		candidate{compute.OSProfile.ComputerName, SourceIMDS},
		candidate{m.env.HostName, m.from.envFrom},
		// compute.name, made fit for a host name: the last resort.
		candidate{compute.HostName(), SourceIMDS})
	m.set(FieldUserName, &m.User.Name,
		candidate{compute.OSProfile.AdminUsername, SourceIMDS},
		candidate{m.env.UserName, m.from.envFrom},
		candidate{m.o.DefaultUser, SourceDefault})
	m.set(FieldRegion, &m.Region, candidate{compute.Location, SourceIMDS})
	m.set(FieldZone, &m.Zone, candidate{compute.Zone, SourceIMDS})
	if len(m.inst.Network.Interface) > 0 {
		m.Network, m.Sources[FieldNetwork] = m.inst.Network, SourceIMDS
	}
	return nil
}

func (m *merging) password() error {
	if ovf.IsProtected(m.env.UserPassword.Reveal()) {
		return protected("password")
	}
	hasPassword := m.env.UserPassword.Len() > 0
	if hasPassword {
		m.User.Password, m.Sources[FieldUserPassword] = m.env.UserPassword, m.from.envFrom
	}
	word := m.inst.Compute.OSProfile.DisablePasswordAuthentication
	disabled, known := word.Value()
	disabledOVF, fromOVF := m.env.DisableSSHPasswordAuthentication.Value()
	allow := func(on bool, from Source) {
		m.PasswordAuthentication, m.Sources[FieldPasswordAuthentication] = azprov.NewSwitch(on), from
	}
	switch {
	case known:
		allow(!disabled, SourceIMDS)
	case word != "": // there, and neither true nor false: what does not disable, enables
		allow(true, SourceIMDS)
	case fromOVF:
		allow(!disabledOVF, m.from.envFrom)
	case hasPassword, m.env.UserPasswordRedacted: // who sets a password means it to be used
		allow(true, SourceDefault)
	}
	return nil
}

func (m *merging) keys() error {
	chosen := chooseKeys(m.inst, m.env, m.from.keys)
	m.User.SSHKeys, m.keysLost = chosen.lines, chosen.lost
	if len(chosen.lines) > 0 {
		m.Sources[FieldSSHKeys] = cmp.Or(chosen.source, m.from.envFrom)
	}
	for _, warning := range chosen.warnings {
		m.warn(warning)
	}
	return nil
}

func (m *merging) data() error {
	if ovf.IsProtected(m.env.CustomData.Reveal()) {
		return protected("custom data")
	}
	customData := m.env.CustomData
	if customData.Len() == 0 {
		// No base64, of which ovf warns: handed on as it is, as WALinuxAgent does, for
		// the configuration's own parser to refuse. Dropping it would go unnoticed.
		customData = m.env.CustomDataText
	}
	if customData.Len() > 0 {
		m.CustomData, m.Sources[FieldCustomData] = customData, m.from.envFrom
	}
	userData, err := m.inst.Compute.UserDataBytes()
	if err != nil {
		m.warn("the user data is not base64 and was left out")
	} else if userData.Len() > 0 {
		m.UserData, m.Sources[FieldUserData] = userData, SourceIMDS
	}
	first, second := FieldCustomData, FieldUserData
	if m.o.ConfigOrder == UserDataFirst {
		first, second = second, first
	}
	data := map[Field]azprov.Secret{FieldCustomData: m.CustomData, FieldUserData: m.UserData}
	for _, field := range []Field{second, first} { // the first overwrites
		if data[field].Len() > 0 {
			m.Config, m.Sources[FieldConfig] = data[field], m.Sources[field]
		}
	}
	return m.promisedData()
}

// promisedData holds what was read against what IMDS promised.
func (m *merging) promisedData() error {
	promised, _ := m.inst.Extended.Compute.HasCustomData.Value()
	if !promised || m.CustomData.Len() > 0 {
		return nil
	}
	const message = "IMDS says that there is custom data, and none was read"
	if m.o.AllowMissingCustomData || m.env.CustomDataRedacted { // it was read on an earlier boot
		m.warn(message)
		return nil
	}
	medium := "absent"
	if m.from.env != nil {
		medium = "read"
	}
	return &azprov.Error{
		Op: "provision.Collect", Kind: azprov.KindNotFound, Message: message,
		Hint:    "it comes on the provisioning medium only: check that the medium can be read, or allow it to be missing",
		Reason:  "failure to read customData while hasCustomData=true",
		Details: []azprov.Detail{{Key: "pps_type", Value: string(m.PPSType)}, {Key: "provisioning_media", Value: medium}},
	}
}

// login: one source alone will do only if it gives a way to log in. With both there, a
// machine without any is what its creator wanted (a specialized image), unless keys were
// asked for and all of them lost.
func (m *merging) login() error {
	way := len(m.User.SSHKeys) > 0 || m.User.Password.Len() > 0
	hadPassword := m.env.UserPasswordRedacted // it was set when the document was redacted
	both := m.from.env != nil && m.from.inst != nil
	switch {
	case m.keysLost > 0 && !way && !hadPassword:
		return keysLost(m.keysLost)
	case both, way && m.User.Name != "":
		return nil
	}
	missing := "the provisioning medium"
	if m.from.inst == nil {
		missing = "IMDS"
	}
	return &azprov.Error{
		Op: "provision.Collect", Kind: azprov.KindNotFound,
		Message: "no user with a key or a password is known, and " + missing + " is not there to give one",
		Hint:    "nobody could log in; check why " + missing + " cannot be read",
	}
}

func protected(what string) error {
	return &azprov.Error{
		Op: "provision.Collect", Kind: azprov.KindProtected,
		Message: "the " + what + " is a protected secret, encrypted for a key that this agent has not",
		Hint:    "create the VM without protected settings, or with an image whose agent can open them",
		Reason:  "unsupported protected " + what,
	}
}
