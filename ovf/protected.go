package ovf

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// IsProtected reports whether b is a protected secret: a JSON Web Token in its
// compact form (RFC 7515), which is three base64url parts between dots, the first
// a JSON object with "alg". Azure puts one in the place of the password or of the
// custom data of a confidential VM; only the tool that holds the VM's key can
// read it. Such a value must not be used as it is. White space around b does not
// matter.
func IsProtected(b []byte) bool {
	parts := bytes.Split(bytes.TrimSpace(b), []byte("."))
	if len(parts) != 3 || len(parts[1]) == 0 {
		return false
	}
	var header []byte
	for i, part := range parts {
		decoded, err := base64.RawURLEncoding.DecodeString(string(bytes.TrimRight(part, "=")))
		if err != nil {
			return false
		}
		if i == 0 {
			header = decoded
		}
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(header, &fields) != nil {
		return false
	}
	_, ok := fields["alg"]
	return ok
}
