package ovf

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/azprov/azprov"
)

// FuzzParse: no panic, only documented kinds, and what was read can be written
// and read again to the same.
func FuzzParse(f *testing.F) {
	for _, doc := range []string{
		full, withSet(""), withSet("<wa:CustomData>CustomData</wa:CustomData>"), "\xEF\xBB\xBF" + withSet("<wa:UserPassword>x</wa:UserPassword>"),
		withSet("<wa:UserPassword>" + token(jwtHeader, "{}") + "</wa:UserPassword>"),
		"", "<!!!!>", header, header + footer, "\xff\xfe<\x00E\x00",
	} {
		f.Add([]byte(doc))
	}
	ignore := cmp.Options{cmpopts.IgnoreUnexported(Environment{}), cmpopts.IgnoreFields(Environment{}, "Warnings")}
	f.Fuzz(func(t *testing.T, in []byte) {
		env, err := Parse(in)
		if err != nil {
			switch azprov.KindOf(err) {
			case azprov.KindMalformed, azprov.KindTooLarge, azprov.KindNotAzure:
			default:
				t.Fatalf("kind %q: %v", azprov.KindOf(err), err)
			}
			return
		}
		once := again(t, env)
		if diff := cmp.Diff(once, again(t, once), ignore); diff != "" {
			t.Errorf("not stable\n%s", diff)
		}
		if once.HostName != env.HostName || !once.UserPassword.Equal(env.UserPassword) ||
			!bytes.Equal(once.CustomData.Reveal(), env.CustomData.Reveal()) {
			t.Errorf("was %+v, is %+v", env, once)
		}
	})
}

// again writes and reads.
func again(t *testing.T, env *Environment) *Environment {
	t.Helper()
	out, err := env.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// FuzzRedacted: whatever stands around them, the texts of a password and of
// custom data do not come out, neither in the copy nor in an error nor in a
// warning. Each text starts with a mark that nothing else holds.
func FuzzRedacted(f *testing.F) {
	const mark = "8f3Kq7vZ"
	for _, s := range []string{"", "<!-- ", "<![CDATA[", "<?x ", "<wa:A>", "<wa:A b=\"", "<wa:CustomData>", "<!DOCTYPE x [", "&lt;", "\x00"} {
		f.Add(s, "", "")
		f.Add(s, "x&amp;", " -->")
		f.Add(s, "x]]>", "]]></wa:A>")
		f.Add(s, "x?>", "</wa:A>")
	}
	f.Fuzz(func(t *testing.T, before, content, after string) {
		if strings.Contains(before+content+after, mark) {
			t.Skip("the mark is elsewhere")
		}
		for _, name := range []string{"UserPassword", "CustomData"} {
			set := fmt.Sprintf("%s%s<wa:%s>%s%s</wa:%s>%s", hostName, before, name, mark, content, name, after)
			doc := []byte(document(set, ""))
			out, err := Redacted(doc)
			if bytes.Contains(out, []byte(mark)) {
				t.Fatalf("the secret is in the copy\n%s", out)
			}
			if err != nil && (out != nil || strings.Contains(err.Error(), mark)) {
				t.Fatalf("%d bytes, error %v", len(out), err)
			}
			env, err := Parse(doc)
			if err != nil && strings.Contains(err.Error(), mark) {
				t.Fatalf("the secret is in an error: %v", err)
			}
			if env != nil && strings.Contains(strings.Join(env.Warnings, "\n"), mark) {
				t.Fatalf("the secret is in a warning: %q", env.Warnings)
			}
			checkCopy(t, out)
		}
	})
}

// checkCopy reads a redacted copy: it has no secret that would be taken for one.
func checkCopy(t *testing.T, out []byte) {
	t.Helper()
	if out == nil || len(out) > 1<<20 {
		return
	}
	twice, err := Redacted(out)
	if err != nil || !bytes.Equal(twice, out) {
		t.Fatalf("redacting twice: %v\n%s\n%s", err, out, twice)
	}
	env, err := Parse(out)
	if err != nil {
		return // The original was refused for the same fault.
	}
	if !env.UserPassword.IsZero() || env.CustomData.Len()+env.CustomDataText.Len() > 0 {
		t.Fatalf("the copy has a secret\n%s", out)
	}
}
