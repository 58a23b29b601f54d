package ovf

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// decodeCustomData decodes the text of a CustomData element. ok is false if it
// cannot be base64; warning says what was odd, and is never empty then. A
// protected secret in the place of base64 is returned as it is.
//
// It decodes what cloud-init decodes, to the same bytes, and two things that
// cloud-init fails on are better here: without padding, a text whose last
// character is one that an encoder can have written there is decoded, and what
// cannot be decoded does not take the rest of the document with it.
func decodeCustomData(text string) (data []byte, warning string, ok bool) {
	packed := strings.Join(strings.Fields(text), "")
	if IsProtected([]byte(packed)) {
		return []byte(packed), "", true
	}
	digits, skipped, padded := base64Digits(packed)
	if skipped > 0 {
		warning = "CustomData holds " + strconv.Itoa(skipped) + " bytes that are no base64; they are skipped"
	}
	encoding := base64.RawStdEncoding
	if !padded && len(digits)%4 != 0 {
		// An encoder leaves the unused bits of the last digit zero. Where they are
		// not, the text is something else that happens to look like base64.
		encoding = encoding.Strict()
		warning = "CustomData is base64 without its padding"
	}
	data, err := encoding.DecodeString(string(digits))
	if err != nil {
		return nil, "CustomData is no base64 and is not decoded", false
	}
	return data, warning, true
}

// base64Digits keeps the characters of the base64 alphabet up to the padding
// that completes a group of four, and counts the others. padded says whether
// there was such a padding. Surplus padding is not an error, and what follows
// the padding is ignored: CPython's binascii.a2b_base64, which decodes custom
// data in most Linux images, has it so.
func base64Digits(text string) (digits []byte, skipped int, padded bool) {
	digits = make([]byte, 0, len(text))
	pads := 0
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '=':
			if have := len(digits) % 4; have >= 2 {
				pads++
				if have+pads >= 4 {
					return digits, skipped, true
				}
			}
		case isBase64Digit(c):
			pads = 0
			digits = append(digits, c)
		default:
			skipped++
		}
	}
	return digits, skipped, false
}

func isBase64Digit(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}
