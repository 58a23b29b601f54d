package emulator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	outcome "github.com/azprov/azprov/report"
	"github.com/azprov/azprov/report/kvp"
)

// Secrets of the VM are found wherever an agent puts them, and appear nowhere.
func TestHostHoldsNoSecret(t *testing.T) {
	t.Parallel()
	const quoted = `it's "Bollard", | or 50%+`
	s := theTestScenario(t)
	s.VM.Password = azprov.NewSecret([]byte(quoted))
	source := kvp.Source{Prefix: "PILOT"}
	const inReport, inEvent = "secret in the KVP report", "secret in a KVP event"
	for _, row := range []struct {
		name    string
		step    step
		verdict string
	}{
		{"the reason", upsert(bad(quoted)), inReport},
		{"azure-init's quotes", upsert(`result=error|"reason=it's ""Bollard"", | or 50%+"|agent=pilot/1`), inReport},
		{"supporting data", upsert("result=error|reason=fog|agent=pilot/1|'argument=it''s \"Bollard\", | or 50%+'"), inReport},
		{"a key", upsert("result=error|reason=fog|user data not to be seen=1"), inReport},
		{"no record", upsert("the password is " + quoted), inReport},
		{"JSON", upsert(`result=error|reason=fog|agent=pilot/1|body={"data":"#cloud-config\nhostname: not-to-be-seen\n"}`), inReport},
		{"base64", upsert("result=error|reason=fog|agent=pilot/1|data=dXNlciBkYXRhIG5vdCB0byBiZSBzZWVu"), inReport},
		{"percent-encoded", upsert("result=error|reason=fog|agent=pilot/1|url=http://x/?d=user%20data%20not%20to%20be%20seen"), inReport},
		{"the URL", upsert("result=error|reason=fog|documentation_url=http://x/user+data+not+to+be+seen"), inReport},
		{"a broken line", upsert("result=error|reason=user data not\nto be seen|agent=pilot/1"), inReport},
		{"a record of an image", upsert(bad(quoted, age(time.Hour))), inReport},
		{"a field that ends too early", upsert("result=error|'reason=it''s \"Bollard\", | or 50%+"), inReport},
		{
			"an event",
			record(source.Records(kvp.Event{Type: kvp.EventDiagnostic, Name: "x", Message: strings.Repeat("fog ", 300) + quoted})...),
			inEvent,
		},
		{"an event's name", record(source.Records(kvp.Event{Type: kvp.EventStart, Name: testUserData})...), inEvent},
		{
			"a cut in it",
			record(source.Records(kvp.Event{Type: kvp.EventStart, Name: "x", Message: strings.Repeat("x", 925) + quoted})...),
			inEvent,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var journal bytes.Buffer
			vm := newHostVM(t, s, emulator.Options{Journal: &journal})
			row.step(vm)
			collect(vm)
			failure("result=error|reason=fog|agent=pilot/1")(vm)
			var verdicts []string
			for _, entry := range vm.fabric.Journal() {
				verdicts = append(verdicts, entry.Verdicts...)
			}
			if all := strings.Join(verdicts, ";"); !strings.Contains(all, row.verdict) {
				t.Errorf("verdicts %q", verdicts)
			}
			text := journal.String() + everything(t, vm.fabric)
			for _, part := range []string{"Bollard", "not-to-be", "not to be", "to be seen", "not+to", "not%20to", "dXNlciBkYXRh"} {
				if at := strings.Index(text, part); at >= 0 {
					t.Errorf("%q is written down: …%s…", part, text[max(0, at-80):min(len(text), at+80)])
				}
			}
			if !strings.Contains(text, "redacted") {
				t.Error("nothing was replaced")
			}
		})
	}
}

// The guest has a private key in DER, and an agent that gives it away does so in base64.
func TestHostKnowsPrivateKeys(t *testing.T) {
	t.Parallel()
	s, err := emulator.LookupScenario("fingerprint-keys")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(s.VM.Certificates[0].PrivateKey.Reveal())
	key := base64.StdEncoding.EncodeToString(block.Bytes)
	vm := newHostVM(t, s, emulator.Options{})
	source := kvp.Source{Prefix: "PILOT"}
	record(source.Records(kvp.Event{Type: kvp.EventDiagnostic, Name: "x", Message: "the key is " + key})...)(vm)
	collect(vm)
	if got := everything(t, vm.fabric); strings.Contains(got, key[40:80]) || !strings.Contains(got, azprov.Redacted) {
		t.Errorf("%s", got)
	}
}

// everything is all that a fabric gives out of a pool with one record or event.
func everything(t *testing.T, f *emulator.Fabric) string {
	t.Helper()
	reports, events := f.HostReports(), f.HostEvents()
	b, err := json.Marshal([]any{events, reports})
	if err != nil || len(reports)+len(events) != 1 {
		t.Fatal(err, reports, events)
	}
	text := string(b)
	for _, r := range reports {
		for _, d := range r.Report.Supporting {
			text += d.Key + "=" + d.Value
		}
		text += r.Report.Reason + r.Report.DocumentationURL + r.Raw
	}
	for _, e := range events {
		text += e.Message + e.Name
	}
	return text
}

// A secret does not spoil the rest of the record, however it is quoted there.
func TestHostReportAroundASecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{testPassword, `Bollard's "Rope"`} {
		for _, dialect := range outcome.PossibleDialectValues() {
			s := theTestScenario(t)
			s.VM.Password = azprov.NewSecret([]byte(secret))
			vm := newHostVM(t, s, emulator.Options{})
			r := outcome.Report{
				Result: outcome.ResultError, Reason: "wrong password |" + secret, Agent: "pilot%2F1", Timestamp: time.Now(),
				Supporting: []azprov.Detail{{Key: "share", Value: "100%+"}},
			}
			upsert(r.Encode(dialect))(vm)
			collect(vm)
			got := vm.fabric.HostReports()[0]
			if want := "wrong password |" + azprov.Redacted; got.Report.Reason != want || got.Report.Agent != "pilot%2F1" || got.Report.Timestamp.IsZero() || len(got.Warnings) > 0 {
				t.Errorf("%+v", got)
			}
			for _, part := range []string{"result=error|", azprov.Redacted, "|agent=pilot%2F1|share=100%+|", "|timestamp=", "+00:00|"} {
				if !strings.Contains(got.Raw, part) {
					t.Errorf("%s: %q has no %q", dialect, got.Raw, part)
				}
			}
		}
	}
}
