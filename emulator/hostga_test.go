package emulator_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// The headers that a right request for the HostGAPlugin of testScenario has.
const (
	hostGAVersion = "x-ms-version: 2015-09-01"
	hostGAConfig  = "x-ms-host-config-name: d672b490-6477-8b6e-8663-05aa00b6db2a.0.d672b490-6477-8b6e-8663-05aa00b6db2a.0._test_vm-1.1.xml"
	hostGAOwn     = "x-ms-containerid: " + containerID
)

func TestHostGAAnswers(t *testing.T) {
	t.Parallel()
	right := []string{hostGAVersion, hostGAOwn, hostGAConfig}
	logs := []string{hostGAVersion, hostGAOwn, "x-ms-vmagentlog-deploymentid: d672b490-6477-8b6e-8663-05aa00b6db2a"}
	for _, row := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		code, verdict              string
	}{
		{"versions need no header", "GET", "/versions", "", nil, 200, "", ""},
		{"versions are read only", "PUT", "/versions", "", nil, 405, "UnsupportedHttpVerb", "method PUT not allowed"},
		{"health needs no header", "GET", "/health", "", nil, 200, "", ""},
		{"nothing at the root", "GET", "/", "", right, 404, "ResourceNotFound", "unknown path"},
		{"vmSettings", "GET", "/vmSettings", "", right, 200, "", ""},
		{"vmSettings are read only", "POST", "/vmSettings", "", right, 405, "UnsupportedHttpVerb", "method POST not allowed"},
		{"no version", "GET", "/vmSettings", "", right[1:], 400, "MissingVersion", "missing x-ms-version"},
		{"the wire server's version", "GET", "/vmSettings", "", []string{version2012, hostGAOwn, hostGAConfig}, 400, "UnsupportedVersion", "unsupported x-ms-version 2012-11-30"},
		{"no container", "GET", "/vmSettings", "", []string{hostGAVersion, hostGAConfig}, 400, "InvalidContainerConfiguration", "missing x-ms-containerid"},
		{"a container of nobody's", "GET", "/vmSettings", "", []string{hostGAVersion, "x-ms-containerid: other", hostGAConfig}, 400, "InvalidContainerConfiguration", "x-ms-containerid is not that of the goal state"},
		{"no configuration name", "GET", "/vmSettings", "", []string{hostGAVersion, hostGAOwn}, 400, "RequestRoleConfigFileNotFound", "missing x-ms-host-config-name"},
		{"another configuration", "GET", "/vmSettings", "", []string{hostGAVersion, hostGAOwn, "x-ms-host-config-name: a.xml"}, 410, "RequestRoleConfigFileNotFound", "x-ms-host-config-name is not that of the goal state"},
		{"another ETag", "GET", "/vmSettings", "", append([]string{`if-none-match: "1"`}, right...), 200, "", ""},
		{"status", "PUT", "/status", `{"content":"e30=","headers":[],"requestUri":"https://blob.test/status?sig=a"}`, right, 200, "", ""},
		{"status of a page blob's first call", "PUT", "/status", `{"headers":[],"requestUri":"https://blob.test/status"}`, right, 200, "", ""},
		{"status that is not sent", "GET", "/status", "", right, 405, "UnsupportedHttpVerb", "method GET not allowed"},
		{"status without a container", "PUT", "/status", "{}", []string{hostGAVersion, hostGAConfig}, 400, "InvalidContainerConfiguration", "missing x-ms-containerid"},
		{"status that is no JSON", "PUT", "/status", "<status/>", right, 400, "InvalidRequest", "malformed status upload"},
		{"status for nowhere", "PUT", "/status", `{"content":"e30="}`, right, 400, "InvalidRequest", "status upload without requestUri"},
		{"status in plain text", "PUT", "/status", `{"content":"{}","requestUri":"https://blob.test/status"}`, right, 400, "InvalidRequest", "status upload whose content is not base64"},
		{"status over the limit", "PUT", "/status", strings.Repeat(" ", 1<<20+1), right, 400, "InvalidRequest", "unreadable body"},
		{"logs", "PUT", "/vmAgentLog", "PK\x03\x04", logs, 200, "", ""},
		{"logs of many MiB", "PUT", "/vmAgentLog", "PK" + strings.Repeat("x", 5<<20), logs, 200, "", ""},
		{"logs that are no archive", "PUT", "/vmAgentLog", "text", logs, 200, "", "the log is no zip archive"},
		{"logs of another deployment", "PUT", "/vmAgentLog", "PK", logs[:2], 200, "", "x-ms-vmagentlog-deploymentid is not that of the goal state"},
		{"logs of another container", "PUT", "/vmAgentLog", "PK", []string{hostGAVersion, "x-ms-containerid: other"}, 400, "InvalidContainerConfiguration", "x-ms-containerid is not that of the goal state"},
		{"an artifact", "GET", "/extensionArtifact", "", append([]string{"x-ms-artifact-location: https://blob.test/a.zip"}, right...), 404, "BlobNotFound", ""},
		{"no artifact", "GET", "/extensionArtifact", "", right, 400, "MissingArtifactLocation", "missing x-ms-artifact-location"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := fabric(t, nil)
			status, body, header := ask(t, f.HostGA(), row.method, row.target, row.body, row.headers...)
			if status != row.status {
				t.Errorf("status %d, want %d: %s", status, row.status, body)
			}
			if row.code != "" {
				if got, err := goalstate.ParseServiceError([]byte(body)); err != nil || got.Code != row.code {
					t.Errorf("error %+v (%v), want code %s", got, err, row.code)
				}
			}
			if body != "" && header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("content type %q", header.Get("Content-Type"))
			}
			wantVerdict(t, f, row.verdict)
			if entry := f.Journal()[0]; entry.Service != emulator.ServiceHostGA || entry.Status != row.status {
				t.Errorf("journal has %+v", entry)
			}
		})
	}
}

func TestHostGAVersions(t *testing.T) {
	t.Parallel()
	if _, body, _ := ask(t, fabric(t, nil).HostGA(), http.MethodGet, "/versions", "", hostGAOwn); body != `["2015-09-01"]` {
		t.Errorf("versions %s", body)
	}
}

// vmSettings asks for the document as the guest agent does.
func vmSettings(t *testing.T, f *emulator.Fabric, headers ...string) (int, string, string) {
	t.Helper()
	g := goalState(t, f)
	headers = append(headers, hostGAVersion, "x-ms-containerid: "+g.ContainerID, "x-ms-host-config-name: "+g.ConfigName)
	status, body, header := ask(t, f.HostGA(), http.MethodGet, "/vmSettings", "", headers...)
	return status, body, header.Get("ETag")
}

const testBlob = "https://blob.test/$system/vm.status?sv=2018-03-28&sig=KNWgC2%3d"

func withExtensions(s *emulator.Scenario) {
	s.VM.SubscriptionID, s.VM.ResourceGroup, s.VM.Size = "b5a8c1de-0f47-4e32-8d19-6c2f9e7a3b10", "rg", "Standard_B1s"
	s.WireServer.Extensions = emulator.Extensions{
		Families: []emulator.AgentFamily{
			{Name: "Prod", Version: "2.15.0.1", URIs: []string{"https://blob.test/a.xml", "https://blob.test/b.xml"}},
			{Name: "Test"},
		},
		StatusUploadBlob: emulator.StatusUploadBlob{Type: emulator.StatusBlobTypePage, URL: azprov.NewSecret([]byte(testBlob))},
		SequenceNumber:   9, CreatedOn: time.Date(2020, time.November, 9, 17, 48, 50, 412_123_000, time.UTC),
		ActivityID: "f32f99b5-4347-4ad2-b901-6e795254ac5b", CorrelationID: "6dcbeebc-d90e-4c71-b058-6ac175dc65ee",
	}
}

func TestVMSettingsDocument(t *testing.T) {
	t.Parallel()
	const vm = `"inVMMetadata":{"subscriptionId":"","resourceGroupName":"","vmName":"test_vm-1","location":"westeurope",` +
		`"vmId":"91267c52-9f02-4cfe-b1f4-a4da7ebac2cf","vmSize":"","osType":"Linux"}`
	for _, row := range []struct {
		name string
		edit func(*emulator.Scenario)
		want string
	}{
		{"nothing wanted", nil, `{"hostGAPluginVersion":"1.0.8.175","activityId":"eece801f-5c9c-89b7-b209-5a1f789f3c8c",
			"correlationId":"cd3528b9-5138-8ce3-aac1-2af8f4f7e186","inSvdSeqNo":1,"certificatesRevision":0,"extensionsLastModifiedTickCount":638712864000000000,
			"extensionGoalStatesSource":"Fabric",` + vm + `,"gaFamilies":[],"extensionGoalStates":[]}`},
		{"families and a blob", withExtensions, `{"hostGAPluginVersion":"1.0.8.175","activityId":"f32f99b5-4347-4ad2-b901-6e795254ac5b",
			"correlationId":"6dcbeebc-d90e-4c71-b058-6ac175dc65ee","inSvdSeqNo":9,"certificatesRevision":0,
			"extensionsLastModifiedTickCount":637405409304121230,"extensionGoalStatesSource":"Fabric",
			"statusUploadBlob":{"statusBlobType":"PageBlob","value":"` + testBlob + `"},
			"inVMMetadata":{"subscriptionId":"b5a8c1de-0f47-4e32-8d19-6c2f9e7a3b10","resourceGroupName":"rg","vmName":"test_vm-1",
			"location":"westeurope","vmId":"91267c52-9f02-4cfe-b1f4-a4da7ebac2cf","vmSize":"Standard_B1s","osType":"Linux"},
			"gaFamilies":[{"name":"Prod","version":"2.15.0.1","uris":["https://blob.test/a.xml","https://blob.test/b.xml"]},
			{"name":"Test","uris":[]}],"extensionGoalStates":[]}`},
		{"patched", func(s *emulator.Scenario) {
			withExtensions(s)
			s.HostGA.VMSettings = json.RawMessage(`{"extensionGoalStatesSource":"FastTrack","gaFamilies":null,"inVMMetadata":null,
				"extensionsLastModifiedTickCount":638852750771746341,"statusUploadBlob":null}`)
		}, `{"hostGAPluginVersion":"1.0.8.175","activityId":"f32f99b5-4347-4ad2-b901-6e795254ac5b",
			"correlationId":"6dcbeebc-d90e-4c71-b058-6ac175dc65ee","inSvdSeqNo":9,"certificatesRevision":0,
			"extensionsLastModifiedTickCount":638852750771746341,"extensionGoalStatesSource":"FastTrack","extensionGoalStates":[]}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			status, body, _ := vmSettings(t, fabric(t, row.edit))
			if diff := cmp.Diff(numbers(t, row.want), numbers(t, body)); status != http.StatusOK || diff != "" {
				t.Errorf("status %d\n%s", status, diff)
			}
		})
	}
}

// numbers reads JSON whose numbers are too large for a float64.
func numbers(t *testing.T, document string) (value any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	return value
}

func TestVMSettingsETag(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	status, body, etag := vmSettings(t, f)
	if status != http.StatusOK || len(etag) < 3 || strings.Trim(etag, `"0123456789`) != "" {
		t.Fatalf("status %d, ETag %s: %s", status, etag, body)
	}
	for _, held := range []string{etag, strings.Trim(etag, `"`)} {
		if status, body, again := vmSettings(t, f, "if-none-match: "+held); status != http.StatusNotModified || body != "" || again != etag {
			t.Errorf("with %s: status %d, ETag %s, body %q", held, status, again, body)
		}
	}
	if headers := f.Journal()[3].Headers; headers["If-None-Match"] != etag {
		t.Errorf("the journal has the headers %v", headers)
	}
	if _, _, other := vmSettings(t, fabric(t, withExtensions)); other == etag {
		t.Error("another document has the same ETag")
	}
}

// A VM that moves leaves its container, and one of a pool its settings.
func TestHostGAAfterAMigration(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	first, name := goalState(t, f), "x-ms-host-config-name: "
	f.Migrate()
	stale := func() (int, string) {
		status, body, _ := ask(t, f.HostGA(), http.MethodGet, "/vmSettings", "", hostGAVersion, "x-ms-containerid: "+first.ContainerID, name+first.ConfigName)
		return status, body
	}
	status, body := stale()
	if e, err := goalstate.ParseServiceError([]byte(body)); status != http.StatusGone || err != nil || e.Code != goalstate.ErrorCodeResourceNotAvailable {
		t.Errorf("the old container: status %d, %s", status, body)
	}
	wantVerdict(t, f, "x-ms-containerid of a stale goal state")
	if status, body, _ := vmSettings(t, f); status != http.StatusOK {
		t.Errorf("the new container: status %d, %s", status, body)
	}
	f.Migrate()
	if status, _ := stale(); status != http.StatusGone {
		t.Errorf("the first container after two moves: status %d", status)
	}
}

func TestHostGAWithoutVMSettings(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) { s.HostGA.NoVMSettings = true })
	status, body, etag := vmSettings(t, f)
	if e, err := goalstate.ParseServiceError([]byte(body)); status != http.StatusNotFound || err != nil || e.Code == "" || etag != "" {
		t.Errorf("status %d, ETag %q: %s", status, etag, body)
	}
	wantVerdict(t, f, "")
}

func TestHostGAStatusUploadToAnotherBlob(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ uri, verdict string }{
		{testBlob, ""},
		{testBlob + "&comp=page", ""},
		{"https://blob.test/other?sig=a", "status upload to another blob"},
	} {
		f := fabric(t, withExtensions)
		body, err := json.Marshal(map[string]string{"content": "e30=", "requestUri": row.uri})
		if err != nil {
			t.Fatal(err)
		}
		if status, answer, _ := ask(t, f.HostGA(), http.MethodPut, "/status", string(body), hostGAVersion, hostGAOwn, hostGAConfig); status != http.StatusOK || answer != "" {
			t.Errorf("%s: status %d: %s", row.uri, status, answer)
		}
		wantVerdict(t, f, row.verdict)
	}
}

// The signature of the status blob's URL lets anybody write, and protected settings are
// nobody else's.
func TestHostGASecretsAreNotInTheJournal(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) {
		withExtensions(s)
		s.HostGA.VMSettings = json.RawMessage(`{"extensionGoalStates":[{"settings":[{"protectedSettings":"TUlJ-protected"}]}]}`)
	})
	for _, secret := range []string{testBlob, "TUlJ-protected"} {
		ask(t, f.HostGA(), http.MethodGet, "/extensionArtifact", "", hostGAVersion, hostGAOwn, hostGAConfig, "x-ms-artifact-location: "+secret)
		if headers := f.Journal()[len(f.Journal())-1].Headers; headers["X-Ms-Artifact-Location"] != azprov.Redacted {
			t.Errorf("the journal has the headers %v", headers)
		}
	}
}

func TestHostGAFaults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		fault  emulator.Fault
		status int
		code   string
		err    error
	}{
		{"moved away", emulator.Fault{Status: 400}, 400, "InvalidContainerConfiguration", nil},
		{"no access", emulator.Fault{Status: 403}, 403, "AccessDenied", nil},
		{"not there", emulator.Fault{Status: 404}, 404, "NotFound", nil},
		{"gone", emulator.Fault{Status: 410}, 410, "ResourceNotAvailable", nil},
		{"broken", emulator.Fault{Status: 500}, 500, "InternalServerError", nil},
		{"its own trouble", emulator.Fault{Status: 502}, 502, "InternalError", nil},
		{"reset", emulator.Fault{Kind: emulator.FaultReset}, 0, "", io.EOF},
		{"cut", emulator.Fault{Kind: emulator.FaultTruncate, Path: "/versions"}, 0, "", io.ErrUnexpectedEOF},
		{"refused", emulator.Fault{Refuse: emulator.Duration(time.Second)}, 0, "", syscall.ECONNREFUSED},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			inMemory(t, func(s *emulator.Scenario) { s.HostGA.Faults = []emulator.Fault{row.fault} }, func(b *bubble) {
				t, url := b.t, b.server.HostGAURL()+"/versions"
				resp, err := fetch(t, b.server.Client(), http.MethodGet, url, "")
				if !errors.Is(err, row.err) || err == nil && resp.status != row.status {
					t.Errorf("status %d, error %v, want %d, %v", resp.status, err, row.status, row.err)
				}
				if row.code != "" {
					if e, err := goalstate.ParseServiceError([]byte(resp.body)); err != nil || e.Code != row.code {
						t.Errorf("%s: %v, want code %s", resp.body, err, row.code)
					}
				}
				// The others are not concerned.
				if _, err := fetch(t, b.server.Client(), http.MethodGet, b.server.WireServerURL()+"/?comp=versions", ""); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
				if resp, err := fetch(t, b.server.Client(), http.MethodGet, url, ""); err != nil || resp.status != http.StatusOK {
					t.Errorf("and then: status %d, %v", resp.status, err)
				}
			})
		})
	}
}

func TestHostGAAbsent(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) { s.HostGA.Absent = true }, func(b *bubble) {
		if _, err := fetch(b.t, b.server.Client(), http.MethodGet, b.server.HostGAURL()+"/versions", ""); !errors.Is(err, syscall.ECONNREFUSED) {
			b.t.Errorf("error %v", err)
		}
	})
}

// A VM of a pool takes its owner's settings and role configuration, and stays in its
// container.
func TestHostGAInAPool(t *testing.T) {
	t.Parallel()
	pooled(t, "pps-running", false, nil, func(p *poolVM) {
		t, f := p.t, p.fabric
		first := goalState(t, f)
		f.Migrate()
		pool := goalState(t, f)
		status, body, etag := vmSettings(t, f)
		if status != http.StatusOK || between(body, `"vmName":"`) != f.VM().Name {
			t.Errorf("in the pool: status %d, %s", status, body)
		}
		p.report(ready)
		time.Sleep(time.Minute)
		status, body, other := vmSettings(t, f, "if-none-match: "+etag)
		if status != http.StatusOK || between(body, `"vmName":"`) != f.Owner().Name || other == etag {
			t.Errorf("as the owner's: status %d, ETag %s and %s, %s", status, etag, other, body)
		}
		for _, row := range []struct {
			name, container, config string
			status                  int
			code                    string
		}{
			{"the container that it left in the pool", first.ContainerID, goalState(t, f).ConfigName, 410, goalstate.ErrorCodeResourceNotAvailable},
			{"the role of the pool", pool.ContainerID, pool.ConfigName, 410, goalstate.ErrorCodeRequestRoleConfigFileNotFound},
		} {
			status, body, _ := ask(t, f.HostGA(), http.MethodGet, "/vmSettings", "", hostGAVersion, "x-ms-containerid: "+row.container, "x-ms-host-config-name: "+row.config)
			if e, err := goalstate.ParseServiceError([]byte(body)); status != row.status || err != nil || e.Code != row.code {
				t.Errorf("%s: status %d, %s", row.name, status, body)
			}
		}
	})
}
