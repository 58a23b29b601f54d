package ovf

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// token returns a compact JSON Web Token with this header and payload.
func token(header, payload string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(header)) + "." + e([]byte(payload)) + "." + e([]byte("signature"))
}

const jwtHeader = `{"alg":"RS256","typ":"JWT","x-az-cvm-purpose":"secrets-provisioning"}`

func TestCustomData(t *testing.T) {
	t.Parallel()
	jwt := token(jwtHeader, `{"signedData":"x"}`)
	const none, undecoded = "\x00none", "\x00undecoded"
	for name, row := range map[string]struct{ text, want, warning string }{
		"empty":                        {"", none, ""},
		"only white space":             {" \n", "", ""},
		"only characters to skip":      {"!!!!", "", "CustomData holds 4 bytes that are no base64; they are skipped"},
		"plain":                        {"aGVsbG8=", "hello", ""},
		"surplus padding":              {"dGhpcyBpcyBteSB1c2VyZGF0YQ===", "this is my userdata", ""},
		"white space inside":           {"dGhp\n cyA=", "this ", ""},
		"wrapped with CRLF":            {"aGVs&#xD;\r\nbG8h", "hello!", ""},
		"in CDATA":                     {"<![CDATA[aGVsbG8=]]>", "hello", ""},
		"over a comment":               {"aGVs<!-- x -->bG8=", "hello", ""},
		"characters skipped":           {"aG*Vs-bG_8=", "hello", "CustomData holds 3 bytes that are no base64; they are skipped"},
		"padding too early is skipped": {"a=GVsbG8=", "hello", ""},
		"more of it too early":         {"a===GVsbG8=", "hello", ""},
		"padding broken by a digit":    {"aG=VsbG=8=", "hello", ""},
		"text after the padding":       {"aGVsbG8=aGVsbG8=", "hello", ""},
		"unused bits set":              {"aGVsbG9=", "hello", ""},
		"no padding, one digit left":   {"aGVsbG8ha", undecoded, "CustomData is no base64 and is not decoded"},
		"no padding, unused bits zero": {"aGVsbG8", "hello", "CustomData is base64 without its padding"},
		"no padding, unused bits set":  {"CustomData", undecoded, "CustomData is no base64 and is not decoded"},
		"half of the padding":          {"aGVsbA=", "hell", "CustomData is base64 without its padding"},
		"binary":                       {"AP+A", "\x00\xff\x80", ""},
		"protected secret":             {jwt, jwt, ""},
		"protected secret, wrapped":    {jwt[:40] + "\n" + jwt[40:], jwt, ""},
		"protected secret in base64":   {base64.StdEncoding.EncodeToString([]byte(jwt)), jwt, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := mustParse(t, withSet("<wa:CustomData>"+row.text+"</wa:CustomData>"))
			got := env.CustomData.RevealString()
			switch {
			case !env.CustomDataText.IsZero():
				got = undecoded
				if env.CustomDataText.RevealString() != row.text || !env.CustomData.IsZero() {
					t.Errorf("text %q, data %q", env.CustomDataText.RevealString(), env.CustomData.RevealString())
				}
			case env.CustomData.IsZero():
				got = none
			}
			if got != row.want {
				t.Errorf("= %q, want %q", got, row.want)
			}
			if diff := cmp.Diff(row.warning, strings.Join(env.Warnings, "|")); diff != "" {
				t.Error(diff)
			}
			if protected := strings.HasPrefix(name, "protected"); IsProtected(env.CustomData.Reveal()) != protected {
				t.Errorf("IsProtected = %v", !protected)
			}
		})
	}
}

func TestIsProtected(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		in   string
		want bool
	}{
		"token":                    {token(jwtHeader, "{}"), true},
		"white space around":       {"\n " + token(jwtHeader, "{}") + "\n", true},
		"padded parts":             {"eyJhbGciOiJub25lIn0=.e30=.", true},
		"empty":                    {"", false},
		"two dots":                 {"..", false},
		"no payload":               {"eyJhbGciOiJub25lIn0..", false},
		"header without alg":       {token(`{"typ":"JWT"}`, "{}"), false},
		"header is an array":       {token(`["alg"]`, "{}"), false},
		"header is null":           {token(`null`, "{}"), false},
		"header is no JSON":        {token(`alg`, "{}"), false},
		"four parts":               {token(jwtHeader, "{}") + ".e30", false},
		"two parts":                {"eyJhbGciOiJub25lIn0.e30", false},
		"standard base64":          {"eyJhbGciOiJub25lIn0.a+/b.", false},
		"a host name":              {"www.example.com", false},
		"a password":               {"correct.horse.battery", false},
		"cloud-config with a dots": {"#cloud-config\n# a.b.c", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := IsProtected([]byte(row.in)); got != row.want {
				t.Errorf("IsProtected(%q) = %v", row.in, got)
			}
		})
	}
}

func TestProtectedPasswordMayBeLong(t *testing.T) {
	t.Parallel()
	jwt := token(jwtHeader, strings.Repeat("x", 500))
	env := mustParse(t, withSet("<wa:UserPassword>"+jwt+"</wa:UserPassword>"))
	if !IsProtected(env.UserPassword.Reveal()) || env.UserPassword.RevealString() != jwt {
		t.Errorf("password = %q", env.UserPassword.RevealString())
	}
}
