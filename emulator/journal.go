package emulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/azprov/azprov"
)

// Entry is the record of one request, or of what the host saw in the guest's pool (of
// [ServiceKVP]). Secrets of the VM are replaced in all of it.
type Entry struct {
	// Seq counts the entries from 1.
	Seq int `json:"seq"`
	// VM is the name of the VM in a [Fleet], whose VMs each count from 1; empty for one that
	// is alone, and for a request that is none of theirs.
	VM string `json:"vm,omitempty"`
	// Time is when the request's head, or the pool, was read, in UTC.
	Time time.Time `json:"time"`
	// Service is who was asked; [ServiceKVP] if the host has read something.
	Service Service `json:"service"`
	// Method is the request's; READ for ServiceKVP.
	Method string `json:"method"`
	// Path is path and query; for ServiceKVP the key.
	Path string `json:"path"`
	// Headers are those of interest: x-ms-*, Metadata, User-Agent, Content-Type,
	// X-Forwarded-For, If-None-Match. A certificate is shortened.
	Headers map[string]string `json:"headers,omitempty"`
	// Body is the request's, nil if it had none or bodies are not kept ([Options.Bodies]).
	Body *Body `json:"body,omitempty"`
	// Status is the answer's, 0 if there was none.
	Status int `json:"status"`
	// Fault is the fault that was applied: a status, "delay", or a [FaultKind].
	Fault string `json:"fault,omitempty"`
	// DurationMs is the time to the answer in milliseconds.
	DurationMs int64 `json:"durationMs"`
	// Verdicts say what is wrong with the request or the record; none if it is fine.
	Verdicts []string `json:"verdicts"`
	// Report is the health report in the request, accepted or not. Its time is
	// that of the request.
	Report *Report `json:"report,omitempty"`
	// HostReport is the report that the host saw for the first time.
	HostReport *HostReport `json:"hostReport,omitempty"`
	// Answer is what was sent back beside the status, nil if nothing was, or bodies are
	// not kept.
	Answer *Answer `json:"answer,omitempty"`
}

// hostMethod stands where requests have a method.
const hostMethod = "READ"

const (
	// secretMinimum is the length from which a secret is looked for: a shorter one
	// would be found everywhere.
	secretMinimum = 4
	// How much of a path, of a header's value and of a certificate is kept.
	pathLimit        = 2048
	valueLimit       = 256
	certificateLimit = 16
	certificateName  = "X-Ms-Guest-Agent-Public-X509-Cert"
	// decodings is how many layers of percent-encoding a secret is looked for under.
	decodings = 3
)

// A journal keeps the entries and writes them out.
type journal struct {
	secrets *secretTable
	vm      string // whose it is, in a fleet
	bodies  Bodies

	mu       sync.Mutex
	out      io.Writer
	err      error
	entries  []Entry
	requests int // How many of the entries are of requests.
	remarks  int // How many have verdicts.
}

func (f *Fabric) newEntry(service Service, req *request, started time.Time) Entry {
	return f.journal.newEntry(service, req, started)
}

func (j *journal) newEntry(service Service, req *request, started time.Time) Entry {
	entry := Entry{
		Time: started.UTC(), Service: service, Method: j.redact(req.method),
		Path: shorten(j.redactURI(req.uri), pathLimit), Headers: j.headers(req.header, requestHeaders),
	}
	if j.bodies.wanted() {
		entry.Body = j.body(req.body, bodyKeptOf(req))
	}
	return entry
}

// record completes the entry and keeps it. It comes before the answer is sent, so
// that a client which has its answer finds the entry.
func (f *Fabric) record(entry Entry, resp response, verdicts []string) {
	f.journal.record(entry, resp, verdicts)
}

func (j *journal) record(entry Entry, resp response, verdicts []string) {
	entry.Status = resp.status
	entry.DurationMs = time.Since(entry.Time).Milliseconds()
	entry.Verdicts = []string{}
	for _, verdict := range verdicts {
		entry.Verdicts = append(entry.Verdicts, shorten(j.redactURI(azprov.OneLine(verdict)), valueLimit))
	}
	if resp.report != nil {
		report := *resp.report
		report.Time = entry.Time
		report.Description = j.redactURI(report.Description)
		entry.Report = &report
	}
	if j.bodies.wanted() && resp.status != 0 {
		entry.Answer = j.answer(resp)
	}
	j.add(entry)
}

func (j *journal) add(entry Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Seq, entry.VM = len(j.entries)+1, j.vm
	if entry.Service != ServiceKVP {
		j.requests++
	}
	if len(entry.Verdicts) > 0 {
		j.remarks++
	}
	kept := entry
	if j.bodies == BodiesWritten {
		kept.Body, kept.Answer = nil, nil
	}
	j.entries = append(j.entries, kept)
	if j.out == nil {
		return
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line) // ends the line
	encoder.SetEscapeHTML(false)      // a query's & stays readable
	err := encoder.Encode(entry)
	if err == nil {
		_, err = j.out.Write(line.Bytes())
	}
	if flusher, ok := j.out.(interface{ Flush() error }); ok && err == nil {
		err = flusher.Flush()
	}
	if j.err == nil {
		j.err = err
	}
}

func (j *journal) list() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// failure is the first error in writing the journal.
func (j *journal) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		return nil
	}
	return unwritten(j.err)
}

func unwritten(err error) error {
	return &azprov.Error{Op: "emulator.Server.Close", Kind: azprov.KindInternal, Message: "cannot write the journal", Last: err}
}

// counts returns how many entries are of requests, and how many have verdicts.
func (j *journal) counts() (requests, remarks int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.requests, j.remarks
}

// The headers of interest beside x-ms-*.
var (
	requestHeaders = []string{"Metadata", "User-Agent", "Content-Type", "X-Forwarded-For", "If-None-Match"}
	answerHeaders  = []string{"Content-Type", "Server", "Etag", "Last-Modified", "Location", "Retry-After", "Connection"}
)

// headers returns the headers of interest: the named, and all x-ms-*.
func (j *journal) headers(header http.Header, named []string) map[string]string {
	kept := map[string]string{}
	for name, values := range header {
		name = http.CanonicalHeaderKey(name)
		switch {
		case name == certificateName:
			value := values[0]
			kept[name] = shorten(value, certificateLimit) + " (" + strconv.Itoa(len(value)) + " characters)"
		case strings.HasPrefix(name, "X-Ms-"),
			slices.Contains(named, name):
			kept[name] = shorten(j.redactURI(strings.Join(values, ", ")), valueLimit)
		}
	}
	return kept
}

// redact replaces every secret in s.
func (j *journal) redact(s string) string {
	if !j.secrets.within(s) {
		return s
	}
	for _, secret := range j.secrets.texts {
		s = strings.ReplaceAll(s, secret, azprov.Redacted)
	}
	return s
}

// redactText replaces secrets in a text that is none of a request. What stands there as it
// is goes first: the text around it then keeps its percent and plus signs.
func (j *journal) redactText(text string) string { return j.redactURI(j.redact(text)) }

// redactURI replaces secrets that may be percent-encoded, up to three times over.
// A text without any comes back as it is.
func (j *journal) redactURI(uri string) string {
	if !strings.ContainsAny(uri, "%+") && !j.secrets.within(uri) {
		return uri
	}
	// A plus sign is a blank in a query and itself in base64: look at both.
	return j.redactEncoded(j.redactEncoded(uri, false), true)
}

func (j *journal) redactEncoded(uri string, plusIsBlank bool) string {
	decoded, found := uri, false
	for range decodings {
		clean := j.redact(decoded)
		found = found || clean != decoded
		decoded = unescape(clean, plusIsBlank)
	}
	clean := j.redact(decoded)
	if !found && clean == decoded {
		return uri
	}
	return clean
}

// unescape undoes percent-encoding and leaves alone what is no proper escape,
// where net/url would give up on the whole text.
func unescape(s string, plusIsBlank bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		if s[i] == '+' && plusIsBlank {
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// leaks reports whether uri holds a secret.
func (j *journal) leaks(uri string) bool { return j.redactURI(uri) != uri }

// secrets returns the texts that must never be written down: the VM's secrets,
// plain, in base64 and percent-encoded, those of a pool's owner, and the user data of
// the documents, which a scenario may have patched.
func (s Scenario) secrets(documents ...object) []string {
	plain := append(protectedTexts(s.HostGA.VMSettings), s.WireServer.Extensions.StatusUploadBlob.URL.RevealString())
	certificates := slices.Concat(s.VM.Certificates, s.Pool.Owner.Certificates)
	for _, step := range s.Steps {
		certificates = append(certificates, step.Certificates...)
		if patch, err := decodePatch(step.Instance); err == nil {
			if document, ok := patch.(object); ok {
				documents = append(documents, document)
			}
		}
	}
	for _, vm := range []VM{s.VM, s.Pool.Owner} {
		plain = append(plain, vm.Password.RevealString(), vm.CustomData.RevealString(), vm.UserData.RevealString())
	}
	for _, entry := range certificates {
		key := entry.PrivateKey.Reveal()
		plain = append(plain, string(key))
		if block, _ := pem.Decode(key); block != nil {
			plain = append(plain, string(block.Bytes)) // what the guest gets
		}
	}
	for _, document := range documents {
		if compute, ok := document["compute"].(object); ok {
			if userData, ok := compute["userData"].(string); ok {
				decoded, _ := base64.StdEncoding.DecodeString(userData)
				plain = append(plain, userData, string(decoded))
			}
		}
	}
	var all []string
	for _, secret := range plain {
		trimmed := strings.TrimSpace(secret)
		for _, form := range []string{
			secret, trimmed, azprov.OneLine(secret), escapedJSON(secret), escapedXML(secret),
			// In a record of a report a quote inside quotes is doubled.
			strings.ReplaceAll(secret, `'`, `''`), strings.ReplaceAll(secret, `"`, `""`),
		} {
			// A form with its plus signs read as blanks is what a parsed query has.
			all = append(all, form, strings.ReplaceAll(form, "+", " "), url.QueryEscape(form), url.PathEscape(form))
			for _, encoding := range []*base64.Encoding{
				base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
			} {
				encoded := encoding.EncodeToString([]byte(form))
				all = append(all, encoded, strings.ReplaceAll(encoded, "+", " "))
			}
		}
	}
	all = slices.DeleteFunc(all, func(text string) bool { return len(text) < secretMinimum })
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

// escapedJSON is the inside of s as a JSON string.
func escapedJSON(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // A string has no error.
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}

// shorten cuts s after limit bytes, on the boundary of a character.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
