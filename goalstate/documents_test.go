package goalstate_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
)

const testInstanceURL = "http://192.0.2.16:80/machine/0c5bb9f4-3f0d-4f4c-9a27-1de0b5a6f001/" +
	"7a4d2f6e%2D0d7c%2D4c36%2D8a4e%2D5b1f9d0c2e11.%5Fvm1"

func testGoalState() goalstate.GoalState {
	config := func(kind string) string {
		return testInstanceURL + "?comp=config&type=" + kind + "&incarnation=2"
	}
	return goalstate.GoalState{
		Version:                     goalstate.ProtocolVersion,
		Incarnation:                 "2",
		ExpectedState:               "Started",
		StopRolesDeadlineHint:       "300000",
		LBProbePorts:                []string{"16001"},
		ExpectHealthReport:          azprov.SwitchOff,
		ContainerID:                 "0c5bb9f4-3f0d-4f4c-9a27-1de0b5a6f001",
		RemoteAccessInfoURL:         "http://192.0.2.16:80/remoteaccess/",
		InstanceID:                  "7a4d2f6e-0d7c-4c36-8a4e-5b1f9d0c2e11._vm1",
		InstanceState:               "Started",
		HostingEnvironmentConfigURL: config("hostingEnvironmentConfig"),
		SharedConfigURL:             config("sharedConfig"),
		ExtensionsConfigURL:         config("extensionsConfig"),
		FullConfigURL:               config("fullConfig"),
		CertificatesURL:             testInstanceURL + "?comp=certificates&incarnation=2",
		ConfigName:                  "7a4d2f6e-0d7c-4c36-8a4e-5b1f9d0c2e11.0.7a4d2f6e-0d7c-4c36-8a4e-5b1f9d0c2e11.0._vm1.1.xml",
	}
}

func testDeployment() goalstate.Deployment {
	return goalstate.Deployment{
		Name: "tenant1", GUID: "{d4a7f7c0-7f0e-4a53-9b9d-3c1d5e2f0a01}", Incarnation: "2",
		Service:         goalstate.Service{Name: "service1", GUID: "{00000000-0000-0000-0000-000000000000}"},
		ServiceInstance: goalstate.Service{Name: "tenant1.1", GUID: "{d4a7f7c0-7f0e-4a53-9b9d-3c1d5e2f0a02}"},
	}
}

func testHostingEnvironment() goalstate.HostingEnvironmentConfig {
	return goalstate.HostingEnvironmentConfig{
		Version:              "1.0.0.0",
		GoalStateIncarnation: "2",
		StoredCertificates: []goalstate.StoredCertificate{{
			Name: "TenantEncryptionCert", CertificateID: "sha1:0123456789ABCDEF0123456789ABCDEF01234567",
			StoreName: "My", ConfigurationLevel: "System",
		}},
		Deployment:  testDeployment(),
		Incarnation: goalstate.RoleIncarnation{Number: "1", Instance: "_vm1", GUID: "{d4a7f7c0-7f0e-4a53-9b9d-3c1d5e2f0a03}"},
		Role: goalstate.Role{
			GUID: "{d4a7f7c0-7f0e-4a53-9b9d-3c1d5e2f0a04}", Name: "role1", HostingEnvironmentVersion: "1",
			Software: "s", SoftwareType: "ApplicationPackage", EntryPoint: "e", Parameters: "p", SettleTimeSeconds: "10",
		},
		Settings: goalstate.HostingEnvironmentSettings{Name: "full", Runtime: "runtime.zip"},
		ApplicationSettings: []goalstate.Setting{
			{Name: "model", Value: azprov.NewSecret([]byte("<m a=\"1\">\n\t&amp;</m>\r\n"))},
		},
		ResourceReferences: []goalstate.Resource{{
			Name: "store", Type: "directory", Request: "policy", Sticky: azprov.SwitchOn, Size: "1",
			Path: `tenant1.role1.store\`, DisableQuota: azprov.SwitchOff,
		}},
	}
}

func testSharedConfig() goalstate.SharedConfig {
	return goalstate.SharedConfig{
		Version:              "1.0.0.0",
		GoalStateIncarnation: "2",
		Deployment:           testDeployment(),
		Incarnation:          goalstate.RoleIncarnation{Number: "1", Instance: "_vm1"},
		Role:                 goalstate.Role{Name: "role1"},
		LoadBalancerSettings: goalstate.LoadBalancerSettings{
			TimeoutSeconds: "0", WaitLoadBalancerProbeCount: "8", Probes: []string{"role1", "probe2"},
		},
		OutputEndpoints: []goalstate.OutputEndpoint{{
			Name: "role1:ssh", Type: "SFS", Targets: []goalstate.OutputTarget{{Instance: "_vm1", Endpoint: "ssh"}},
		}},
		Instances: []goalstate.Instance{{
			ID: "_vm1", Address: "10.0.0.4",
			FaultDomains: goalstate.FaultDomains{RandomID: "0", UpdateID: "1", UpdateCount: "2"},
			InputEndpoints: []goalstate.InputEndpoint{{
				Name: "ssh", Address: "10.0.0.4:22", Protocol: "tcp", IsPublic: azprov.SwitchOn,
				LoadBalancedPublicAddress: "192.0.2.7:22", EnableDirectServerReturn: azprov.SwitchOff,
				IsDirectAddress: azprov.SwitchOff, DisableStealthMode: azprov.SwitchOff,
				LocalPorts: []goalstate.PortRange{{From: "22", To: "22"}},
			}},
		}},
	}
}

func testCertificateFile() goalstate.CertificateFile {
	return goalstate.CertificateFile{
		Version: goalstate.ProtocolVersion, Incarnation: "1",
		Format: goalstate.FormatPkcs7BlobWithPfxContents, Data: bytes.Repeat([]byte("made up"), 17),
	}
}

func testVersions() goalstate.Versions {
	return goalstate.Versions{Preferred: "2015-04-05", Supported: []string{"2015-04-05", "2012-11-30", "2010-28-10"}}
}

func testServiceError() goalstate.ServiceError {
	return goalstate.ServiceError{
		Code: goalstate.ErrorCodeResourceNotAvailable, Message: "The resource <x> is not available & never was.",
	}
}

// What Encode writes is the golden document, and is read as what was written.
func TestDocumentsWriteAndRead(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		golden string
		got    []byte
		want   any
		parse  func([]byte) (any, error)
	}{
		{"versions.xml", testVersions().Encode(), testVersions(), loose(goalstate.ParseVersions)},
		{"goal_state.xml", testGoalState().Encode(), testGoalState(), loose(goalstate.ParseGoalState)},
		{
			"hosting_environment.xml", testHostingEnvironment().Encode(), testHostingEnvironment(),
			loose(goalstate.ParseHostingEnvironmentConfig),
		},
		{"shared_config.xml", testSharedConfig().Encode(), testSharedConfig(), loose(goalstate.ParseSharedConfig)},
		{"certificate_file.xml", testCertificateFile().Encode(), testCertificateFile(), loose(goalstate.ParseCertificateFile)},
		{"service_error.xml", testServiceError().EncodeXML(), testServiceError(), loose(goalstate.ParseServiceError)},
		{"service_error.json", testServiceError().EncodeJSON(), testServiceError(), loose(goalstate.ParseServiceError)},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			t.Parallel()
			golden(t, tc.golden, tc.got)
			again, err := tc.parse(tc.got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, again); diff != "" {
				t.Errorf("read again: -want +got:\n%s", diff)
			}
		})
	}
}

// A document with nothing in it is still well-formed, without empty elements.
func TestDocumentsLeaveOutWhatIsEmpty(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		golden string
		got    []byte
	}{
		{"hosting_environment_minimal.xml", goalstate.HostingEnvironmentConfig{
			Version: "1.0.0.0", GoalStateIncarnation: "1",
			Incarnation: goalstate.RoleIncarnation{Number: "1", Instance: "_vm1"},
		}.Encode()},
		{"shared_config_minimal.xml", goalstate.SharedConfig{
			Version: "1.0.0.0", Instances: []goalstate.Instance{{ID: "_vm1", Address: "10.0.0.4"}},
		}.Encode()},
		{"certificate_file_minimal.xml", goalstate.CertificateFile{Version: goalstate.ProtocolVersion}.Encode()},
		{"goal_state_not_ready.xml", goalstate.GoalState{
			Version: goalstate.ProtocolVersion, Incarnation: "1", ContainerID: "c", ConfigName: "n",
		}.Encode()},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			t.Parallel()
			golden(t, tc.golden, tc.got)
		})
	}
}

// loose gives the parsers one type, for tables.
func loose[T any](parse func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		return parse(b)
	}
}
