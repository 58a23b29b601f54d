package unitfailure_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// TestSecretsAreRemoved: the forms in which programs log secrets, and what is left of the
// line.
func TestSecretsAreRemoved(t *testing.T) {
	t.Parallel()
	const secret = "Capstan-and-Windlass-9"
	long := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(secret, 3)))
	url := base64.URLEncoding.EncodeToString([]byte(strings.Repeat("\xff\xfe?", 20)))
	jwt := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwaWxvdCJ9.c2lnbmF0dXJl"
	for text, want := range map[string]string{
		"password=" + secret:                                                            "password=[redacted]",
		"a PASSWD = " + secret + " b":                                                   "a PASSWD = [redacted] b",
		"adminPassword: two " + secret:                                                  "adminPassword: [redacted]",
		`{"password":"` + secret + `","ship":"tug"}`:                                    `{"password":[redacted],"ship":"tug"}`,
		`{"password": "a\"` + secret + `", "ship": 1}`:                                  `{"password": [redacted], "ship": 1}`,
		`msg="{\"token\":\"` + secret + `\",\"n\":1}"`:                                  `msg="{\"token\":[redacted],\"n\":1}"`,
		`secret='x y ` + secret + `' z`:                                                 `secret=[redacted] z`,
		`client_secret="` + secret:                                                      `client_secret=[redacted]`,
		"AccountKey=" + secret + ";Endpoint=x":                                          "AccountKey=[redacted]",
		"api-key => " + secret:                                                          "api-key => [redacted]",
		"mount --password " + secret + " /deck":                                         "mount --password [redacted] /deck",
		"get https://u:" + secret + "@harbour-01/x":                                     "get https://[redacted]@harbour-01/x",
		"get https://u:a/" + secret + "@harbour-01/x":                                   "get https://[redacted]@harbour-01/x",
		`get "https://harbour-01/x?sv=1&sig=` + secret + `"`:                            `get "https://harbour-01/x?[redacted]"`,
		"GET /x?sig=" + secret:                                                          "GET /x?sig=[redacted]",
		"Authorization: Basic " + secret + " more":                                      "Authorization: [redacted]",
		`"Authorization":["Bearer ` + secret + `"]`:                                     `"Authorization":[redacted]`,
		"authorization=Basic " + secret:                                                 "authorization=[redacted]",
		`{"password":"a\" ` + secret + `","ship":1}`:                                    `{"password":[redacted],"ship":1}`,
		"sent Bearer " + secret + " to it":                                              "sent Bearer [redacted] to it",
		"Set-Cookie: s=" + secret + "; path=/":                                          "Set-Cookie: [redacted]",
		"<ns1:UserPassword>" + secret + "</ns1:UserPassword>":                           "<ns1:UserPassword>[redacted]</ns1:UserPassword>",
		"<wa:CustomData a='b'>" + secret + "</wa:CustomData>":                           "<wa:CustomData a='b'>[redacted]</wa:CustomData>",
		"source data:;base64," + secret + " bad":                                        "source data:[redacted] bad",
		"source data:," + secret:                                                        "source data:[redacted]",
		"got " + jwt + " of it":                                                         "got [redacted] of it",
		"pilot:$6$rounds=10000$salt$" + secret + ":1":                                   "pilot:[redacted]:1",
		"hash $y$j9T$" + secret:                                                         "hash [redacted]",
		"key " + long + ".":                                                             "key [redacted].",
		"key " + url + " x":                                                             "key [redacted] x",
		"/var/lib/" + strings.Repeat("A", 64) + "/x":                                    "/var/lib/[redacted]/x",
		"-----BEGIN PRIVATE KEY-----" + secret + "-----END PRIVATE KEY----- x":          "[redacted] x",
		`-----BEGIN PRIVATE KEY-----\n` + secret:                                        "[redacted]",
		"\x1b[31mpass\x1b[0mword=" + secret:                                             "password=[redacted]",
		"password=" + strings.Repeat("long ", 0) + strings.Repeat("x", 600) + secret:    "password=[redacted]",
		"password length=756 max=72":                                                    "password length=756 max=72",
		"password=":                                                                     "password=",
		"sum sha256-" + strings.Repeat("0a", 32):                                        "sum [redacted]",
		"sum " + strings.Repeat("0a", 32) + " is wrong":                                 "sum " + strings.Repeat("0a", 32) + " is wrong",
		"open /sysroot/ostree/deploy/fedora/deploy/" + strings.Repeat("a", 40) + "/etc": "open /sysroot/ostree/deploy/fedora/deploy/" + strings.Repeat("a", 40) + "/etc",
		"get https://harbour-01:8080/metadata/x: refused":                               "get https://harbour-01:8080/metadata/x: refused",
		"invalid IMDS metadata for key=extended":                                        "invalid IMDS metadata for key=extended",
		"costs $5 and $60":                                                              "costs $5 and $60",
		"metadata: a, b":                                                                "metadata: a, b",
	} {
		f := read(t, &machine{show: failed("exit-code", "1", "1"), byRun: prints(text)}, nil)
		if len(f.Lines) != 1 || f.Lines[0] != want || f.Error != want {
			t.Errorf("%q\n gives %q\n want  %q", text, f.Lines, want)
		}
		if shown := fmt.Sprintf("%+v %+v %v", *f, f.Err().Details, f.Err()); strings.Contains(shown, secret) {
			t.Errorf("%q shows it: %s", text, shown)
		}
	}
}

// TestBlocksAreRemoved: PEM in lines of its own, whole and without an end of it.
func TestBlocksAreRemoved(t *testing.T) {
	t.Parallel()
	body, last := strings.Repeat("QUJD", 16), "c2VjcmV0"
	for name, row := range map[string]struct {
		lines []string
		want  string
	}{
		"whole":             {[]string{"a", "-----BEGIN RSA PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED", body, last, "-----END RSA PRIVATE KEY-----", "b"}, "a|[redacted]|b"},
		"begins in a line":  {[]string{"key: -----BEGIN PRIVATE KEY-----", body, last, "-----END PRIVATE KEY-----", "b"}, "key: [redacted]|b"},
		"without its begin": {[]string{"a b", body, last, "-----END PRIVATE KEY-----", "b"}, "a b|[redacted]|b"},
		"without its end":   {[]string{"-----BEGIN PRIVATE KEY-----", body, last, "a b", "c"}, "[redacted]|a b|c"},
		"interrupted":       {[]string{"-----BEGIN PRIVATE KEY-----", body, "a b", body, last, "-----END PRIVATE KEY-----", "c"}, "[redacted]|a b|[redacted]|c"},
		"two":               {[]string{"-----BEGIN X-----", last, "-----END X-----", "-----BEGIN Y-----", last, "-----END Y-----"}, "[redacted]|[redacted]"},
		"its middle alone":  {[]string{"a b", body, "c d"}, "a b|[redacted]|c d"},
		"words":             {[]string{"adrift", "sunk"}, "adrift|sunk"},
	} {
		for form, entries := range map[string][]entry{"lines": prints(row.lines...), "one message": prints(strings.Join(row.lines, "\n"))} {
			f := read(t, &machine{show: failed("exit-code", "1", "1"), byRun: entries}, nil)
			if got := strings.Join(f.Lines, "|"); got != row.want {
				t.Errorf("%s, %s: %q, want %q", name, form, got, row.want)
			}
		}
	}
}
