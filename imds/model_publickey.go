package imds

import (
	"slices"
	"strings"
	"unicode"
)

// PublicKey is one SSH public key of the administrator.
type PublicKey struct {
	// KeyData is nearly always a line of an authorized_keys file. Line ends may
	// stand inside and after it, and an X.509 certificate in its place; use
	// [PublicKey.OpenSSH].
	KeyData string `json:"keyData"`
	// Path is the authorized_keys file the creator named. Agents install the
	// key for the administrator whatever it says.
	Path string `json:"path"`
}

// certificateSuffix ends the type of an OpenSSH certificate.
const certificateSuffix = "-cert-v01@openssh.com"

// plainKeyTypes are the types of plain keys that OpenSSH knows (sshd(8),
// "AUTHORIZED_KEYS FILE FORMAT"), and ssh-dss, which it knew until version 10.
var plainKeyTypes = [...]string{
	"ssh-ed25519", "ssh-rsa",
	"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
	"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
	"ssh-dss",
}

// OpenSSH returns the key as one line for an authorized_keys file: trimmed, and
// without the line ends that Azure's portal once folded keys with. ok is false if
// that is no OpenSSH public key: optional options, a known key or certificate
// type, and its data. The data is not decoded.
func (k PublicKey) OpenSSH() (line string, ok bool) {
	line = strings.NewReplacer("\r", "", "\n", "").Replace(k.KeyData)
	line = strings.TrimSpace(line)
	// A tab separates fields; other control characters have no place in a key,
	// and a text that came from outside shall not bring them into a file.
	if strings.ContainsFunc(line, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
		return "", false
	}
	first, rest := cutField(line)
	if !isKeyType(first) {
		first, rest = cutField(rest)
	}
	data, _ := cutField(rest)
	if !isKeyType(first) || data == "" {
		return "", false
	}
	return line, true
}

// cutField splits off the first field. Blanks inside double quotes do not end it:
// options are written so (command="…"), with a backslash before inner quotes.
func cutField(s string) (field, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t'):
			return s[:i], strings.TrimLeft(s[i:], " \t")
		}
	}
	return s, ""
}

func isKeyType(s string) bool {
	plain, isCertificate := strings.CutSuffix(s, certificateSuffix)
	if isCertificate && strings.HasPrefix(plain, "sk-") {
		// A security key's certificate has the "@openssh.com" once, at the end.
		plain += "@openssh.com"
	}
	return slices.Contains(plainKeyTypes[:], plain)
}
