package provision

import (
	"slices"
	"strconv"

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
	for _, rule := range []func(*Machine, *sources, *ovf.Environment, *imds.GetInstanceResponse, Options) error{
		mergeIdentity, mergeUser, mergePassword, mergeKeys, mergeData, mergePlace, checkLogin,
	} {
		if err := rule(m, s, env, inst, o); err != nil {
			return nil, err
		}
	}
	return m, nil
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

func mergeIdentity(m *Machine, s *sources, env *ovf.Environment, inst *imds.GetInstanceResponse, o Options) error {
	m.set(FieldHostName, &m.HostName,
		candidate{inst.Compute.OSProfile.ComputerName, SourceIMDS},
		candidate{env.HostName, s.envFrom},
		// compute.name, made fit for a host name: the last resort.
		candidate{inst.Compute.HostName(), SourceIMDS})
	fromDMI, dmiErr := s.dmi.VMID()
	fromIMDS, imdsErr := azprov.ParseVMID(inst.Compute.VMID)
	switch {
	case dmiErr == nil && (s.dmi.OnAzure() || imdsErr != nil):
		m.VMID, m.Sources[FieldVMID] = fromDMI, SourceDMI
		if imdsErr == nil && !fromDMI.Same(fromIMDS) {
			m.Warnings = append(m.Warnings, "the firmware's VM id and IMDS's differ; the firmware's was taken")
		}
	case imdsErr == nil:
		m.VMID, m.Sources[FieldVMID] = fromIMDS, SourceIMDS
	case o.AssumeAzure && inst.Compute.VMID == "":
		m.Warnings = append(m.Warnings, "the VM has no id: "+dmiErr.Error())
	default:
		return dmiErr
	}
	return nil
}

func mergeUser(m *Machine, s *sources, env *ovf.Environment, inst *imds.GetInstanceResponse, o Options) error {
	m.set(FieldUserName, &m.User.Name,
		candidate{inst.Compute.OSProfile.AdminUsername, SourceIMDS},
		candidate{env.UserName, s.envFrom},
		candidate{o.DefaultUser, SourceDefault})
	return nil
}

func mergePassword(m *Machine, s *sources, env *ovf.Environment, inst *imds.GetInstanceResponse, _ Options) error {
	if ovf.IsProtected(env.UserPassword.Reveal()) {
		return protected("password")
	}
	if env.UserPassword.Len() > 0 {
		m.User.Password, m.Sources[FieldUserPassword] = env.UserPassword, s.envFrom
	}
	hasPassword := env.UserPassword.Len() > 0 || env.UserPasswordRedacted
	disabled, fromIMDS := inst.Compute.OSProfile.DisablePasswordAuthentication.Value()
	disabledOVF, fromOVF := env.DisableSSHPasswordAuthentication.Value()
	switch {
	case fromIMDS:
		m.PasswordAuthentication, m.Sources[FieldPasswordAuthentication] = azprov.NewSwitch(!disabled), SourceIMDS
	case inst.Compute.OSProfile.DisablePasswordAuthentication != "":
		// There, and neither true nor false: what does not disable, enables.
		m.PasswordAuthentication, m.Sources[FieldPasswordAuthentication] = azprov.SwitchOn, SourceIMDS
	case fromOVF:
		m.PasswordAuthentication, m.Sources[FieldPasswordAuthentication] = azprov.NewSwitch(!disabledOVF), s.envFrom
	case hasPassword:
		// Who sets a password means it to be used.
		m.PasswordAuthentication, m.Sources[FieldPasswordAuthentication] = azprov.SwitchOn, SourceDefault
	}
	return nil
}

// imdsKeysCount reports whether IMDS's keys are to be taken: there are some, and all
// can be used. A certificate among them means that the medium's are the right ones.
func imdsKeysCount(inst *imds.GetInstanceResponse) bool {
	if inst == nil || len(inst.Compute.PublicKeys) == 0 {
		return false
	}
	for _, key := range inst.Compute.PublicKeys {
		if _, ok := key.OpenSSH(); !ok {
			return false
		}
	}
	return true
}

func mergeKeys(m *Machine, s *sources, env *ovf.Environment, inst *imds.GetInstanceResponse, _ Options) error {
	m.User.SSHKeys = []string{}
	var usable []string
	for _, key := range inst.Compute.PublicKeys {
		if line, ok := key.OpenSSH(); ok {
			usable = append(usable, line)
		}
	}
	if imdsKeysCount(inst) {
		m.User.SSHKeys, m.Sources[FieldSSHKeys] = usable, SourceIMDS
		return nil
	}
	from := s.envFrom
	for i, key := range env.PublicKeys {
		// A value counts before a fingerprint, and is unfolded as IMDS's keys are.
		if line, ok := (imds.PublicKey{KeyData: key.Value}).OpenSSH(); ok {
			m.User.SSHKeys = append(m.User.SSHKeys, line)
			continue
		}
		if line := s.keys[key.Thumbprint()]; line != "" {
			m.User.SSHKeys, from = append(m.User.SSHKeys, line), SourceCertificates
			continue
		}
		m.Warnings = append(m.Warnings, "the medium's SSH key "+strconv.Itoa(i+1)+" was left out: no OpenSSH key, and none was found for its fingerprint")
	}
	switch {
	case len(m.User.SSHKeys) > 0:
		m.Sources[FieldSSHKeys] = from
	case len(usable) > 0:
		m.User.SSHKeys, m.Sources[FieldSSHKeys] = usable, SourceIMDS
		m.Warnings = append(m.Warnings, "some of IMDS's SSH keys cannot be used and the medium has none; the usable ones were taken")
	}
	return nil
}

func mergeData(m *Machine, s *sources, env *ovf.Environment, inst *imds.GetInstanceResponse, o Options) error {
	if ovf.IsProtected(env.CustomData.Reveal()) {
		return protected("custom data")
	}
	customData := env.CustomData
	if customData.Len() == 0 {
		// No base64, of which ovf warns: handed on as it is, as WALinuxAgent does, for
		// the configuration's own parser to refuse. Dropping it would go unnoticed.
		customData = env.CustomDataText
	}
	if customData.Len() > 0 {
		m.CustomData, m.Sources[FieldCustomData] = customData, s.envFrom
	}
	userData, err := inst.Compute.UserDataBytes()
	if err != nil {
		m.Warnings = append(m.Warnings, "the user data is not base64 and was left out")
	} else if userData.Len() > 0 {
		m.UserData, m.Sources[FieldUserData] = userData, SourceIMDS
	}
	order := []Field{FieldCustomData, FieldUserData}
	if o.ConfigOrder == UserDataFirst {
		slices.Reverse(order)
	}
	data := map[Field]azprov.Secret{FieldCustomData: m.CustomData, FieldUserData: m.UserData}
	for _, field := range order {
		if data[field].Len() > 0 {
			m.Config, m.Sources[FieldConfig] = data[field], m.Sources[field]
			break
		}
	}
	return checkCustomData(m, s, inst, o)
}

// checkCustomData holds what was read against what IMDS promised.
func checkCustomData(m *Machine, s *sources, inst *imds.GetInstanceResponse, o Options) error {
	promised, _ := inst.Extended.Compute.HasCustomData.Value()
	if !promised || m.CustomData.Len() > 0 {
		return nil
	}
	if o.AllowMissingCustomData {
		m.Warnings = append(m.Warnings, "IMDS says that there is custom data, and none was read")
		return nil
	}
	medium := "absent"
	if s.env != nil {
		medium = "read"
	}
	return &azprov.Error{
		Op: "provision.Collect", Kind: azprov.KindNotFound,
		Message: "IMDS says that there is custom data, and none was read",
		Hint:    "it comes on the provisioning medium only: check that the medium can be read, or allow it to be missing",
		Reason:  "failure to read customData while hasCustomData=true",
		Details: []azprov.Detail{{Key: "pps_type", Value: string(m.PPSType)}, {Key: "provisioning_media", Value: medium}},
	}
}

func mergePlace(m *Machine, _ *sources, _ *ovf.Environment, inst *imds.GetInstanceResponse, _ Options) error {
	m.set(FieldRegion, &m.Region, candidate{inst.Compute.Location, SourceIMDS})
	m.set(FieldZone, &m.Zone, candidate{inst.Compute.Zone, SourceIMDS})
	if len(inst.Network.Interface) > 0 {
		m.Network, m.Sources[FieldNetwork] = inst.Network, SourceIMDS
	}
	return nil
}

// checkLogin: one source alone will do only if it gives a way to log in. With both
// there, a machine without any is what its creator wanted (a specialized image).
func checkLogin(m *Machine, s *sources, _ *ovf.Environment, _ *imds.GetInstanceResponse, _ Options) error {
	if (s.env != nil && s.inst != nil) || (m.User.Name != "" && (len(m.User.SSHKeys) > 0 || m.User.Password.Len() > 0)) {
		return nil
	}
	missing := "the provisioning medium"
	if s.inst == nil {
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
