package goalstate_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
)

func TestVersionsSupports(t *testing.T) {
	t.Parallel()
	v := goalstate.Versions{Preferred: "2012-11-30", Supported: []string{"2010-28-10"}}
	for version, want := range map[string]bool{
		"2012-11-30": true, "2010-28-10": true, "2015-04-05": false, "": false, "2012": false,
	} {
		if got := v.Supports(version); got != want {
			t.Errorf("Supports(%q) = %t", version, got)
		}
	}
	if (goalstate.Versions{}).Supports("") {
		t.Error("nothing supports the empty version")
	}
}

func TestParseVersionsOneSided(t *testing.T) {
	t.Parallel()
	got, err := goalstate.ParseVersions([]byte("<Versions><Supported><Version> 2012-11-30\n</Version><Version/></Supported></Versions>"))
	if diff := cmp.Diff(goalstate.Versions{Supported: []string{"2012-11-30"}}, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

// Every field that a reader acts on counts as a change, and no other does.
func TestGoalStateChanged(t *testing.T) {
	t.Parallel()
	inert := map[string]bool{
		"Version": true, "ExpectedState": true, "StopRolesDeadlineHint": true, "LBProbePorts": true,
		"ExpectHealthReport": true, "InstanceState": true,
	}
	base := testGoalState()
	if base.Changed(testGoalState()) || !base.SameAs(testGoalState()) {
		t.Error("a goal state differs from itself")
	}
	for i := range reflect.TypeFor[goalstate.GoalState]().NumField() {
		name := reflect.TypeFor[goalstate.GoalState]().Field(i).Name
		other := testGoalState()
		reflect.ValueOf(&other).Elem().Field(i).SetZero()
		if got := base.Changed(other); got == inert[name] {
			t.Errorf("Changed = %t with another %s", got, name)
		}
		if got, want := base.SameAs(other), name != "ContainerID" && name != "InstanceID"; got != want {
			t.Errorf("SameAs = %t with another %s", got, name)
		}
	}
}

func TestGoalStateAfterHibernation(t *testing.T) {
	t.Parallel()
	before, after := testGoalState(), testGoalState()
	after.ContainerID = "0c5bb9f4-3f0d-4f4c-9a27-1de0b5a6f002"
	if before.SameAs(after) || !before.Changed(after) {
		t.Error("the same incarnation hides another container")
	}
}

func TestParseGoalStateTolerance(t *testing.T) {
	t.Parallel()
	want := testGoalState()
	doc := string(want.Encode())
	for name, edit := range map[string]*strings.Replacer{
		"white space around values": strings.NewReplacer("<ContainerId>", "<ContainerId>\n  ", "</Certificates>", " \t\n</Certificates>"),
		"unknown elements":          strings.NewReplacer("<Machine>", "<New><Incarnation>9</Incarnation></New><Machine>"),
		"a second ConfigName":       strings.NewReplacer("</ConfigName>", "</ConfigName><ConfigName>second</ConfigName>"),
		"a second role instance":    strings.NewReplacer("</RoleInstance>\n", "</RoleInstance><RoleInstance><InstanceId>x</InstanceId></RoleInstance>\n"),
		"CDATA and comments":        strings.NewReplacer("<Incarnation>2<", "<Incarnation><!-- x --><![CDATA[2]]><"),
		"a default namespace":       strings.NewReplacer("<GoalState ", `<GoalState xmlns="urn:x" `),
		"switch in another case":    strings.NewReplacer("FALSE", "False"),
		"byte-order mark":           strings.NewReplacer("<?xml", "\ufeff<?xml"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := goalstate.ParseGoalState([]byte(edit.Replace(doc)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// An element of another namespace is another element.
func TestParseGoalStateComparesNamespaces(t *testing.T) {
	t.Parallel()
	doc := strings.Replace(string(testGoalState().Encode()), "<ContainerId>", `<x:ContainerId xmlns:x="urn:x">other</x:ContainerId><ContainerId>`, 1)
	got, err := goalstate.ParseGoalState([]byte(doc))
	if err != nil || got.ContainerID != testGoalState().ContainerID {
		t.Errorf("ContainerID = %q, %v", got.ContainerID, err)
	}
}

func TestThumbprint(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"sha1:abcdef01", "ABCDEF01"}, {"SHA1:ABCDEF01", "ABCDEF01"}, {" abcdef01 ", "ABCDEF01"}, {"", ""},
	} {
		if got := (goalstate.StoredCertificate{CertificateID: tc.in}).Thumbprint(); got != tc.want {
			t.Errorf("Thumbprint of %q = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestSharedConfigHelpers(t *testing.T) {
	t.Parallel()
	instance := testSharedConfig().Instances[0]
	if addr, ok := instance.Addr(); !ok || addr != netip.MustParseAddr("10.0.0.4") {
		t.Errorf("Addr = %v, %t", addr, ok)
	}
	if _, ok := (goalstate.Instance{Address: "vm1"}).Addr(); ok {
		t.Error("a name is no address")
	}
	if ap, ok := instance.InputEndpoints[0].AddrPort(); !ok || ap != netip.MustParseAddrPort("10.0.0.4:22") {
		t.Errorf("AddrPort = %v, %t", ap, ok)
	}
	if _, ok := (goalstate.InputEndpoint{Address: "10.0.0.4"}).AddrPort(); ok {
		t.Error("an address without a port is no address and port")
	}
	balanced := goalstate.InputEndpoint{Address: "10.0.0.4:22", LoadBalancedPublicAddress: "[2001:db8::7]:50022"}
	if ap, ok := balanced.LoadBalancedAddrPort(); !ok || ap != netip.MustParseAddrPort("[2001:db8::7]:50022") {
		t.Errorf("LoadBalancedAddrPort = %v, %t", ap, ok)
	}
	if _, ok := (goalstate.InputEndpoint{Address: "10.0.0.4:22"}).LoadBalancedAddrPort(); ok {
		t.Error("an endpoint without a load balancer has no address there")
	}
	two := []goalstate.Instance{{ID: "a"}, {ID: "b", Address: "10.0.0.5"}}
	for id, want := range map[string]string{"b": "10.0.0.5", "c": "", "": ""} {
		config := goalstate.SharedConfig{Incarnation: goalstate.RoleIncarnation{Instance: id}, Instances: append(two, goalstate.Instance{Address: "10.0.0.9"})}
		if own, ok := config.Own(); own.Address != want || ok != (want != "") {
			t.Errorf("Own of %q = %+v, %t", id, own, ok)
		}
	}
	for _, tc := range []struct {
		in       goalstate.PortRange
		from, to uint16
		ok       bool
	}{
		{goalstate.PortRange{From: "80", To: "65535"}, 80, 65535, true},
		{goalstate.PortRange{From: "81", To: "80"}, 0, 0, false},
		{goalstate.PortRange{From: "1", To: "65536"}, 0, 0, false},
		{goalstate.PortRange{}, 0, 0, false},
	} {
		if from, to, ok := tc.in.Ports(); from != tc.from || to != tc.to || ok != tc.ok {
			t.Errorf("%+v: %d, %d, %t", tc.in, from, to, ok)
		}
	}
}

func TestParseCertificateFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		in    string
		want  goalstate.CertificateFile
		pkcs7 bool
	}{
		{"one line", "<Data>bWFkZSB1cA==</Data>", goalstate.CertificateFile{Data: []byte("made up")}, true},
		{"broken lines", "<Data>\r\n bWFkZ\n\tSB1cA==\n</Data>", goalstate.CertificateFile{Data: []byte("made up")}, true},
		{"no data", "", goalstate.CertificateFile{}, true},
		{"empty data", "<Data> \n </Data>", goalstate.CertificateFile{}, true},
		{"empty format", "<Format></Format><Data>bWFkZSB1cA==</Data>", goalstate.CertificateFile{Data: []byte("made up")}, true},
		{
			"unknown format", "<Format>CertificatesNonPfxPackage</Format><Data>bWFkZSB1cA==</Data>",
			goalstate.CertificateFile{Format: "CertificatesNonPfxPackage", Data: []byte("made up")},
			false,
		},
		{
			"unknown format of another encoding", "<Format>New</Format><Data>{...}</Data>",
			goalstate.CertificateFile{Format: "New"},
			false,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := goalstate.ParseCertificateFile([]byte("<CertificateFile>" + tc.in + "</CertificateFile>"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.HasPkcs7Blob() != tc.pkcs7 {
				t.Errorf("HasPkcs7Blob = %t", got.HasPkcs7Blob())
			}
		})
	}
}

// Connection strings with account keys are in there.
func TestSettingsDoNotPrint(t *testing.T) {
	t.Parallel()
	h, err := goalstate.ParseHostingEnvironmentConfig([]byte(
		`<HostingEnvironmentConfig><ApplicationSettings><Setting name="n" value="AccountKey=made-up"/></ApplicationSettings></HostingEnvironmentConfig>`))
	if err != nil {
		t.Fatal(err)
	}
	want := []goalstate.Setting{{Name: "n", Value: azprov.NewSecret([]byte("AccountKey=made-up"))}}
	if diff := cmp.Diff(want, h.ApplicationSettings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if s := h.ApplicationSettings[0].Value.String(); s != azprov.Redacted {
		t.Errorf("prints %q", s)
	}
}

func TestParseServiceErrorForms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		in   string
		want goalstate.ServiceError
	}{
		{
			"XML, indented", "<?xml version=\"1.0\"?>\n<Error>\n    <Code>RequestRateLimitExceeded</Code>\n <Message>m</Message><Details></Details></Error>",
			goalstate.ServiceError{Code: goalstate.ErrorCodeRequestRateLimitExceeded, Message: "m"},
		},
		{
			"JSON", ` {"errorCode":"InvalidContainerConfiguration","message":"m","details":""}`,
			goalstate.ServiceError{Code: goalstate.ErrorCodeInvalidContainerConfiguration, Message: "m"},
		},
		{
			"JSON without details", `{"errorCode":"RequestRoleConfigFileNotFound","details":null}`,
			goalstate.ServiceError{Code: goalstate.ErrorCodeRequestRoleConfigFileNotFound},
		},
		{
			"JSON with an object for details", `{"errorCode":"E","details":{"a":1}}`,
			goalstate.ServiceError{Code: "E", Details: `{"a":1}`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := goalstate.ParseServiceError([]byte(tc.in))
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}
