package unitfailure

import (
	"regexp"
	"strings"

	"github.com/azprov/azprov"
)

// Lines of a log are written by programs that do not know who will read them, and a report
// is shown in the portal. What looks like a secret is replaced; too much rather than too
// little, because the rest of the line still says what happened.

// secretName is what the name of a secret has in it.
const secretName = `(?:pass(?:word|wd|phrase|code)|pwd|secret|token|credential|signature|auth(?:orization|key)|cookie|` +
	`(?:api|account|access|private|shared|storage|encryption)[_-]?(?:access[_-]?)?key|(?:custom|user)[_-]?data)`

var (
	// terminal sequences: colors, movements, titles (ECMA-48).
	terminal = regexp.MustCompile("\x1b(?:\\[[0-9;:?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|.)")

	pem = regexp.MustCompile(`-----BEGIN [^-]*-----.*?(?:-----END [^-]*-----|$)`)
	// element is one of XML with what is in it, as of ovf-env.xml.
	element = regexp.MustCompile(`(?i)(<(?:\w+:)?[\w.-]*` + secretName + `[\w.-]*(?:\s[^>]*)?>)[^<]+`)
	// assigned is the name of a secret up to its value, which valueEnd finds.
	assigned = regexp.MustCompile(`(?i)(?:[\w-]*` + secretName + `[\w-]*|\bsig)["'\\]*\s*(?:=>|:=|==?|:)\s*`)
	option   = regexp.MustCompile(`(?i)((?:^|\s)--?[\w-]*` + secretName + `[\w-]*\s+)\S+`)
	scheme   = regexp.MustCompile(`(?i)\b(bearer|sharedkey(?:lite)?|sharedaccesssignature)\s+\S+`)
	// header may have several words in its value.
	header = regexp.MustCompile(`(?i)((?:authorization|cookie)["'\\]*\s*[=:]\s*).+`)

	dataURL  = regexp.MustCompile(`(?i)\bdata:[\w.+/;=-]*,[^\s"'<>]*`)
	userInfo = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s"'<>]*@`)
	query    = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s?"'<>]*\?)[^\s"'<>]+`)

	jwt   = regexp.MustCompile(`\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*`)
	crypt = regexp.MustCompile(`\$(?:\d|2[abxy]|y|gy|sm3|md5|sha1|argon2\w*|pbkdf2[\w-]*|scrypt)[$,][^\s"'<>:]{8,}`)
	// run is text that may be base64, of bytes or for URLs.
	run = regexp.MustCompile(`[A-Za-z0-9+/_-]{64,}={0,2}`)
	// path is an absolute one, whose elements are looked at by themselves.
	path   = regexp.MustCompile(`^/(?:usr|etc|var|run|sys|proc|dev|sysroot|home|tmp|opt|boot|root|mnt|lib|lib64|bin|sbin|ostree|efi)/`)
	digest = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// armor is a line of a PEM block that has lost its begin: PEM has 64 characters in
	// a line, and OpenSSH 70.
	armor = regexp.MustCompile(`^[A-Za-z0-9+/]{40,80}={0,2}$`)
	// inArmor is what any line of such a block may be, a header and the last one too.
	inArmor = regexp.MustCompile(`^(?:[A-Za-z0-9+/]+={0,2}|[A-Za-z-]+: .*)$`)
)

// longRun is how many characters of base64 are taken for a secret.
const longRun = 64

// redact replaces what looks like a secret in one line.
func redact(s string) string {
	const kept = "${1}" + azprov.Redacted
	s = pem.ReplaceAllLiteralString(s, azprov.Redacted)
	s = element.ReplaceAllString(s, kept)
	s = header.ReplaceAllString(s, kept)
	s = dataURL.ReplaceAllLiteralString(s, "data:"+azprov.Redacted)
	s = userInfo.ReplaceAllString(s, kept+"@")
	s = query.ReplaceAllString(s, kept)
	s = redactAssigned(s)
	s = option.ReplaceAllString(s, kept)
	s = scheme.ReplaceAllString(s, "${1} "+azprov.Redacted)
	s = jwt.ReplaceAllLiteralString(s, azprov.Redacted)
	s = crypt.ReplaceAllLiteralString(s, azprov.Redacted)
	return run.ReplaceAllStringFunc(s, redactRun)
}

// redactAssigned replaces the values behind the names of secrets.
func redactAssigned(s string) string {
	var b strings.Builder
	for {
		at := assigned.FindStringIndex(s)
		if at == nil {
			b.WriteString(s)
			return b.String()
		}
		name, rest := s[:at[1]], s[at[1]:]
		b.WriteString(name)
		end := valueEnd(name, rest)
		if end > 0 {
			b.WriteString(azprov.Redacted)
		}
		s = rest[end:]
	}
}

// valueEnd is where a value ends: at its closing quote; without quotes at the first blank,
// or behind a colon, where a value of YAML or of a header may have blanks, at the end.
func valueEnd(name, rest string) int {
	switch {
	case rest == "":
		return 0
	case rest[0] == '"' || rest[0] == '\'':
		return quotedEnd(rest, rest[:1])
	case strings.HasPrefix(rest, `\"`):
		return quotedEnd(rest, `\"`) // JSON in a string of JSON
	case strings.HasSuffix(strings.TrimRight(name, " "), ":"):
		return len(rest)
	}
	if end := strings.IndexByte(rest, ' '); end >= 0 {
		return end
	}
	return len(rest)
}

// quotedEnd is the index behind the closing quote of s, which begins with the quote. A
// quote with a backslash before it does not close, nor one in the middle of a word.
func quotedEnd(s, quote string) int {
	for at := len(quote); ; {
		i := strings.Index(s[at:], quote)
		if i < 0 {
			return len(s)
		}
		at += i + len(quote)
		escaped := s[at-len(quote)-1] == '\\'
		if !escaped && (at == len(s) || strings.IndexByte(" ,;:}])>&|\\", s[at]) >= 0) {
			return at
		}
	}
}

// redactRun replaces a long run of base64. A digest in hexadecimal digits, as errors name
// it, is none, and of a path only an element can be.
func redactRun(s string) string {
	switch {
	case digest.MatchString(s):
		return s
	case !path.MatchString(s):
		return azprov.Redacted
	}
	elements := strings.Split(s, "/")
	for i, e := range elements {
		if len(e) >= longRun && !digest.MatchString(e) {
			elements[i] = azprov.Redacted
		}
	}
	return strings.Join(elements, "/")
}

// redactArmor replaces PEM blocks that go over several lines, oldest first: of each one
// line is left, and the others are empty.
func redactArmor(lines []line) {
	inside := false
	for i := range lines {
		text := lines[i].text
		begin, end := strings.LastIndex(text, "-----BEGIN "), strings.LastIndex(text, "-----END ")
		switch {
		case end > begin && begin < 0 && !inside: // the begin is not among the lines
			for j := i - 1; j >= 0 && (inArmor.MatchString(lines[j].text) || lines[j].text == azprov.Redacted); j-- {
				lines[j].text = ""
			}
			lines[i].text = azprov.Redacted
		case end > begin:
			if begin < 0 {
				lines[i].text = ""
			}
			inside = false
		case begin >= 0:
			inside = true
		case inside && inArmor.MatchString(text):
			lines[i].text = ""
		default:
			inside = false
		}
		if armor.MatchString(lines[i].text) && !path.MatchString(lines[i].text) {
			lines[i].text = azprov.Redacted
		}
	}
}
