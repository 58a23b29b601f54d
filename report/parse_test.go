package report_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/report"
)

func equal(a, b report.Report) bool { return reflect.DeepEqual(a, b) }

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range vectors {
		got, warnings, err := report.Parse(tc.record)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, %q", tc.name, err, warnings)
		}
		if diff := cmp.Diff(tc.report, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.name, diff)
		}
		if again := got.Encode(tc.dialect); again != tc.record {
			t.Errorf("%s: written again\n got %q\nwant %q", tc.name, again, tc.record)
		}
	}
}

const (
	head = "result=error|reason=error parsing IMDS metadata|agent=Cloud-Init/26.1|'exception=it''s over'"
	tail = "|vm_id=" + vmid + "|timestamp=2026-11-23T06:38:18.236461+00:00|documentation_url=https://aka.ms/linuxprovisioningerror"

	before   = "text before the record was left out"
	behind   = "text behind the record was left out"
	broken   = "broken lines were joined"
	notWhole = "the record was cut, or is not whole: it has no "
	damaged  = "the record is damaged, and what follows was left out: "
)

// TestParsePasted: the same report comes out of what people paste.
func TestParsePasted(t *testing.T) {
	t.Parallel()
	want := report.Report{
		Result: report.ResultError, Reason: "error parsing IMDS metadata", Agent: "Cloud-Init/26.1", VMID: vmid, Timestamp: when,
		Supporting: []azprov.Detail{detail("exception", "it's over")}, DocumentationURL: azprov.DocumentationURL,
	}
	for _, tc := range []struct {
		name, in string
		warnings []string
	}{
		{"white space around it", "\r\n  " + head + tail + " \n", nil},
		{"words around it", "OS provisioning of jetty-07 failed: " + head + tail + ". See the harbour-01 portal.", []string{before, behind}},
		{"words that speak of results", "The result=none, or x_result=error|y, or result=error: " + head + tail, []string{before}},
		{"words, and broken behind the result", "result ok, result=none. " + strings.Replace(head+tail, "error|", "error\n|", 1), []string{before, broken}},
		{"in double quotes", `"message": "` + head + tail + `"`, []string{before}},
		{"in quotes and nothing else", "'" + head + tail + "'", nil},
		{"in backticks", "`" + head + tail + "`", nil},
		{"in an element", "<Description>" + head + tail + "</Description>", []string{before, behind}},
		{"a pool's value", "PROVISIONING_REPORT" + strings.Repeat("\x00", 9) + head + tail + "\x00\x00rest", []string{before}},
		{"broken at a delimiter", head + "\n" + tail, []string{broken}},
		{"broken behind a delimiter, indented", strings.Replace(head+tail, "|vm_id", "|\r\n    vm_id", 1), []string{broken}},
		{"broken between words", strings.Replace(head+tail, "parsing IMDS", "parsing\nIMDS", 1), []string{broken}},
		{"broken in quotes and elsewhere", strings.Replace(strings.Replace(head+tail, "s over", "s\nover", 1), "|vm_id", "\n|vm_id", 1), []string{broken}},
		{"broken in the id", strings.Replace(head+tail, "4c8f-b1e5", "4c8f-\nb1e5", 1), []string{broken}},
		{"broken in the timestamp", strings.Replace(head+tail, "T06:38", "T06:\n38", 1), []string{broken}},
		{"broken in the address", strings.Replace(head+tail, "linuxprov", "linux\nprov", 1), []string{broken, behind}},
		{"empty lines", strings.ReplaceAll(head+tail, "|", "\n\n|"), []string{broken}},
		{"text in the next paragraph", head + tail + "\n\nMore about this error", []string{broken, behind}},
		{"a control character behind it", head + tail + "\x01rest", []string{behind}},
		{"the address is cut", strings.TrimSuffix(head+tail, "ningerror"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, warnings, err := report.Parse(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !slices.Equal(warnings, tc.warnings) {
				t.Errorf("warnings %q, want %q", warnings, tc.warnings)
			}
		})
	}
}

// TestParseDamaged: what is left of a record is read.
func TestParseDamaged(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     report.Report
		warnings []string
	}{
		{
			"cut in a value", "result=error|reason=r|agent=A|a=12",
			report.Report{Result: "error", Reason: "r", Agent: "A", Supporting: []azprov.Detail{detail("a", "12")}},
			[]string{notWhole + "vm_id, timestamp, documentation_url"},
		},
		{
			"cut in quotes", "result=error|reason=r|agent=A|'a=1''2|3",
			report.Report{Result: "error", Reason: "r", Agent: "A", Supporting: []azprov.Detail{detail("a", "1'2|3")}},
			[]string{damaged + "the record ends inside a quoted field", notWhole + "vm_id, timestamp, documentation_url"},
		},
		{
			"text behind a closing quote", "result=success|agent=A|timestamp=None|vm_id=None|'a=|' and so on",
			report.Report{Result: "success", Agent: "A", Supporting: []azprov.Detail{detail("a", "|")}},
			[]string{damaged + "text follows the closing quote of a field"},
		},
		{
			"cut in a rune", "result=success|agent=A|timestamp=None|vm_id=None|a=\xc3",
			report.Report{Result: "success", Agent: "A", Supporting: []azprov.Detail{detail("a", "\uFFFD")}},
			[]string{"text that is not UTF-8 was replaced"},
		},
		{
			"the address is empty", "result=error|reason=r|agent=A|vm_id=None|timestamp=None|documentation_url=",
			report.Report{Result: "error", Reason: "r", Agent: "A"},
			nil,
		},
		{"nothing but a result", "result=success", report.Report{Result: "success"}, []string{notWhole + "agent, vm_id, timestamp"}},
		{
			"a result in a sentence", "we saw result=error, and then nothing",
			report.Report{Result: "error"},
			[]string{before, "text behind the result was left out", notWhole + "agent, vm_id, timestamp, reason, documentation_url"},
		},
		{
			"another result", "result=partial|reason=r|agent=A|vm_id=None|timestamp=None|documentation_url=x",
			report.Report{Result: "partial", Reason: "r", Agent: "A", DocumentationURL: "x"},
			[]string{"the result is neither success nor error"},
		},
		{
			"at the beginning it is a record, whatever the result", "\n result=maybe, said the pilot: result=success|agent=A|timestamp=None|vm_id=None",
			report.Report{Result: "maybe", Agent: "A"},
			[]string{"text behind the result was left out", "the result is neither success nor error", notWhole + "reason, documentation_url"},
		},
		{
			"ours, though another stands before it", "the result=maybe, said the pilot: result=success|agent=A|timestamp=None|vm_id=None",
			report.Report{Result: "success", Agent: "A"},
			[]string{before},
		},
		{
			"two reasons", "result=success|agent=A|timestamp=None|vm_id=None|reason=a|reason=b",
			report.Report{Result: "success", Agent: "A", Reason: "a"},
			[]string{"there is a second reason, which was left out"},
		},
		{
			"a timestamp without a zone", "result=success|agent=A|timestamp=2026-11-23T06:38:18.236461|vm_id=None",
			report.Report{Result: "success", Agent: "A", Timestamp: when},
			nil,
		},
		{
			"a timestamp of another zone", "result=success|agent=A|timestamp=2026-11-23T07:38:18.236461+01:00|vm_id=None",
			report.Report{Result: "success", Agent: "A", Timestamp: when},
			nil,
		},
		{
			"no timestamp", "result=success|agent=None|timestamp=yesterday|vm_id=unknown",
			report.Report{Result: "success", VMID: "unknown"},
			[]string{"the timestamp cannot be read and was left out"},
		},
		{
			"a line break of the agent's own", "result=success|agent=A|timestamp=None|vm_id=None|'a=b\n\nc'",
			report.Report{Result: "success", Agent: "A", Supporting: []azprov.Detail{detail("a", "b\n\nc")}},
			nil,
		},
		{
			"a line break of azure-init's own", "result=success|agent=A|pps_type=None|vm_id=None|timestamp=None|\"a=b\nc\"",
			report.Report{Result: "success", Agent: "A", PPSType: "None", Supporting: []azprov.Detail{detail("a", "b\nc")}},
			nil,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, warnings, err := report.Parse(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !slices.Equal(warnings, tc.warnings) {
				t.Errorf("warnings %q, want %q", warnings, tc.warnings)
			}
		})
	}
}

func TestParseNoRecord(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		in   string
		want error
	}{
		"empty":          {"", azprov.ErrMalformed},
		"a page":         {"OS provisioning timed out", azprov.ErrMalformed},
		"another key":    {"x_result=error|reason=a", azprov.ErrMalformed},
		"Result":         {"Result=error", azprov.ErrMalformed},
		"at the limit":   {strings.Repeat("x", report.MaxText), azprov.ErrMalformed},
		"over the limit": {strings.Repeat("x", report.MaxText+1), azprov.ErrTooLarge},
	} {
		got, warnings, err := report.Parse(row.in)
		if !errors.Is(err, row.want) || !equal(got, report.Report{}) || warnings != nil {
			t.Errorf("%s: %v, %+v, %q", name, err, got, warnings)
		}
	}
	if _, _, err := report.Parse("result=" + strings.Repeat("x", report.MaxText-7)); err != nil {
		t.Error(err)
	}
}

// TestParseIsBounded is not parallel: boundtest measures what the process allocates.
func TestParseIsBounded(t *testing.T) {
	n := report.MaxText
	for name, in := range map[string]string{
		"fields":      "result=error" + strings.Repeat("|", n-12),
		"duplicates":  "result=error" + strings.Repeat("|reason=", (n-12)/8),
		"quotes":      "result=error|'" + strings.Repeat("'", n-14),
		"lines":       "result=error" + strings.Repeat("\n|", (n-12)/2),
		"beginnings":  strings.Repeat("result=", n/7),
		"likely ones": strings.Repeat("x result=error", n/14),
		"invalid":     "result=error|" + strings.Repeat("\xff", n-13),
	} {
		boundtest.Check(t, func() {
			r, warnings, err := report.Parse(in)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if len(warnings) > 16 {
				t.Errorf("%s: %d warnings", name, len(warnings))
			}
			_ = r.Encode(report.DialectAzureInit)
		})
	}
}

// FuzzParse: no panic, documented kinds only, and what is written of what was read is
// read to the same.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.record)
	}
	for _, seed := range []string{
		"", "x result=error|a", head + "\n" + tail, "'" + head + tail + "'", "result=error|pps_type=a|pps_type=b|c", "result=error|'", "result=error|documentation_url=https", "result=error|documentation_url=h\x01",
		"result=success|vm_id= a b|timestamp=2026-11-23T06:38:18.5|=c|d=", "result=\"|a\"b|result=success|\"x", "result=error|detail_reason=a|reason=\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		boundtest.Check(t, func() {
			r, _, err := report.Parse(in)
			if err != nil {
				if kind := azprov.KindOf(err); kind != azprov.KindMalformed && kind != azprov.KindTooLarge {
					t.Fatalf("kind %s", kind)
				}
				return
			}
			for _, dialect := range report.PossibleDialectValues() {
				once := r.Encode(dialect)
				if len(once) > report.MaxText {
					return
				}
				again, warnings, err := report.Parse(once)
				if err != nil || len(warnings) > 0 && (r.Result == report.ResultSuccess || r.Result == report.ResultError) {
					t.Fatalf("%q: %v, %q", once, err, warnings)
				}
				if twice := again.Encode(dialect); twice != once {
					t.Fatalf("%q became %q", once, twice)
				}
			}
		})
	})
}
