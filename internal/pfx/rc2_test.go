package pfx

import (
	"bytes"
	"testing"
)

// The examples of RFC 2268, section 5.
func TestRC2Decrypts(t *testing.T) {
	t.Parallel()
	const long = "88bca90e90875a7f0f79c384627bafb2"
	for _, tc := range []struct {
		key               string
		effective         int
		plain, ciphertext string
	}{
		{"0000000000000000", 63, "0000000000000000", "ebb773f993278eff"},
		{"ffffffffffffffff", 64, "ffffffffffffffff", "278b27e42e2f0d49"},
		{"3000000000000000", 64, "1000000000000001", "30649edf9be7d2c2"},
		{"88", 64, "0000000000000000", "61a8a244adacccf0"},
		{"88bca90e90875a", 64, "0000000000000000", "6ccf4308974c267f"},
		{long, 64, "0000000000000000", "1a807d272bbe5db1"},
		{long, 128, "0000000000000000", "2269552ab0f85ca6"},
		{long + "16f80a6f85920584c42fceb0be255daf1e", 129, "0000000000000000", "5b78d3a43dfff1f1"},
	} {
		t.Run(tc.ciphertext, func(t *testing.T) {
			t.Parallel()
			c := newRC2(unhex(t, tc.key), tc.effective)
			got := make([]byte, c.BlockSize())
			c.Decrypt(got, unhex(t, tc.ciphertext))
			if want := unhex(t, tc.plain); !bytes.Equal(got, want) {
				t.Errorf("%x, want %x", got, want)
			}
			// In place, as cipher.Block allows.
			in := unhex(t, tc.ciphertext)
			if c.Decrypt(in, in); !bytes.Equal(in, got) {
				t.Errorf("in place: %x", in)
			}
		})
	}
}
