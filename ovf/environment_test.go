package ovf

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestThumbprint(t *testing.T) {
	t.Parallel()
	const want = "00112233445566778899AABBCCDDEEFF00112233"
	for _, in := range []string{
		want, strings.ToLower(want), "sha1:" + want, "SHA1:" + want, " " + want + "\n",
		"00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33",
		"sha1:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33",
		"00112233 44556677 8899aabb ccddeeff 00112233",
	} {
		if got := (PublicKey{Fingerprint: in}).Thumbprint(); got != want {
			t.Errorf("PublicKey %q: %q", in, got)
		}
		if got := (KeyPair{Fingerprint: in}).Thumbprint(); got != want {
			t.Errorf("KeyPair %q: %q", in, got)
		}
	}
	if got := (PublicKey{}).Thumbprint(); got != "" {
		t.Errorf("empty: %q", got)
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	t.Parallel()
	const password, data, text = "hunter2-password", "hunter2-data", "hunter2_text"
	for name, doc := range map[string]string{
		"decoded":   withSet("<wa:UserPassword>" + password + "</wa:UserPassword><wa:CustomData>aHVudGVyMi1kYXRh</wa:CustomData>"),
		"undecoded": withSet("<wa:CustomData>" + text + "xx</wa:CustomData>"),
	} {
		env := mustParse(t, doc)
		asJSON, err := json.Marshal(env)
		if err != nil {
			t.Fatal(err)
		}
		shown := []string{string(asJSON), fmt.Sprintf("%+v %#v", env.Raw(), env.Raw())}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown = append(shown, fmt.Sprintf(format, env), fmt.Sprintf(format, *env))
		}
		for _, shown := range shown {
			for _, secret := range []string{"hunter2", "aHVudGVy", fmt.Sprintf("%x", "hunter2"), "104 117 110 116 101 114 50"} {
				if strings.Contains(shown, secret) {
					t.Errorf("%s: %q in %s", name, secret, shown)
				}
			}
		}
	}
	if env := mustParse(t, withSet("<wa:UserPassword>"+password+"</wa:UserPassword><wa:CustomData>aHVudGVyMi1kYXRh</wa:CustomData>")); env.UserPassword.RevealString() != password || env.CustomData.RevealString() != data {
		t.Error("the secrets are not the ones looked for")
	}
}
