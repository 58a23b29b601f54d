package emulator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/emulator"
)

func TestDiffIgnoresIDsAndTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	a, b := conversation("1", at, "8001"), conversation("7", at.Add(98765*time.Second), "49152")
	b[2].Path = strings.ReplaceAll(b[2].Path, "-", "%2D")
	a[0].VM, a[1].VM, a[2].VM, a[3].VM = "one", "one", "one", "one"
	d := emulator.DiffConversations(a, b, nil)
	if !d.Same() || d.Count(emulator.DiffSame) != 4 {
		t.Errorf("they differ:\n%s", d)
	}
	const want = "  imds GET /metadata/instance?api-version=2021-08-01&extended=true -> 200\n  … 2 more that are the same\n  wireserver POST /machine?comp=health -> 200 report="
	if got := d.String(); !strings.HasPrefix(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if d := emulator.DiffConversations(nil, nil, nil); !d.Same() || d.String() != "" {
		t.Errorf("two of nothing: %v", d)
	}
}

func TestDiffShowsWhatChanged(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	long := strings.Repeat("x", 500)
	for name, row := range map[string]struct {
		change  func([]emulator.Entry)
		options *emulator.DiffOptions
		want    []emulator.DiffChange
	}{
		"header":                 {func(e []emulator.Entry) { e[0].Headers["Metadata"] = "True" }, nil, []emulator.DiffChange{{What: "header Metadata", A: "true", B: "True"}}},
		"a new header":           {func(e []emulator.Entry) { e[0].Headers["X-Ms-Version"] = "1" }, nil, []emulator.DiffChange{{What: "header X-Ms-Version", B: "1"}}},
		"no header":              {func(e []emulator.Entry) { delete(e[0].Headers, "Metadata") }, nil, []emulator.DiffChange{{What: "header Metadata", A: "true"}}},
		"ignored verdict":        {func(e []emulator.Entry) { e[0].Verdicts = []string{"unwanted"} }, &emulator.DiffOptions{Ignore: []string{"verdict"}}, nil},
		"ignored header":         {func(e []emulator.Entry) { e[0].Headers["Metadata"] = "True" }, &emulator.DiffOptions{Ignore: []string{"metadata"}}, nil},
		"status":                 {func(e []emulator.Entry) { e[0].Status = 404 }, nil, []emulator.DiffChange{{What: "status", A: "200", B: "404"}}},
		"no answer":              {func(e []emulator.Entry) { e[0].Status = 0 }, nil, []emulator.DiffChange{{What: "status", A: "200", B: "none"}}},
		"fault":                  {func(e []emulator.Entry) { e[2].Fault = "hang" }, nil, []emulator.DiffChange{{What: "fault", A: "reset", B: "hang"}}},
		"verdicts":               {func(e []emulator.Entry) { e[0].Verdicts = []string{"a", "b"} }, nil, []emulator.DiffChange{{What: "verdict", B: "a"}, {What: "verdict", B: "b"}}},
		"report":                 {func(e []emulator.Entry) { e[3].Report = &emulator.Report{State: "Ready", Format: "json"} }, nil, nil}, // looked at below
		"body":                   {func(e []emulator.Entry) { e[3].Body = &emulator.Body{Length: 1, Text: long} }, nil, nil},
		"answer":                 {func(e []emulator.Entry) { e[3].Answer.Body.Text = "no" }, nil, nil},
		"answer, if wanted":      {func(e []emulator.Entry) { e[3].Answer.Body.Text = "no\n" }, &emulator.DiffOptions{Answers: true}, []emulator.DiffChange{{What: "answer body", A: "ok\n", B: "no\n"}}},
		"answer's header":        {func(e []emulator.Entry) { e[3].Answer.Headers["X-Ms-Version"] = "2" }, &emulator.DiffOptions{Answers: true}, []emulator.DiffChange{{What: "answer header X-Ms-Version", A: "2012-11-30", B: "2"}}},
		"journal without bodies": {func(e []emulator.Entry) { e[3].Body, e[3].Answer = nil, nil }, &emulator.DiffOptions{Answers: true}, nil},
	} {
		a, b := conversation("1", at, "1"), conversation("1", at, "1")
		row.change(b)
		d := emulator.DiffConversations(a, b, row.options)
		var got []emulator.DiffChange
		for _, step := range d.Steps {
			got = append(got, step.Changes...)
		}
		if name == "report" || name == "body" {
			if len(got) != 1 || got[0].What != name || d.Count(emulator.DiffChanged) != 1 {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if d.Same() != (len(row.want) == 0) {
			t.Errorf("%s: same is %v", name, d.Same())
		}
	}
}

// sequence makes a request of each letter; a large one is answered with 404.
func sequence(letters string) []emulator.Entry {
	var entries []emulator.Entry
	for _, c := range letters {
		status := 200
		if c >= 'A' && c <= 'Z' {
			status = 404
		}
		entries = append(entries, emulator.Entry{Service: "imds", Method: "GET", Path: "/" + strings.ToLower(string(c)), Status: status})
	}
	return entries
}

func TestDiffAligns(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ a, b, want string }{
		{"", "", ""},
		{"abc", "", "-a-b-c"},
		{"", "abc", "+a+b+c"},
		{"abc", "abc", "=a=b=c"},
		{"abc", "axc", "=a-b+x=c"},
		{"ab", "cab", "+c=a=b"},
		{"abcab", "bca", "-a=b=c=a-b"},
		{"PPPp", "PPp", "-p=p=p=p"},
		{"Pp", "p", "-p=p"},
		{"p", "Pp", "+p=p"},
		{"P", "p", "!p"},
		{"abcdefgh", "hgfedcba", "1"},
		{"xaxbxcx", "abc", "-x=a-x=b-x=c-x"},
	} {
		d := emulator.DiffConversations(sequence(row.a), sequence(row.b), nil)
		var got strings.Builder
		nextA, nextB := 1, 1
		for _, step := range d.Steps {
			got.WriteString(map[emulator.DiffKind]string{"same": "=", "changed": "!", "onlyA": "-", "onlyB": "+"}[step.Kind] + strings.TrimPrefix(step.Request, "imds GET /"))
			if step.A > 0 && step.A != nextA || step.B > 0 && step.B != nextB {
				t.Errorf("%s and %s: entries %d and %d, want %d and %d", row.a, row.b, step.A, step.B, nextA, nextB)
			}
			nextA, nextB = nextA+min(step.A, 1), nextB+min(step.B, 1)
		}
		if nextA != len(row.a)+1 || nextB != len(row.b)+1 {
			t.Errorf("%s and %s: %d and %d steps", row.a, row.b, nextA, nextB)
		}
		if row.want == "1" { // one pair, whichever
			if n := d.Count(emulator.DiffSame); n != 1 {
				t.Errorf("%s and %s: %d the same", row.a, row.b, n)
			}
		} else if got.String() != row.want {
			t.Errorf("%s and %s: %s, want %s", row.a, row.b, got.String(), row.want)
		}
	}
}

func TestDiffReads(t *testing.T) {
	t.Parallel()
	got := emulator.DiffConversations(sequence("abcdeF"), sequence("abcdxf"), nil).String()
	const want = `  imds GET /a -> 200
  … 2 more that are the same
  imds GET /d -> 200
- imds GET /e -> 200
+ imds GET /x -> 200
! imds GET /f
    status
      A  404
      B  200
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	step := emulator.DiffStep{Kind: emulator.DiffChanged, Request: "r", Changes: []emulator.DiffChange{
		{What: "body", A: strings.Repeat("é", 200) + "one" + strings.Repeat("y", 300), B: strings.Repeat("é", 200) + "two"}, {What: "verdict", B: "b\x1b[2J"},
	}}
	for line := range strings.SplitSeq(step.String(), "\n") {
		if len(line) > 200 || strings.Contains(line, "\x1b") {
			t.Errorf("%q", line)
		}
	}
	for _, part := range []string{"one", "two", "(none)"} {
		if !strings.Contains(step.String(), part) {
			t.Errorf("%q is missing in:\n%s", part, step)
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{100, 1000} {
		one, other := sequence(strings.Repeat("abcPPpde", n/8)), sequence(strings.Repeat("abcPpdxe", n/8))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				emulator.DiffConversations(one, other, nil)
			}
		})
	}
}
