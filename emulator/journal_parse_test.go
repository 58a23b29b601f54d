package emulator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// goodLine is an entry of a journal without bodies.
const goodLine = `{"seq":1,"time":"2026-11-23T10:00:00Z","service":"imds","method":"GET","path":"/metadata/versions","status":200,"durationMs":1,"verdicts":[]}`

func TestParseJournalReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, bodies := range emulator.PossibleBodiesValues() {
		var out bytes.Buffer
		f := withBodies(t, bodies, &out)
		ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true")
		goalState(t, f)
		entries, err := emulator.ParseJournal(&out)
		if err != nil {
			t.Fatal(err)
		}
		want := f.Journal()
		if bodies == emulator.BodiesWritten { // and not kept
			for i := range entries {
				if entries[i].Answer == nil {
					t.Errorf("entry %d has no answer", i+1)
				}
				entries[i].Body, entries[i].Answer = nil, nil
			}
		}
		if diff := cmp.Diff(want, entries); diff != "" {
			t.Errorf("bodies %q: %s", bodies, diff)
		}
	}
}

func TestParseJournalToleratesBlankLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "\n\n": 0, goodLine: 1, goodLine + "\n": 1, goodLine + "\r\n\n " + goodLine + "\n": 2,
	} {
		entries, err := emulator.ParseJournal(strings.NewReader(text))
		if err != nil || len(entries) != want {
			t.Errorf("%q gives %d entries, want %d: %v", text, len(entries), want, err)
		}
	}
}

func TestParseJournalIsStrict(t *testing.T) {
	t.Parallel()
	with := func(old, replacement string) string { return strings.Replace(goodLine, old, replacement, 1) }
	for name, row := range map[string]struct{ text, message, hint string }{
		"a text":            {"hello\n", "line 1: not JSON: column 1: invalid character 'h' looking for beginning of value: it is no journal", "azprov emulate --journal"},
		"a list":            {"[]\n", "line 1: it is a array, want an object: it is no journal", "azprov emulate --journal"},
		"a binary file":     {"\x7fELF\x02\x01\x00\x00\n", "line 1: it is no text in UTF-8: it is no journal", "azprov emulate --journal"},
		"Latin-1":           {with("versions", "\xe9"), "line 1: it is no text in UTF-8", "azprov emulate --journal"},
		"a cut line":        {goodLine + "\n" + goodLine[:len(goodLine)-1] + "\n" + goodLine, "line 2: it is cut short", "delete that line"},
		"a cut first line":  {goodLine[:40], "line 1: it is cut short, or it is no journal", "azprov emulate --journal"},
		"no text later":     {goodLine + "\nhello\n", "line 2: not JSON: column 1: invalid character 'h' looking for beginning of value", "azprov emulate --journal"},
		"two on a line":     {goodLine + goodLine, "line 1: there is more after the JSON object", "one object on each line"},
		"an unknown field":  {with(`"path"`, `"pth"`), `line 1: unknown field "pth"`, `did you mean "path"?`},
		"a later field":     {with(`"path"`, `"zzzzzzzz":1,"path"`), `line 1: unknown field "zzzzzzzz"`, "later version"},
		"a wrong type":      {goodLine + "\n" + with("200", `"200"`), "line 2: status is a string, want int", "azprov emulate --journal"},
		"a deep wrong type": {with(`"verdicts":[]`, `"verdicts":[],"answer":{"body":{"length":"x"}}`), "line 1: answer.body.length is a string, want int", "azprov emulate --journal"},
		"a wrong time":      {with("2026-11-23T10:00:00Z", "yesterday"), "line 1: a value is not of the form it must have: ", "azprov emulate --journal"},
		"no number":         {with(`"seq":1`, `"seq":0`), "line 1: seq is missing", "azprov emulate --journal"},
		"no time":           {with(`"time":"2026-11-23T10:00:00Z",`, ""), "line 1: time is missing", "azprov emulate --journal"},
		"no service":        {with(`"service":"imds",`, ""), "line 1: service is missing", "azprov emulate --journal"},
		"another service":   {with(`"imds"`, `"imsd"`), `line 1: service is "imsd", which is none`, "azprov emulate --journal"},
		"no method":         {with(`"method":"GET",`, ""), "line 1: method is missing", "azprov emulate --journal"},
		"no path":           {with(`"path":"/metadata/versions",`, ""), "line 1: path is missing", "azprov emulate --journal"},
		"no status of HTTP": {with("200", "99"), "line 1: status is 99", "azprov emulate --journal"},
		"a negative time":   {with(`"durationMs":1`, `"durationMs":-1`), "line 1: durationMs is negative", "azprov emulate --journal"},
		"no length":         {with(`"verdicts":[]`, `"verdicts":[],"body":{"text":"x"}`), "line 1: body.length is missing", "azprov emulate --journal"},
		"a body of a kind":  {with(`"verdicts":[]`, `"verdicts":[],"answer":{"body":{"length":1,"left":"x"}}`), `line 1: answer.body.left is "x"`, "azprov emulate --journal"},
		"a long line":       {strings.Repeat(" ", 3<<20), "line 1: it is longer than 2097152 bytes", "azprov emulate --journal"},
	} {
		entries, err := emulator.ParseJournal(strings.NewReader(row.text))
		var typed *azprov.Error
		if !errors.As(err, &typed) || typed.Kind != azprov.KindMalformed || entries != nil {
			t.Errorf("%s: error %v with %d entries", name, err, len(entries))
			continue
		}
		if !strings.HasPrefix(typed.Message, row.message) || !strings.Contains(typed.Hint, row.hint) {
			t.Errorf("%s: %q with hint %q, want %q and %q", name, typed.Message, typed.Hint, row.message, row.hint)
		}
	}
	_, err := emulator.ParseJournal(io.MultiReader(strings.NewReader(goodLine+"\n"), iotest.ErrReader(errors.New("a bad sector"))))
	if !errors.Is(err, azprov.ErrInternal) || !strings.Contains(err.Error(), "a bad sector") {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

// What is whole in front of a last line that is cut short can be used.
func TestParseJournalWithACutEnd(t *testing.T) {
	t.Parallel()
	entries, err := emulator.ParseJournal(strings.NewReader(goodLine + "\n" + goodLine + "\n" + goodLine[:40]))
	if !errors.Is(err, io.ErrUnexpectedEOF) || azprov.KindOf(err) != azprov.KindMalformed || len(entries) != 2 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func FuzzParseJournal(f *testing.F) {
	for _, seed := range []string{goodLine, goodLine + "\n" + goodLine[:30], "[]", "", "{}", strings.Replace(goodLine, `"verdicts":[]`, `"answer":{"headers":{"Server":"x"},"body":{"length":1,"text":"a"}}`, 1)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := emulator.ParseJournal(bytes.NewReader(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		for _, entry := range entries {
			line, err := json.Marshal(entry)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(append(line, '\n'))
		}
		again, err := emulator.ParseJournal(&out)
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		first, second := emulator.Transcript(entries), emulator.Transcript(again)
		if first != second {
			t.Errorf("%q, then %q", first, second)
		}
		if d := emulator.DiffConversations(entries, again, nil); !d.Same() {
			t.Errorf("it differs from itself:\n%s", d)
		}
	})
}
