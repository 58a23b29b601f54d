package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/report/kvp"
)

// hostingEnvironment has a secret among its settings.
const hostingEnvironment = `<HostingEnvironmentConfig version="1.0.0.0" goalStateIncarnation="1">
  <StoredCertificates><StoredCertificate name="Stored0" certificateId="sha1:00AA" storeName="My" configurationLevel="System"/></StoredCertificates>
  <ApplicationSettings><Setting name="connection" value="AccountKey=Keel-Hauled-3"/></ApplicationSettings>
</HostingEnvironmentConfig>`

const settingSecret = "Keel-Hauled-3"

// documents are files for goalstate parse, by what they are.
func documents(t *testing.T) map[string]string {
	t.Helper()
	health, err := goalstate.Health{Incarnation: "1", ContainerID: "c", InstanceID: "i", State: goalstate.HealthStateReady}.EncodeXML()
	if err != nil {
		t.Fatal(err)
	}
	healthJSON, err := goalstate.Health{State: goalstate.HealthStateReady}.EncodeJSON()
	if err != nil {
		t.Fatal(err)
	}
	refusal := goalstate.ServiceError{Code: goalstate.ErrorCodeResourceNotAvailable, Message: "gone"}
	texts := map[string]string{
		"GoalState":                string(goalstate.GoalState{Incarnation: "7", ContainerID: "hull", InstanceID: "rudder"}.Encode()),
		"Versions":                 string(goalstate.Versions{Preferred: "2015-04-05", Supported: []string{"2012-11-30"}}.Encode()),
		"HostingEnvironmentConfig": hostingEnvironment,
		"SharedConfig":             string(goalstate.SharedConfig{Incarnation: goalstate.RoleIncarnation{Number: "1", Instance: "harbour-01"}}.Encode()),
		"CertificateFile":          string(goalstate.CertificateFile{Incarnation: "1", Data: []byte("sealed letter")}.Encode()),
		"Error":                    string(refusal.EncodeXML()),
		"Health":                   string(health),
		"Health in JSON":           string(healthJSON),
		"Error in JSON":            string(refusal.EncodeJSON()),
	}
	dir := t.TempDir()
	files := map[string]string{}
	for name, text := range texts {
		files[name] = writeFile(t, filepath.Join(dir, name), text)
	}
	return files
}

// verbs are all that print something, with what their text output must have.
func verbs(t *testing.T, p platform) map[string]struct {
	args []string
	want []string
} {
	t.Helper()
	type row = struct {
		args []string
		want []string
	}
	document := filepath.Join(p.medium, "ovf-env.xml")
	rows := map[string]row{
		"provision":          {p.flags("provision", "--ovf", p.medium), []string{"harbour-01", "Ready: accepted at"}},
		"imds instance":      {p.flags("imds", "instance"), []string{"harbour-01", "westeurope", "user data          24 bytes, [redacted]", "api-version        2023-11-15"}},
		"imds userdata":      {p.flags("imds", "userdata"), []string{"24 bytes, [redacted]"}},
		"imds versions":      {p.flags("imds", "versions"), []string{"2023-11-15\n"}},
		"imds get instance":  {p.flags("imds", "get", "/metadata/instance"), []string{`"location": "westeurope"`, `"userData": "[redacted]"`}},
		"imds get a leaf":    {p.flags("imds", "get", "instance/compute/location", "--format", "text"), []string{"westeurope"}},
		"imds get user data": {p.flags("imds", "get", "instance/compute/userData", "--format", "text", "--api-version", "2021-01-01"), []string{"[redacted]"}},
		"discover":           {[]string{"wireserver", "discover", "--root", t.TempDir()}, []string{azprov.WireServerEndpoint, "Default"}},
		"goalstate show":     {p.flags("goalstate", "show"), []string{"incarnation", "containerId", "hostingEnvironmentConfigUrl"}},
		"ovf show a file":    {[]string{"ovf", "show", document}, []string{"harbour-01", "password                22 bytes, [redacted]"}},
		"ovf show a medium":  {[]string{"ovf", "show", p.medium}, []string{"custom data             29 bytes, [redacted]"}},
		"ovf redact":         {[]string{"ovf", "redact", document}, []string{"REDACTED", "<wa:HostName>harbour-01</wa:HostName>"}},
		"report ready":       {p.flags("report", "ready"), []string{"Ready: accepted at"}},
		"report in-progress": {p.flags("report", "in-progress", "--description", "hoisting | sails"), []string{"InProgress: accepted at"}},
		"report failure":     {p.flags("report", "failure", "--reason", "ran aground", "--detail", "depth=2", "--detail", "tide=low"), []string{"Failed: accepted at"}},
		"vm-id":              {p.flags("vm-id"), []string{"2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20\n"}},
		"explain":            {[]string{"explain", "XML error"}, []string{"azure-init", "next step"}},
		"explain --list":     {[]string{"explain", "--list"}, []string{"imds-connect"}},
		"kvp list":           {[]string{"kvp", "list", "--pool", newPool(t, kvp.Record{Key: "HARBOUR", Value: "open"})}, []string{"HARBOUR"}},
		"version":            {[]string{"version"}, []string{"azprov " + azprov.Version}},
		"--version":          {[]string{"--version"}, []string{"azprov " + azprov.Version}},
	}
	for name, want := range map[string]string{
		"GoalState": "hull", "Versions": "2015-04-05", "HostingEnvironmentConfig": "Stored0", "SharedConfig": "harbour-01",
		"CertificateFile": "13", "Error": "ResourceNotAvailable", "Health": "Ready", "Health in JSON": "Ready", "Error in JSON": "gone",
	} {
		rows["goalstate parse "+name] = row{[]string{"goalstate", "parse", documents(t)[name]}, []string{want}}
	}
	return rows
}

func TestVerbs(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	for name, row := range verbs(t, p) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contains(t, cli(t, row.args...).want(t, exitDone).stdout, row.want...)
			oneObject(t, cli(t, slices.Concat(row.args, []string{"--output", "json"})...).want(t, exitDone).stdout)
		})
	}
}

// secretTexts are the forms in which a secret must not get out.
func secretTexts() []string {
	var texts []string
	for _, secret := range []string{testPassword, testCustomData, testUserData, settingSecret} {
		encoded := base64.StdEncoding.EncodeToString([]byte(secret))
		texts = append(texts, strings.TrimSpace(secret), strings.TrimRight(encoded, "="))
	}
	// A line of a secret is one too, however the text around it is escaped.
	return append(texts, "bosun: whistle", "echo barnacle")
}

func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	for name, row := range verbs(t, p) {
		for _, more := range [][]string{nil, {"--output", "json"}} {
			t.Run(name+strings.Join(more, ""), func(t *testing.T) {
				t.Parallel()
				got := cli(t, slices.Concat(row.args, []string{"--log-level", "debug"}, more)...).want(t, exitDone)
				for _, secret := range secretTexts() {
					if strings.Contains(got.stdout+got.stderr, secret) {
						t.Errorf("%q got out:\n%s%s", secret, got.stdout, got.stderr)
					}
				}
			})
		}
	}
}

func TestReveal(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	document := filepath.Join(p.medium, "ovf-env.xml")
	encodedUserData := base64.StdEncoding.EncodeToString([]byte(testUserData))
	for _, row := range []struct {
		name string
		args []string
		text []string // in the text output
		json []string // in the JSON output
	}{
		{"provision", p.flags("provision", "--ovf", p.medium), []string{testPassword, testCustomData, testUserData}, []string{testPassword, "bosun: whistle", "echo barnacle"}},
		{"imds instance", p.flags("imds", "instance"), []string{testUserData}, []string{encodedUserData}},
		{"imds instance --raw", p.flags("imds", "instance", "--raw"), []string{encodedUserData}, []string{encodedUserData}},
		{"imds get", p.flags("imds", "get", "instance"), []string{encodedUserData}, []string{encodedUserData}},
		{"ovf show", []string{"ovf", "show", document}, []string{testPassword, testCustomData}, []string{testPassword, "bosun: whistle"}},
		{"goalstate parse", []string{"goalstate", "parse", documents(t)["HostingEnvironmentConfig"]}, []string{settingSecret}, []string{settingSecret}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			contains(t, cli(t, slices.Concat(row.args, []string{"--reveal"})...).want(t, exitDone).stdout, row.text...)
			revealed := cli(t, slices.Concat(row.args, []string{"--reveal", "--output", "json"})...).want(t, exitDone).stdout
			oneObject(t, revealed)
			contains(t, revealed, row.json...)
		})
	}
	t.Run("user data comes byte for byte", func(t *testing.T) {
		t.Parallel()
		if got := cli(t, p.flags("imds", "userdata", "--reveal")...).want(t, exitDone).stdout; got != testUserData {
			t.Errorf("got %q, want %q", got, testUserData)
		}
	})
	t.Run("redact has nothing to reveal", func(t *testing.T) {
		t.Parallel()
		got := cli(t, "ovf", "redact", document, "--reveal").want(t, exitDone).stdout
		if strings.Contains(got, testPassword) {
			t.Errorf("the password got out:\n%s", got)
		}
	})
	t.Run("the raw document needs it", func(t *testing.T) {
		t.Parallel()
		got := cli(t, p.flags("imds", "instance", "--raw")...).want(t, exitUsage)
		contains(t, got.stderr, "hint: add --reveal")
	})
}

// TestReports looks at what the platform was told.
func TestReports(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	cli(t, p.flags("report", "in-progress", "--description", "hoisting | sails")...).want(t, exitDone)
	cli(t, p.flags("report", "failure", "--reason", "ran aground", "--detail", "depth=2", "--detail", "tide=low=ebb", "--agent-name", "tugboat/2")...).want(t, exitDone)
	reports := p.fabric.Reports()
	if len(reports) != 2 {
		t.Fatalf("%d reports, want 2", len(reports))
	}
	contains(t, reports[0].Description, "hoisting | sails")
	contains(t, reports[1].Description, "result=error|reason=ran aground|agent=tugboat/2|depth=2|tide=low=ebb|",
		"vm_id="+p.fabric.VM().ID.String())
}

func TestStandardInput(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	document, err := os.ReadFile(filepath.Join(p.medium, "ovf-env.xml"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, cliWith(t.Context(), string(document), "ovf", "show", "-").want(t, exitDone).stdout, "harbour-01")
	contains(t, cliWith(t.Context(), string(document), "ovf", "redact", "-").want(t, exitDone).stdout, "REDACTED")
	contains(t, cliWith(t.Context(), hostingEnvironment, "goalstate", "parse", "-").want(t, exitDone).stdout, "Stored0")
}

func TestNoUserData(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(s *emulator.Scenario) { s.VM.UserData = azprov.Secret{} })
	got := cli(t, p.flags("imds", "userdata", "--reveal")...).want(t, exitDone)
	if got.stdout != "" {
		t.Errorf("standard output has %q", got.stdout)
	}
	contains(t, got.stderr, "The VM has no user data.")
}

// TestUnreachable: every verb that asks a service gives up when --timeout says so.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"imds", "instance"},
		{"imds", "userdata"},
		{"imds", "versions"},
		{"imds", "get", "instance"},
		{"goalstate", "show"},
		{"certs", "get"},
		{"report", "ready"},
		{"report", "failure", "--reason", "adrift"},
		{"report", "in-progress"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			args := slices.Concat(args, []string{"--imds", "http://127.0.0.1:1", "--wireserver", "http://127.0.0.1:1", "--timeout", "1s", "--output", "json"})
			got := cli(t, args...).want(t, exitTimeout)
			if took := time.Since(started); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			object := oneObject(t, got.stdout)
			if kind := at(t, object, "error", "kind"); kind != "Timeout" {
				t.Errorf("error.kind is %v, want Timeout", kind)
			}
			contains(t, got.stderr, "azprov: cannot ", "\nhint: ")
		})
	}
}
