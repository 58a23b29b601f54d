package emulator_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

const (
	version2012 = "x-ms-version: 2012-11-30"
	xmlType     = "Content-Type: text/xml; charset=utf-8"
	jsonType    = "Content-Type: application/json"
)

// telemetry is a call of WALinuxAgent's with one event.
const telemetry = `<?xml version="1.0"?><TelemetryData version="1.0"><Provider id="69B669B9-4AF8-4C50-BDC4-6006FA76E975">` +
	`<Event id="1"><![CDATA[<Param Name="Name" Value="WALinuxAgent" T="mt:wstr" />]]></Event></Provider></TelemetryData>`

func roleProperties(container, instance string) string {
	return `<?xml version="1.0" encoding="utf-8"?><RoleProperties><Container><ContainerId>` + container +
		`</ContainerId><RoleInstances><RoleInstance><Id>` + instance + `</Id><Properties>` +
		`<Property name="CertificateThumbprint" value="THUMB" /></Properties></RoleInstance></RoleInstances></Container></RoleProperties>`
}

func observations(n int, name, description, value string) string {
	one := `{"ObservationName":"` + name + `","IsHealthy":true,"Description":"` + description + `","Value":"` + value + `"}`
	return `{"Api":"reporttargethealth","Version":"1.0","Source":"WALinuxAgent","Observations":[` +
		strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}`
}

func TestWireServerAnswers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		answer, verdict            string
	}{
		{"versions need no header", "GET", "/?comp=versions", "", nil, 200, "<Version>2012-11-30</Version>", ""},
		{"versions are read only", "POST", "/?comp=versions", "", nil, 405, "<Error", "method POST not allowed"},
		{"nothing at the root", "GET", "/", "", nil, 404, "<Error", "unknown path"},
		{"goal state with slash", "GET", "/machine/?comp=goalstate", "", []string{version2012}, 200, "<Incarnation>1</Incarnation>", ""},
		{"goal state without slash", "GET", "/machine?comp=goalstate", "", []string{version2012}, 200, "<Incarnation>1</Incarnation>", ""},
		{"the preferred version", "GET", "/machine?comp=goalstate", "", []string{"x-ms-version: 2015-04-05"}, 200, "<GoalState", ""},
		{"missing version", "GET", "/machine?comp=goalstate", "", nil, 400, "<Error", "missing x-ms-version"},
		{"an old version that is listed", "GET", "/machine?comp=goalstate", "", []string{"x-ms-version: 2012-09-15"}, 200, "<GoalState", ""},
		{"the oldest version", "GET", "/machine?comp=goalstate", "", []string{"x-ms-version: 2010-28-10"}, 200, "<GoalState", ""},
		{"unknown version", "GET", "/machine?comp=goalstate", "", []string{"x-ms-version: 2015-09-01"}, 400, "<Error", "unsupported x-ms-version 2015-09-01"},
		{"unknown comp", "GET", "/machine?comp=other", "", []string{version2012}, 404, "<Error", "unknown comp"},
		{"malformed query", "GET", "/machine?comp=goalstate&a=%zz", "", []string{version2012}, 400, "<Error", "malformed query"},
		{"unknown path", "GET", "/other", "", []string{version2012}, 404, "<Error", "unknown path"},
		{"path too long", "GET", "/machine/a/b/c?comp=config", "", []string{version2012}, 404, "<Error", "unknown path"},
		{"unknown ids", "GET", "/machine/a/b?comp=config&type=sharedConfig&incarnation=1", "", []string{version2012}, 410, "<Code>ResourceNotAvailable</Code>", "URL of a stale goal state"},
		{"unknown type", "GET", "/machine/a/b?comp=config&type=other&incarnation=1", "", []string{version2012}, 404, "<Error", "unknown comp or type"},
		{"a type in place of comp", "GET", "/machine/a/b?comp=sharedConfig&incarnation=1", "", []string{version2012}, 404, "<Error", "unknown comp or type"},
		{"telemetry", "POST", "/machine?comp=telemetrydata", "<TelemetryData/>", []string{version2012, xmlType}, 200, "", ""},
		{"telemetry with slash", "POST", "/machine/?comp=telemetrydata", "<TelemetryData/>", []string{version2012, xmlType}, 200, "", ""},
		{"telemetry of another type", "POST", "/machine?comp=telemetrydata", "<TelemetryData/>", []string{version2012, jsonType}, 200, "", "content type is not text/xml"},
		{"telemetry with a NUL", "POST", "/machine?comp=telemetrydata", "<TelemetryData>\x00</TelemetryData>", []string{version2012, xmlType}, 400, "<Error", "malformed telemetry"},
		{"telemetry with a control character's number", "POST", "/machine?comp=telemetrydata", "<TelemetryData>&#1;</TelemetryData>", []string{version2012, xmlType}, 400, "<Error", "malformed telemetry"},
		{"telemetry that is cut", "POST", "/machine?comp=telemetrydata", "<TelemetryData>", []string{version2012, xmlType}, 400, "<Error", "malformed telemetry"},
		{"telemetry that is something else", "POST", "/machine?comp=telemetrydata", "<Health/>", []string{version2012, xmlType}, 400, "<Error", "malformed telemetry"},
		{"no telemetry", "POST", "/machine?comp=telemetrydata", "", []string{version2012, xmlType}, 400, "<Error", "malformed telemetry"},
		{"telemetry of an agent", "POST", "/machine?comp=telemetrydata", telemetry, []string{version2012, "Content-Type: text/xml;charset=utf-8"}, 200, "", ""},
		{"telemetry over its limit", "POST", "/machine?comp=telemetrydata", "<TelemetryData>" + strings.Repeat(" ", 64<<10) + "</TelemetryData>", []string{version2012, xmlType}, 200, "", "telemetry over 64 KiB"},
		{"role properties", "POST", "/machine?comp=roleProperties", roleProperties(containerID, roleInstance), []string{version2012, xmlType}, 202, "", ""},
		{"role properties of another type", "POST", "/machine?comp=roleProperties", roleProperties(containerID, roleInstance), []string{version2012}, 202, "", "content type is not text/xml"},
		{"role properties of another container", "POST", "/machine?comp=roleProperties", roleProperties("other", roleInstance), []string{version2012, xmlType}, 410, "<Code>ResourceNotAvailable</Code>", "role properties for a stale goal state"},
		{"role properties of another instance", "POST", "/machine?comp=roleProperties", roleProperties(containerID, "other"), []string{version2012, xmlType}, 410, "<Code>ResourceNotAvailable</Code>", "role properties for a stale goal state"},
		{"role properties without ids", "POST", "/machine?comp=roleProperties", "<RoleProperties/>", []string{version2012, xmlType}, 400, "<Error", "role properties without ids"},
		{"role properties without an instance", "POST", "/machine?comp=roleProperties", roleProperties(containerID, ""), []string{version2012, xmlType}, 400, "<Error", "role properties without ids"},
		{"role properties without a container", "POST", "/machine?comp=roleProperties", roleProperties("", roleInstance), []string{version2012, xmlType}, 400, "<Error", "role properties without ids"},
		{"role properties that are cut", "POST", "/machine?comp=roleProperties", "<RoleProperties>", []string{version2012, xmlType}, 400, "<Error", "malformed role properties"},
		{"observations", "POST", "/HealthService", observations(10, "GuestAgentPluginHeartbeat", "", ""), []string{jsonType}, 200, "", ""},
		{"observations at their limits", "POST", "/HealthService", observations(1, strings.Repeat("é", 64), strings.Repeat("é", 128), strings.Repeat("é", 128)), []string{jsonType}, 200, "", ""},
		{"too many observations", "POST", "/HealthService", observations(11, "a", "", ""), []string{jsonType}, 200, "", "over 10 observations"},
		{"an observation with a long name", "POST", "/HealthService", observations(1, strings.Repeat("x", 65), "", ""), []string{jsonType}, 200, "", "name of an observation over 64 characters"},
		{"an observation with a long description", "POST", "/HealthService", observations(1, "a", strings.Repeat("x", 129), ""), []string{jsonType}, 200, "", "description of an observation over 128 characters"},
		{"an observation with a long value", "POST", "/HealthService", observations(1, "a", "", strings.Repeat("x", 129)), []string{jsonType}, 200, "", "value of an observation over 128 characters"},
		{"observations for nothing", "POST", "/HealthService", "{}", []string{jsonType}, 200, "", "observations whose Api is not reporttargethealth"},
		{"observations that are no JSON", "POST", "/HealthService", "<a/>", []string{jsonType}, 200, "", "malformed observations"},
		{"observations of another type", "POST", "/HealthService", observations(0, "", "", ""), []string{xmlType}, 200, "", "content type is not application/json"},
		{"observations are not read", "GET", "/HealthService", "", nil, 405, "<Error", "method GET not allowed"},
		{"health is POST", "GET", "/machine?comp=health", "", []string{version2012}, 405, "<Error", "method GET not allowed"},
		{"health without type", "POST", "/machine?comp=health", "<Health/>", []string{version2012}, 400, "<Error", "content type is not text/xml"},
		{"health with another type", "POST", "/machine?comp=health", "<Health/>", []string{version2012, jsonType}, 400, "<Error", "content type is not text/xml"},
		{"malformed health", "POST", "/machine?comp=health", "<Health>", []string{version2012, xmlType}, 400, "<Error", "malformed health report"},
		{"health without version", "POST", "/machine?comp=health", "<Health/>", []string{xmlType}, 400, "<Error", "missing x-ms-version"},
		{"JSON health", "POST", "/provisioning/health", `{"state":"Ready"}`, []string{jsonType}, 201, "", ""},
		{"JSON health without type", "POST", "/provisioning/health", `{"state":"Ready"}`, nil, 400, "<Error", "content type is not application/json"},
		{"JSON health that is none", "POST", "/provisioning/health", `{`, []string{jsonType}, 400, "<Error", "malformed health report"},
		{"JSON health with another state", "POST", "/provisioning/health", `{"state":"Fine"}`, []string{jsonType}, 400, "<Error", "unknown health state"},
		{"body over the limit", "POST", "/HealthService", strings.Repeat("x", 1<<20+1), []string{jsonType}, 400, "<Error", "unreadable body"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := fabric(t, nil)
			status, answer, _ := ask(t, f.WireServer(), row.method, row.target, row.body, row.headers...)
			if status != row.status || !strings.Contains(answer, row.answer) || row.answer == "" && answer != "" {
				t.Errorf("status %d, answer %q, want %d with %q", status, answer, row.status, row.answer)
			}
			if strings.HasPrefix(row.answer, "<Error") {
				if _, err := goalstate.ParseServiceError([]byte(answer)); err != nil {
					t.Error(err)
				}
			}
			wantVerdict(t, f, row.verdict)
		})
	}
}

// The documents of testScenario, of which the ids are the same in every run.
const (
	containerID  = "c927df23-873e-87dc-bbd9-1c8551b63a89"
	roleInstance = "d672b490-6477-8b6e-8663-05aa00b6db2a._test_vm-1"
	instanceURL  = "http://192.0.2.7:8080/machine/" + containerID + "/d672b490%2D6477%2D8b6e%2D8663%2D05aa00b6db2a.%5Ftest%5Fvm%2D1"
	xmlHeader    = `<?xml version="1.0" encoding="utf-8"?>`
	role         = `<Incarnation number="1" instance="_test_vm-1" guid="{406bf724-4baa-80cf-a025-52a31467a541}" />`
	xsi          = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation=`
)

func TestWireServerDocuments(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) { s.VM.Certificates = []emulator.Certificate{} })
	g := goalState(t, f)
	for _, row := range []struct{ name, url, want string }{
		{
			"versions", "http://192.0.2.7:8080/?comp=versions",
			xmlHeader + `<Versions><Preferred><Version>2015-04-05</Version></Preferred><Supported><Version>2015-04-05</Version>` +
				`<Version>2012-11-30</Version><Version>2012-09-15</Version><Version>2012-05-15</Version><Version>2011-12-31</Version>` +
				`<Version>2011-10-15</Version><Version>2011-08-31</Version><Version>2011-04-07</Version><Version>2010-12-15</Version>` +
				`<Version>2010-28-10</Version></Supported></Versions>`,
		},
		{
			"goal state", "http://192.0.2.7:8080/machine?comp=goalstate",
			xmlHeader + `<GoalState ` + xsi + `"goalstate10.xsd"><Version>2012-11-30</Version><Incarnation>1</Incarnation>` +
				`<Machine><ExpectedState>Started</ExpectedState><StopRolesDeadlineHint>300000</StopRolesDeadlineHint>` +
				`<LBProbePorts><Port>16001</Port></LBProbePorts><ExpectHealthReport>FALSE</ExpectHealthReport></Machine>` +
				`<Container><ContainerId>` + containerID + `</ContainerId><RoleInstanceList><RoleInstance>` +
				`<InstanceId>d672b490-6477-8b6e-8663-05aa00b6db2a._test_vm-1</InstanceId><State>Started</State><Configuration>` +
				`<HostingEnvironmentConfig>` + instanceURL + `?comp=config&amp;type=hostingEnvironmentConfig&amp;incarnation=1</HostingEnvironmentConfig>` +
				`<SharedConfig>` + instanceURL + `?comp=config&amp;type=sharedConfig&amp;incarnation=1</SharedConfig>` +
				`<ExtensionsConfig>` + instanceURL + `?comp=config&amp;type=extensionsConfig&amp;incarnation=1</ExtensionsConfig>` +
				`<FullConfig>` + instanceURL + `?comp=config&amp;type=fullConfig&amp;incarnation=1</FullConfig>` +
				`<Certificates>` + instanceURL + `?comp=certificates&amp;incarnation=1</Certificates>` +
				`<ConfigName>d672b490-6477-8b6e-8663-05aa00b6db2a.0.d672b490-6477-8b6e-8663-05aa00b6db2a.0._test_vm-1.1.xml</ConfigName>` +
				`</Configuration></RoleInstance></RoleInstanceList></Container></GoalState>`,
		},
		{
			"hosting environment", g.HostingEnvironmentConfigURL,
			xmlHeader + `<HostingEnvironmentConfig version="1.0.0.0" goalStateIncarnation="1">` + role + `</HostingEnvironmentConfig>`,
		},
		{
			"shared config", g.SharedConfigURL,
			xmlHeader + `<SharedConfig version="1.0.0.0" goalStateIncarnation="1">` + role + `<Instances><Instance id="_test_vm-1" address="10.1.0.4">` +
				`<FaultDomains randomId="0" updateId="0" updateCount="0" /></Instance></Instances></SharedConfig>`,
		},
		{
			"extensions config", g.ExtensionsConfigURL,
			`<?xml version="1.0" encoding="UTF-8"?><Extensions version="1.0.0.0" goalStateIncarnation="1">` +
				`<GuestAgentExtension xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><GAFamilies></GAFamilies>` +
				`<Location>westeurope</Location><ServiceName>CRP</ServiceName></GuestAgentExtension><Plugins></Plugins><PluginSettings></PluginSettings>` +
				`<InVMGoalStateMetaData inSvdSeqNo="1" createdOnTicks="638712864000000000" activityId="eece801f-5c9c-89b7-b209-5a1f789f3c8c"` +
				` correlationId="cd3528b9-5138-8ce3-aac1-2af8f4f7e186"></InVMGoalStateMetaData></Extensions>`,
		},
		{
			"full config", g.FullConfigURL,
			`<?xml version="1.0" encoding="UTF-8"?><RoleConfig version="1.0.0.0" goalStateIncarnation="1" />`,
		},
		{
			"certificates", g.CertificatesURL,
			xmlHeader + `<CertificateFile ` + xsi + `"certificates10.xsd"><Version>2012-11-30</Version><Incarnation>1</Incarnation>` +
				`<Format>Pkcs7BlobWithPfxContents</Format></CertificateFile>`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			target := strings.TrimPrefix(row.url, "http://192.0.2.7:8080")
			status, body, header := ask(t, f.WireServer(), http.MethodGet, target, "", version2012, certificateHeader(t))
			var flat strings.Builder // without what indents it
			for line := range strings.Lines(body) {
				flat.WriteString(strings.TrimSpace(line))
			}
			if status != http.StatusOK || flat.String() != row.want {
				t.Errorf("status %d, document\n%s\nwant\n%s", status, flat.String(), row.want)
			}
			want := http.Header{
				"Content-Length": {strconv.Itoa(len(body))}, "Content-Type": {"text/xml; charset=utf-8"},
				"Server": {"Microsoft-IIS/10.0"}, "X-Ms-Version": {"2012-11-30"},
			}
			if diff := cmp.Diff(want, header); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSharedConfigHasAnIPv4AddressIfTheVMHas(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParsePrefix("10.1.0.9/24"), netip.MustParsePrefix("fd00::4/64")
	for _, row := range []struct {
		name      string
		addresses []netip.Prefix
		want      string
	}{
		{"the first of its kind", []netip.Prefix{v6, v4}, "10.1.0.9"},
		{"none", []netip.Prefix{v6}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := fabric(t, func(s *emulator.Scenario) { s.VM.Interfaces[0].Addresses = row.addresses })
			u, err := url.Parse(goalState(t, f).SharedConfigURL)
			if err != nil {
				t.Fatal(err)
			}
			_, body, _ := ask(t, f.WireServer(), http.MethodGet, u.RequestURI(), "", version2012)
			config, err := goalstate.ParseSharedConfig([]byte(body))
			if err != nil || len(config.Instances) != 1 || config.Instances[0].Address != row.want {
				t.Errorf("%v: %s", err, body)
			}
		})
	}
}

func TestGoalStateHasTheScenariosIDs(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) {
		s.WireServer.Incarnation, s.WireServer.ContainerID, s.WireServer.InstanceID = 7, "container", "deployment.instance"
	})
	g := goalState(t, f)
	if g.Incarnation != "7" || g.ContainerID != "container" || g.InstanceID != "deployment.instance" || g.ConfigName != "deployment.0.deployment.0.instance.1.xml" {
		t.Errorf("%+v", g)
	}
}

func TestGoalStateLeadsBackToItsReader(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	g := goalState(t, f)
	const id = "test%5Fvm%2D1"
	if want := "http://192.0.2.7:8080/machine/" + g.ContainerID + "/"; !strings.HasPrefix(g.SharedConfigURL, want) ||
		!strings.Contains(g.SharedConfigURL, ".%5F"+id+"?comp=config&type=sharedConfig&incarnation=1") {
		t.Errorf("shared config at %s", g.SharedConfigURL)
	}
	for _, row := range []struct{ name, url, part string }{
		{"hosting environment", g.HostingEnvironmentConfigURL, `instance="_test_vm-1"`},
		{"shared config", g.SharedConfigURL, `address="10.1.0.4"`},
		{"extensions config", g.ExtensionsConfigURL, "<Extensions "},
		{"full config", g.FullConfigURL, "<RoleConfig "},
		{"certificates", g.CertificatesURL, "<Format>Pkcs7BlobWithPfxContents</Format>"},
	} {
		u, err := url.Parse(row.url)
		if err != nil {
			t.Fatal(err)
		}
		escaped, unescaped := u.EscapedPath(), u.Path
		if escaped == unescaped {
			t.Errorf("%s: the path %s is not escaped", row.name, escaped)
		}
		for _, path := range []string{escaped, unescaped, unescaped + "/"} {
			status, body, _ := ask(t, f.WireServer(), http.MethodGet, path+"?"+u.RawQuery, "", version2012, certificateHeader(t))
			if status != http.StatusOK || !strings.Contains(body, row.part) {
				t.Errorf("%s at %s: status %d, %s", row.name, path, status, body)
			}
		}
	}
}

func TestGoalStateNamesThePort(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	for host, want := range map[string]string{
		"168.63.129.16": "http://168.63.129.16:80/machine/",
		"[fd00::1]":     "http://[fd00::1]:80/machine/",
		"example:81":    "http://example:81/machine/",
		"":              "http://168.63.129.16:80/machine/",
		"a/b":           "http://168.63.129.16:80/machine/",
		"a b":           "http://168.63.129.16:80/machine/",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/machine?comp=goalstate", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header.Set("x-ms-version", "2012-11-30")
		w := &recorder{header: http.Header{}}
		f.WireServer().ServeHTTP(w, r)
		g, err := goalstate.ParseGoalState(w.body.Bytes())
		if err != nil || !strings.HasPrefix(g.CertificatesURL, want) {
			t.Errorf("host %q: certificates at %s, want %s (%v)", host, g.CertificatesURL, want, err)
		}
	}
}

// recorder is a ResponseWriter without more.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (*recorder) WriteHeader(int)               {}

func TestMigrationMakesGoalStatesStale(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	before := goalState(t, f)
	f.Migrate()
	after := goalState(t, f)
	if after.Incarnation != "2" || after.ContainerID == before.ContainerID || after.InstanceID != before.InstanceID {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
	u, err := url.Parse(before.SharedConfigURL)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := ask(t, f.WireServer(), http.MethodGet, u.RequestURI(), "", version2012); status != http.StatusGone {
		t.Errorf("the old URL: status %d", status)
	}
	stale := before
	stale.ContainerID = after.ContainerID // Only the incarnation is old.
	container, instance := after, after   // Only one id is another's.
	container.ContainerID, instance.InstanceID = before.ContainerID, "other"
	for _, g := range []goalstate.GoalState{before, stale, container, instance} {
		status, body := report(t, f, g, goalstate.Health{State: goalstate.HealthStateReady})
		if status != http.StatusGone || !strings.Contains(body, "ResourceNotAvailable") {
			t.Errorf("the old report: status %d, %s", status, body)
		}
		wantVerdict(t, f, "health for a stale goal state")
	}
	if f.State() != emulator.StateNone {
		t.Errorf("state %s", f.State())
	}
	if status, body := report(t, f, after, goalstate.Health{State: goalstate.HealthStateReady}); status != http.StatusOK || body != "" {
		t.Errorf("the new report: status %d, %q", status, body)
	}
}

func TestHealthReports(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	g := goalState(t, f)
	for _, row := range []struct {
		health  goalstate.Health
		state   emulator.ReportState
		verdict string
	}{
		{goalstate.Health{State: "NotReady", SubStatus: "Provisioning", Description: "Starting"}, emulator.StateInProgress, ""},
		{goalstate.Health{State: "NotReady", SubStatus: "ProvisioningFailed", Description: "result=error|reason=a <b>"}, emulator.StateFailed, ""},
		{goalstate.Health{State: "NotReady", SubStatus: "Provisioning", Description: "Starting"}, emulator.StateInProgress, ""},
		{goalstate.Health{State: "Ready"}, emulator.StateReady, "Ready after Failed"},
		{goalstate.Health{State: "Ready"}, emulator.StateReady, "Ready after Failed"},
	} {
		if status, body := report(t, f, g, row.health); status != http.StatusOK || body != "" {
			t.Errorf("%+v: status %d, %q", row.health, status, body)
		}
		if f.State() != row.state {
			t.Errorf("%+v: state %s", row.health, f.State())
		}
		wantVerdict(t, f, row.verdict)
	}
	if status, _, _ := ask(t, f.WireServer(), http.MethodPost, "/provisioning/health",
		`{"state":"NotReady","details":{"subStatus":"ProvisioningFailed","description":"json"}}`, jsonType); status != http.StatusCreated {
		t.Errorf("JSON: status %d", status)
	}
	want := []emulator.Report{
		{State: emulator.StateInProgress, SubStatus: "Provisioning", Description: "Starting", Format: "xml"},
		{State: emulator.StateFailed, SubStatus: "ProvisioningFailed", Description: "result=error|reason=a <b>", Format: "xml"},
		{State: emulator.StateInProgress, SubStatus: "Provisioning", Description: "Starting", Format: "xml"},
		{State: emulator.StateReady, Format: "xml"},
		{State: emulator.StateReady, Format: "xml"},
		{State: emulator.StateFailed, SubStatus: "ProvisioningFailed", Description: "json", Format: "json"},
	}
	got := f.Reports()
	for i := range got {
		if got[i].Time.IsZero() {
			t.Errorf("report %d has no time", i)
		}
		got[i].Time = want[0].Time
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	entry := f.Journal()[2]
	if entry.Report == nil || entry.Report.State != emulator.StateFailed || entry.Report.Description != want[1].Description {
		t.Errorf("journal: %+v", entry.Report)
	}
}

func TestHealthDescriptionLimit(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	g := goalState(t, f)
	for _, row := range []struct {
		name, text string
		status     int
	}{
		{"at the limit", strings.Repeat("x", 4096), http.StatusOK},
		{"over the limit", strings.Repeat("x", 4097), http.StatusInternalServerError},
		{"escaped and at the limit", strings.Repeat("&amp;", 816) + "&lt;&gt;&lt;&gt;", http.StatusOK},
		{"over the limit once escaped", strings.Repeat("&lt;", 1025), http.StatusInternalServerError},
		{"ampersands over the limit", strings.Repeat("&amp;", 820), http.StatusInternalServerError},
		{"closing brackets over the limit", strings.Repeat("&gt;", 1025), http.StatusInternalServerError},
		{"bytes at the limit", strings.Repeat("é", 2048), http.StatusOK},
		{"bytes over the limit", strings.Repeat("é", 2048) + "x", http.StatusInternalServerError},
		{"other escapes at the limit", strings.Repeat("&quot;&#13;", 372) + "1234", http.StatusOK},
		{"other escapes over the limit", strings.Repeat("&quot;&#13;", 372) + "12345", http.StatusInternalServerError},
		{"white space over the limit", strings.Repeat(" ", 4096) + "x", http.StatusInternalServerError},
		{"CDATA over the limit", "<![CDATA[" + strings.Repeat("x", 4085) + "]]>", http.StatusInternalServerError},
		{"CDATA at the limit", "<![CDATA[" + strings.Repeat("x", 4084) + "]]>", http.StatusOK},
	} {
		body := `<Health><GoalStateIncarnation>1</GoalStateIncarnation><Container><ContainerId>` + g.ContainerID +
			`</ContainerId><RoleInstanceList><Role><InstanceId>` + g.InstanceID + `</InstanceId><Health><State>NotReady</State>` +
			`<Details><SubStatus>ProvisioningFailed</SubStatus><Description>` + row.text +
			`</Description></Details></Health></Role></RoleInstanceList></Container></Health>`
		status, _, _ := ask(t, f.WireServer(), http.MethodPost, "/machine/?comp=health", body, version2012, xmlType)
		if status != row.status {
			t.Errorf("%s: status %d, want %d", row.name, status, row.status)
		}
		if row.status != http.StatusOK {
			wantVerdict(t, f, "description over 4096 bytes")
		}
	}
	if n := len(f.Reports()); n != 5 {
		t.Errorf("%d reports were accepted, want 5", n)
	}
}

// A document in another encoding has the length that its text has in UTF-8.
func TestHealthDescriptionLimitOfUTF16(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{4096: http.StatusOK, 4097: http.StatusInternalServerError} {
		f := fabric(t, nil)
		g := goalState(t, f)
		health := failed
		health.Incarnation, health.ContainerID, health.InstanceID = g.Incarnation, g.ContainerID, g.InstanceID
		health.Description = "DESCRIPTION"
		document, err := health.EncodeXML()
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(document), "DESCRIPTION", strings.Repeat("x", n), 1)
		text = strings.Replace(text, "utf-8", "utf-16", 1)
		body := []byte{0xff, 0xfe}
		for _, unit := range utf16.Encode([]rune(text)) {
			body = binary.LittleEndian.AppendUint16(body, unit)
		}
		if status, _, _ := ask(t, f.WireServer(), http.MethodPost, "/machine?comp=health", string(body), version2012, xmlType); status != want {
			t.Errorf("%d: status %d, want %d", n, status, want)
		}
	}
}

func TestHealthDescriptionLimitJSON(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		status     int
	}{
		{"at the limit", strings.Repeat("x", 4096), http.StatusCreated},
		{"over the limit", strings.Repeat("x", 4097), http.StatusInternalServerError},
		{"escaped and at the limit", strings.Repeat(`\"`, 2048), http.StatusCreated},
		{"over the limit once escaped", strings.Repeat(`\"`, 2048) + "x", http.StatusInternalServerError},
		{"brackets are no escapes", strings.Repeat("<", 4096), http.StatusCreated},
	} {
		f := fabric(t, nil)
		body := `{"state":"NotReady","details":{"subStatus":"ProvisioningFailed","description":"` + row.text + `"}}`
		if status, _, _ := ask(t, f.WireServer(), http.MethodPost, "/provisioning/health", body, jsonType); status != row.status {
			t.Errorf("%s: status %d, want %d", row.name, status, row.status)
		}
	}
}

func TestUnknownHealthStateIsRefused(t *testing.T) {
	t.Parallel()
	for _, health := range []string{
		"<State>Fine</State>",
		"<State>NotReady</State><Details><SubStatus>Resting</SubStatus></Details>",
	} {
		f := fabric(t, nil)
		g := goalState(t, f)
		body := `<Health><GoalStateIncarnation>1</GoalStateIncarnation><Container><ContainerId>` + g.ContainerID +
			`</ContainerId><RoleInstanceList><Role><InstanceId>` + g.InstanceID +
			`</InstanceId><Health>` + health + `</Health></Role></RoleInstanceList></Container></Health>`
		if status, _, _ := ask(t, f.WireServer(), http.MethodPost, "/machine?comp=health", body, version2012, xmlType); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", health, status)
		}
		wantVerdict(t, f, "unknown health state")
		if len(f.Reports()) != 0 || f.State() != emulator.StateNone {
			t.Errorf("%s was accepted: %+v", health, f.Reports())
		}
	}
}
