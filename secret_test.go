package azprov_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog" //nolint:depguard // One of the printers a secret must withstand.
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/azprov/azprov"
)

const hidden = "hunter2-hunter2"

type holder struct {
	Public azprov.Secret
	hidden azprov.Secret // fmt prints it by reflection
	Deep   struct{ List []azprov.Secret }
	Ptr    *azprov.Secret
}

func newHolder() holder {
	s := azprov.NewSecret([]byte(hidden))
	h := holder{Public: s, hidden: s, Ptr: &s}
	h.Deep.List = []azprov.Secret{s}
	return h
}

// leaks looks for the secret in the forms in which a printer may show bytes.
func leaks(text string) bool {
	return strings.Contains(text, hidden) ||
		strings.Contains(text, "104 117 110 116 101 114") || // decimal
		strings.Contains(strings.ToLower(text), "68756e746572") || // hexadecimal
		strings.Contains(strings.ToLower(text), "0x68, 0x75")
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	h := newHolder()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T"} {
		for _, value := range []any{h, &h, h.Public, &h.Public, []azprov.Secret{h.Public}, map[string]azprov.Secret{"k": h.Public}} {
			if text := fmt.Sprintf(verb, value); leaks(text) {
				t.Errorf("%s of %T shows %q", verb, value, text)
			}
		}
	}
	var buf bytes.Buffer
	slog.New(slog.NewTextHandler(&buf, nil)).Info("x", "secret", h.Public, "holder", h)
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "secret", h.Public, "holder", h)
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&buf), zap.DebugLevel)
	zap.New(core).Info("x", zap.Any("secret", h.Public), zap.Any("holder", h), zap.Stringer("s", h.Public), zap.Reflect("r", &h))
	if leaks(buf.String()) {
		t.Errorf("a log shows %s", buf.String())
	}
	if err := gob.NewEncoder(&buf).Encode(h.Public); err == nil && leaks(buf.String()) {
		t.Error("gob shows it")
	}
}

func TestSecretEncodesRedacted(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(newHolder())
	if err != nil || leaks(string(b)) || !strings.Contains(string(b), azprov.Redacted) {
		t.Errorf("JSON %s, %v", b, err)
	}
	type doc struct{ S azprov.Secret }
	b, err = xml.Marshal(doc{azprov.NewSecret([]byte(hidden))})
	if err != nil || leaks(string(b)) || !strings.Contains(string(b), azprov.Redacted) {
		t.Errorf("XML %s, %v", b, err)
	}
	b, _ = json.Marshal(struct {
		S azprov.Secret `json:"s,omitzero"`
	}{})
	if string(b) != "{}" {
		t.Errorf("the zero secret gives %s", b)
	}
}

func TestSecretDecodes(t *testing.T) {
	t.Parallel()
	var got struct{ S azprov.Secret }
	if err := json.Unmarshal([]byte(`{"S":"abc"}`), &got); err != nil || got.S.RevealString() != "abc" {
		t.Errorf("%q, %v", got.S.RevealString(), err)
	}
	err := json.Unmarshal([]byte(`{"S":"[redacted]"}`), &got)
	if !errors.Is(err, azprov.ErrMalformed) {
		t.Errorf("reading back a redacted value: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"S":""}`), &got); err != nil || !got.S.IsZero() {
		t.Errorf("empty text must give the zero secret: %v", err)
	}
}

func TestSecretIsACopy(t *testing.T) {
	t.Parallel()
	b := []byte("abc")
	s := azprov.NewSecret(b)
	b[0] = 'x'
	s.Reveal()[1] = 'x'
	if s.RevealString() != "abc" || string(s.Reveal()) != "abc" || s.Len() != 3 {
		t.Errorf("changed from outside to %q", s.RevealString())
	}
}

func TestSecretZeroAndEmpty(t *testing.T) {
	t.Parallel()
	var zero azprov.Secret
	empty := azprov.NewSecret(nil)
	if !zero.IsZero() || zero.Reveal() != nil || zero.String() != "" || zero.Len() != 0 || zero.RevealString() != "" {
		t.Error("the zero secret is not there")
	}
	if empty.IsZero() || empty.Reveal() == nil || empty.String() != azprov.Redacted || empty.Len() != 0 {
		t.Error("an empty secret is there")
	}
	if zero.Equal(empty) || !zero.Equal(azprov.Secret{}) || !empty.Equal(azprov.NewSecret([]byte{})) {
		t.Error("zero and empty differ")
	}
	if azprov.NewSecret([]byte("a")).Equal(azprov.NewSecret([]byte("b"))) {
		t.Error("a equals b")
	}
}
