package emulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/azprov/azprov"
)

// Bodies says where a journal keeps the bodies of requests and answers, without the VM's
// secrets. NewFabric refuses values other than the constants.
type Bodies string

// Where bodies are kept.
const (
	// BodiesNone: nowhere. An entry takes some hundred bytes.
	BodiesNone Bodies = ""
	// BodiesWritten: in what [Options.Journal] is given, and not in memory.
	BodiesWritten Bodies = "written"
	// BodiesKept: in [Fabric.Journal] too. An entry takes what its bodies do, at most
	// 128 KiB.
	BodiesKept Bodies = "kept"
)

// PossibleBodiesValues returns every choice.
func PossibleBodiesValues() []Bodies { return []Bodies{BodiesNone, BodiesWritten, BodiesKept} }

func (b Bodies) wanted() bool { return b != BodiesNone }

// Body is what the journal keeps of a body: all of it but the VM's secrets, in most cases.
type Body struct {
	// Length is that of the body as it was sent, in bytes.
	Length int `json:"length"`
	// Text is the body with its secrets replaced. A certificate blob in it is
	// "[N characters, sha256 DIGEST]".
	Text string `json:"text,omitempty"`
	// Left says what else of the body is not in Text.
	Left Left `json:"left,omitempty"`
	// SHA256 is the digest in hex of all of the text, where Text has only its beginning.
	SHA256 string `json:"sha256,omitempty"`
}

// Left says what a journal has left out of a body.
type Left string

// What is left out.
const (
	// LeftNone: nothing. Secrets that were replaced do not count.
	LeftNone Left = ""
	// LeftEnd: all after the first 64 KiB; of telemetry after the first 16.
	LeftEnd Left = "cut"
	// LeftBinary: all, since it is no text in UTF-8, where secrets could be looked for.
	LeftBinary Left = "binary"
	// LeftUnreadable: what came before the body broke off, or grew over 1 MiB.
	LeftUnreadable Left = "unreadable"
)

// PossibleLeftValues returns every value.
func PossibleLeftValues() []Left { return []Left{LeftNone, LeftEnd, LeftBinary, LeftUnreadable} }

// Answer is what was sent back, the status apart.
type Answer struct {
	// Headers are those of interest: x-ms-*, Content-Type, Server, ETag, Last-Modified,
	// Location, Retry-After, Connection.
	Headers map[string]string `json:"headers,omitempty"`
	// Body is nil for an empty one. Of an answer that a fault cut short it is the whole.
	Body *Body `json:"body,omitempty"`
}

const (
	// bodyKept and telemetryKept are how many bytes of a body are kept. Documents of the
	// platform are shorter than the first. Telemetry is some 20 KB of XML a minute
	// (WALinuxAgent 2.7.3), of no matter for provisioning.
	bodyKept      = 64 << 10
	telemetryKept = 16 << 10
	// base64Minimum is from which length on a word may be base64 that hides a secret.
	base64Minimum = 6
	// blobDigest stands between the length and the digest of a certificate blob.
	blobDigest = " characters, sha256 "
	// nestings is how deep base64 in base64 is looked into.
	nestings = 3
)

func bodyKeptOf(req *request) int {
	if strings.EqualFold(req.query.Get("comp"), "telemetrydata") {
		return telemetryKept
	}
	return bodyKept
}

// body is what is kept of a body; nil of none.
func (j *journal) body(b []byte, limit int) *Body {
	if len(b) == 0 {
		return nil
	}
	kept := &Body{Length: len(b)}
	if len(b) > bodyLimit {
		kept.Left = LeftUnreadable
		return kept
	}
	if !utf8.Valid(b) || slices.Contains(b, 0) {
		kept.Left = LeftBinary
		return kept
	}
	text := j.redactBody(shortenBlobs(string(b)))
	kept.Text = shorten(text, limit)
	if kept.Text != text {
		sum := sha256.Sum256([]byte(text))
		kept.Left, kept.SHA256 = LeftEnd, hex.EncodeToString(sum[:])
	}
	return kept
}

func (j *journal) answer(resp response) *Answer {
	return &Answer{Headers: j.headers(resp.header, answerHeaders), Body: j.body(resp.body, bodyKept)}
}

// shortenBlobs replaces the contents of a certificate file's Data elements, which hold
// private keys, even if encrypted for the guest. It need not be well-formed.
func shortenBlobs(text string) string {
	if !strings.Contains(text, "CertificateFile") {
		return text
	}
	var b strings.Builder
	for {
		begin, data := dataElement(text)
		if begin < 0 {
			return b.String() + text
		}
		b.WriteString(text[:begin])
		if strings.TrimSpace(data) != "" {
			sum := sha256.Sum256([]byte(data))
			fmt.Fprintf(&b, "[%d"+blobDigest+"%s]", len(data), hex.EncodeToString(sum[:]))
		}
		text = text[begin+len(data):]
	}
}

// dataElement finds the next element Data, of any prefix: where its contents begin, -1 if
// there is none, and the contents. They end with its end tag, or the text.
func dataElement(text string) (begin int, data string) {
	for at := 0; ; {
		open := strings.IndexByte(text[at:], '<')
		if open < 0 {
			return -1, ""
		}
		at += open + 1
		end := strings.IndexByte(text[at:], '>')
		if end < 0 {
			end = len(text) - at
		}
		tag := text[at : at+end]
		name, _, _ := strings.Cut(tag, " ")
		if _, local, ok := strings.Cut(name, ":"); ok {
			name = local
		}
		if strings.TrimSpace(name) != "Data" || strings.HasPrefix(tag, "/") || strings.HasSuffix(tag, "/") {
			continue
		}
		begin = min(at+end+1, len(text))
		for end = begin; end < len(text); end++ {
			if strings.HasPrefix(text[end:], "</") {
				break
			}
		}
		return begin, text[begin:end]
	}
}

// redactBody replaces secrets in a text: as they are, escaped for XML or JSON, percent-encoded,
// and inside of base64. A text without any comes back as it is.
func (j *journal) redactBody(text string) string {
	return j.redactNested(text, nestings)
}

func (j *journal) redactNested(text string, depth int) string {
	text = j.redactPlain(text)
	if depth > 0 {
		text = j.redactBase64(text, depth)
	}
	// A secret may be escaped in ways that the list of forms does not have. The text is
	// then kept without its escapes, which may leave it malformed, but without the secret.
	for _, plain := range []string{html.UnescapeString(text), unescapeJSON(text)} {
		if plain == text {
			continue
		}
		if clean := j.redactPlain(plain); clean != plain {
			text = clean
		}
	}
	return text
}

// redactPlain is redactText, at a ninth of its cost where no text is percent-encoded.
func (j *journal) redactPlain(text string) string {
	if !strings.ContainsAny(text, "%+") {
		return j.redact(text)
	}
	return j.redactText(text)
}

// redactBase64 looks into every word that is base64, in the standard alphabet or that of
// URLs, over line ends too, and puts what it finds back in base64.
func (j *journal) redactBase64(text string, depth int) string {
	var b strings.Builder
	for len(text) > 0 {
		word := base64Word(text)
		if word == 0 {
			skip := strings.IndexFunc(text, isBase64)
			if skip < 0 {
				skip = len(text)
			}
			b.WriteString(text[:skip])
			text = text[skip:]
			continue
		}
		if clean, found := j.redactDecoded(text[:word], depth); found {
			b.WriteString(clean)
		} else {
			b.WriteString(text[:word])
		}
		text = text[word:]
	}
	return b.String()
}

func isBase64(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+/-_", r)
}

// base64Word is the length of the base64 at the beginning of text, its padding included.
func base64Word(text string) int {
	end, padded := 0, false
	for i, r := range text {
		switch {
		case r == '=':
			end, padded = i+1, true
		case isBase64(r) && !padded:
			end = i + 1
		case (r == '\n' || r == '\r') && !padded: // A line end inside of it.
		default:
			return end
		}
	}
	return end
}

// redactDecoded decodes a word from each of the four places where base64 can begin: letters
// of something else may stand before it, on a line of their own too.
func (j *journal) redactDecoded(word string, depth int) (clean string, found bool) {
	compact := strings.TrimRight(strings.NewReplacer("\r", "", "\n", "", "-", "+", "_", "/").Replace(word), "=")
	for skipped := range min(4, max(0, len(compact)-base64Minimum+1)) {
		rest := compact[skipped:]
		if len(rest)%4 == 1 {
			rest = rest[:len(rest)-1]
		}
		decoded, err := base64.RawStdEncoding.DecodeString(rest)
		if err != nil {
			continue
		}
		text := string(decoded)
		if utf8.Valid(decoded) {
			clean = j.redactNested(text, depth-1)
		} else {
			clean = j.redact(text)
		}
		if clean != text {
			return compact[:skipped] + base64.StdEncoding.EncodeToString([]byte(clean)), true
		}
	}
	return "", false
}

// unescapeJSON undoes the escapes of JSON's strings, and leaves alone what is none.
func unescapeJSON(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	short := map[byte]string{'n': "\n", 'r': "\r", 't': "\t", 'b': "\b", 'f': "\f", '"': `"`, '\\': `\`, '/': "/"}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		var r rune
		if _, err := fmt.Sscanf(s[i:min(len(s), i+6)], `\u%04x`, &r); err == nil {
			b.WriteRune(r)
			i += 5
			continue
		}
		if text, ok := short[s[i+1]]; ok {
			b.WriteString(text)
			i++
			continue
		}
		b.WriteByte('\\')
	}
	return b.String()
}

// escapedXML is s as encoding/xml writes it.
func escapedXML(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // A Builder has no error.
	return b.String()
}

func (b Bodies) validate(op string) error {
	if slices.Contains(PossibleBodiesValues(), b) {
		return nil
	}
	return &azprov.Error{
		Op: op, Kind: azprov.KindMalformed, Message: fmt.Sprintf("Options.Bodies is %q", string(b)),
		Hint: "want one of the constants",
	}
}
