package goalstate_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/record"
)

func testHealth(state goalstate.HealthState, sub goalstate.HealthSubStatus, description string) goalstate.Health {
	return goalstate.Health{
		Incarnation: "2", ContainerID: "0c5bb9f4-3f0d-4f4c-9a27-1de0b5a6f001",
		InstanceID: "7a4d2f6e-0d7c-4c36-8a4e-5b1f9d0c2e11._vm1",
		State:      state, SubStatus: sub, Description: description,
	}
}

const failureRecord = "result=error|reason=http error 500 querying IMDS|agent=azprov/0.1|http_code=500|" +
	"'exception=Error(''a|b'')'|vm_id=91267c52-9f02-4cfe-b1f4-a4da7ebac2cf|" +
	"timestamp=2026-01-02T03:04:05+00:00|documentation_url=https://aka.ms/linuxprovisioningerror"

// What is sent is golden, and is read as what was sent.
func TestHealthBodies(t *testing.T) {
	t.Parallel()
	const (
		ready, notReady      = goalstate.HealthStateReady, goalstate.HealthStateNotReady
		provisioning, failed = goalstate.HealthSubStatusProvisioning, goalstate.HealthSubStatusProvisioningFailed
	)
	escaped := testHealth(notReady, failed, `a < b && c > "d" 'e' – ünïcödé`)
	escaped.Incarnation, escaped.ContainerID, escaped.InstanceID = "<1>", "c&c", "i<i"
	for _, tc := range []struct {
		golden string
		health goalstate.Health
	}{
		{"health_ready", testHealth(ready, "", "")},
		{"health_not_ready", testHealth(notReady, "", "")},
		{"health_provisioning", testHealth(notReady, provisioning, "Starting")},
		{"health_failed", testHealth(notReady, failed, failureRecord)},
		{"health_failed_no_description", testHealth(notReady, failed, "")},
		{"health_escaped", escaped},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			t.Parallel()
			body, err := tc.health.EncodeXML()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tc.golden+".xml", body)
			again, err := goalstate.ParseHealthXML(body)
			if diff := cmp.Diff(tc.health, again); diff != "" || err != nil {
				t.Errorf("read again: %v, -want +got:\n%s", err, diff)
			}

			body, err = tc.health.EncodeJSON()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tc.golden+".json", body)
			again, err = goalstate.ParseHealthJSON(body)
			again.Incarnation, again.ContainerID, again.InstanceID = tc.health.Incarnation, tc.health.ContainerID, tc.health.InstanceID
			if diff := cmp.Diff(tc.health, again); diff != "" || err != nil {
				t.Errorf("read again: %v, -want +got:\n%s", err, diff)
			}
		})
	}
}

func TestHealthRemovesWhatXMLCannotHold(t *testing.T) {
	t.Parallel()
	h := testHealth(goalstate.HealthStateNotReady, goalstate.HealthSubStatusProvisioning, "a\x00\x1b[1m\ufffe\tb\x80c")
	const want = "a[1m\tb\ufffdc"
	body, err := h.EncodeXML()
	if err != nil || !strings.Contains(string(body), "<Description>"+want+"</Description>") {
		t.Errorf("%v: %q", err, body)
	}
	body, err = h.EncodeJSON()
	if err != nil || !strings.Contains(string(body), `"description":"a[1m\tb`+"\ufffd"+`c"`) {
		t.Errorf("%v: %q", err, body)
	}
}

func TestHealthStaysBelowItsLimit(t *testing.T) {
	t.Parallel()
	for name, description := range map[string]string{
		"plain text":             strings.Repeat("x", 10000),
		"text to escape":         strings.Repeat("<", 5000),
		"text of many bytes":     strings.Repeat("😀", 5000),
		"long supporting data":   strings.Replace(failureRecord, "http_code=500", "http_code="+strings.Repeat("a", 9000), 1),
		"data to escape":         strings.Replace(failureRecord, "http_code=500", "http_code="+strings.Repeat(`<"&`, 3000), 1),
		"data to quote":          strings.Replace(failureRecord, "(''a", "("+strings.Repeat("''", 5000), 1),
		"a long reason":          strings.Replace(failureRecord, "IMDS", strings.Repeat("IMDS ", 2000), 1),
		"control characters":     "result=error|a=" + strings.Repeat("\n", 5000) + "b",
		"many pieces of data":    "result=error|" + strings.Repeat("key=value|", 1000) + "vm_id=1",
		"azure-init's quotation": `result=error|"error=` + strings.Repeat(`""x| `, 2000) + `"|vm_id=1`,
	} {
		h := testHealth(goalstate.HealthStateNotReady, goalstate.HealthSubStatusProvisioningFailed, description)
		for _, form := range []struct {
			name   string
			encode func(goalstate.Health) ([]byte, error)
			parse  func([]byte) (goalstate.Health, error)
		}{
			{"XML", goalstate.Health.EncodeXML, goalstate.ParseHealthXML},
			{"JSON", goalstate.Health.EncodeJSON, goalstate.ParseHealthJSON},
		} {
			t.Run(name+"/"+form.name, func(t *testing.T) {
				t.Parallel()
				body, err := form.encode(h)
				if err != nil {
					t.Fatal(err)
				}
				if len(body) > goalstate.MaxHealthBody || !utf8.Valid(body) {
					t.Errorf("%d bytes, valid UTF-8: %t", len(body), utf8.Valid(body))
				}
				// One piece more of the escaped text would not fit.
				if name != "many pieces of data" && len(body) < goalstate.MaxHealthBody-20 {
					t.Errorf("only %d bytes used", len(body))
				}
				got, err := form.parse(body)
				if err != nil {
					t.Fatal(err)
				}
				checkShortened(t, description, got.Description)
			})
		}
	}
}

// checkShortened wants a record to still be one, with all that names the VM.
func checkShortened(t *testing.T, before, after string) {
	t.Helper()
	if !strings.HasPrefix(before, "result=") {
		return
	}
	want, err := record.Decode(before)
	if err != nil {
		t.Fatal(err)
	}
	fields, err := record.Decode(after)
	if err != nil {
		t.Fatalf("%q: %v", after, err)
	}
	got := map[string]string{}
	for _, f := range fields {
		got[f.Key] = f.Value
	}
	for _, f := range want {
		switch f.Key {
		case "result", "agent", "vm_id", "timestamp", "documentation_url":
			if got[f.Key] != f.Value {
				t.Errorf("%s = %q, want %q", f.Key, got[f.Key], f.Value)
			}
		case "reason":
			if got["reason"] == "" || !strings.HasPrefix(f.Value, got["reason"]) {
				t.Errorf("reason = %q, want the start of %q", got["reason"], f.Value)
			}
		}
	}
}

func TestHealthRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	const (
		ready, notReady = goalstate.HealthStateReady, goalstate.HealthStateNotReady
		failed          = goalstate.HealthSubStatusProvisioningFailed
	)
	noID := func(edit func(*goalstate.Health)) goalstate.Health {
		h := testHealth(ready, "", "")
		edit(&h)
		return h
	}
	for _, tc := range []struct {
		name     string
		health   goalstate.Health
		kind     azprov.Kind
		jsonToo  bool
		fragment string
	}{
		{"no state", testHealth("", "", ""), azprov.KindInternal, true, `state ""`},
		{"an unknown state", testHealth("Fine", "", ""), azprov.KindInternal, true, `state "Fine"`},
		{"an unknown sub-status", testHealth(notReady, "Waiting", ""), azprov.KindInternal, true, `sub-status "Waiting"`},
		{"Ready with a sub-status", testHealth(ready, failed, ""), azprov.KindInternal, true, "Ready"},
		{"Ready with a description", testHealth(ready, "", "fine"), azprov.KindInternal, true, "description"},
		{"a description without a sub-status", testHealth(notReady, "", "hm"), azprov.KindInternal, true, "description"},
		{"no incarnation", noID(func(h *goalstate.Health) { h.Incarnation = "" }), azprov.KindInternal, false, "incarnation"},
		{"no container id", noID(func(h *goalstate.Health) { h.ContainerID = "\x00" }), azprov.KindInternal, false, "container id"},
		{"no instance id", noID(func(h *goalstate.Health) { h.InstanceID = "" }), azprov.KindInternal, false, "instance id"},
		{
			"an id that fills the report", noID(func(h *goalstate.Health) { h.InstanceID = strings.Repeat("i", 4000) }),
			azprov.KindTooLarge, false, "without a description",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			body, err := tc.health.EncodeXML()
			if body != nil || azprov.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.fragment) {
				t.Errorf("XML: %q, %v", body, err)
			}
			body, err = tc.health.EncodeJSON()
			if tc.jsonToo && (body != nil || azprov.KindOf(err) != tc.kind) {
				t.Errorf("JSON: %q, %v", body, err)
			}
			if !tc.jsonToo && err != nil {
				t.Errorf("JSON: %v", err)
			}
		})
	}
}

// Reports in the layouts of other agents.
func TestParseHealthOfOthers(t *testing.T) {
	t.Parallel()
	const xsi = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	want := goalstate.Health{
		Incarnation: "1", ContainerID: "c-1", InstanceID: "i_1", State: "NotReady",
		SubStatus: "ProvisioningFailed", Description: "result=error|reason=a < b",
	}
	const failure = `
  <GoalStateIncarnation>1</GoalStateIncarnation>
  <Container>
    <ContainerId>c-1</ContainerId>
    <RoleInstanceList>
      <Role>
        <InstanceId>i_1</InstanceId>
        <Health>
          <State>NotReady</State>
          <Details>
  <SubStatus>ProvisioningFailed</SubStatus>
  <Description>result=error|reason=a &lt; b</Description>
</Details>

        </Health>
      </Role>
    </RoleInstanceList>
  </Container>
`
	prefixed := strings.NewReplacer("</", "</h:", "<", "<h:").Replace(failure)
	for name, in := range map[string]string{
		"cloud-init's layout":        `<?xml version="1.0" encoding="utf-8"?>` + "\n<Health " + xsi + "\n xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">" + failure + "</Health>\n",
		"no declaration":             "<Health>" + failure + "</Health>",
		"a default namespace":        `<Health xmlns="urn:x">` + failure + "</Health>",
		"prefixes":                   `<h:Health xmlns:h="urn:x">` + prefixed + "</h:Health>",
		"byte-order mark":            "\ufeff<Health>" + failure + "</Health>",
		"more elements than we know": "<Health><New/>" + strings.Replace(failure, "<State>", "<More>1</More><State>", 1) + "</Health>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := goalstate.ParseHealthXML([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	got, err := goalstate.ParseHealthJSON([]byte(" {\n\"state\": \"Resting\", \"details\": {\"subStatus\": \"s\", \"x\": 1}, \"y\": []}\n"))
	if diff := cmp.Diff(goalstate.Health{State: "Resting", SubStatus: "s"}, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestPossibleHealthValues(t *testing.T) {
	t.Parallel()
	for _, state := range goalstate.PossibleHealthStateValues() {
		for _, sub := range goalstate.PossibleHealthSubStatusValues() {
			_, err := testHealth(state, sub, "").EncodeXML()
			if wantErr := state == goalstate.HealthStateReady; (err != nil) != wantErr || (err != nil && !errors.Is(err, azprov.ErrInternal)) {
				t.Errorf("%s, %s: %v", state, sub, err)
			}
		}
	}
}
