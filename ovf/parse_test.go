package ovf

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
)

// full has every element, in the layout that the platform uses.
const full = `<?xml version="1.0" encoding="utf-8"?>
<ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <wa:ProvisioningSection>
    <wa:Version> 1.0 </wa:Version>
    <LinuxProvisioningConfigurationSet xmlns="http://schemas.microsoft.com/windowsazure">
      <ConfigurationSetType>LinuxProvisioningConfiguration</ConfigurationSetType>
      <HostName> vm1 </HostName>
      <UserName>
        azureuser
      </UserName>
      <UserPassword> pass &amp; <!-- over -->word<![CDATA[<1>]]> </UserPassword>
      <DisableSshPasswordAuthentication> True </DisableSshPasswordAuthentication>
      <SSH>
        <PublicKeys>
          <PublicKey>
            <Fingerprint>00112233445566778899AABBCCDDEEFF00112233</Fingerprint>
            <Path>/home/azureuser/.ssh/authorized_keys</Path>
            <Value>ssh-ed25519 AAAAC3Nz user@host </Value>
          </PublicKey>
          <PublicKey><Fingerprint>sha1:aa:bb</Fingerprint></PublicKey>
          <PublicKey/>
        </PublicKeys>
        <KeyPairs>
          <KeyPair><Fingerprint>CC</Fingerprint><Path>/home/azureuser/.ssh/id_rsa</Path></KeyPair>
        </KeyPairs>
      </SSH>
      <CustomData>aGVs
        bG8=</CustomData>
      <Unknown><Deep attr="x">y</Deep></Unknown>
    </LinuxProvisioningConfigurationSet>
  </wa:ProvisioningSection>
  <wa:PlatformSettingsSection>
    <wa:Version>1.0</wa:Version>
    <wa:PlatformSettings>
      <wa:KmsServerHostname>kms.core.windows.net</wa:KmsServerHostname>
      <wa:ProvisionGuestAgent>true</wa:ProvisionGuestAgent>
      <wa:ProvisionGuestProxyAgent>yes</wa:ProvisionGuestProxyAgent>
      <wa:GuestAgentPackageName xsi:nil="true"/>
      <wa:RetainWindowsPEPassInUnattend>0</wa:RetainWindowsPEPassInUnattend>
      <wa:RetainOfflineServicingPassInUnattend>1</wa:RetainOfflineServicingPassInUnattend>
      <wa:PreprovisionedVm>false</wa:PreprovisionedVm>
      <wa:PreprovisionedVMType> Savable </wa:PreprovisionedVMType>
      <wa:EnableTrustedImageIdentifier>false</wa:EnableTrustedImageIdentifier>
    </wa:PlatformSettings>
  </wa:PlatformSettingsSection>
</ns0:Environment>`

func TestParseEveryElement(t *testing.T) {
	t.Parallel()
	sameFields(t, &Environment{
		Version: "1.0", ConfigurationSetType: "LinuxProvisioningConfiguration",
		HostName: "vm1", UserName: "azureuser", UserPassword: secret(" pass & word<1> "),
		CustomData:                       secret("hello"),
		DisableSSHPasswordAuthentication: azprov.SwitchOn,
		PublicKeys: []PublicKey{
			{"00112233445566778899AABBCCDDEEFF00112233", "/home/azureuser/.ssh/authorized_keys", "ssh-ed25519 AAAAC3Nz user@host"},
			{Fingerprint: "sha1:aa:bb"},
			{},
		},
		KeyPairs: []KeyPair{{"CC", "/home/azureuser/.ssh/id_rsa"}},
		Platform: PlatformSettings{
			Version: "1.0", KMSServerHostname: "kms.core.windows.net",
			ProvisionGuestAgent: azprov.SwitchOn, ProvisionGuestProxyAgent: azprov.SwitchOn,
			RetainWindowsPEPassInUnattend: azprov.SwitchOff, RetainOfflineServicingPassInUnattend: azprov.SwitchOn,
			PreprovisionedVM: azprov.SwitchOff, PreprovisionedVMType: PreprovisionedVMTypeSavable,
			EnableTrustedImageIdentifier: azprov.SwitchOff,
		},
	}, mustParse(t, full))
}

func TestParseTolerates(t *testing.T) {
	t.Parallel()
	noPlatform := header + setStart + hostName + setEnd + footer
	minimal := Environment{Version: "1.0", HostName: "vm1"}
	with := func(change func(*Environment)) *Environment {
		env := minimal
		change(&env)
		return &env
	}
	section := func(e *Environment) { e.Platform.Version = "1.0" }
	for name, row := range map[string]struct {
		doc  string
		want *Environment
	}{
		"no platform section (Azure Stack)": {noPlatform, &minimal},
		"empty platform section":            {strings.Replace(noPlatform, footer, "<wa:PlatformSettingsSection/>"+footer, 1), &minimal},
		"no platform settings":              {strings.Replace(noPlatform, footer, "<wa:PlatformSettingsSection><wa:Version>1.0</wa:Version></wa:PlatformSettingsSection>"+footer, 1), with(section)},
		"byte-order mark":                   {"\xEF\xBB\xBF" + noPlatform, &minimal},
		"white space before declaration":    {" \r\n" + noPlatform, &minimal},
		"comment after the root":            {noPlatform + "<!-- c -->\n", &minimal},
		"unknown elements everywhere":       {strings.NewReplacer(setEnd, "<wa:New><wa:HostName>x</wa:HostName></wa:New>"+setEnd+"<New/>").Replace(noPlatform), &minimal},
		"host name in another namespace":    {strings.Replace(noPlatform, setEnd, "<HostName>x</HostName>"+setEnd, 1), &minimal},
		"another prefix":                    {strings.NewReplacer("wa:", "q:", ":wa=", ":q=").Replace(noPlatform), &minimal},
		"empty host name": {
			document("<wa:HostName/>", ""), with(func(e *Environment) { section(e); e.HostName = "" }),
		},
		"nil host name": {
			document(`<wa:HostName i:nil="true"/>`, ""), with(func(e *Environment) { section(e); e.HostName = "" }),
		},
		"nil elements are absent": {
			document(hostName+`<wa:UserName i:nil="true"/><wa:UserPassword i:nil="1"/><wa:CustomData i:nil="true"/>`+
				`<wa:DisableSshPasswordAuthentication i:nil="true"/>`,
				`<wa:PreprovisionedVm i:nil="true"/><wa:PreprovisionedVMType i:nil="true"/><wa:KmsServerHostname i:nil="true"/>`),
			with(section),
		},
		"empty elements are absent, booleans off": {
			document(hostName+`<wa:UserName/><wa:UserPassword></wa:UserPassword><wa:CustomData/><wa:SSH/>`,
				`<wa:PreprovisionedVm/><wa:PreprovisionedVMType/><wa:KmsServerHostname/>`),
			with(func(e *Environment) { section(e); e.Platform.PreprovisionedVM = azprov.SwitchOff }),
		},
		"empty key lists": {
			withSet(`<wa:SSH><wa:PublicKeys/><wa:KeyPairs/></wa:SSH>`), with(section),
		},
		"blank password is none": {
			withSet("<wa:UserPassword>\n  </wa:UserPassword>"), with(func(e *Environment) {
				section(e)
				e.Warnings = []string{"UserPassword holds only white space and is taken as no password"}
			}),
		},
		"redacted copy": {
			withSet("<wa:UserPassword>REDACTED</wa:UserPassword><wa:CustomData> REDACTED </wa:CustomData>"), with(func(e *Environment) {
				section(e)
				e.UserPasswordRedacted, e.CustomDataRedacted = true, true
				e.Warnings = []string{
					"CustomData was redacted when the document was written",
					"UserPassword was redacted when the document was written",
				}
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sameFields(t, row.want, mustParse(t, row.doc))
		})
	}
}

func TestParseSwitches(t *testing.T) {
	t.Parallel()
	const warning = "DisableSshPasswordAuthentication is neither true nor false and taken as false"
	for text, row := range map[string]struct {
		want azprov.Switch
		warn bool
	}{
		"true": {azprov.SwitchOn, false}, "TRUE": {azprov.SwitchOn, false}, " True\n": {azprov.SwitchOn, false},
		"1": {azprov.SwitchOn, false}, "on": {azprov.SwitchOn, false}, "Yes": {azprov.SwitchOn, false},
		"false": {azprov.SwitchOff, false}, "0": {azprov.SwitchOff, false}, "": {azprov.SwitchOff, false},
		" ": {azprov.SwitchOff, false}, "No": {azprov.SwitchOff, false}, "off": {azprov.SwitchOff, false},
		"garbage": {azprov.SwitchOff, true}, "2": {azprov.SwitchOff, true}, "t": {azprov.SwitchOff, true},
	} {
		t.Run("text "+text, func(t *testing.T) {
			t.Parallel()
			env := mustParse(t, withSet("<wa:DisableSshPasswordAuthentication>"+text+"</wa:DisableSshPasswordAuthentication>"))
			if got := env.DisableSSHPasswordAuthentication; got != row.want {
				t.Errorf("= %v, want %v", got, row.want)
			}
			var warnings []string
			if row.warn {
				warnings = []string{warning}
			}
			if diff := cmp.Diff(warnings, env.Warnings); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := mustParse(t, withSet("")).DisableSSHPasswordAuthentication; got != azprov.SwitchUnset {
		t.Errorf("absent = %v, want unset", got)
	}
}

func TestPreprovisionedVMType(t *testing.T) {
	t.Parallel()
	const a, b = "<wa:PreprovisionedVMType>", "</wa:PreprovisionedVMType>"
	const c, d = "<wa:PreprovisionedVmType>", "</wa:PreprovisionedVmType>"
	for name, row := range map[string]struct {
		settings string
		want     PreprovisionedVMType
		reason   string
	}{
		"running":                     {a + "Running" + b, PreprovisionedVMTypeRunning, ""},
		"savable, blanks around":      {a + " Savable\n" + b, PreprovisionedVMTypeSavable, ""},
		"OS disk, other spelling":     {c + "PreprovisionedOSDisk" + d, PreprovisionedVMTypeOSDisk, ""},
		"unknown value is kept":       {a + "Future" + b, "Future", ""},
		"absent":                      {"", "", ""},
		"both spellings, same value":  {a + "Savable" + b + c + "Savable" + d, PreprovisionedVMTypeSavable, ""},
		"both spellings, both values": {a + "Savable" + b + c + "Running" + d, "", "multiple configuration matches for 'PreprovisionedVMType' (2)"},
		"one spelling twice":          {a + "Savable" + b + a + "Savable" + b, "", "multiple configuration matches for 'PreprovisionedVMType' (2)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if row.reason != "" {
				if e := parseError(t, document(hostName, row.settings)); !strings.HasSuffix(e.Reason, row.reason) {
					t.Errorf("reason = %q", e.Reason)
				}
				return
			}
			if got := mustParse(t, document(hostName, row.settings)).Platform.PreprovisionedVMType; got != row.want {
				t.Errorf("= %q, want %q", got, row.want)
			}
		})
	}
	for _, v := range PossiblePreprovisionedVMTypeValues() {
		if got := mustParse(t, document(hostName, a+string(v)+b)).Platform.PreprovisionedVMType; got != v {
			t.Errorf("%q reads as %q", v, got)
		}
	}
}

// Every element that must be single, twice.
func TestParseDuplicates(t *testing.T) {
	t.Parallel()
	for path, names := range map[string]string{
		"set":      "ConfigurationSetType HostName UserName UserPassword CustomData DisableSshPasswordAuthentication SSH",
		"ssh":      "PublicKeys KeyPairs",
		"key":      "Fingerprint Path Value",
		"pair":     "Fingerprint Path",
		"section":  "Version LinuxProvisioningConfigurationSet",
		"root":     "ProvisioningSection PlatformSettingsSection",
		"platform": "Version PlatformSettings",
		"settings": "KmsServerHostname ProvisionGuestAgent ProvisionGuestProxyAgent GuestAgentPackageName " +
			"RetainWindowsPEPassInUnattend RetainOfflineServicingPassInUnattend PreprovisionedVm EnableTrustedImageIdentifier",
	} {
		for name := range strings.FieldsSeq(names) {
			t.Run(path+" "+name, func(t *testing.T) {
				t.Parallel()
				twice := strings.Repeat("<wa:"+name+"></wa:"+name+">", 2)
				doc := map[string]string{
					"set":      withSet(strings.Replace(twice, "<wa:HostName></wa:HostName>", "", 1)),
					"ssh":      withSet("<wa:SSH>" + twice + "</wa:SSH>"),
					"key":      withSet("<wa:SSH><wa:PublicKeys><wa:PublicKey>" + twice + "</wa:PublicKey></wa:PublicKeys></wa:SSH>"),
					"pair":     withSet("<wa:SSH><wa:KeyPairs><wa:KeyPair>" + twice + "</wa:KeyPair></wa:KeyPairs></wa:SSH>"),
					"section":  header + "<wa:ProvisioningSection>" + twice + addSet(name) + "</wa:ProvisioningSection>" + footer,
					"root":     strings.Replace(withSet(""), footer, strings.Repeat("<wa:"+name+"/>", 1)+footer, 1),
					"platform": header + setStart + hostName + setEnd + "<wa:PlatformSettingsSection>" + twice + "</wa:PlatformSettingsSection>" + footer,
					"settings": document(hostName, twice),
				}[path]
				e := parseError(t, doc)
				want := "multiple configuration matches for '" + name + "' (2)"
				if e.Kind != azprov.KindMalformed || e.Reason != "unexpected metadata parsing ovf-env.xml: "+want {
					t.Errorf("kind %q, reason %q, want %q", e.Kind, e.Reason, want)
				}
			})
		}
	}
}

func addSet(name string) string {
	if name == "LinuxProvisioningConfigurationSet" {
		return ""
	}
	return "<wa:LinuxProvisioningConfigurationSet>" + hostName + "</wa:LinuxProvisioningConfigurationSet>"
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const metadata = "unexpected metadata parsing ovf-env.xml: "
	for name, row := range map[string]struct {
		doc     string
		kind    azprov.Kind
		message string
		reason  string
	}{
		"no provisioning section": {
			header + footer, azprov.KindNotAzure,
			"not an Azure ovf-env.xml: it has no ProvisioningSection", "",
		},
		"provisioning section in another namespace": {
			header + "<ProvisioningSection/>" + footer, azprov.KindNotAzure,
			"not an Azure ovf-env.xml: it has no ProvisioningSection", "",
		},
		"no configuration set": {
			header + "<wa:ProvisioningSection/>" + footer, azprov.KindMalformed,
			"missing configuration for 'LinuxProvisioningConfigurationSet'", metadata + "missing configuration for 'LinuxProvisioningConfigurationSet'",
		},
		"Windows configuration set": {
			header + "<wa:ProvisioningSection><wa:WindowsProvisioningConfigurationSet/></wa:ProvisioningSection>" + footer, azprov.KindMalformed,
			"the configuration set is for Windows (<WindowsProvisioningConfigurationSet>), want <LinuxProvisioningConfigurationSet>",
			metadata + "missing configuration for 'LinuxProvisioningConfigurationSet'",
		},
		"no host name": {
			document("", ""), azprov.KindMalformed,
			"missing configuration for 'HostName'", metadata + "missing configuration for 'HostName'",
		},
		"two host names": {
			withSet(hostName), azprov.KindMalformed,
			"multiple configuration matches for 'HostName' (2)", metadata + "multiple configuration matches for 'HostName' (2)",
		},
		"password too long, before the host name is missed": {
			document("<wa:UserPassword>"+strings.Repeat("x", 73)+"</wa:UserPassword>", ""), azprov.KindMalformed,
			"UserPassword has 73 characters, more than the limit of 72", "unsupported password length=73 max=72",
		},
		"two user names, before the password is too long": {
			withSet("<wa:UserPassword>" + strings.Repeat("x", 73) + "</wa:UserPassword><wa:UserName/><wa:UserName/>"), azprov.KindMalformed,
			"multiple configuration matches for 'UserName' (2)", metadata + "multiple configuration matches for 'UserName' (2)",
		},
		"platform fault after host name fault": {
			document("", "<wa:PreprovisionedVm/><wa:PreprovisionedVm/>"), azprov.KindMalformed,
			"missing configuration for 'HostName'", metadata + "missing configuration for 'HostName'",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := parseError(t, row.doc)
			if e.Kind != row.kind || e.Message != row.message || e.Reason != row.reason {
				t.Errorf("kind %q, message %q, reason %q", e.Kind, e.Message, e.Reason)
			}
		})
	}
}

func TestPasswordLimitCountsCharacters(t *testing.T) {
	t.Parallel()
	for _, password := range []string{strings.Repeat("x", 72), strings.Repeat("ü", 72), strings.Repeat("🦊", 72), strings.Repeat("x", 71) + "&amp;"} {
		env := mustParse(t, withSet("<wa:UserPassword>"+password+"</wa:UserPassword>"))
		if got := env.UserPassword.RevealString(); got != strings.ReplaceAll(password, "&amp;", "&") {
			t.Errorf("password = %q", got)
		}
	}
	e := parseError(t, withSet("<wa:UserPassword>"+strings.Repeat("ü", 73)+"</wa:UserPassword>"))
	if diff := cmp.Diff([]azprov.Detail{{Key: "length", Value: "73"}, {Key: "max_length", Value: "72"}}, e.Details); diff != "" {
		t.Error(diff)
	}
}

func TestParseBadInput(t *testing.T) {
	t.Parallel()
	const start = "error parsing ovf-env.xml: "
	whole := withSet("")
	for name, row := range map[string]struct {
		doc  string
		kind azprov.Kind
	}{
		"empty":               {"", azprov.KindMalformed},
		"white space only":    {" \n", azprov.KindMalformed},
		"directive junk":      {"<!!!!>", azprov.KindMalformed},
		"no XML":              {"badxml", azprov.KindMalformed},
		"truncated":           {whole[:len(whole)/2], azprov.KindMalformed},
		"not UTF-8":           {strings.Replace(whole, "vm1", "vm\xff", 1), azprov.KindMalformed},
		"two roots":           {whole + "<Environment/>", azprov.KindMalformed},
		"text after the root": {whole + "junk", azprov.KindMalformed},
		"entity bomb":         {`<!DOCTYPE Environment [<!ENTITY a "aaa"><!ENTITY b "&a;&a;&a;">]>` + strings.Replace(whole[38:], "vm1", "&b;", 1), azprov.KindMalformed},
		"1 MiB of nesting":    {strings.Repeat("<Environment>", 1<<20/13), azprov.KindMalformed},
		"over 1 MiB":          {whole + strings.Repeat(" ", 1<<20), azprov.KindTooLarge},
		"100 MiB":             {strings.Repeat(" ", 100<<20), azprov.KindTooLarge},
		"HTML":                {"<!DOCTYPE html>\n<html><body>404</body></html>", azprov.KindMalformed},
		"root without its namespace": {
			"<Environment/>", azprov.KindMalformed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := parseError(t, row.doc)
			if e.Kind != row.kind || !strings.HasPrefix(e.Reason, start) || e.Reason == start {
				t.Errorf("kind %q, reason %q", e.Kind, e.Reason)
			}
			redacted, err := Redacted([]byte(row.doc))
			var re *azprov.Error
			if redacted != nil || !errors.As(err, &re) || re.Kind != row.kind || re.Op != "ovf.Redacted" {
				t.Errorf("Redacted = %d bytes, %v", len(redacted), err)
			}
		})
	}
}
