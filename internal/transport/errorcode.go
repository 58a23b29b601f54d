package transport

import (
	"encoding/json"
	"strings"

	"github.com/azprov/azprov/internal/retry"
)

// maxErrorCode is longer than any code the platform has shown.
const maxErrorCode = 64

// errorCode finds the platform's own word for an error: <Code> of the wire
// server's XML, errorCode of the HostGAPlugin's JSON. Only a plain word is taken,
// because it goes into messages; bodies do not.
func errorCode(o retry.Outcome) string {
	body := string(o.Body)
	if _, rest, found := strings.Cut(body, "<Code>"); found {
		code, _, _ := strings.Cut(rest, "</Code>")
		return word(code)
	}
	var doc struct {
		ErrorCode string `json:"errorCode"`
	}
	if json.Unmarshal(o.Body, &doc) == nil {
		return word(doc.ErrorCode)
	}
	return ""
}

func word(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxErrorCode {
		return ""
	}
	for _, r := range s {
		if !(r == '.' || r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return ""
		}
	}
	return s
}
