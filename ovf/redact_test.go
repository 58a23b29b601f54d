package ovf

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/azprov/azprov"
)

func mustRedact(t *testing.T, doc string) string {
	t.Helper()
	out, err := Redacted([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Everything but the secrets is kept, byte for byte where XML has one way to
// write it.
func TestRedactedKeepsTheRest(t *testing.T) {
	t.Parallel()
	const doc = header + setStart + `
	<wa:HostName>vm1</wa:HostName><q:New xmlns:q="urn:q" q:a="1&#xA;2">x &amp; <q:b/>` + "</q:New>" +
		`<wa:CustomData>c2VjcmV0</wa:CustomData>
	<wa:UserPassword>hunter2</wa:UserPassword><wa:Note><![CDATA[a<b]]></wa:Note>
	<wa:DisableSshPasswordAuthentication>true</wa:DisableSshPasswordAuthentication>` + setEnd + footer
	want := strings.NewReplacer("c2VjcmV0", "REDACTED", "hunter2", "REDACTED", "x &amp; ", "REDACTED").Replace(doc)
	if got := mustRedact(t, doc); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ set, want string }{
		"empty stays empty":                {"<wa:UserPassword></wa:UserPassword>", "<wa:UserPassword/>"},
		"self-closed stays so":             {"<wa:CustomData/>", "<wa:CustomData/>"},
		"white space is emptied":           {"<wa:UserPassword> \n </wa:UserPassword>", "<wa:UserPassword/>"},
		"nil stays nil":                    {`<wa:UserPassword i:nil="true"/>`, `<wa:UserPassword i:nil="true"/>`},
		"nil with content":                 {`<wa:UserPassword i:nil="true">hunter2</wa:UserPassword>`, `<wa:UserPassword i:nil="true">REDACTED</wa:UserPassword>`},
		"name in any case":                 {"<wa:USERPASSWORD>hunter2</wa:USERPASSWORD>", "<wa:USERPASSWORD>REDACTED</wa:USERPASSWORD>"},
		"any namespace":                    {`<q:customdata xmlns:q="urn:q">hunter2</q:customdata>`, `<q:customdata xmlns:q="urn:q">REDACTED</q:customdata>`},
		"undeclared prefix":                {"<q:UserPassword>hunter2</q:UserPassword>", "<q:UserPassword>REDACTED</q:UserPassword>"},
		"other passwords":                  {"<wa:AdminPassword>hunter2</wa:AdminPassword>", "<wa:AdminPassword>REDACTED</wa:AdminPassword>"},
		"user data":                        {"<wa:UserData>hunter2</wa:UserData>", "<wa:UserData>REDACTED</wa:UserData>"},
		"unattend content":                 {"<wa:AdditionalUnattendContent><wa:Pass>hunter2</wa:Pass></wa:AdditionalUnattendContent>", "<wa:AdditionalUnattendContent>REDACTED</wa:AdditionalUnattendContent>"},
		"deep in the unknown":              {"<wa:A><wa:B><wa:Password>hunter2</wa:Password></wa:B></wa:A>", "<wa:A><wa:B><wa:Password>REDACTED</wa:Password></wa:B></wa:A>"},
		"attribute of a secret":            {`<wa:UserPassword plain="hunter2" xml:lang="">x</wa:UserPassword>`, `<wa:UserPassword plain="REDACTED" xml:lang="">REDACTED</wa:UserPassword>`},
		"attribute of an empty secret":     {`<wa:UserPassword v="hunter2"/>`, `<wa:UserPassword v="REDACTED"/>`},
		"secret attribute":                 {`<wa:User adminPassword="hunter2" name="x"/>`, `<wa:User adminPassword="REDACTED" name="x"/>`},
		"children of a secret":             {"<wa:UserPassword><wa:Value>hunter2</wa:Value></wa:UserPassword>", "<wa:UserPassword>REDACTED</wa:UserPassword>"},
		"CDATA":                            {"<wa:UserPassword><![CDATA[hunter2]]></wa:UserPassword>", "<wa:UserPassword>REDACTED</wa:UserPassword>"},
		"comment inside":                   {"<wa:UserPassword><!-- hunter2 --></wa:UserPassword>", "<wa:UserPassword/>"},
		"commented out":                    {"<!-- <wa:UserPassword>hunter2</wa:UserPassword> --><wa:A/>", "<wa:A/>"},
		"processing instruction":           {"<?keep hunter2?><wa:A/>", "<wa:A/>"},
		"nested declaration":               {`<wa:A><?xml version="1.0" standalone="hunter2"?></wa:A>`, "<wa:A/>"},
		"directive":                        {"<!hunter2><wa:A/>", "<wa:A/>"},
		"text behind a secret":             {"<wa:A><wa:UserPassword/>hunter2</wa:A>", "<wa:A><wa:UserPassword/>REDACTED</wa:A>"},
		"document in a text":               {"<wa:A>&lt;Password&gt;hunter2&lt;/Password&gt;</wa:A>", "<wa:A>REDACTED</wa:A>"},
		"document in CDATA, split":         {"<wa:A><![CDATA[<Pass]]><![CDATA[word>hunter2]]></wa:A>", "<wa:A><![CDATA[REDACTED]]></wa:A>"},
		"JSON in an attribute":             {`<wa:A v="{'password':'hunter2'}"/>`, `<wa:A v="REDACTED"/>`},
		"key pair":                         {"<wa:KeyPair><wa:Fingerprint>AA</wa:Fingerprint><wa:Path>/p</wa:Path><wa:Value>hunter2</wa:Value></wa:KeyPair>", "<wa:KeyPair><wa:Fingerprint>AA</wa:Fingerprint><wa:Path>/p</wa:Path><wa:Value>REDACTED</wa:Value></wa:KeyPair>"},
		"public key is none":               {"<wa:PublicKey><wa:Value>ssh-rsa AAAA</wa:Value></wa:PublicKey>", "<wa:PublicKey><wa:Value>ssh-rsa AAAA</wa:Value></wa:PublicKey>"},
		"the switch is none":               {"<wa:DisableSshPasswordAuthentication>false</wa:DisableSshPasswordAuthentication>", "<wa:DisableSshPasswordAuthentication>false</wa:DisableSshPasswordAuthentication>"},
		"a user called password is none":   {"<wa:UserName>password</wa:UserName>", "<wa:UserName>password</wa:UserName>"},
		"already redacted":                 {"<wa:UserPassword>REDACTED</wa:UserPassword>", "<wa:UserPassword>REDACTED</wa:UserPassword>"},
		"duplicates, which Parse refuses":  {"<wa:UserPassword>hunter2</wa:UserPassword><wa:UserPassword>hunter2</wa:UserPassword>", "<wa:UserPassword>REDACTED</wa:UserPassword><wa:UserPassword>REDACTED</wa:UserPassword>"},
		"too long, which Parse refuses":    {"<wa:UserPassword>" + strings.Repeat("hunter2", 20) + "</wa:UserPassword>", "<wa:UserPassword>REDACTED</wa:UserPassword>"},
		"namespace declaration is kept":    {`<CustomData xmlns="urn:q">hunter2</CustomData>`, `<CustomData xmlns="urn:q">REDACTED</CustomData>`},
		"an attribute nil with a password": {`<wa:UserPassword nil="hunter2"/>`, `<wa:UserPassword nil="REDACTED"/>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mustRedact(t, header+setStart+row.set+setEnd+footer)
			if want := header + setStart + row.want + setEnd + footer; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("the secret is in it")
			}
		})
	}
}

func TestRedactedOutsideOfTheRoot(t *testing.T) {
	t.Parallel()
	doc := "<!-- hunter2 -->\n<?keep hunter2?>" + header[38:] + footer + "<!-- hunter2 -->\n"
	if got, want := mustRedact(t, doc), "\n"+header[38:len(header)-1]+"/>\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A UTF-16 document becomes a UTF-8 one that says so.
func TestRedactedRewritesTheEncoding(t *testing.T) {
	t.Parallel()
	doc := strings.Replace(withSet("<wa:UserPassword>hunter2</wa:UserPassword><wa:UserName>jürgen</wa:UserName>"), "utf-8", "utf-16", 1)
	b := []byte{0xFF, 0xFE}
	for _, unit := range utf16.Encode([]rune(doc)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	out := mustRedact(t, string(b))
	if !strings.HasPrefix(out, `<?xml version="1.0" encoding="utf-8"?>`) || !strings.Contains(out, "jürgen") {
		t.Errorf("got %s", out)
	}
	env, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if env.UserPassword.RevealString() != "hunter2" || env.UserName != "jürgen" {
		t.Errorf("UTF-16 parsed to %q, %q", env.UserPassword.RevealString(), env.UserName)
	}
}

func TestEnvironmentRedacted(t *testing.T) {
	t.Parallel()
	parsed := mustParse(t, withSet("<wa:UserPassword>hunter2</wa:UserPassword><wa:New/>"))
	built := &Environment{HostName: "vm1", UserPassword: secret("hunter2"), CustomData: secret("x")}
	for name, row := range map[string]struct {
		env  *Environment
		want string
	}{
		"parsed keeps the unknown": {parsed, "<wa:New/>"},
		"built is encoded":         {built, "<wa:CustomData>REDACTED</wa:CustomData>"},
	} {
		out, err := row.env.Redacted()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(string(out), row.want) || strings.Contains(string(out), "hunter2") {
			t.Errorf("%s: %s", name, out)
		}
		env := mustParse(t, string(out))
		if !env.UserPassword.IsZero() || !env.UserPasswordRedacted || env.HostName != "vm1" {
			t.Errorf("%s: reads as %+v", name, env)
		}
	}
	out, err := (&Environment{HostName: "\x00"}).Redacted()
	if out != nil || azprov.KindOf(err) != azprov.KindMalformed {
		t.Errorf("unwritable: %q, %v", out, err)
	}
}
