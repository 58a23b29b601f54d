package ber_test

import (
	"bytes"
	"encoding/asn1"
	"math"
	"math/big"
	"strconv"
	"testing"

	"github.com/azprov/azprov/internal/ber"
)

// marshal is what encoding/asn1 makes of it.
func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The lengths at which the length of the length changes.
var lengths = []int{0, 1, 126, 127, 128, 129, 255, 256, 257, 65534, 65535, 65536, 65537}

func TestEncodeLengths(t *testing.T) {
	t.Parallel()
	for _, n := range lengths {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			value := bytes.Repeat([]byte{5, 0}, n/2+1)[:n]
			got := ber.Primitive(ber.OctetString, value)
			if !bytes.Equal(got, marshal(t, value)) {
				t.Errorf("an OCTET STRING begins % x", got[:2])
			}
			if e := parse(t, got); !bytes.Equal(e.Content, value) || e.Constructed {
				t.Error("it reads otherwise than it was written")
			}
			outer := ber.Constructed(ber.Context(3), got, got)
			want := marshal(t, asn1.RawValue{
				Class: asn1.ClassContextSpecific, Tag: 3, IsCompound: true, Bytes: append(bytes.Clone(got), got...),
			})
			if !bytes.Equal(outer, want) {
				t.Errorf("a [3] begins % x", outer[:2])
			}
			c := parse(t, outer).Children()
			if first, second := c.Octets(), c.Octets(); !bytes.Equal(first, value) || !bytes.Equal(second, value) || c.More() {
				t.Error("it reads otherwise than it was written")
			}
		})
	}
}

func TestEncodeLikeASN1(t *testing.T) {
	t.Parallel()
	type inner struct {
		OID  asn1.ObjectIdentifier
		Null asn1.RawValue
	}
	type outer struct {
		Version int
		Inner   inner
		Names   []string `asn1:"set"`
		Key     []byte   `asn1:"tag:0"`
		Rest    []int    `asn1:"tag:1"`
	}
	want := marshal(t, outer{
		2, inner{asn1.ObjectIdentifier{2, 999, 1}, asn1.NullRawValue}, []string{"ä", "ü"}, []byte("key"), []int{1, 300},
	})
	got := ber.Constructed(
		ber.Sequence,
		ber.EncodeInt(2),
		ber.Constructed(ber.Sequence, ber.EncodeOID("2.999.1"), ber.EncodeNull()),
		ber.Constructed(ber.Set, ber.Primitive(ber.UTF8String, []byte("ä")), ber.Primitive(ber.UTF8String, []byte("ü"))),
		ber.Primitive(ber.Context(0), []byte("key")),
		ber.Constructed(ber.Context(1), ber.EncodeInt(1), ber.EncodeInt(300)),
	)
	if !bytes.Equal(got, want) {
		t.Errorf("% x\nwant % x", got, want)
	}
	if empty := ber.Constructed(ber.Sequence); !bytes.Equal(empty, marshal(t, struct{}{})) {
		t.Errorf("an empty SEQUENCE is % x", empty)
	}
}

func TestEncodeIntLikeASN1(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 1<<23 - 1, 1 << 23, math.MaxInt32} {
		got := ber.EncodeInt(n)
		if !bytes.Equal(got, marshal(t, n)) {
			t.Errorf("%d: % x", n, got)
		}
		if back, err := parse(t, got).Int(); err != nil || back != n {
			t.Errorf("%d became %d, %v", n, back, err)
		}
	}
	for bits := range uint(200) {
		n := new(big.Int).Lsh(big.NewInt(1), bits)
		for _, n := range []*big.Int{n, new(big.Int).Sub(n, big.NewInt(1))} {
			if got := ber.EncodeBigInt(n); !bytes.Equal(got, marshal(t, n)) {
				t.Errorf("%v: % x", n, got)
			}
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	for _, n := range []byte{0, 1, 30} {
		want := marshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: int(n), Bytes: []byte("x")})
		if got := ber.Primitive(ber.Context(n), []byte("x")); !bytes.Equal(got, want) {
			t.Errorf("[%d]: % x, want % x", n, got, want)
		}
	}
}
