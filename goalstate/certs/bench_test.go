package certs

import (
	"strconv"
	"testing"
)

// BenchmarkDecode opens a key and two certificates in Azure's layout.
func BenchmarkDecode(b *testing.B) {
	data, key := bundleData(), transport()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data, key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGenerateTransportKey(b *testing.B) {
	for _, bits := range []int{2048, 3072} {
		b.Run(strconv.Itoa(bits), func(b *testing.B) {
			for b.Loop() {
				if _, err := GenerateTransportKey(b.Context(), &TransportKeyOptions{Bits: bits}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
