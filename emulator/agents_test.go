package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

const metadata = "Metadata: true"

// hostGAHeaders are those of a right request for the HostGAPlugin of testScenario.
func hostGAHeaders(more ...string) []string {
	return append([]string{hostGAVersion, hostGAOwn, hostGAConfig}, more...)
}

// What cloud-init, WALinuxAgent, Ignition, Afterburn and azure-init need of a fabric, as
// their requests were recorded; the headings are the needs. DHCP is that of package lab.
func TestRequestsOfRealAgents(t *testing.T) {
	t.Parallel()
	const (
		imds, wire, hostGA = emulator.ServiceIMDS, emulator.ServiceWireServer, emulator.ServiceHostGA
		agent              = "x-ms-agent-name: WALinuxAgent"
		octets             = "Accept-Encoding: identity"
	)
	type request struct {
		service              emulator.Service
		method, target, body string
		headers              []string
		status               int
		part                 string // of the answer, which is empty for ""
	}
	versions := func(target, part string, versions ...string) (requests []request) {
		for _, version := range versions {
			requests = append(requests, request{imds, "GET", fmt.Sprintf(target, version), "", []string{metadata}, 200, part})
		}
		return requests
	}
	health := `<Health><GoalStateIncarnation>1</GoalStateIncarnation><Container><ContainerId>` + containerID +
		`</ContainerId><RoleInstanceList><Role><InstanceId>` + roleInstance + `</InstanceId><Health>%s</Health></Role></RoleInstanceList></Container></Health>`
	starting := fmt.Sprintf(health, `<State>NotReady</State><Details><SubStatus>Provisioning</SubStatus><Description>Starting</Description></Details>`)
	ready := fmt.Sprintf(health, `<State>Ready</State>`)
	certificates := "/machine/" + containerID + "/d672b490%2D6477%2D8b6e%2D8663%2D05aa00b6db2a.%5Ftest%5Fvm%2D1?comp=certificates&incarnation=1"
	unescaped := strings.NewReplacer("%2D", "-", "%5F", "_").Replace(certificates)
	for name, requests := range map[string][]request{
		"IMDS: every version that an agent asks for": slices.Concat(
			versions("/metadata/instance/compute/name?api-version=%s&format=text", "test_vm-1", "2017-08-01"),
			versions("/metadata/instance/compute?api-version=%s", `"vmSize"`, "2018-02-01"),
			versions("/metadata/instance?api-version=%s", `"network"`, "2018-02-01", "2019-06-01"),
			versions("/metadata/instance/compute/userData?api-version=%s&format=text", "dXNlciBkYXRh", "2021-01-01"),
			versions("/metadata/instance/compute/osProfile/adminUsername?api-version=%s&format=text", "tester", "2021-02-01"),
			versions("/metadata/instance/compute/publicKeys?api-version=%s", `[{"keyData":`, "2021-02-01"),
			versions("/metadata/instance?api-version=%s&extended=true", `"ppsType":"None"`, "2021-08-01", "2023-11-15"),
			versions("/metadata/instance/network/interface?api-version=%s&format=json", `[{"ipv4":`, "2021-12-13"),
			versions("/metadata/instance/network?api-version=%s", `{"interface":`, "2021-08-01"),
		),
		"IMDS: other versions are refused": {
			{imds, "GET", "/metadata/instance?api-version=2026-01-01&extended=true", "", []string{metadata}, 400, "newest-versions"},
		},
		"IMDS: the header's value in any case": {
			{imds, "GET", "/metadata/instance/compute?api-version=2018-02-01", "", []string{"Metadata: True"}, 200, `"vmId"`},
		},
		"IMDS: Ignition's way": {{
			imds, "GET", "/metadata/instance/compute/userData?api-version=2021-01-01&format=text", "",
			[]string{metadata, "Accept: application/vnd.coreos.ignition+json;version=3.3.0, */*;q=0.1", octets},
			200, "dXNlciBkYXRh",
		}},
		"IMDS: no load balancer": {
			{imds, "GET", "/metadata/loadbalancer?api-version=2021-12-13", "", []string{metadata}, 404, "Not found"},
		},
		"IMDS: no reprovision data without a pool": {
			{imds, "GET", "/metadata/reprovisiondata?api-version=2019-06-01", "", []string{metadata}, 404, "Not found"},
		},
		"wire server: versions, without headers and with": {
			{wire, "GET", "/?comp=versions", "", nil, 200, "<Version>2012-11-30</Version>"},
			{wire, "GET", "/?comp=versions", "", []string{"x-ms-agent-name: com.coreos.afterburn", version2012}, 200, "<Version>2012-11-30</Version>"},
		},
		"wire server: the goal state with a slash and without, in both versions": {
			{wire, "GET", "/machine/?comp=goalstate", "", []string{agent, version2012}, 200, "<GoalState"},
			{wire, "GET", "/machine?comp=goalstate", "", []string{agent, version2012}, 200, "<GoalState"},
			{wire, "GET", "/machine?comp=goalstate", "", []string{agent, "x-ms-version: 2015-04-05"}, 200, "<GoalState"},
		},
		"wire server: a path with escapes and without, in both ciphers": {
			{wire, "GET", certificates, "", []string{version2012, certificateHeader(t), "x-ms-cipher-name: DES_EDE3_CBC"}, 200, "<CertificateFile"},
			{wire, "GET", unescaped, "", []string{version2012, certificateHeader(t), "x-ms-cipher-name: AES128_CBC"}, 200, "<CertificateFile"},
		},
		"wire server: health is answered with 200 and nothing": {
			{wire, "POST", "/machine?comp=health", starting, []string{agent, version2012, "Content-Type: text/xml;charset=utf-8"}, 200, ""},
			{wire, "POST", "/machine/?comp=health", ready, []string{agent, version2012, xmlType}, 200, ""},
		},
		"wire server: observations and telemetry": {
			{wire, "POST", "/HealthService", observations(1, "GuestAgentPluginHeartbeat", "", ""), []string{jsonType}, 200, ""},
			{wire, "POST", "/machine?comp=telemetrydata", telemetry, []string{agent, version2012, "Content-Type: text/xml;charset=utf-8"}, 200, ""},
			{wire, "POST", "/machine/?comp=telemetrydata", telemetry, []string{agent, version2012, "Content-Type: text/xml;charset=utf-8"}, 200, ""},
		},
		"wire server: health in JSON": {
			{wire, "POST", "/provisioning/health", `{"state":"Ready"}`, []string{"Content-Type: application/json", "x-ms-guest-agent-name: azure-init v0.1.1"}, 201, ""},
		},
		"HostGAPlugin: versions, health, settings, status": {
			{hostGA, "GET", "/versions", "", []string{hostGAOwn}, 200, `"2015-09-01"`},
			{hostGA, "GET", "/health", "", nil, 200, ""},
			{hostGA, "GET", "/vmSettings", "", hostGAHeaders("x-ms-client-correlationid: 9a47a2a2-e740-4bfc-b11b-4f2f7cfe7d2e"), 200, `"hostGAPluginVersion"`},
			{hostGA, "PUT", "/status", `{"content":"e30=","headers":[{"headerName":"x-ms-version","headerValue":"2014-02-14"}],"requestUri":"https://blob.test/a"}`, hostGAHeaders("Content-type: application/json"), 200, ""},
		},
		"several reports: what an agent says after another's Ready counts": {
			{wire, "POST", "/machine?comp=health", ready, []string{version2012, xmlType}, 200, ""},
			{wire, "POST", "/machine?comp=health", starting, []string{version2012, xmlType}, 200, ""},
			{wire, "POST", "/machine?comp=health", ready, []string{version2012, xmlType}, 200, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fabric(t, nil)
			handlers := map[emulator.Service]http.Handler{imds: f.IMDS(), wire: f.WireServer(), hostGA: f.HostGA()}
			for _, r := range requests {
				status, body, _ := ask(t, handlers[r.service], r.method, r.target, r.body, r.headers...)
				if status != r.status || !strings.Contains(body, r.part) || r.part == "" && body != "" {
					t.Errorf("%s %s: status %d, want %d: %s", r.method, r.target, status, r.status, body)
				}
				if r.status < http.StatusBadRequest {
					wantVerdict(t, f, "")
				}
			}
			if last := requests[len(requests)-1]; strings.Contains(last.body, "Ready</State>") && f.State() != emulator.StateReady {
				t.Errorf("the VM is %s", f.State())
			}
		})
	}
}

// Agents of one connection for each request, and those that keep theirs.
func TestConnectionsOfRealAgents(t *testing.T) {
	t.Parallel()
	s := listen(t, fabric(t, nil))
	for name, closes := range map[string]bool{"Connection: close": true, "keep-alive": false} {
		dialled := 0
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: closes,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				dialled++
				return (&net.Dialer{}).DialContext(ctx, network, address)
			},
		}}
		for _, path := range []string{"/?comp=versions", "/nowhere", "/machine?comp=goalstate"} {
			if resp, err := fetch(t, client, http.MethodGet, s.WireServerURL()+path, "", version2012); err != nil || resp.declared != int64(len(resp.body)) {
				t.Errorf("%s, %s: %v, %d bytes declared", name, path, err, resp.declared)
			}
		}
		client.CloseIdleConnections()
		if want := map[bool]int{true: 3, false: 1}[closes]; dialled != want {
			t.Errorf("%s: %d connections, want %d", name, dialled, want)
		}
	}
}

// cloud-init 22.4 gives IMDS two seconds; without a fault no time passes at all.
func TestAnswersTakeNoTime(t *testing.T) {
	t.Parallel()
	inMemory(t, nil, func(b *bubble) {
		started := time.Now()
		if _, err := fetchInstance(b.t, b.server); err != nil || time.Since(started) != 0 {
			b.t.Errorf("%v, after %v", err, time.Since(started))
		}
	})
}

// The medium is a bridge disc with both files.
func TestMediumOfRealAgents(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	medium, ok := f.Medium()
	if !ok {
		t.Fatal("no medium")
	}
	for _, name := range []string{"ovf-env.xml", "CustomData.bin"} {
		if _, err := fs.Stat(medium, name); err != nil {
			t.Error(err)
		}
	}
	var image bytes.Buffer
	if err := f.WriteMediumImage(&image, emulator.ImageFormatBridge); err != nil {
		t.Fatal(err)
	}
	for _, mark := range []string{"CD001", "NSR0"} { // ISO 9660 and UDF
		if !bytes.Contains(image.Bytes(), []byte(mark)) {
			t.Errorf("the disc has no %s", mark)
		}
	}
}

// patchedScenario is testScenario with other top-level members, read from its JSON.
func patchedScenario(t *testing.T, members string) emulator.Scenario {
	t.Helper()
	var base, patch map[string]json.RawMessage
	for document, into := range map[string]*map[string]json.RawMessage{testScenario: &base, members: &patch} {
		if err := json.Unmarshal([]byte(document), into); err != nil {
			t.Fatalf("%v in %s", err, document)
		}
	}
	maps.Copy(base, patch)
	document, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	s, err := emulator.ParseScenario(document)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each fault that was seen in the field can be said in a scenario, or happens by itself. The
// sources are issues and pull requests of Azure/WALinuxAgent.
func TestFaultsOfTheField(t *testing.T) {
	t.Parallel()
	const (
		goalStateURL = "http://168.63.129.16/machine/?comp=goalstate"
		healthURL    = "http://168.63.129.16/provisioning/health"
		settingsURL  = "http://168.63.129.16:32526/vmSettings"
		certsURL     = "http://168.63.129.16/machine/" + containerID + "/" + roleInstance + "?comp=certificates&incarnation=1"
		telemetryURL = "http://168.63.129.16/machine?comp=telemetrydata"
	)
	type want struct {
		status int
		part   string
		err    error
	}
	good := want{status: 200}
	for _, row := range []struct {
		name, scenario string // The scenario's members beside those of testScenario.
		url, body      string // A body is posted.
		headers        []string
		want           []want // of one request after the other
	}{
		{
			"the goal state is gone for a while (2960, 929, 142)",
			`{"wireServer":{"faults":[{"path":"comp=goalstate","status":410,"times":2}]}}`, goalStateURL, "", nil,
			[]want{{410, "<Code>ResourceNotAvailable</Code>", nil}, {410, "", nil}, good},
		},
		{
			"a URL of the goal state is gone (PR 2907)",
			`{"wireServer":{"faults":[{"path":"comp=certificates","status":410,"always":true}]}}`, certsURL, "",
			[]string{certificateHeader(t)},
			[]want{{410, "<Code>ResourceNotAvailable</Code>", nil}, {410, "", nil}},
		},
		{
			"a URL with another container's id, after a resume (PR 2907)", `{"wireServer":{"containerId":"another"}}`, certsURL, "",
			[]string{certificateHeader(t)},
			[]want{{410, "<Code>ResourceNotAvailable</Code>", nil}},
		},
		{
			"telemetry is gone", `{"wireServer":{"faults":[{"path":"telemetrydata","status":410}]}}`, telemetryURL, telemetry,
			[]string{xmlType},
			[]want{{410, "ResourceNotAvailable", nil}, good},
		},
		{
			"a goal state without a role instance (PR 2016)",
			`{"wireServer":{"faults":[{"path":"comp=goalstate","times":5,"body":"<GoalState><Incarnation>1</Incarnation><Container><ContainerId>a</ContainerId></Container></GoalState>"}]}}`,
			goalStateURL, "", nil,
			[]want{{200, "<ContainerId>a<", nil}, {200, "<ContainerId>a<", nil}, {200, "<ContainerId>a<", nil}, {200, "<ContainerId>a<", nil}, {200, "<ContainerId>a<", nil}, {200, "<InstanceId>", nil}},
		},
		{
			"the same incarnation with other ids, after hibernation (PR 2562, 3410)",
			`{"wireServer":{"faults":[{"path":"comp=goalstate","body":"<GoalState><Incarnation>1</Incarnation><Container><ContainerId>before</ContainerId></Container></GoalState>"}]}}`,
			goalStateURL, "", nil,
			[]want{{200, "<ContainerId>before<", nil}, {200, "<ContainerId>" + containerID + "<", nil}},
		},
		{
			"InvalidContainerConfiguration (1294)", `{"hostGA":{"faults":[{"status":400}]}}`, settingsURL, "", hostGAHeaders(),
			[]want{{400, `"errorCode":"InvalidContainerConfiguration"`, nil}, good},
		},
		{
			"RequestRoleConfigFileNotFound with 400 (781)",
			`{"hostGA":{"faults":[{"status":400,"body":"{\"errorCode\":\"RequestRoleConfigFileNotFound\",\"message\":\"\",\"details\":\"\"}"}]}}`,
			settingsURL, "", hostGAHeaders(),
			[]want{{400, "RequestRoleConfigFileNotFound", nil}, good},
		},
		{
			"RequestRoleConfigFileNotFound with 410 (781)", `{}`, settingsURL, "",
			[]string{hostGAVersion, hostGAOwn, "x-ms-host-config-name: old.xml"},
			[]want{{410, "RequestRoleConfigFileNotFound", nil}},
		},
		{
			"403 in HTML (142, 95)", `{"wireServer":{"faults":[{"status":403,"times":2}]}}`, goalStateURL, "", nil,
			[]want{{403, "<html>", nil}, {403, "Access is denied", nil}, good},
		},
		{
			"503 in HTML (95, 821)", `{"wireServer":{"faults":[{"status":503}]}}`, goalStateURL, "", nil,
			[]want{{503, "<h2>Service Unavailable", nil}, good},
		},
		{
			"throttling with 429 (PR 3133)", `{"wireServer":{"faults":[{"status":429,"retryAfter":"2"}]}}`, goalStateURL, "", nil,
			[]want{{429, "RequestRateLimitExceeded", nil}, good},
		},
		{
			"throttling with 403 (PR 3133)",
			`{"wireServer":{"faults":[{"status":403,"headers":{"Content-Type":"text/xml"},"body":"<Error><Code>RequestRateLimitExceeded</Code></Error>"}]}}`,
			goalStateURL, "", nil,
			[]want{{403, "RequestRateLimitExceeded", nil}, good},
		},
		{
			"no answer for minutes (1801, 821)", `{"wireServer":{"faults":[{"kind":"hang"},{"delay":"9s"}]}}`, goalStateURL, "", nil,
			[]want{{err: context.DeadlineExceeded}, good},
		},
		{
			"a connection that is reset (errno 104)", `{"wireServer":{"faults":[{"kind":"reset"}]}}`, goalStateURL, "", nil,
			[]want{{err: io.EOF}, good}, // The reset of a connection in memory.
		},
		{
			"nobody there (968, 3492, 1241)", `{"wireServer":{"absent":true}}`, goalStateURL, "", nil,
			[]want{{err: syscall.ECONNREFUSED}},
		},
		{
			"a description that is too long (2017)", `{}`, healthURL,
			`{"state":"NotReady","details":{"subStatus":"ProvisioningFailed","description":"` + strings.Repeat("x", 4097) + `"}}`,
			[]string{jsonType},
			[]want{{500, "", nil}},
		},
		{
			"a Ready that is lost before it counts (1511)", `{"wireServer":{"faults":[{"path":"health","kind":"reset"}]}}`, healthURL, `{"state":"Ready"}`,
			[]string{jsonType},
			[]want{{err: io.EOF}, {201, "", nil}},
		},
		{
			"a Ready whose answer is lost (1511)", `{"wireServer":{"faults":[{"path":"health","kind":"truncate"}]}}`, healthURL, `{"state":"Ready"}`,
			[]string{jsonType},
			[]want{{err: io.ErrUnexpectedEOF}, {201, "", nil}},
		},
		{
			"a cipher that is refused", `{"wireServer":{"ciphers":["DES_EDE3_CBC"]}}`, certsURL, "",
			[]string{certificateHeader(t), "x-ms-cipher-name: AES128_CBC"},
			[]want{{400, "InvalidCipher", nil}},
		},
		{
			"vmSettings that are broken (3256)", `{"hostGA":{"faults":[{"path":"/vmSettings","status":500}]}}`, settingsURL, "", hostGAHeaders(),
			[]want{{500, `"errorCode"`, nil}, good},
		},
		{
			"vmSettings that are not there (3256)", `{"hostGA":{"noVMSettings":true}}`, settingsURL, "", hostGAHeaders(),
			[]want{{404, `"errorCode"`, nil}},
		},
		{
			"vmSettings without access", `{"hostGA":{"faults":[{"status":403}]}}`, settingsURL, "", hostGAHeaders(),
			[]want{{403, "AccessDenied", nil}, good},
		},
		{
			"vmSettings whose storage is in trouble",
			`{"hostGA":{"faults":[{"status":502},{"status":502,"body":"{\"errorCode\":\"VMArtifactsProfileBlobContentNotFound\"}"}]}}`, settingsURL, "", hostGAHeaders(),
			[]want{{502, "InternalError", nil}, {502, "VMArtifactsProfileBlobContentNotFound", nil}, good},
		},
		{
			"vmSettings of a host that is too old", `{"hostGA":{"vmSettings":{"hostGAPluginVersion":"1.0.8.116"}}}`, settingsURL, "", hostGAHeaders(),
			[]want{{200, `"hostGAPluginVersion":"1.0.8.116"`, nil}},
		},
		{
			"vmSettings in other cases", `{"hostGA":{"vmSettings":{"statusUploadBlob":null,"StatusUploadBlob":{"value":"https://blob.test/a"}}}}`, settingsURL, "", hostGAHeaders(),
			[]want{{200, `"StatusUploadBlob":{"value":"https://blob.test/a"}`, nil}},
		},
		{
			"a family without URIs (488, PR 2615)", `{"wireServer":{"extensions":{"families":[{"name":"Prod"}]}}}`, settingsURL, "", hostGAHeaders(),
			[]want{{200, `"gaFamilies":[{"name":"Prod","uris":[]}]`, nil}},
		},
		{
			"telemetry with a NUL (azure-linux-extensions 1690)", `{}`, telemetryURL, "<TelemetryData>\x00</TelemetryData>",
			[]string{xmlType},
			[]want{{400, "InvalidXmlDocument", nil}},
		},
		{
			"a version that is preferred only",
			`{"wireServer":{"faults":[{"path":"comp=versions","body":"<Versions><Preferred><Version>2012-11-30</Version></Preferred><Supported/></Versions>"}]}}`,
			"http://168.63.129.16/?comp=versions", "", nil,
			[]want{{200, "<Supported/>", nil}},
		},
		{
			"XML that is cut", `{"wireServer":{"faults":[{"kind":"truncate"}]}}`, goalStateURL, "", nil,
			[]want{{err: io.ErrUnexpectedEOF}, good},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := patchedScenario(t, row.scenario)
			synctest.Test(t, func(t *testing.T) {
				f, err := emulator.NewFabric(s, nil)
				if err != nil {
					t.Fatal(err)
				}
				server := f.ListenInMemory(t.Context())
				defer func() { _ = server.Close() }()
				client := server.Client()
				client.Timeout = 10 * time.Second // WALinuxAgent's
				method, headers := http.MethodGet, row.headers
				if row.body != "" {
					method = http.MethodPost
				}
				if !slices.Contains(headers, hostGAVersion) {
					headers = append([]string{version2012}, headers...)
				}
				for i, want := range row.want {
					resp, err := fetch(t, client, method, row.url, row.body, headers...)
					if !errors.Is(err, want.err) || err == nil && (resp.status != want.status || !strings.Contains(resp.body, want.part)) {
						t.Errorf("request %d: status %d, %v, want %d, %v with %q: %s", i+1, resp.status, err, want.status, want.err, want.part, resp.body)
					}
				}
			})
		})
	}
}

// Two agents report: the last one wins, whoever it is (PR 3484).
func TestTwoReporters(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	g := goalState(t, f)
	for _, state := range []goalstate.Health{{State: "Ready"}, {State: "NotReady", SubStatus: "Provisioning", Description: "Starting"}} {
		report(t, f, g, state)
	}
	if f.State() != emulator.StateInProgress {
		t.Errorf("the VM is %s", f.State())
	}
}

// What is wrong with a medium is said by leaving it out or by its document (1507, 246, 2025).
func TestMediaOfTheField(t *testing.T) {
	t.Parallel()
	const lacking = `<Environment><LinuxProvisioningConfigurationSet/></Environment>`
	document, err := json.Marshal(lacking)
	if err != nil {
		t.Fatal(err)
	}
	for scenario, want := range map[string]string{
		`{"medium":{"absent":true}}`:                       "",
		`{"medium":{"document":` + string(document) + `}}`: lacking,
	} {
		f, err := emulator.NewFabric(patchedScenario(t, scenario), nil)
		if err != nil {
			t.Fatal(err)
		}
		medium, ok := f.Medium()
		if ok != (want != "") {
			t.Errorf("%s: there is a medium: %t", scenario, ok)
			continue
		}
		if !ok {
			continue
		}
		if b, err := fs.ReadFile(medium, "ovf-env.xml"); err != nil || string(b) != want {
			t.Errorf("%s: %v: %s", scenario, err, b)
		}
	}
}
