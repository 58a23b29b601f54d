package report_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report"
)

// TestCatalogue holds the entries against each other.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	ids, texts := map[string]bool{}, map[string]bool{}
	last := 0
	for _, e := range report.Catalogue() {
		if ids[e.ID] || texts[strings.ToLower(e.Text)] {
			t.Errorf("%s: the id or the text is there twice", e.ID)
		}
		ids[e.ID], texts[strings.ToLower(e.Text)] = true, true
		if !form.MatchString(e.ID) {
			t.Errorf("%q is no id", e.ID)
		}
		for _, words := range []string{e.Cause, e.NextStep} {
			if !strings.HasSuffix(words, ".") || words != azprov.OneLine(words) || words[:1] != strings.ToUpper(words[:1]) {
				t.Errorf("%s: %q is no sentence", e.ID, words)
			}
		}
		if len(e.Kinds) == 0 {
			t.Errorf("%s has no kind", e.ID)
		}
		for _, kind := range e.Kinds {
			if !slices.Contains(azprov.PossibleKindValues(), kind) {
				t.Errorf("%s: unknown kind %q", e.ID, kind)
			}
		}
		at := slices.Index(report.PossibleSourceValues(), e.Source)
		if at < last {
			t.Errorf("%s: source %q is unknown, or not in order", e.ID, e.Source)
		}
		last = at
		example := regexp.MustCompile(`<[a-z]+>`).ReplaceAllString(e.Text, "x y")
		if strings.ContainsAny(example, "<>") || e.Pattern() != (example != e.Text) {
			t.Errorf("%s: %q is no pattern", e.ID, e.Text)
		}
		for _, text := range []string{example, e.Text, " " + strings.ToUpper(example) + "\n"} {
			if got, ok := report.Lookup(text); !ok || got.ID != e.ID {
				t.Errorf("%q is found as %q, want %q", text, got.ID, e.ID)
			}
		}
	}
	counts := map[report.Source]int{}
	for _, e := range report.Catalogue() {
		counts[e.Source]++
	}
	// 16 classes of cloud-init, one of which has five texts; 20 reasons of azure-init.
	if counts[report.SourceCloudInit] != 20 || counts[report.SourceAzureInit] != 20 {
		t.Errorf("%v", counts)
	}
}

// TestTextsAreVerbatim: the platform's pages key on cloud-init's words.
func TestTextsAreVerbatim(t *testing.T) {
	t.Parallel()
	want := []string{
		"failure to find DHCP interface", "failure to obtain DHCP lease", "failure to find primary DHCP interface",
		"connection timeout querying IMDS", "connection error querying IMDS", "read timeout querying IMDS", "http error <code> querying IMDS",
		"unexpected error querying IMDS", "error parsing IMDS metadata", "invalid IMDS metadata for key=<key>",
		"failure to read customData while hasCustomData=true", "error importing <name> library", "error waiting for host shutdown",
		"unexpected metadata parsing ovf-env.xml: <detail>", "error parsing ovf-env.xml: <detail>",
		"unsupported password length=<length> max=<max>", "azure-proxy-agent not found", "azure-proxy-agent status failure",
		"failure to identify Azure VM ID", "unhandled exception",
		"JSON error", "XML error", "HTTP error", "I/O error", "http status error", "subprocess failed", "C string nul byte", "rustix error",
		"user not found", "failed to determine username", "failed to retrieve instance metadata",
		"provisioning with non-empty password is unsupported", "block device error", "failed to provision hostname",
		"failed to provision user", "failed to provision password", "operation timed out", "failed to update sshd config",
		"failed to load sshd config", "unhandled error",
	}
	var got []string
	for _, e := range report.Catalogue() {
		if e.Source == report.SourceCloudInit || e.Source == report.SourceAzureInit {
			got = append(got, e.Text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"unhandled exception":                                       "unhandled",
		"http error 403 querying IMDS":                              "imds-http-error",
		"http error  querying IMDS":                                 "",
		"http error 403 querying":                                   "",
		"an http error 403 querying IMDS":                           "",
		"http error 403 querying IMDS again":                        "",
		"HTTP error":                                                "http",
		"http status error":                                         "http-status",
		"invalid IMDS metadata for key=extended.compute.ppsType":    "imds-invalid",
		"invalid IMDS metadata for key=":                            "",
		"unsupported password length=756 max=72":                    "password-too-long",
		"unsupported password length=756":                           "",
		"unsupported password length= max=72":                       "",
		"unsupported password length=756 max=":                      "",
		"error parsing ovf-env.xml: a: b":                           "ovf-parse",
		"error parsing ovf-env.xml":                                 "ovf-parse",
		"error parsing ovf-env.xml:":                                "ovf-parse",
		"error parsing ovf-env":                                     "",
		"unexpected metadata parsing ovf-env.xml: missing HostName": "ovf-invalid",
		"unsupported protected custom data":                         "protected-value",
		"unsupported encryption":                                    "protected",
		"disk is full":                                              "",
		"":                                                          "",
	} {
		got, ok := report.Lookup(reason)
		if got.ID != want || ok != (want != "") {
			t.Errorf("Lookup(%q) = %q, %v; want %q", reason, got.ID, ok, want)
		}
	}
}

// TestEntriesAreCopies: a caller cannot change the catalogue.
func TestEntriesAreCopies(t *testing.T) {
	t.Parallel()
	report.Catalogue()[0].Kinds[0] = "spoilt"
	found, _ := report.Lookup("failure to find DHCP interface")
	found.Kinds[0] = "spoilt"
	report.ForKind(azprov.KindDenied).Kinds[0] = "spoilt"
	for _, e := range []report.Entry{report.Catalogue()[0], report.ForKind(azprov.KindDenied)} {
		if e.Kinds[0] == "spoilt" {
			t.Errorf("%s was changed", e.ID)
		}
	}
}

// TestForKind: every error has an entry, that of its kind at least.
func TestForKind(t *testing.T) {
	t.Parallel()
	seen := map[string]azprov.Kind{}
	for _, kind := range azprov.PossibleKindValues() {
		e := report.ForKind(kind)
		if !slices.Contains(e.Kinds, kind) || e.Pattern() {
			t.Errorf("%s: %+v", kind, e)
		}
		if other, twice := seen[e.ID]; twice {
			t.Errorf("%s and %s share %s", kind, other, e.ID)
		}
		seen[e.ID] = kind
		if got, r := report.For(&azprov.Error{Op: "x", Kind: kind}); got.ID != e.ID || r.Reason != e.Text {
			t.Errorf("For(%s) = %s, %q", kind, got.ID, r.Reason)
		}
	}
	for _, kind := range []azprov.Kind{"", "Sunk"} {
		if got := report.ForKind(kind).ID; got != "unhandled" {
			t.Errorf("ForKind(%q) = %s", kind, got)
		}
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	denied := &azprov.Error{
		Op: "imds.Client.GetInstance", Kind: azprov.KindDenied, Reason: "http error 403 querying IMDS",
		Details: []azprov.Detail{detail("http_code", "403"), detail("exception", "a\nb")},
	}
	for _, tc := range []struct {
		name    string
		err     error
		id      string
		reason  string
		details []azprov.Detail
	}{
		{"none", nil, "unhandled", "unhandled exception", []azprov.Detail{detail("exception", "no cause was given")}},
		{"a reason of the catalogue", denied, "imds-http-error", denied.Reason, []azprov.Detail{detail("http_code", "403"), detail("exception", "a b")}},
		{
			"a reason below", fmt.Errorf("apply: %w", &azprov.Error{Op: "run", Kind: azprov.KindTimeout, Last: denied, Context: context.DeadlineExceeded}),
			"imds-http-error", denied.Reason,
			[]azprov.Detail{detail("http_code", "403"), detail("exception", "a b")},
		},
		{
			"a reason of the agent's own", &azprov.Error{Op: "x", Kind: azprov.KindNotFound, Reason: "disk is\nfull", Details: []azprov.Detail{detail("disk", "sda")}},
			"not-found", "disk is full",
			[]azprov.Detail{detail("disk", "sda")},
		},
		{
			"no reason", &azprov.Error{Op: "x", Kind: azprov.KindTimeout, Message: "too slow", Details: []azprov.Detail{detail("step", "1")}},
			"timeout", "operation timed out",
			[]azprov.Detail{detail("exception", "x: too slow"), detail("step", "1")},
		},
		{"another error", errors.New("boom\nbang"), "unhandled", "unhandled exception", []azprov.Detail{detail("exception", "boom bang")}},
	} {
		entry, r := report.For(tc.err)
		if entry.ID != tc.id {
			t.Errorf("%s: entry %s, want %s", tc.name, entry.ID, tc.id)
		}
		want := report.Report{Result: report.ResultError, Reason: tc.reason, Supporting: tc.details, DocumentationURL: azprov.DocumentationURL}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.name, diff)
		}
	}
}

func TestPossibleValues(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(report.PossibleResultValues(), report.PossibleDialectValues(), report.PossibleSourceValues()); got !=
		"[success error] [cloud-init azure-init] [cloud-init azure-init azprov]" {
		t.Error(got)
	}
}
