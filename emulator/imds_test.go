package emulator_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

const instance2023 = "/metadata/instance?api-version=2023-11-15"

func TestIMDSAnswers(t *testing.T) {
	t.Parallel()
	const (
		metadata = "Metadata: true"
		noHeader = `{"error":"Bad request. Required metadata header not specified"}`
		newest   = `"newest-versions":["2025-04-07","2024-07-17","2024-03-15"]`
	)
	get := http.MethodGet
	for _, row := range []struct {
		name, method, target string
		headers              []string
		status               int
		body                 string // A part of it, or the whole after "=".
		verdict              string
	}{
		{"verb comes before headers", "PUT", "/metadata/nowhere?a=1&a=2", []string{"X-Forwarded-For: 10.0.0.1"}, 405, `={"error":"Not allowed"}`, "method PUT not allowed"},
		{"HEAD is no GET", "HEAD", instance2023, []string{metadata}, 405, "", "method HEAD not allowed"},
		{"forwarded comes before Metadata", get, "/metadata/nowhere?a=1&a=2", []string{"X-Forwarded-For: 10.0.0.1"}, 400, "X-Forwarded-For", "X-Forwarded-For present"},
		{"empty forwarded counts", get, instance2023, []string{metadata, "X-Forwarded-For: "}, 400, "X-Forwarded-For", "X-Forwarded-For present"},
		{"missing Metadata comes before duplicates", get, "/metadata/nowhere?a=1&a=2", nil, 400, "=" + noHeader, "missing Metadata header"},
		{"wrong Metadata", get, instance2023, []string{"Metadata: yes"}, 400, "=" + noHeader, "Metadata header is not true"},
		{"capital True is true", get, instance2023, []string{"Metadata: True"}, 200, `"compute"`, ""},
		{"duplicates come before the path", get, "/metadata/nowhere?a=1&a=2", []string{metadata}, 400, "Duplicate", "duplicate parameter a"},
		{"duplicates fold case", get, instance2023 + "&Api-Version=2023-11-15", []string{metadata}, 400, "Duplicate", ""},
		{"malformed query", get, instance2023 + "&a=%zz", []string{metadata}, 400, "Bad request", "malformed query"},
		{"unknown path comes before the version", get, "/metadata/nowhere", []string{metadata}, 404, `={"error":"Not found"}`, "unknown path"},
		{"outside of /metadata", get, "/", []string{metadata}, 404, "Not found", "unknown path"},
		{"path is case-sensitive", get, "/Metadata/instance?api-version=2023-11-15", []string{metadata}, 404, "Not found", "unknown path"},
		{"missing version", get, "/metadata/instance", []string{metadata}, 400, newest, "missing api-version"},
		{"bare path wants a version", get, "/metadata", []string{metadata}, 400, newest, "missing api-version"},
		{"unknown version comes before the field", get, "/metadata/instance/nothing?api-version=2099-01-01", []string{metadata}, 400, newest, "unsupported api-version 2099-01-01"},
		{"the preview version is refused", get, "/metadata/instance?api-version=2017-03-01", []string{metadata}, 400, newest, "unsupported api-version 2017-03-01"},
		{"unknown field", get, "/metadata/instance/compute/nothing?api-version=2023-11-15", []string{metadata}, 404, `={"error":"Not found"}`, ""},
		{"field newer than the version", get, "/metadata/instance/compute/userData?api-version=2020-12-01&format=text", []string{metadata}, 404, "Not found", ""},
		{"index out of range", get, "/metadata/instance/network/interface/1?api-version=2023-11-15", []string{metadata}, 404, "Not found", ""},
		{"index that is no number", get, "/metadata/instance/network/interface/-1?api-version=2023-11-15", []string{metadata}, 404, "Not found", ""},
		{"below a leaf", get, "/metadata/instance/compute/vmId/x?api-version=2023-11-15", []string{metadata}, 404, "Not found", ""},
		{"leaf without text", get, "/metadata/instance/compute/vmId?api-version=2023-11-15", []string{metadata}, 400, "Bad request", "leaf without format=text"},
		{"leaf as JSON", get, "/metadata/instance/compute/vmId?api-version=2023-11-15&format=json", []string{metadata}, 400, "Bad request", "leaf without format=text"},
		{"unknown format", get, instance2023 + "&format=xml", []string{metadata}, 400, "format", "unknown format"},
		{"leaf as text", get, "/metadata/instance/compute/vmId?api-version=2023-11-15&format=text", []string{metadata}, 200, "=91267c52-9f02-4cfe-b1f4-a4da7ebac2cf", ""},
		{"empty leaf", get, "/metadata/instance/compute/customData?api-version=2023-11-15&format=text", []string{metadata}, 200, "=", ""},
		{"user data", get, "/metadata/instance/compute/userData?api-version=2021-01-01&format=text", []string{metadata}, 200, "=dXNlciBkYXRhIG5vdCB0byBiZSBzZWVu", ""},
		{"tag of the list", get, "/metadata/instance/compute/tagsList/0/value?api-version=2023-11-15&format=text", []string{metadata}, 200, "=b;c", ""},
		{"listing of the instance", get, instance2023 + "&format=text", []string{metadata}, 200, "=compute/\nnetwork/", ""},
		{"listing of a mixed object", get, "/metadata/instance/network/interface/0?api-version=2023-11-15&format=text", []string{metadata}, 200, "=ipv4/\nipv6/\nmacAddress", ""},
		{"listing of an array", get, "/metadata/instance/compute/publicKeys/?api-version=2023-11-15&format=text", []string{metadata}, 200, "=0/\n1/", ""},
		{"listing of an empty array", get, "/metadata/instance/compute/storageProfile/dataDisks?api-version=2023-11-15&format=text", []string{metadata}, 200, "=", ""},
		{"array as JSON", get, "/metadata/instance/compute/storageProfile/dataDisks?api-version=2023-11-15", []string{metadata}, 200, "=[]", ""},
		{"object as JSON", get, "/metadata/instance/compute/plan?api-version=2018-04-02", []string{metadata}, 200, `={"name":"","product":"","publisher":""}`, ""},
		{"extended", get, "/metadata/instance/extended?api-version=2021-08-01&extended=true", []string{metadata}, 200, `={"compute":{"hasCustomData":true,"ppsType":"None"}}`, ""},
		{"extended leaf as text", get, "/metadata/instance/extended/compute/hasCustomData?api-version=2021-08-01&extended=true&format=text", []string{metadata}, 200, "=true", ""},
		{"extended is not asked for", get, "/metadata/instance/extended?api-version=2021-08-01", []string{metadata}, 404, "", ""},
		{"extended below its version", get, "/metadata/instance/extended?api-version=2021-05-01&extended=true", []string{metadata}, 404, "", ""},
		{"versions needs no version", get, "/metadata/versions", []string{metadata}, 200, `{"apiVersions":["2017-03-01","2017-04-02"`, ""},
		{"versions needs Metadata", get, "/metadata/versions", nil, 400, "=" + noHeader, "missing Metadata header"},
		{"no reprovision data", get, "/metadata/reprovisiondata?api-version=2019-06-01", []string{metadata}, 404, `={"error":"Not found"}`, ""},
		{"no load balancer", get, "/metadata/loadbalancer?api-version=2020-10-01", []string{metadata}, 404, "Not found", ""},
		{"load balancer without a version", get, "/metadata/loadbalancer", []string{metadata}, 400, newest, "missing api-version"},
		{"no identity", get, "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x", []string{metadata}, 400, `={"error":"invalid_request","error_description":"Identity not found"}`, ""},
		{"identity for nothing", get, "/metadata/identity/oauth2/token?api-version=2018-02-01", []string{metadata}, 400, `"error":"invalid_request"`, "missing resource"},
		{"no tenant", get, "/metadata/identity/info?api-version=2018-02-01", []string{metadata}, 404, "Not found", ""},
		{"no attested document", get, "/metadata/attested/document?api-version=2020-09-01&nonce=1234567890", []string{metadata}, 404, "Not found", ""},
		{"an endpoint without its end", get, "/metadata/identity?api-version=2018-02-01", []string{metadata}, 404, "Not found", "unknown path"},
		{"what is below another endpoint", get, "/metadata/loadbalancer/x?api-version=2020-10-01", []string{metadata}, 404, "Not found", "unknown path"},
		{"the bare path with a version", get, "/metadata/?api-version=2021-02-01&format=text", []string{metadata}, 404, "Not found", ""},
		{"no scheduled events", get, "/metadata/scheduledevents?api-version=2020-07-01", []string{metadata}, 200, `={"DocumentIncarnation":1,"Events":[]}`, ""},
		{"scheduled events at the instance's version", get, "/metadata/scheduledevents/?api-version=2023-11-15", []string{metadata}, 200, `"Events":[]`, ""},
		{"the instance has no version of the scheduled events", get, "/metadata/instance?api-version=2020-07-01", []string{metadata}, 400, newest, "unsupported api-version 2020-07-01"},
		{"scheduled events that are started", "POST", "/metadata/scheduledevents?api-version=2020-07-01", []string{metadata}, 400, "Bad request", "malformed start requests"},
		{"instance with a slash", get, "/metadata/instance/?api-version=2023-11-15", []string{metadata}, 200, `"compute"`, ""},
		{"sub-tree with a slash", get, "/metadata/instance/compute/plan/?api-version=2023-11-15", []string{metadata}, 200, `={"name":"","product":"","publisher":""}`, ""},
		{"leaf with a slash", get, "/metadata/instance/compute/name/?api-version=2023-11-15&format=text", []string{metadata}, 200, "=test_vm-1", ""},
		{"two slashes", get, "/metadata/instance//compute?api-version=2023-11-15", []string{metadata}, 404, "Not found", ""},
		{"field in another case", get, "/metadata/instance/compute/VMID?api-version=2023-11-15&format=text", []string{metadata}, 404, "Not found", ""},
		{"format in words", get, "/metadata/instance/compute?api-version=2023-11-15&format=json", []string{metadata}, 200, `{"additionalCapabilities"`, ""},
		{"a list's element", get, "/metadata/instance/compute/publicKeys/1?api-version=2023-11-15", []string{metadata}, 200, `={"keyData":"ssh-ed25519 AAAB two","path":"/keys"}`, ""},
		{"listing of a list's element", get, "/metadata/instance/compute/tagsList/1?api-version=2023-11-15&format=text", []string{metadata}, 200, "=name\nvalue", ""},
		{"an address deep down", get, "/metadata/instance/network/interface/0/ipv4/ipAddress/1/privateIpAddress?api-version=2017-08-01&format=text", []string{metadata}, 200, "=10.1.0.5", ""},
		{"listing of a list of addresses", get, "/metadata/instance/network/interface/0/ipv4/ipAddress?api-version=2017-08-01&format=text", []string{metadata}, 200, "=0/\n1/", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := fabric(t, nil)
			status, body, header := ask(t, f.IMDS(), row.method, row.target, "", row.headers...)
			if status != row.status {
				t.Errorf("status %d, want %d", status, row.status)
			}
			if whole, ok := strings.CutPrefix(row.body, "="); ok && body != whole || !ok && !strings.Contains(body, row.body) {
				t.Errorf("body %q, want %q", body, row.body)
			}
			if header.Get("Server") == "" || header.Get("X-Ms-Request-Id") == "" || header.Get("Content-Length") == "" {
				t.Errorf("headers %v", header)
			}
			wantType := "application/json; charset=utf-8"
			if strings.Contains(row.target, "format=text") && row.status == http.StatusOK {
				wantType = "text/plain; charset=utf-8"
			}
			if got := header.Get("Content-Type"); got != wantType {
				t.Errorf("content type %q, want %q", got, wantType)
			}
			if row.verdict != "" || row.status == http.StatusOK {
				wantVerdict(t, f, row.verdict)
			}
		})
	}
}

func TestIMDSPrunesByVersion(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	for _, row := range []struct{ path, before, since string }{
		{"compute/tags", "2017-04-02", "2017-08-01"},
		{"compute/zone", "2017-10-01", "2017-12-01"},
		{"compute/publicKeys", "2018-02-01", "2018-04-02"},
		{"compute/azEnvironment", "2018-04-02", "2018-10-01"},
		{"compute/resourceId", "2019-02-01", "2019-03-11"},
		{"compute/storageProfile", "2019-04-30", "2019-06-01"},
		{"compute/storageProfile/osDisk/diffDiskSettings", "2019-11-01", "2020-06-01"},
		{"compute/tagsList", "2019-06-01", "2019-06-04"},
		{"compute/securityProfile", "2019-11-01", "2020-06-01"},
		{"compute/osProfile", "2020-06-01", "2020-07-15"},
		{"compute/osProfile/disablePasswordAuthentication", "2020-09-01", "2020-10-01"},
		{"compute/userData", "2020-12-01", "2021-01-01"},
		{"compute/storageProfile/resourceDisk", "2021-01-01", "2021-02-01"},
		{"compute/platformSubFaultDomain", "2021-08-01", "2021-10-01"},
		{"compute/securityProfile/encryptionAtHost", "2021-10-01", "2021-11-01"},
		{"compute/host", "2021-11-01", "2021-11-15"},
		{"compute/securityProfile/securityType", "2021-11-15", "2021-12-13"},
		{"compute/storageProfile/imageReference/exactVersion", "2021-12-13", "2023-07-01"},
		{"compute/physicalZone", "2023-07-01", "2023-11-15"},
		{"compute/systemFaultDomain", "2024-07-17", "2025-04-07"},
		{"compute/vmId", "", "2017-04-02"},
		{"network/interface", "", "2017-04-02"},
	} {
		for version, want := range map[string]int{row.before: http.StatusNotFound, row.since: http.StatusOK} {
			if version == "" {
				continue
			}
			target := "/metadata/instance/" + row.path + "?format=text&api-version=" + version
			if status, _, _ := ask(t, f.IMDS(), http.MethodGet, target, "", "Metadata: true"); status != want {
				t.Errorf("%s at %s: status %d, want %d", row.path, version, status, want)
			}
		}
	}
}

func TestIMDSDocumentComesFromTheVM(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	_, body, _ := ask(t, f.IMDS(), http.MethodGet, instance2023+"&extended=true", "", "Metadata: true")
	for _, want := range []string{
		`"adminUsername":"tester","computerName":"test_vm-1","disablePasswordAuthentication":"true"`,
		`{"keyData":"ssh-ed25519 AAAA one\r\n","path":"/home/tester/.ssh/authorized_keys"},{"keyData":"ssh-ed25519 AAAB two","path":"/keys"}`,
		`"tags":"a:b;c;d:e"`,
		`"physicalZone":"westeurope-AZ02"`,
		`{"interface":[{"ipv4":{"ipAddress":[{"privateIpAddress":"10.1.0.4","publicIpAddress":""},{"privateIpAddress":"10.1.0.5","publicIpAddress":""}],` +
			`"subnet":[{"address":"10.1.0.0","prefix":"24"}]},"ipv6":{"ipAddress":[{"privateIpAddress":"fd00::4"}]},"macAddress":"000D3A000001"}]}`,
		`"userData":"` + base64.StdEncoding.EncodeToString([]byte(testUserData)) + `"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the document lacks %s:\n%s", want, body)
		}
	}
	if strings.Contains(body, "Bollard") || strings.Contains(body, "cloud-config") {
		t.Error("the document holds the password or the custom data")
	}
}

func TestIMDSDocumentCanBePatched(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) {
		s.IMDS.HasCustomData = azprov.SwitchOff
		s.IMDS.PPSType = "Running"
		s.IMDS.Instance = json.RawMessage(`{"network": null, "compute": {"name": "other", "new": {"a": 1}, "vmId": null}}`)
	})
	_, body, _ := ask(t, f.IMDS(), http.MethodGet, "/metadata/instance?api-version=2021-08-01&extended=true", "", "Metadata: true")
	var document struct {
		Compute  map[string]any
		Extended struct{ Compute map[string]any }
		Network  any
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	if document.Network != nil || document.Compute["name"] != "other" || document.Compute["vmId"] != nil ||
		document.Compute["new"] == nil || document.Compute["location"] != "westeurope" {
		t.Errorf("patched document: %s", body)
	}
	if document.Extended.Compute["hasCustomData"] != false || document.Extended.Compute["ppsType"] != "Running" {
		t.Errorf("extended: %v", document.Extended)
	}
}

func TestIMDSSpeaksTheScenariosVersionsOnly(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) { s.IMDS.APIVersions = []string{"2019-06-01", "2017-04-02"} })
	status, body, _ := ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true")
	if status != http.StatusBadRequest || !strings.Contains(body, `"newest-versions":["2019-06-01","2017-04-02"]`) {
		t.Errorf("status %d, body %s", status, body)
	}
	_, body, _ = ask(t, f.IMDS(), http.MethodGet, "/metadata/versions", "", "Metadata: true")
	if body != `{"apiVersions":["2017-04-02","2019-06-01"]}` {
		t.Errorf("versions %s", body)
	}
}

func TestEveryShippedScenarioAnswersItsVersions(t *testing.T) {
	t.Parallel()
	for _, s := range emulator.Scenarios() {
		s.IMDS.Faults, s.IMDS.Absent, s.Steps, s.Assert = nil, false, nil, nil
		for _, version := range slices.DeleteFunc(slices.Clone(s.IMDS.APIVersions), func(v string) bool { return v == "2017-03-01" }) {
			f, err := emulator.NewFabric(s, nil) // a new one for each, because of the rate limit
			if err != nil {
				t.Fatal(err)
			}
			if status, body, _ := ask(t, f.IMDS(), http.MethodGet, "/metadata/instance?api-version="+version, "", "Metadata: true"); status != http.StatusOK {
				t.Errorf("%s at %s: status %d: %s", s.Name, version, status, body)
			}
		}
	}
}

func TestIMDSStartsNoEvent(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	for body, want := range map[string]string{
		`{"StartRequests":[{"EventId":"C7061BAC-AFDC-4513-B24B-AA5F13A16123"}]}`: "start request for an unknown event",
		`{"StartRequests":[]}`:        "malformed start requests",
		`[]`:                          "malformed start requests",
		strings.Repeat(" ", 1<<20+10): "malformed start requests",
	} {
		status, _, _ := ask(t, f.IMDS(), http.MethodPost, "/metadata/scheduledevents?api-version=2020-07-01", body, "Metadata: true")
		if status != http.StatusBadRequest {
			t.Errorf("%.80s: status %d", body, status)
		}
		wantVerdict(t, f, want)
	}
}

// An Azure Stack Hub has the instance and the versions only.
func TestIMDSOfAzureStack(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) { s.VM.Environment = "AzureStack" })
	for _, path := range []string{
		"scheduledevents?api-version=2020-07-01", "identity/oauth2/token?resource=x&api-version=2018-02-01",
		"attested/document?api-version=2020-09-01", "loadbalancer?api-version=2020-10-01",
	} {
		if status, body, _ := ask(t, f.IMDS(), http.MethodGet, "/metadata/"+path, "", "Metadata: true"); status != http.StatusNotFound {
			t.Errorf("%s: status %d: %s", path, status, body)
		}
	}
}

// That a VM has no identity is nothing wrong with the request: faults and the limit hold.
func TestIMDSFaultsOfAnAnswerThatRefuses(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) {
		s.IMDS.RateLimit = azprov.SwitchOn
		s.IMDS.Faults = []emulator.Fault{{Path: "/identity", Status: http.StatusInternalServerError}}
	})
	for i, want := range []int{500, 400, 400, 400, 400, 429} {
		status, _, _ := ask(t, f.IMDS(), http.MethodGet, "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x", "", "Metadata: true")
		if status != want {
			t.Errorf("request %d: status %d, want %d", i, status, want)
		}
	}
}
