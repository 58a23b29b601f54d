package emulator_test

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

const (
	firstID  = "91267c52-9f02-4cfe-b1f4-a4da7ebac2cf"
	secondID = "0f0e0d0c-0b0a-4909-8807-060504030201"
	thirdID  = "5b3e9d17-c084-4a6f-92e1-0d7f6c18a2b5"
)

// conversation is one of an agent, whose ids begin with the digit and whose times are at.
func conversation(digit string, at time.Time, port string) []emulator.Entry {
	container, instance := digit+firstID[1:], digit+secondID[1:]+"._harbour_01"
	incarnation := digit
	return []emulator.Entry{{
		Service: "imds", Method: "GET", Path: "/metadata/instance?api-version=2021-08-01&extended=true", Status: 200, Time: at,
		Headers: map[string]string{"Metadata": "true", "User-Agent": "Cloud-Init/" + digit + "2.4", "X-Ms-Client-Request-Id": digit + thirdID[1:]},
	}, {
		Service: "imds", Method: "GET", Path: "/metadata/instance?api-version=2021-08-01&extended=true", Status: 503, Fault: "503", Time: at.Add(time.Second),
		Headers: map[string]string{"Metadata": "true", "User-Agent": "Cloud-Init/" + digit + "2.5", "X-Ms-Client-Request-Id": digit + firstID[1:]},
	}, {
		Service: "wireserver", Method: "GET", Path: "/machine/" + container + "/" + strings.ReplaceAll(instance, "_", "%5f") + "?comp=certificates&incarnation=" + incarnation,
		Headers: map[string]string{"X-Ms-Guest-Agent-Public-X509-Cert": digit + "IIC… (1060 characters)"}, Status: 0, Fault: "reset", DurationMs: at.Unix() % 100,
	}, {
		Service: "wireserver", Method: "POST", Path: "/machine?comp=health", Status: 200, Verdicts: []string{},
		Report: &emulator.Report{
			State: "Failed", SubStatus: "ProvisioningFailed", Format: "xml", Time: at,
			Description: "result=error|reason=http://127.0.0.1:" + port + "/metadata failed after 1" + digit + ".5s|agent=Cloud-Init/" + digit + "2.4|duration=" + digit + ".25|vm_id=" + container + "|timestamp=" + at.Format(time.RFC3339Nano),
		},
		Body:   &emulator.Body{Length: 60, Text: "<ContainerId>" + container + "</ContainerId><GoalStateIncarnation>" + incarnation + "</GoalStateIncarnation>"},
		Answer: &emulator.Answer{Headers: map[string]string{"X-Ms-Version": "2012-11-30"}, Body: &emulator.Body{Length: 2, Text: "ok\n"}},
	}}
}

const wantTranscript = `imds GET /metadata/instance?api-version=2021-08-01&extended=true Metadata=true User-Agent=Cloud-Init X-Ms-Client-Request-Id={uuid} -> 200
imds GET /metadata/instance?api-version=2021-08-01&extended=true Metadata=true User-Agent=Cloud-Init X-Ms-Client-Request-Id={uuid} -> 503 fault=503
wireserver GET /machine/{container-1}/{instance-1}?comp=certificates&incarnation={incarnation} X-Ms-Guest-Agent-Public-X509-Cert={certificate} -> none fault=reset
wireserver POST /machine?comp=health -> 200 report="Failed/ProvisioningFailed/xml: result=error|reason=http://{address}/metadata failed after {duration}|agent=Cloud-Init/{version}|duration={duration}|vm_id={container-1}|timestamp={time}"
`

func TestTranscriptIsStable(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		digit string
		at    time.Time
		port  string
	}{{"1", at, "8001"}, {"7", at.Add(98765 * time.Second), "49152"}, {"9", at.Add(123 * time.Millisecond), "80"}} {
		if diff := cmp.Diff(wantTranscript, emulator.Transcript(conversation(row.digit, row.at, row.port))); diff != "" {
			t.Errorf("ids that begin with %s:\n%s", row.digit, diff)
		}
	}
	bodies := emulator.TranscriptWith(conversation("3", at, "1"), &emulator.TranscriptOptions{Bodies: true})
	if want := wantTranscript + "> <ContainerId>{container-1}</ContainerId><GoalStateIncarnation>{incarnation}</GoalStateIncarnation>\n< ok\n"; bodies != want {
		t.Error(cmp.Diff(want, bodies))
	}
}

// Whatever an agent does otherwise shows.
func TestTranscriptShowsAChange(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	plain := emulator.Transcript(conversation("1", at, "8001"))
	seen := map[string]string{plain: "nothing"}
	for name, change := range map[string]func([]emulator.Entry){
		"method":            func(e []emulator.Entry) { e[0].Method = "POST" },
		"service":           func(e []emulator.Entry) { e[0].Service = "wireserver" },
		"path":              func(e []emulator.Entry) { e[0].Path = strings.Replace(e[0].Path, "instance", "instances", 1) },
		"slash":             func(e []emulator.Entry) { e[3].Path = "/machine/?comp=health" },
		"api-version":       func(e []emulator.Entry) { e[0].Path = strings.Replace(e[0].Path, "2021-08-01", "2019-06-01", 1) },
		"query":             func(e []emulator.Entry) { e[0].Path = strings.TrimSuffix(e[0].Path, "&extended=true") },
		"header":            func(e []emulator.Entry) { e[0].Headers["Metadata"] = "True" },
		"header that is no": func(e []emulator.Entry) { delete(e[0].Headers, "Metadata") },
		"product":           func(e []emulator.Entry) { e[0].Headers["User-Agent"] = "WALinuxAgent/2.7.3.0" },
		"product's part":    func(e []emulator.Entry) { e[0].Headers["User-Agent"] = "WALinuxAgent/2.7.3.0+health" },
		"stale container": func(e []emulator.Entry) {
			e[3].Path = "/machine/" + thirdID + "/x?comp=config"
		},
		"incarnation":      func(e []emulator.Entry) { e[3].Path = "/machine?comp=health&incarnation=2" },
		"next incarnation": func(e []emulator.Entry) { e[3].Path = "/machine?comp=health&incarnation=3" },
		"status":           func(e []emulator.Entry) { e[0].Status = 404 },
		"fault":            func(e []emulator.Entry) { e[2].Fault = "hang" },
		"verdict":          func(e []emulator.Entry) { e[0].Verdicts = []string{"unknown path"} },
		"report's state":   func(e []emulator.Entry) { e[3].Report.State = "Ready" },
		"report's format":  func(e []emulator.Entry) { e[3].Report.Format = "json" },
		"report's pool":    func(e []emulator.Entry) { e[3].Report.Pool = true },
		"report's text":    func(e []emulator.Entry) { e[3].Report.Description = "another" },
		"another VM": func(e []emulator.Entry) {
			e[3].Report.Description = strings.Replace(e[3].Report.Description, firstID[1:], thirdID[1:], 1)
		},
		"order": func(e []emulator.Entry) { e[0], e[2] = e[2], e[0] },
		"VM":    func(e []emulator.Entry) { e[0].VM = "one" },
	} {
		entries := conversation("1", at, "8001")
		for i := range entries {
			entries[i].Headers = maps.Clone(entries[i].Headers)
		}
		change(entries)
		got := emulator.Transcript(entries)
		if same, ok := seen[got]; ok {
			t.Errorf("with another %s it is the same as with another %s:\n%s", name, same, got)
		}
		seen[got] = name
	}
}

func TestTranscriptEscapes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/a%2Db%5fc": "/a-b_c", "/a%2fb": "/a%2Fb", "/a%zz%4": "/a%zz%4", "/a%25zz": "/a%25zz",
		"/a?b=%3d%26&c": "/a?b=%3D%26&c", "/%C3%a9": "/%C3%A9", "/": "/",
		"/a/" + firstID + "?id=" + firstID + "&id=" + secondID: "/a/{uuid-1}?id={uuid-1}&id={uuid-2}",
		"/machine/a/b?incarnation=12&incarnation=11":           "/machine/{container-1}/{instance-1}?incarnation={incarnation}&incarnation={incarnation-1}",
		"/machine/?comp=goalstate":                             "/machine/?comp=goalstate",
		"/machine/a/b?incarnation=x":                           "/machine/{container-1}/{instance-1}?incarnation=x",
	} {
		got := emulator.Transcript([]emulator.Entry{{Service: "imds", Method: "GET", Path: path}})
		if want := "imds GET " + want + " -> none\n"; got != want {
			t.Errorf("%s gives %q, want %q", path, got, want)
		}
	}
}

func TestTranscriptTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"agent=Azure-Init/0.1.1+abc|x":                       "agent=Azure-Init/{version}|x",
		"agent=azure-init v0.1.1 |x":                         "agent=azure-init v{version} |x",
		"WALinuxAgent-2.7.3.0 says":                          "WALinuxAgent-{version} says",
		"dial tcp 127.0.0.1:43211: refused":                  "dial tcp {address}: refused",
		"dial tcp [::1]:43211: refused":                      "dial tcp {address}: refused",
		"http://169.254.169.254/metadata":                    "http://{address}/metadata",
		"the address 10.20.0.4 is taken":                     "the address 10.20.0.4 is taken",
		"8 attempts in 1m20.5s, 3 seconds each, 20ms, 1.5 s": "8 attempts in {duration}, {duration} each, {duration}, 1.5 s",
		"00:0d:3a:00:00:01 and 00-0D-3A-00-00-01":            "{mac-1} and {mac-2}",
		`{"macAddress":"000D3A000001"}`:                      `{"macAddress":"{mac-1}"}`,
		"traceback_base64=VHJhY2ViYWNr|x":                    "traceback_base64={traceback}|x",
		"at 2026-11-23 10:00:00,123 or 2026-11-23T10:00:00Z": "at {time} or {time}",
		"<object at 0x7f00aabbcc00>, not 0x1f":               "<object at {pointer}>, not 0x1f",
		"api-version=2021-08-01":                             "api-version=2021-08-01",
		"reason=first line\nsecond":                          "reason=first line\nsecond",
	} {
		got := emulator.Transcript([]emulator.Entry{{
			Service: "kvp", Method: "READ", Path: "PROVISIONING_REPORT", HostReport: &emulator.HostReport{Raw: text},
		}})
		if want := "kvp READ PROVISIONING_REPORT -> none report=" + quoteIfNeeded(want) + "\n"; got != want {
			t.Errorf("%q gives\n%swant\n%s", text, got, want)
		}
	}
}

func TestTranscriptRepeats(t *testing.T) {
	t.Parallel()
	poll := emulator.Entry{Service: "imds", Method: "GET", Path: "/metadata/reprovisiondata", Status: 404}
	other := emulator.Entry{Service: "wireserver", Method: "GET", Path: "/machine?comp=goalstate", Status: 200}
	entries := []emulator.Entry{poll, poll, poll, other, poll}
	const (
		polled = "imds GET /metadata/reprovisiondata -> 404"
		asked  = "wireserver GET /machine?comp=goalstate -> 200\n"
	)
	for _, row := range []struct {
		name    string
		options *emulator.TranscriptOptions
		want    string
	}{
		{"by default", nil, polled + " x3\n" + asked + polled + "\n"},
		{"counted", &emulator.TranscriptOptions{Repeats: emulator.RepeatsCounted}, polled + " x3\n" + asked + polled + "\n"},
		{"folded", &emulator.TranscriptOptions{Repeats: emulator.RepeatsFolded}, polled + "\n" + asked + polled + "\n"},
		{"apart", &emulator.TranscriptOptions{Repeats: emulator.RepeatsApart}, strings.Repeat(polled+"\n", 3) + asked + polled + "\n"},
		{"by service", &emulator.TranscriptOptions{ByService: true}, polled + " x4\n" + asked},
	} {
		if got := emulator.TranscriptWith(entries, row.options); got != row.want {
			t.Errorf("%s:\n%s", row.name, cmp.Diff(row.want, got))
		}
	}
	if got := emulator.Transcript(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

// Two fabrics have the same transcript, whatever their ids.
func TestTranscriptOfAFabric(t *testing.T) {
	t.Parallel()
	talk := func(edit func(*emulator.Scenario)) string {
		f := fabric(t, edit)
		ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true", "User-Agent: pilot/1.2.3")
		g := goalState(t, f)
		report(t, f, g, goalstate.Health{State: "NotReady", SubStatus: "Provisioning", Description: "Starting"})
		f.Migrate()
		report(t, f, g, goalstate.Health{State: "Ready"})
		report(t, f, goalState(t, f), goalstate.Health{State: "Ready"})
		return emulator.Transcript(f.Journal())
	}
	first := talk(nil)
	second := talk(func(s *emulator.Scenario) {
		s.WireServer.Incarnation, s.WireServer.ContainerID = 41, thirdID
		s.VM.HostName = "other"
	})
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
	const want = `wireserver POST /machine?comp=health Content-Type="text/xml; charset=utf-8" X-Ms-Version=2012-11-30 -> 410 report=Ready/xml verdict="health for a stale goal state"` + "\n"
	if !strings.Contains(first, want) {
		t.Errorf("%q is missing in:\n%s", want, first)
	}
}

func quoteIfNeeded(s string) string {
	if strings.ContainsAny(s, " \n\"") {
		return strconv.Quote(s)
	}
	return s
}
