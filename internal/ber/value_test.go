package ber_test

import (
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/ber"
)

func TestOctets(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in, want string
		err            string
	}{
		{"whole", "04 02 61 62", "ab", ""},
		{"empty", "04 00", "", ""},
		{"in pieces", "24 06 04 01 61 04 01 62", "ab", ""},
		{"in pieces, streamed", "24 80 04 01 61 04 00 04 01 62 00 00", "ab", ""},
		{"in pieces of pieces", "24 80 24 80 04 01 61 24 03 04 01 62 00 00 04 01 63 00 00", "abc", ""},
		{"in no pieces", "24 80 00 00", "", ""},
		{"tagged otherwise", "80 02 61 62", "ab", ""},
		{"tagged otherwise, in pieces", "a0 80 04 01 61 24 80 04 01 62 00 00 00 00", "ab", ""},
		{"a piece of another type", "24 05 04 01 61 05 00", "", "tag 5 where 4 belongs"},
		{"a piece with the tag of the whole", "a0 80 80 01 61 00 00", "", "tag 128 where 4 belongs"},
		{"a piece of a piece of another type", "24 80 24 80 04 01 61 30 00 00 00 00 00", "", "tag 16 where 4 belongs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(t, bin(tc.in)).Octets()
			if tc.err != "" {
				if err == nil || err.Error() != tc.err || got != nil {
					t.Errorf("Octets = %q, %v, want %s", got, err, tc.err)
				}
				return
			}
			if err != nil || string(got) != tc.want {
				t.Errorf("Octets = %q, %v", got, err)
			}
		})
	}
}

// Callers may count on a large string not being copied, and on a chopped one being theirs.
func TestOctetsAlias(t *testing.T) {
	t.Parallel()
	for in, aliases := range map[string]bool{"04 01 61": true, "24 03 04 01 61": false} {
		document := bin(in)
		got, err := parse(t, document).Octets()
		if err != nil {
			t.Fatal(err)
		}
		document[len(document)-1] = 'z'
		if (string(got) == "z") != aliases {
			t.Errorf("%s became %q", in, got)
		}
	}
}

func TestInt(t *testing.T) {
	t.Parallel()
	const (
		empty = "an empty or constructed INTEGER"
		limit = "an INTEGER below 0 or over 2147483647"
	)
	for _, tc := range []struct {
		name, in string
		want     int
		err      string
	}{
		{"zero", "02 01 00", 0, ""},
		{"one octet", "02 01 7f", 127, ""},
		{"a zero before the sign bit", "02 02 00 80", 128, ""},
		{"three octets", "02 03 01 86 a0", 100000, ""},
		{"the largest", "02 04 7f ff ff ff", 1<<31 - 1, ""},
		{"one more than that", "02 05 00 80 00 00 00", 0, limit},
		{"far more than that", "02 09 01 00 00 00 00 00 00 00 00", 0, limit},
		{"below zero", "02 01 ff", 0, limit},
		{"below zero, four octets", "02 04 80 00 00 00", 0, limit},
		{"no octet", "02 00", 0, empty},
		{"constructed", "22 03 02 01 05", 0, empty},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(t, bin(tc.in)).Int()
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
				t.Errorf("Int = %d, %v", got, err)
			}
		})
	}
}

var identifiers = []string{
	"0.0", "0.39", "1.0", "1.39", "2.0", "2.39", "2.40", "2.47", "2.48", "2.999.3", "1.2.840.113549.1.7.3",
	"2.16.840.1.101.3.4.1.42", "1.3.6.1.4.1.311.17.1", "1.2.127.128.16383.16384.2097151.2097152", "2.5.29.15",
	"1.2.0.0.1", "1.2.2147483647", "2.2147483567.1",
}

func TestOIDRoundTrip(t *testing.T) {
	t.Parallel()
	for _, want := range append(identifiers, "1.2.9223372036854775807", "2.9223372036854775727") {
		got, err := parse(t, ber.EncodeOID(want)).OID()
		if err != nil || got != want {
			t.Errorf("%s became %q, %v", want, got, err)
		}
	}
}

func TestOIDLikeASN1(t *testing.T) {
	t.Parallel()
	for _, dotted := range identifiers {
		var oid asn1.ObjectIdentifier
		for arc := range strings.SplitSeq(dotted, ".") {
			n, _ := new(big.Int).SetString(arc, 10)
			oid = append(oid, int(n.Int64()))
		}
		want, err := asn1.Marshal(oid)
		if err != nil {
			t.Fatal(err)
		}
		if got := ber.EncodeOID(dotted); string(got) != string(want) {
			t.Errorf("%s: % x, want % x", dotted, got, want)
		}
		if got, err := parse(t, want).OID(); err != nil || got != dotted {
			t.Errorf("OID = %q, %v, want %s", got, err, dotted)
		}
	}
}

func TestOIDRefuses(t *testing.T) {
	t.Parallel()
	const (
		none  = "an OBJECT IDENTIFIER that is none"
		large = "an OBJECT IDENTIFIER with an arc that is too large"
	)
	long := func(octets int) string { return strings.Repeat("01 ", octets) }
	if got, err := parse(t, bin("06 40 "+long(64))).OID(); err != nil || len(got) != 3+2*63 {
		t.Errorf("64 octets: %q, %v", got, err)
	}
	if got, err := parse(t, bin("06 09 ff ff ff ff ff ff ff ff 7f")).OID(); err != nil || got != "2.9223372036854775727" {
		t.Errorf("an arc of 63 bits: %q, %v", got, err)
	}
	for _, tc := range []struct{ name, in, want string }{
		{"no octet", "06 00", none},
		{"constructed", "26 03 06 01 2a", none},
		{"the last arc is cut", "06 03 2a 03 84", none},
		{"the only arc is cut", "06 01 aa", none},
		{"over 64 octets", "06 41 " + long(65), none},
		{"an arc of ten groups", "06 0b 2a 81 80 80 80 80 80 80 80 80 00", large},
		{"a first arc of ten groups", "06 0a 81 80 80 80 80 80 80 80 80 00", large},
		{"ten groups, though they are zero", "06 0b 2a 80 80 80 80 80 80 80 80 80 01", large},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got, err := parse(t, bin(tc.in)).OID(); err == nil || err.Error() != tc.want || got != "" {
				t.Errorf("OID = %q, %v, want %s", got, err, tc.want)
			}
		})
	}
}
