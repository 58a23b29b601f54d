package emulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/goalstate/certs"
)

// configuration asks for a URL of the goal state.
func configuration(t *testing.T, f *emulator.Fabric, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	status, body, _ := ask(t, f.WireServer(), http.MethodGet, u.RequestURI(), "", version2012, certificateHeader(t))
	if status != http.StatusOK {
		t.Fatalf("%s: status %d: %s", address, status, body)
	}
	return body
}

func TestExtensionsConfigWithFamilies(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) {
		withExtensions(s)
		families := s.WireServer.Extensions.Families
		families[0].IsVersionFromRSM, families[0].IsVMEnabledForRSMUpgrades = azprov.SwitchOn, azprov.SwitchOff
		families[1].URIs = []string{"https://blob.test/c.xml?a=1&b=<2>"}
	})
	const want = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<Extensions version="1.0.0.0" goalStateIncarnation="1"><GuestAgentExtension xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><GAFamilies>` +
		`<GAFamily><IsVersionFromRSM>true</IsVersionFromRSM><IsVMEnabledForRSMUpgrades>false</IsVMEnabledForRSMUpgrades><Name>Prod</Name>` +
		`<Uris><Uri>https://blob.test/a.xml</Uri><Uri>https://blob.test/b.xml</Uri></Uris><Version>2.15.0.1</Version></GAFamily>` +
		`<GAFamily><Name>Test</Name><Uris><Uri>https://blob.test/c.xml?a=1&amp;b=&lt;2&gt;</Uri></Uris></GAFamily></GAFamilies>` +
		`<Location>westeurope</Location><ServiceName>CRP</ServiceName></GuestAgentExtension>` +
		`<StatusUploadBlob statusBlobType="PageBlob">https://blob.test/$system/vm.status?sv=2018-03-28&amp;sig=KNWgC2%3d</StatusUploadBlob>` +
		`<Plugins></Plugins><PluginSettings></PluginSettings>` +
		`<InVMGoalStateMetaData inSvdSeqNo="9" createdOnTicks="637405409304121230" activityId="f32f99b5-4347-4ad2-b901-6e795254ac5b"` +
		` correlationId="6dcbeebc-d90e-4c71-b058-6ac175dc65ee"></InVMGoalStateMetaData></Extensions>`
	if diff := cmp.Diff(want, configuration(t, f, goalState(t, f).ExtensionsConfigURL)); diff != "" {
		t.Error(diff)
	}
	if _, body, _ := vmSettings(t, f); !strings.Contains(body, `"isVMEnabledForRSMUpgrades":false,"isVersionFromRSM":true`) {
		t.Errorf("vmSettings: %s", body)
	}
}

func TestExtensionsConfigWithoutLocationAndVersion(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) {
		s.VM.Location = ""
		s.WireServer.Extensions.Families = []emulator.AgentFamily{{Name: "Prod"}}
		s.WireServer.Extensions.StatusUploadBlob.URL = azprov.NewSecret([]byte(testBlob))
	})
	body := configuration(t, f, goalState(t, f).ExtensionsConfigURL)
	if strings.Contains(body, "<Location>") || !strings.Contains(body, "<GAFamily><Name>Prod</Name><Uris></Uris></GAFamily>") ||
		!strings.Contains(body, `statusBlobType="BlockBlob"`) {
		t.Error(body)
	}
}

// What the hosting environment names is what the certificates file holds, but for issuers.
func TestStoredCertificates(t *testing.T) {
	t.Parallel()
	f := fabricOf(t, "fingerprint-keys")
	g := goalState(t, f)
	config, err := goalstate.ParseHostingEnvironmentConfig([]byte(configuration(t, f, g.HostingEnvironmentConfigURL)))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := certs.DecodeFile([]byte(configuration(t, f, g.CertificatesURL)), guestKey(t))
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for _, c := range bundle.Certificates {
		held[c.Thumbprint] = true
	}
	var names []string
	for _, c := range config.StoredCertificates {
		names = append(names, c.Name)
		if !held[c.Thumbprint()] || !strings.HasPrefix(c.CertificateID, "sha1:") || c.StoreName != "My" || c.ConfigurationLevel != "System" {
			t.Errorf("%+v is not one of %v", c, held)
		}
	}
	if diff := cmp.Diff([]string{"Cert0My", "Cert1My", "TenantEncryptionCert"}, names); diff != "" || len(held) != len(names)+1 {
		t.Errorf("of %d certificates:\n%s", len(held), diff)
	}
}

func TestTelemetryLimit(t *testing.T) {
	t.Parallel()
	// A call over the limit meets no fault.
	faults := func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{
			{Path: "telemetry", Times: 15, Delay: emulator.Duration(time.Millisecond)}, {Path: "telemetry", Status: http.StatusGone},
		}
	}
	inMemory(t, faults, func(b *bubble) {
		t := b.t
		call := func() answer {
			resp, err := fetch(t, b.server.Client(), http.MethodPost, b.server.WireServerURL()+"/machine?comp=telemetrydata", telemetry, version2012, xmlType)
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		for i := range 15 {
			if resp := call(); resp.status != http.StatusOK || resp.body != "" {
				t.Fatalf("call %d: status %d: %s", i, resp.status, resp.body)
			}
			time.Sleep(time.Second / 2)
		}
		resp := call()
		if e, err := goalstate.ParseServiceError([]byte(resp.body)); resp.status != http.StatusTooManyRequests || err != nil || e.Code != goalstate.ErrorCodeRequestRateLimitExceeded {
			t.Errorf("call 16: status %d: %s", resp.status, resp.body)
		}
		wantVerdict(t, b.fabric, "over 15 calls of telemetry in 15 seconds")
		// Other requests are not concerned.
		if resp, err := postReady(t, b.fabric, b.server); err != nil || resp.status != http.StatusOK {
			t.Errorf("a report: status %d, %v", resp.status, err)
		}
		time.Sleep(15*time.Second - 15*time.Second/2)
		if resp := call(); resp.status != http.StatusGone {
			t.Errorf("15 seconds after the first: status %d", resp.status)
		}
		if resp := call(); resp.status != http.StatusTooManyRequests {
			t.Errorf("and one more: status %d", resp.status)
		}
	})
}

// A document that is nothing but depth is read in no time, and by no means refused for it.
func TestTelemetryMayBeDeep(t *testing.T) {
	t.Parallel()
	const depth = 100_000
	body := "<TelemetryData>" + strings.Repeat("<a>x", depth) + strings.Repeat("</a>", depth) + "</TelemetryData>"
	started := time.Now()
	if status, _, _ := ask(t, fabric(t, nil).WireServer(), http.MethodPost, "/machine?comp=telemetrydata", body, version2012, xmlType); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func FuzzWirePosts(f *testing.F) {
	for _, seed := range []string{telemetry, roleProperties(containerID, roleInstance), observations(11, "a", "b", "c"), `{"content":"e30=","requestUri":"https://blob.test/a"}`, "", "<a", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		platform := fabric(t, nil)
		for _, r := range []struct {
			handler http.Handler
			method  string
			target  string
			headers []string
		}{
			{platform.WireServer(), http.MethodPost, "/machine?comp=telemetrydata", []string{version2012, xmlType}},
			{platform.WireServer(), http.MethodPost, "/machine?comp=roleProperties", []string{version2012, xmlType}},
			{platform.WireServer(), http.MethodPost, "/HealthService", []string{jsonType}},
			{platform.HostGA(), http.MethodPut, "/status", hostGAHeaders()},
			{platform.HostGA(), http.MethodPut, "/vmAgentLog", []string{hostGAVersion, hostGAOwn}},
			{platform.IMDS(), http.MethodPost, "/metadata/scheduledevents?api-version=2020-07-01", []string{metadata}},
		} {
			status, _, _ := ask(t, r.handler, r.method, r.target, string(body), r.headers...)
			if status < http.StatusOK || status >= http.StatusInternalServerError {
				t.Errorf("%s: status %d", r.target, status)
			}
			if status >= http.StatusBadRequest && len(verdicts(t, platform)) == 0 {
				t.Errorf("%s: refused with status %d and no verdict", r.target, status)
			}
		}
	})
}
