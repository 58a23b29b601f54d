package provision

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
)

const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIUsU2s4odSeOog24CPv9XA70VUmlMzd5aIW1/vUV6w a"
	keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIcnaSLNgfpPEBWhgr6/YReB56ts/VwhO5opnc454HGI b"
	idA  = "91267c52-9f02-4cfe-b1f4-a4da7ebac2cf"
	idB  = "0f4b2f5e-8f0e-4c55-b7f4-9f2f1d6f7a10"
	// A JSON Web Token with nothing in it: {"alg":"none"}.{}.x
	token = "eyJhbGciOiJub25lIn0.e30.eA"
)

func instance(change func(*imds.Instance)) *imds.GetInstanceResponse {
	resp := &imds.GetInstanceResponse{}
	resp.Compute.VMID = idA
	if change != nil {
		change(&resp.Instance)
	}
	return resp
}

func environment(change func(*ovf.Environment)) *ovf.Environment {
	env := &ovf.Environment{HostName: "from-ovf"}
	if change != nil {
		change(env)
	}
	return env
}

func onAzure() azprov.DMI {
	return azprov.DMI{ChassisAssetTag: azprov.AzureAssetTag, ProductUUID: idA, EFI: true}
}

func secret(text string) azprov.Secret { return azprov.NewSecret([]byte(text)) }

// mergeRow is one row of a table of precedence.
type mergeRow struct {
	name    string
	env     *ovf.Environment
	inst    *imds.GetInstanceResponse
	keys    map[string]string
	options Options
	want    string
	source  Source
}

func runMerge(t *testing.T, field Field, get func(*Machine) string, rows []mergeRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &sources{dmi: onAzure(), env: row.env, envFrom: SourceOVF, inst: row.inst, keys: row.keys, pps: imds.PPSTypeNone}
			m, err := merge(s, row.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := get(m); got != row.want || m.Sources[field] != row.source {
				t.Errorf("%q from %s, want %q from %s (warnings %q)", got, m.Sources[field], row.want, row.source, m.Warnings)
			}
		})
	}
}

func TestHostName(t *testing.T) {
	t.Parallel()
	computer := func(i *imds.Instance) { i.Compute.OSProfile.ComputerName = "from-imds" }
	name := func(i *imds.Instance) { i.Compute.Name = "web_3" }
	nameless := environment(func(e *ovf.Environment) { e.HostName = "" })
	runMerge(t, FieldHostName, func(m *Machine) string { return m.HostName }, []mergeRow{
		{name: "IMDS wins", env: environment(nil), inst: instance(computer), want: "from-imds", source: SourceIMDS},
		{name: "the medium, if IMDS has none", env: environment(nil), inst: instance(nil), want: "from-ovf", source: SourceOVF},
		{name: "the VM's name is the last resort", env: nameless, inst: instance(name), want: "web-3", source: SourceIMDS},
		{name: "the medium before the VM's name", env: environment(nil), inst: instance(name), want: "from-ovf", source: SourceOVF},
		{name: "nobody", env: nameless, inst: instance(nil), want: "", source: SourceNone},
	})
}

func TestUserName(t *testing.T) {
	t.Parallel()
	admin := func(i *imds.Instance) { i.Compute.OSProfile.AdminUsername = "imds-user" }
	user := environment(func(e *ovf.Environment) { e.UserName = "ovf-user" })
	runMerge(t, FieldUserName, func(m *Machine) string { return m.User.Name }, []mergeRow{
		{name: "IMDS wins", env: user, inst: instance(admin), want: "imds-user", source: SourceIMDS},
		{name: "the medium", env: user, inst: instance(nil), want: "ovf-user", source: SourceOVF},
		{name: "the default", env: environment(nil), inst: instance(nil), options: Options{DefaultUser: "core"}, want: "core", source: SourceDefault},
		{name: "the default is the last", env: user, inst: instance(nil), options: Options{DefaultUser: "core"}, want: "ovf-user", source: SourceOVF},
		{name: "nobody", env: environment(nil), inst: instance(nil), want: "", source: SourceNone},
		// cloud-init fails here with an internal key error.
		{name: "IMDS alone, and a medium without user", env: environment(nil), inst: instance(admin), want: "imds-user", source: SourceIMDS},
	})
}

func TestPasswordAuthentication(t *testing.T) {
	t.Parallel()
	says := func(word imds.Bool) *imds.GetInstanceResponse {
		return instance(func(i *imds.Instance) { i.Compute.OSProfile.DisablePasswordAuthentication = word })
	}
	medium := func(disable azprov.Switch, password string) *ovf.Environment {
		return environment(func(e *ovf.Environment) {
			e.DisableSSHPasswordAuthentication = disable
			if password != "" {
				e.UserPassword = secret(password)
			}
		})
	}
	redacted := environment(func(e *ovf.Environment) { e.UserPasswordRedacted = true })
	runMerge(t, FieldPasswordAuthentication, func(m *Machine) string { return m.PasswordAuthentication.String() }, []mergeRow{
		{name: "IMDS disables", env: medium(azprov.SwitchOff, "p"), inst: says("true"), want: "off", source: SourceIMDS},
		{name: "IMDS does not", env: medium(azprov.SwitchOn, ""), inst: says("false"), want: "on", source: SourceIMDS},
		{name: "IMDS in another case", env: medium(azprov.SwitchOff, "p"), inst: says("True"), want: "off", source: SourceIMDS},
		{name: "IMDS says something else", env: medium(azprov.SwitchOn, ""), inst: says("maybe"), want: "on", source: SourceIMDS},
		{name: "IMDS is silent, the medium disables", env: medium(azprov.SwitchOn, "p"), inst: says(""), want: "off", source: SourceOVF},
		{name: "the medium disables without password", env: medium(azprov.SwitchOn, ""), inst: says(""), want: "off", source: SourceOVF},
		{name: "the medium enables", env: medium(azprov.SwitchOff, "p"), inst: says(""), want: "on", source: SourceOVF},
		{name: "the medium enables without password", env: medium(azprov.SwitchOff, ""), inst: says(""), want: "on", source: SourceOVF},
		{name: "a password alone enables", env: medium(azprov.SwitchUnset, "p"), inst: says(""), want: "on", source: SourceDefault},
		{name: "a redacted password too", env: redacted, inst: says(""), want: "on", source: SourceDefault},
		{name: "nobody says", env: medium(azprov.SwitchUnset, ""), inst: says(""), want: "unset", source: SourceNone},
	})
}

func TestSSHKeys(t *testing.T) {
	t.Parallel()
	imdsKeys := func(keys ...string) *imds.GetInstanceResponse {
		return instance(func(i *imds.Instance) {
			for _, key := range keys {
				i.Compute.PublicKeys = append(i.Compute.PublicKeys, imds.PublicKey{KeyData: key})
			}
		})
	}
	medium := func(keys ...ovf.PublicKey) *ovf.Environment {
		return environment(func(e *ovf.Environment) { e.PublicKeys = keys })
	}
	value := ovf.PublicKey{Value: keyB, Fingerprint: "AB"}
	print1 := ovf.PublicKey{Fingerprint: "sha1:ab:cd"}
	found := map[string]string{"ABCD": keyA}
	const certificate = "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----"
	runMerge(t, FieldSSHKeys, func(m *Machine) string { return strings.Join(m.User.SSHKeys, "|") }, []mergeRow{
		{name: "IMDS wins", env: medium(value), inst: imdsKeys(keyA), want: keyA, source: SourceIMDS},
		{name: "CRLF inside is unfolded", env: medium(), inst: imdsKeys(keyA[:20] + "\r\n" + keyA[20:] + "\r\n"), want: keyA, source: SourceIMDS},
		// cloud-init takes an empty list for "no keys" and never looks at the medium.
		{name: "an empty list says nothing", env: medium(value), inst: imdsKeys(), want: keyB, source: SourceOVF},
		{name: "a certificate among them sends us to the medium", env: medium(value), inst: imdsKeys(keyA, certificate), want: keyB, source: SourceOVF},
		{name: "the usable ones, if the medium has none", env: medium(), inst: imdsKeys(keyA, certificate), want: keyA, source: SourceIMDS},
		{name: "a value before a fingerprint", env: medium(value), inst: imdsKeys(), keys: map[string]string{"AB": keyA}, want: keyB, source: SourceOVF},
		{name: "a fingerprint", env: medium(print1), inst: imdsKeys(), keys: found, want: keyA, source: SourceCertificates},
		{name: "both kinds, in the medium's order", env: medium(print1, value), inst: imdsKeys(), keys: found, want: keyA + "|" + keyB, source: SourceCertificates},
		{name: "a fingerprint that nobody knows", env: medium(print1, value), inst: imdsKeys(), want: keyB, source: SourceOVF},
		{name: "a value that is no key beside one", env: medium(ovf.PublicKey{Value: "not a key\nssh-rsa AAAA evil"}, value), inst: imdsKeys(), want: keyB, source: SourceOVF},
		{name: "none anywhere", env: medium(), inst: imdsKeys(), want: "", source: SourceNone},
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	user := func(i *imds.Instance) { i.Compute.UserData = secret("dXNlcg==") } // "user"
	bad := func(i *imds.Instance) { i.Compute.UserData = secret("%%%") }
	custom := environment(func(e *ovf.Environment) { e.CustomData = secret("custom") })
	raw := environment(func(e *ovf.Environment) { e.CustomDataText = secret("%text%") })
	runMerge(t, FieldConfig, func(m *Machine) string { return m.Config.RevealString() }, []mergeRow{
		{name: "custom data first", env: custom, inst: instance(user), want: "custom", source: SourceOVF},
		{name: "user data first, if so ordered", env: custom, inst: instance(user), options: Options{ConfigOrder: UserDataFirst}, want: "user", source: SourceIMDS},
		{name: "user data alone", env: environment(nil), inst: instance(user), want: "user", source: SourceIMDS},
		{name: "custom data alone", env: custom, inst: instance(nil), options: Options{ConfigOrder: UserDataFirst}, want: "custom", source: SourceOVF},
		{name: "unreadable user data is none", env: environment(nil), inst: instance(bad), want: "", source: SourceNone},
		{name: "custom data that is no base64 is handed on", env: raw, inst: instance(nil), want: "%text%", source: SourceOVF},
		{name: "a single byte is data", env: environment(func(e *ovf.Environment) { e.CustomData = secret("#") }), inst: instance(user), want: "#", source: SourceOVF},
		{name: "none", env: environment(nil), inst: instance(nil), want: "", source: SourceNone},
	})
}

func TestVMID(t *testing.T) {
	t.Parallel()
	elsewhere := azprov.DMI{ChassisAssetTag: "Other", ProductUUID: idB, EFI: true}
	for _, row := range []struct {
		name     string
		dmi      azprov.DMI
		imdsID   string
		options  Options
		want     string
		source   Source
		warnings int
		kind     azprov.Kind
	}{
		{"the firmware's", onAzure(), idA, Options{}, idA, SourceDMI, 0, ""},
		{"the same in other case and byte order", onAzure(), "527C2691-029F-FE4C-B1F4-A4DA7EBAC2CF", Options{}, idA, SourceDMI, 0, ""},
		{"the firmware's, though they differ", onAzure(), idB, Options{}, idA, SourceDMI, 1, ""},
		{"no UUID readable", azprov.DMI{ChassisAssetTag: azprov.AzureAssetTag}, idB, Options{}, idB, SourceIMDS, 0, ""},
		{"another machine, endpoints of our own", elsewhere, idA, Options{AssumeAzure: true}, idA, SourceIMDS, 0, ""},
		{"another machine, and IMDS has none", elsewhere, "", Options{AssumeAzure: true}, idB, SourceDMI, 0, ""},
		{"nowhere, endpoints of our own", azprov.DMI{}, "", Options{AssumeAzure: true}, "00000000-0000-0000-0000-000000000000", SourceNone, 1, ""},
		{"nowhere", azprov.DMI{}, "", Options{}, "", "", 0, azprov.KindNotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &sources{dmi: row.dmi, env: environment(nil), envFrom: SourceOVF, inst: instance(func(i *imds.Instance) { i.Compute.VMID = row.imdsID })}
			m, err := merge(s, row.options)
			if azprov.KindOf(err) != row.kind {
				t.Fatalf("error %v, want kind %q", err, row.kind)
			}
			if err != nil {
				return
			}
			if m.VMID.String() != row.want || m.Sources[FieldVMID] != row.source || len(m.Warnings) != row.warnings {
				t.Errorf("%s from %s, warnings %q", m.VMID, m.Sources[FieldVMID], m.Warnings)
			}
		})
	}
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	promised := instance(func(i *imds.Instance) { i.Extended.Compute.HasCustomData = "true" })
	user := func(e *ovf.Environment) { e.UserName = "u" }
	fingerprint := func(e *ovf.Environment) { e.PublicKeys = []ovf.PublicKey{{Fingerprint: "AB"}} }
	noKey := func(e *ovf.Environment) { e.PublicKeys = []ovf.PublicKey{{Value: "not a key\nssh-rsa AAAA evil"}} }
	for _, row := range []struct {
		name    string
		env     *ovf.Environment
		inst    *imds.GetInstanceResponse
		options Options
		kind    azprov.Kind
		reason  string
	}{
		{"neither source", nil, nil, Options{}, azprov.KindNotFound, ""},
		{"custom data promised and missing", environment(nil), promised, Options{}, azprov.KindNotFound, "failure to read customData while hasCustomData=true"},
		{"the same, allowed", environment(nil), promised, Options{AllowMissingCustomData: true}, "", ""},
		{"a protected password", environment(func(e *ovf.Environment) { e.UserPassword = secret(token) }), instance(nil), Options{}, azprov.KindProtected, "unsupported protected password"},
		{"protected custom data", environment(func(e *ovf.Environment) { e.CustomData = secret(token) }), instance(nil), Options{}, azprov.KindProtected, "unsupported protected custom data"},
		{"the medium alone without a way in", environment(user), nil, Options{}, azprov.KindNotFound, ""},
		{"IMDS alone without a way in", nil, instance(nil), Options{}, azprov.KindNotFound, ""},
		{"keys by fingerprint alone, all lost", environment(fingerprint), instance(nil), Options{}, azprov.KindNotFound, ""},
		{"a key that is none, and no other way in", environment(noKey), instance(nil), Options{}, azprov.KindNotFound, ""},
		{"lost keys and a password", environment(func(e *ovf.Environment) { fingerprint(e); e.UserPassword = secret("p") }), instance(nil), Options{}, "", ""},
		{"lost keys and a password that was redacted", environment(func(e *ovf.Environment) { fingerprint(e); e.UserPasswordRedacted = true }), instance(nil), Options{}, "", ""},
		{"both, and no user: a specialized image", environment(nil), instance(nil), Options{}, "", ""},
		{"the medium alone with a password", environment(func(e *ovf.Environment) { e.UserName, e.UserPassword = "u", secret("p") }), nil, Options{}, "", ""},
		{"the medium alone with a key", environment(func(e *ovf.Environment) { e.UserName, e.PublicKeys = "u", []ovf.PublicKey{{Value: keyA}} }), nil, Options{}, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := merge(&sources{dmi: onAzure(), env: row.env, envFrom: SourceOVF, inst: row.inst}, row.options)
			var e *azprov.Error
			if azprov.KindOf(err) != row.kind || (errors.As(err, &e) && e.Reason != row.reason) {
				t.Fatalf("error %v, want kind %q, reason %q", err, row.kind, row.reason)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	place := func(i *imds.Instance) {
		i.Compute.Location, i.Compute.Zone = "westeurope", "2"
		i.Network.Interface = []imds.NetworkInterface{{MACAddress: "000D3A000001"}}
	}
	for field, row := range map[Field]struct {
		get  func(*Machine) string
		want string
	}{
		FieldRegion:  {func(m *Machine) string { return m.Region }, "westeurope"},
		FieldZone:    {func(m *Machine) string { return m.Zone }, "2"},
		FieldNetwork: {func(m *Machine) string { return strconv.Itoa(len(m.Network.Interface)) }, "1"},
	} {
		none := ""
		if field == FieldNetwork {
			none = "0"
		}
		runMerge(t, field, row.get, []mergeRow{
			{name: string(field) + " of IMDS", env: environment(nil), inst: instance(place), want: row.want, source: SourceIMDS},
			{name: string(field) + " of nobody", env: environment(nil), inst: instance(nil), want: none, source: SourceNone},
		})
	}
}

func TestDataAndPassword(t *testing.T) {
	t.Parallel()
	user := func(i *imds.Instance) { i.Compute.UserData = secret("dXNlcg==") } // "user"
	medium := environment(func(e *ovf.Environment) { e.CustomData, e.UserPassword = secret("custom"), secret("p") })
	for field, row := range map[Field]struct {
		get    func(*Machine) string
		want   string
		source Source
	}{
		FieldCustomData:   {func(m *Machine) string { return m.CustomData.RevealString() }, "custom", SourceOVF},
		FieldUserData:     {func(m *Machine) string { return m.UserData.RevealString() }, "user", SourceIMDS},
		FieldUserPassword: {func(m *Machine) string { return m.User.Password.RevealString() }, "p", SourceOVF},
	} {
		runMerge(t, field, row.get, []mergeRow{
			{name: string(field), env: medium, inst: instance(user), want: row.want, source: row.source},
			{name: "no " + string(field), env: environment(nil), inst: instance(nil), want: "", source: SourceNone},
		})
	}
}

func TestWhoIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]*sources{
		"the provisioning medium is not there": {dmi: onAzure(), inst: instance(nil)},
		"IMDS is not there":                    {dmi: onAzure(), env: environment(nil)},
	} {
		if _, err := merge(s, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestKeysToResolve(t *testing.T) {
	t.Parallel()
	medium := environment(func(e *ovf.Environment) {
		e.PublicKeys = []ovf.PublicKey{{Value: keyA, Fingerprint: "01"}, {Fingerprint: "ab:cd"}, {Value: "no key"}, {Value: "no key", Fingerprint: "ef"}}
	})
	imdsKey := func(i *imds.Instance) { i.Compute.PublicKeys = []imds.PublicKey{{KeyData: keyA}} }
	for _, row := range []struct {
		name string
		s    sources
		want []string
	}{
		{"those without a usable value", sources{env: medium, inst: instance(nil)}, []string{"ABCD", "EF"}},
		{"without IMDS too", sources{env: medium}, []string{"ABCD", "EF"}},
		{"none if IMDS's keys count", sources{env: medium, inst: instance(imdsKey)}, nil},
		{"none without a medium", sources{inst: instance(nil)}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := unresolved(&row.s); !slices.Equal(got, row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	p, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := p.o
	if o.IMDS == nil || o.WireServer == nil || o.Logger == nil || o.Sysfs == nil {
		t.Errorf("options %+v", o)
	}
	if _, ok := o.Medium.(*disc); !ok {
		t.Errorf("medium %T", o.Medium)
	}
	// A platform that is not this machine's has no disc in its drive, and no daemon.
	for name, o := range map[string]*Options{"AssumeAzure": {AssumeAzure: true}, "Sysfs": {Sysfs: fstest.MapFS{}}} {
		if p, err := New(o); err != nil || p.o.Medium != NoMedium() || p.reporter.o.Host != NoHost() {
			t.Errorf("%s: %v, medium %T, host %T", name, err, p.o.Medium, p.reporter.o.Host)
		}
	}
	r := p.reporter.o
	if _, ok := r.Host.(defaultHost); !ok || r.Channel != ChannelBoth {
		t.Errorf("host %T, channel %s", r.Host, r.Channel)
	}
	if o.ConfigOrder != CustomDataFirst || r.AgentName != "azprov/"+azprov.Version || r.FailureTimeout != 2*time.Minute || p.reporter.latch.dir != "/run/azprov" {
		t.Errorf("order %s, agent %s, %v for a failure, state in %s", o.ConfigOrder, r.AgentName, r.FailureTimeout, p.reporter.latch.dir)
	}
}

func TestEveryFieldHasASource(t *testing.T) {
	t.Parallel()
	m, err := merge(&sources{dmi: onAzure(), env: environment(nil), envFrom: SourceOVF, inst: instance(nil)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range PossibleFieldValues() {
		if !slices.Contains(PossibleSourceValues(), m.Sources[field]) {
			t.Errorf("%s has source %q", field, m.Sources[field])
		}
	}
}
