package goalstate_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
)

// The URLs of the captured goal states differ only in these parts.
func vectorURL(container, instance, query string) string {
	return "http://168.63.129.16:80/machine/" + container + "/" + instance + "?comp=" + query
}

func vectorGoalState(container, instance, incarnation string) goalstate.GoalState {
	config := func(kind string) string {
		return vectorURL(container, instance, "config&type="+kind+"&incarnation="+incarnation)
	}
	return goalstate.GoalState{
		Version:                     "2012-11-30",
		Incarnation:                 incarnation,
		ExpectedState:               "Started",
		StopRolesDeadlineHint:       "300000",
		LBProbePorts:                []string{"16001"},
		ExpectHealthReport:          azprov.SwitchOff,
		ContainerID:                 container,
		InstanceState:               "Started",
		HostingEnvironmentConfigURL: config("hostingEnvironmentConfig"),
		SharedConfigURL:             config("sharedConfig"),
		ExtensionsConfigURL:         config("extensionsConfig"),
		FullConfigURL:               config("fullConfig"),
		CertificatesURL:             vectorURL(container, instance, "certificates&incarnation="+incarnation),
	}
}

func vectorWireGoalState() goalstate.GoalState {
	g := vectorGoalState("865a6683-91d8-450f-99ae", "bc8b9d47%2Db5ed%2D4704%2D85d9%2Dfd74cc967ec2.%5Fcanary", "1")
	g.Version, g.StopRolesDeadlineHint, g.ExpectHealthReport = "2010-12-15", "", azprov.SwitchUnset
	g.ContainerID = "c6d5526c-5ac2-4200-b6e2-56f2b70c5ab2"
	g.InstanceID = "b61f93d0-e1ed-40b2-b067-22c243233448.MachineRole_IN_0"
	g.ConfigName = "bc8b9d47-b5ed-4704-85d9-fd74cc967ec2.5.bc8b9d47-b5ed-4704-85d9-fd74cc967ec2.5._canary.1.xml"
	return g
}

func TestVectorGoalStates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path, behaviour string
		want            func() goalstate.GoalState
	}{
		{"wire/goal_state.xml", "URLs stay percent-encoded", vectorWireGoalState},
		{"wire/goal_state_no_certs.xml", "no Certificates URL", func() goalstate.GoalState {
			g := vectorWireGoalState()
			g.CertificatesURL = ""
			return g
		}},
		{"wire/goal_state_remote_access.xml", "URL trimmed, first ConfigName wins", func() goalstate.GoalState {
			g := vectorWireGoalState()
			g.RemoteAccessInfoURL = "http://168.63.129.16:80/remoteaccessinfouri/"
			g.ConfigName = "b61f93d0-e1ed-40b2-b067-22c243233448.1.b61f93d0-e1ed-40b2-b067-22c243233448.2.MachineRole_IN_0.xml"
			return g
		}},
		{"hibernate/goal_state_1/GoalState.xml", "2012-11-30 form", func() goalstate.GoalState {
			g := vectorGoalState("06185f00-1f00-4545-abaa-4b7baa121869", "8cd0ae53%2D1ac5%2D4fe5%2D9356%2Da4e1a34f234c.%5Ftest%2Dvm", "1")
			g.InstanceID = "8cd0ae53-1baa-4f00-9356-a4e1a34f004c._test-vm"
			g.ConfigName = "8cd0ae53-1baa-4f00-9356-a4e1a34f004c.0.8cd0ae53-1baa-4f00-9356-a4e1a34f004c.0._test-vm.1.xml"
			return g
		}},
		{"tenant_certificate_rotation/GoalState-incarnation-3.xml", "no LBProbePorts", func() goalstate.GoalState {
			g := vectorGoalState("7db6fcb6-9911-4da4-8687", "00abac64%2Df426%2D4653%2Dbaa6%2D0ed70cdcca87.%5Fkvm03", "3")
			g.LBProbePorts = nil
			g.InstanceID = "00abac54-f426-4653-bcc6-0ed70cddda87._kvm03"
			g.ConfigName = "00abac54-f426-4653-bcc6-0ed70cddda87.2.00abac54-f426-4653-bcc6-0ed70cddda87.3._1.xml"
			return g
		}},
		{"tenant_certificate_rotation/GoalState-incarnation-4.xml", "opaque ContainerId", func() goalstate.GoalState {
			g := vectorGoalState("7db6fcb6-9911-4da4-8687", "00abac64%2Df426%2D4653%2Dbaa6%2D0ed70cdcca87.%5Fkvm03", "4")
			g.InstanceID = "00abac54-f426-4653-bcc6-0ed70cddda87._kvm03"
			g.ConfigName = "00abac54-f426-4653-bcc6-0ed70cddda87.3.00abac54-f426-4653-bcc6-0ed70cddda87.4._1.xml"
			return g
		}},
	} {
		t.Run(tc.path+": "+tc.behaviour, func(t *testing.T) {
			t.Parallel()
			b := vector(t, tc.path)
			got, err := goalstate.ParseGoalState(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want(), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			again, err := goalstate.ParseGoalState(got.Encode())
			if diff := cmp.Diff(got, again); diff != "" || err != nil {
				t.Errorf("written and read: %v, -want +got:\n%s", err, diff)
			}
		})
	}
}

// A document in the 2012-11-30 form is written as it was captured, byte for byte.
func TestVectorGoalStateIsWrittenAlike(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"hibernate/goal_state_1/GoalState.xml",
		"tenant_certificate_rotation/GoalState-incarnation-3.xml",
		"tenant_certificate_rotation/GoalState-incarnation-4.xml",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			want := vector(t, path)
			g, err := goalstate.ParseGoalState(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(g.Encode())); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestVectorIncarnationsAreOneVM(t *testing.T) {
	t.Parallel()
	three, err := goalstate.ParseGoalState(vector(t, "tenant_certificate_rotation/GoalState-incarnation-3.xml"))
	if err != nil {
		t.Fatal(err)
	}
	four, err := goalstate.ParseGoalState(vector(t, "tenant_certificate_rotation/GoalState-incarnation-4.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if !three.SameAs(four) || !four.Changed(three) {
		t.Errorf("SameAs = %t, Changed = %t, want both", three.SameAs(four), four.Changed(three))
	}
}

func TestVectorVersions(t *testing.T) {
	t.Parallel()
	b := vector(t, "wire/version_info.xml")
	got, err := goalstate.ParseVersions(b)
	if err != nil {
		t.Fatal(err)
	}
	want := goalstate.Versions{Preferred: "2012-11-30", Supported: []string{"2010-12-15", "2010-28-10"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !got.Supports(goalstate.ProtocolVersion) {
		t.Error("a version that is only preferred is not supported")
	}
	if diff := cmp.Diff(strings.TrimSpace(string(b)), string(got.Encode())); diff != "" {
		t.Errorf("written: -want +got:\n%s", diff)
	}
}

func vectorDeployment() goalstate.Deployment {
	return goalstate.Deployment{
		Name: "db00a7755a5e4e8a8fe4b19bc3b330c3", GUID: "{ce5a036f-5c93-40e7-8adf-2613631008ab}", Incarnation: "2",
		Service: goalstate.Service{Name: "MyVMRoleService", GUID: "{00000000-0000-0000-0000-000000000000}"},
		ServiceInstance: goalstate.Service{
			Name: "db00a7755a5e4e8a8fe4b19bc3b330c3.1", GUID: "{d113f4d7-9ead-4e73-b715-b724b5b7842c}",
		},
	}
}

func vectorIncarnation() goalstate.RoleIncarnation {
	return goalstate.RoleIncarnation{
		Number: "1", Instance: "MachineRole_IN_0", GUID: "{a0faca35-52e5-4ec7-8fd1-63d2bc107d9b}",
	}
}

func TestVectorHostingEnvironment(t *testing.T) {
	t.Parallel()
	got, err := goalstate.ParseHostingEnvironmentConfig(vector(t, "wire/hosting_env.xml"))
	if err != nil {
		t.Fatal(err)
	}
	const thumbprint = "C093FA5CD3AAE057CB7C4E04532B2E16E07C26CA"
	const plugins = "Microsoft.WindowsAzure.Plugins."
	want := goalstate.HostingEnvironmentConfig{
		Version: "1.0.0.0", GoalStateIncarnation: "1",
		StoredCertificates: []goalstate.StoredCertificate{{
			Name:          "Stored0" + plugins + "RemoteAccess.PasswordEncryption",
			CertificateID: "sha1:" + thumbprint, StoreName: "My", ConfigurationLevel: "System",
		}},
		Deployment:  vectorDeployment(),
		Incarnation: vectorIncarnation(),
		Role: goalstate.Role{
			GUID: "{73d95f1c-6472-e58e-7a1a-523554e11d46}", Name: "MachineRole", HostingEnvironmentVersion: "1",
			SoftwareType: "ApplicationPackage", SettleTimeSeconds: "10",
		},
		Settings: goalstate.HostingEnvironmentSettings{
			Name: "full", Runtime: "rd_fabric_stable.110217-1402.runtimePackage_1.0.0.8.zip",
		},
		ApplicationSettings: []goalstate.Setting{
			{Name: "__ModelData", Value: azprov.NewSecret([]byte(`<m role="MachineRole" xmlns="urn:azure:m:v1"><r name="MachineRole">` +
				`<e name="a" /><e name="b" /><e name="` + plugins + `RemoteAccess.Rdp" />` +
				`<e name="` + plugins + `RemoteForwarder.RdpInput" /></r></m>`))},
			{
				Name:  plugins + "Diagnostics.ConnectionString",
				Value: azprov.NewSecret([]byte("DefaultEndpointsProtocol=http;AccountName=osimages;AccountKey=DNZQ...")),
			},
			{Name: plugins + "RemoteForwarder.Enabled", Value: azprov.NewSecret([]byte("true"))},
		},
		ResourceReferences: []goalstate.Resource{{
			Name: "DiagnosticStore", Type: "directory",
			Request: "Microsoft.Cis.Fabric.Controller.Descriptions.ServiceDescription.Data.Policy",
			Sticky:  azprov.SwitchOn, Size: "1", Path: `db00a7755a5e4e8a8fe4b19bc3b330c3.MachineRole.DiagnosticStore\`,
			DisableQuota: azprov.SwitchOff,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := got.StoredCertificates[0].Thumbprint(); got != thumbprint {
		t.Errorf("thumbprint = %q", got)
	}
	again, err := goalstate.ParseHostingEnvironmentConfig(got.Encode())
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("written and read: %v, -want +got:\n%s", err, diff)
	}
}

func TestVectorSharedConfig(t *testing.T) {
	t.Parallel()
	got, err := goalstate.ParseSharedConfig(vector(t, "wire/shared_config.xml"))
	if err != nil {
		t.Fatal(err)
	}
	const plugins = "Microsoft.WindowsAzure.Plugins."
	endpoint := func(name, port, protocol, balanced string) goalstate.InputEndpoint {
		return goalstate.InputEndpoint{
			Name: name, Address: "10.115.153.75:" + port, Protocol: protocol, IsPublic: azprov.NewSwitch(balanced != ""),
			LoadBalancedPublicAddress: balanced, EnableDirectServerReturn: azprov.SwitchOff,
			IsDirectAddress: azprov.SwitchOff, DisableStealthMode: azprov.SwitchOff,
			LocalPorts: []goalstate.PortRange{{From: port, To: port}},
		}
	}
	want := goalstate.SharedConfig{
		Version: "1.0.0.0", GoalStateIncarnation: "1",
		Deployment:  vectorDeployment(),
		Incarnation: vectorIncarnation(),
		Role:        goalstate.Role{GUID: "{73d95f1c-6472-e58e-7a1a-523554e11d46}", Name: "MachineRole", SettleTimeSeconds: "10"},
		LoadBalancerSettings: goalstate.LoadBalancerSettings{
			TimeoutSeconds: "0", WaitLoadBalancerProbeCount: "8",
			Probes: []string{"MachineRole", "55B17C5E41A1E1E8FA991CF80FAC8E55", "3EA4DBC19418F0A766A4C19D431FA45F"},
		},
		OutputEndpoints: []goalstate.OutputEndpoint{{
			Name: "MachineRole:" + plugins + "RemoteAccess.Rdp", Type: "SFS",
			Targets: []goalstate.OutputTarget{{Instance: "MachineRole_IN_0", Endpoint: plugins + "RemoteAccess.Rdp"}},
		}},
		Instances: []goalstate.Instance{{
			ID: "MachineRole_IN_0", Address: "10.115.153.75",
			FaultDomains: goalstate.FaultDomains{RandomID: "0", UpdateID: "0", UpdateCount: "0"},
			InputEndpoints: []goalstate.InputEndpoint{
				endpoint("a", "80", "http", "70.37.106.197:80"),
				endpoint(plugins+"RemoteAccess.Rdp", "3389", "tcp", ""),
				endpoint(plugins+"RemoteForwarder.RdpInput", "20000", "tcp", "70.37.106.197:3389"),
			},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	again, err := goalstate.ParseSharedConfig(got.Encode())
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("written and read: %v, -want +got:\n%s", err, diff)
	}
}

func TestVectorCertificateFiles(t *testing.T) {
	t.Parallel()
	const format = goalstate.FormatPkcs7BlobWithPfxContents
	for _, tc := range []struct {
		path   string
		format string
	}{
		{"wire/certs.xml", format},
		{"wire/certs_no_format_specified.xml", ""},
		{"hibernate/goal_state_1/Certificates.xml", format},
	} {
		t.Run(tc.path, func(t *testing.T) {
			t.Parallel()
			b := vector(t, tc.path)
			got, err := goalstate.ParseCertificateFile(b)
			if err != nil {
				t.Fatal(err)
			}
			data := got.Data
			got.Data = nil
			if diff := cmp.Diff(goalstate.CertificateFile{Version: "2012-11-30", Incarnation: "1", Format: tc.format}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !got.HasPkcs7Blob() {
				t.Error("not the known format")
			}
			// A DER sequence with its length in two bytes is whole.
			if len(data) < 4 || data[0] != 0x30 || data[1] != 0x82 || len(data) != 4+int(binary.BigEndian.Uint16(data[2:])) {
				t.Errorf("the data is not one DER sequence: %d bytes", len(data))
			}
			got.Data = data
			if tc.format != "" && !bytes.Equal(got.Encode(), b) {
				t.Errorf("written:\n%s", cmp.Diff(string(b), string(got.Encode())))
			}
		})
	}
}

func TestVectorCertificateFilesWithoutFormatAreTheSame(t *testing.T) {
	t.Parallel()
	with, err := goalstate.ParseCertificateFile(vector(t, "wire/certs.xml"))
	if err != nil {
		t.Fatal(err)
	}
	without, err := goalstate.ParseCertificateFile(vector(t, "wire/certs_no_format_specified.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(with.Data, without.Data) {
		t.Error("the blobs differ")
	}
}
