package report_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report"
)

const vmid = "7e90b3d1-2a64-4c8f-b1e5-93d0f4a6c712"

var when = time.Date(2026, time.November, 23, 6, 38, 18, 236461000, time.UTC)

func detail(key, value string) azprov.Detail { return azprov.Detail{Key: key, Value: value} }

// vectors are records as the agents write them, and what they say. Each is read to its
// report and written back to the byte.
var vectors = []struct {
	name    string
	dialect report.Dialect
	record  string
	report  report.Report
}{
	{
		"cloud-init's success", report.DialectCloudInit,
		"result=success|agent=Cloud-Init/26.1|timestamp=2026-11-23T06:38:18.236461+00:00|vm_id=" + vmid,
		report.Report{Result: report.ResultSuccess, Agent: "Cloud-Init/26.1", VMID: vmid, Timestamp: when},
	},
	{
		"cloud-init's success without an id, on a full second", report.DialectCloudInit,
		"result=success|agent=Cloud-Init/26.1|timestamp=2026-11-23T06:38:18+00:00|vm_id=None",
		report.Report{Result: report.ResultSuccess, Agent: "Cloud-Init/26.1", Timestamp: when.Truncate(time.Second)},
	},
	{
		"cloud-init's failure", report.DialectCloudInit,
		"result=error|reason=http error 403 querying IMDS|agent=Cloud-Init/26.1|http_code=403|duration=5.6|'exception=UrlError(''boom'')'|url=http://169.254.169.254/metadata/instance|vm_id=" +
			vmid + "|timestamp=2026-11-23T06:38:18.236461+00:00|documentation_url=https://aka.ms/linuxprovisioningerror",
		report.Report{
			Result: report.ResultError, Reason: "http error 403 querying IMDS", Agent: "Cloud-Init/26.1", VMID: vmid, Timestamp: when,
			Supporting: []azprov.Detail{
				detail("http_code", "403"), detail("duration", "5.6"), detail("exception", "UrlError('boom')"),
				detail("url", "http://169.254.169.254/metadata/instance"),
			},
			DocumentationURL: azprov.DocumentationURL,
		},
	},
	{
		"cloud-init's quoting", report.DialectCloudInit,
		"result=error|reason=r|agent=a|b c|'d|e'|'f''g'|'h\ni'|j=\"k\"|static_routes=[(0.0.0.0/0, 10.0.0.1)]|vm_id=None|timestamp=None|documentation_url=https://aka.ms/linuxprovisioningerror",
		report.Report{
			Result: report.ResultError, Reason: "r", Agent: "a",
			Supporting: []azprov.Detail{
				{Value: "b c"}, {Value: "d|e"}, {Value: "f'g"}, {Value: "h\ni"}, detail("j", `"k"`), detail("static_routes", "[(0.0.0.0/0, 10.0.0.1)]"),
			},
			DocumentationURL: azprov.DocumentationURL,
		},
	},
	{
		"cloud-init's type is supporting data", report.DialectCloudInit,
		"result=error|reason=failure to read customData while hasCustomData=true|agent=Cloud-Init/26.2|pps_type=None|provisioning_media=iso|vm_id=" +
			vmid + "|timestamp=2026-11-23T06:38:18.236461+00:00|documentation_url=https://aka.ms/linuxprovisioningerror",
		report.Report{
			Result: report.ResultError, Reason: "failure to read customData while hasCustomData=true", Agent: "Cloud-Init/26.2",
			VMID: vmid, PPSType: "None", Timestamp: when,
			Supporting:       []azprov.Detail{detail("pps_type", "None"), detail("provisioning_media", "iso")},
			DocumentationURL: azprov.DocumentationURL,
		},
	},
	{
		"azprov's own, with a type", report.DialectCloudInit,
		"result=error|reason=unhandled exception|agent=azprov/0.1.0|exception=boom|pps_type=Running|vm_id=unknown|timestamp=2026-11-23T06:38:18.236461+00:00|documentation_url=https://aka.ms/linuxprovisioningerror",
		report.Report{
			Result: report.ResultError, Reason: "unhandled exception", Agent: "azprov/0.1.0", VMID: "unknown", PPSType: "Running",
			Timestamp: when, Supporting: []azprov.Detail{detail("exception", "boom")}, DocumentationURL: azprov.DocumentationURL,
		},
	},
	{
		"azure-init's success", report.DialectAzureInit,
		"result=success|agent=Azure-Init/0.2.0|pps_type=None|vm_id=" + vmid + "|timestamp=2026-11-23T06:38:18.236461+00:00",
		report.Report{Result: report.ResultSuccess, Agent: "Azure-Init/0.2.0", VMID: vmid, PPSType: "None", Timestamp: when},
	},
	{
		"azure-init's success with extras, in nanoseconds", report.DialectAzureInit,
		"result=success|agent=Azure-Init/0.2.0|pps_type=Savable|vm_id=" + vmid + "|timestamp=2026-11-23T06:38:18.236461001+00:00|ship=pilot",
		report.Report{
			Result: report.ResultSuccess, Agent: "Azure-Init/0.2.0", VMID: vmid, PPSType: "Savable", Timestamp: when.Add(1),
			Supporting: []azprov.Detail{detail("ship", "pilot")},
		},
	},
	{
		"azure-init's failure, in milliseconds", report.DialectAzureInit,
		`result=error|reason=subprocess failed|agent=Azure-Init/0.2.0|"command=echo ""x"" | cat"|exit_status=it's 1|pps_type=None|vm_id=` +
			vmid + "|timestamp=2026-11-23T06:38:18.236+00:00|documentation_url=https://aka.ms/linuxprovisioningerror",
		report.Report{
			Result: report.ResultError, Reason: "subprocess failed", Agent: "Azure-Init/0.2.0", VMID: vmid, PPSType: "None",
			Timestamp:        when.Truncate(time.Millisecond),
			Supporting:       []azprov.Detail{detail("command", `echo "x" | cat`), detail("exit_status", "it's 1")},
			DocumentationURL: azprov.DocumentationURL,
		},
	},
	{
		"azure-init's full second, another address", report.DialectAzureInit,
		"result=error|reason=unhandled error|agent=A|pps_type=None|vm_id=None|timestamp=2026-11-23T06:38:18+00:00|documentation_url=https://harbour.example/help",
		report.Report{
			Result: report.ResultError, Reason: "unhandled error", Agent: "A", PPSType: "None", Timestamp: when.Truncate(time.Second),
			DocumentationURL: "https://harbour.example/help",
		},
	},
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, tc := range vectors {
		if got := tc.report.Encode(tc.dialect); got != tc.record {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, got, tc.record)
		}
	}
}

// TestEncodeWhatIsOdd: a report goes out, whatever is in it, and is read back as meant.
func TestEncodeWhatIsOdd(t *testing.T) {
	t.Parallel()
	const end = "|vm_id=None|timestamp=None|documentation_url=https://aka.ms/linuxprovisioningerror"
	for _, tc := range []struct {
		name    string
		dialect report.Dialect
		in      report.Report
		want    string
	}{
		{"nothing", report.DialectCloudInit, report.Report{}, "result=error|reason=unhandled exception|agent=None" + end},
		{"nothing for azure-init", report.DialectAzureInit, report.Report{}, "result=error|reason=unhandled exception|agent=None|pps_type=None" + end},
		{"no such dialect", "pilot", report.Report{Reason: "a|b"}, "result=error|'reason=a|b'|agent=None" + end},
		{"another result", report.DialectCloudInit, report.Report{Result: "partial", Reason: "r"}, "result=partial|reason=r|agent=None" + end},
		{"a result that forges fields", report.DialectCloudInit, report.Report{Result: "success|x", Agent: "A"}, "result=success|agent=A|timestamp=None|vm_id=None"},
		{"a result of nothing usable", report.DialectCloudInit, report.Report{Result: "|", Reason: "r"}, "result=error|reason=r|agent=None" + end},
		{
			"supporting data with the record's keys", report.DialectCloudInit,
			report.Report{Reason: "r", Supporting: []azprov.Detail{detail("result", "success"), {Value: "reason=x"}, detail("vm_id", "1")}},
			"result=error|reason=r|agent=None|detail_result=success|detail_reason=x|detail_vm_id=1" + end,
		},
		{
			"two types", report.DialectCloudInit,
			report.Report{Reason: "r", PPSType: "Savable", Supporting: []azprov.Detail{detail("pps_type", "Running"), detail("pps_type", "None")}},
			"result=error|reason=r|agent=None|pps_type=Running|detail_pps_type=None" + end,
		},
		{
			"a type among the data, for azure-init", report.DialectAzureInit,
			report.Report{Reason: "r", Supporting: []azprov.Detail{detail("pps_type", "Running"), detail("a", "b")}},
			"result=error|reason=r|agent=None|a=b|pps_type=Running" + end,
		},
		{
			"the type beats the one among the data", report.DialectAzureInit,
			report.Report{Reason: "r", PPSType: "Savable", Supporting: []azprov.Detail{detail("pps_type", "Running")}},
			"result=error|reason=r|agent=None|pps_type=Savable" + end,
		},
		{
			"a success with what peers do not write", report.DialectCloudInit,
			report.Report{Result: "success", Reason: "late", Agent: "A", PPSType: "Running", DocumentationURL: "https://x.example", Supporting: []azprov.Detail{detail("a", "b")}},
			"result=success|agent=A|timestamp=None|vm_id=None|reason=late|a=b|pps_type=Running|documentation_url=https://x.example",
		},
		{
			"control characters and broken UTF-8", report.DialectCloudInit,
			report.Report{Reason: "a\x00b\x1bc\td\xff", Agent: "e\x7f|", Supporting: []azprov.Detail{detail("f\x00", "g\xff\x01h")}},
			"result=error|reason=a b c\td\uFFFD|'agent=e |'|f =g\uFFFD h" + end,
		},
		{
			"ids and addresses are words", report.DialectCloudInit,
			report.Report{Reason: "r", VMID: " jetty 07", DocumentationURL: "https://x.example/a>b"},
			"result=error|reason=r|agent=None|vm_id=jetty|timestamp=None|documentation_url=https://x.example/a",
		},
		{
			"another zone", report.DialectCloudInit,
			report.Report{Result: "success", Agent: "A", Timestamp: when.In(time.FixedZone("", 3600))},
			"result=success|agent=A|timestamp=2026-11-23T06:38:18.236461+00:00|vm_id=None",
		},
		{
			"nanoseconds are not cloud-init's", report.DialectCloudInit,
			report.Report{Result: "success", Agent: "A", Timestamp: when.Truncate(time.Second).Add(999)},
			"result=success|agent=A|timestamp=2026-11-23T06:38:18+00:00|vm_id=None",
		},
		{
			"milliseconds have six digits there", report.DialectCloudInit,
			report.Report{Result: "success", Agent: "A", Timestamp: when.Truncate(time.Millisecond)},
			"result=success|agent=A|timestamp=2026-11-23T06:38:18.236000+00:00|vm_id=None",
		},
	} {
		if got := tc.in.Encode(tc.dialect); got != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, got, tc.want)
		}
	}
}

func TestEncodeWithin(t *testing.T) {
	t.Parallel()
	r := report.Report{
		Reason: "disk is full", Agent: "azprov/0.1.0", VMID: vmid, PPSType: "Running", Timestamp: when,
		Supporting: []azprov.Detail{detail("short", "kept"), detail("long", strings.Repeat("ä'|\"", 400)), detail("pps_type", "Running")},
	}
	for _, dialect := range report.PossibleDialectValues() {
		bare := r
		bare.Supporting = r.Supporting[2:]
		least := len(bare.Encode(dialect))
		for limit := least; limit < least+60; limit++ {
			text, err := r.EncodeWithin(dialect, limit)
			if err != nil || len(text) > limit || !utf8.ValidString(text) {
				t.Fatalf("%s, %d: %d bytes, %v: %q", dialect, limit, len(text), err, text)
			}
			got, warnings, err := report.Parse(text)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%s, %d: %v, %q: %q", dialect, limit, err, warnings, text)
			}
			// The short value is whole as long as the long one is longer.
			if n := len(valueOf(got, "long")); n >= len("kept") && valueOf(got, "short") != "kept" {
				t.Errorf("%s, %d: %d bytes are left of the long value, in %q", dialect, limit, n, text)
			}
			got.Supporting, got.Result = nil, r.Result
			want := r
			want.Supporting, want.DocumentationURL = nil, azprov.DocumentationURL
			if !equal(got, want) {
				t.Fatalf("%s, %d: %+v, want %+v", dialect, limit, got, want)
			}
		}
		if whole, err := r.EncodeWithin(dialect, 1<<20); err != nil || whole != r.Encode(dialect) {
			t.Errorf("%s: with room: %v, %q", dialect, err, whole)
		}
		for _, limit := range []int{least - 1, 40, 0, -1} {
			text, err := r.EncodeWithin(dialect, limit)
			if !errors.Is(err, azprov.ErrTooLarge) {
				t.Errorf("%s, %d: error %v", dialect, limit, err)
			}
			if len(text) > max(limit, 0) {
				t.Errorf("%s, %d: %d bytes", dialect, limit, len(text))
			}
			if limit >= 40 && !strings.HasPrefix(text, "result=error") {
				t.Errorf("%s, %d: %q has no result", dialect, limit, text)
			}
		}
	}
}

func valueOf(r report.Report, key string) string {
	for _, d := range r.Supporting {
		if d.Key == key {
			return d.Value
		}
	}
	return ""
}
