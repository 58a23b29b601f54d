package emulator

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/pfx"
)

const opNewReplay = "emulator.NewReplay"

// verdictNotRecorded is on every request that a replay has no answer to.
const verdictNotRecorded = "not in the recording"

// ReplayOptions are the optional settings of [NewReplay].
type ReplayOptions struct {
	// Journal receives the requests to the replay, as [Options.Journal] does.
	Journal io.Writer
	// Bodies says where the bodies of these are kept.
	Bodies Bodies
}

// Replay plays the services as a journal has recorded them: each request gets the answer to
// its counterpart, the same service, method and path but for ids, in the order of the
// journal, and the last one again and again. It knows nothing of a VM, and judges nothing: a
// request without a counterpart is answered with 404 and has a verdict, and that is all.
//
// Faults come as they were: a delay lasts as long, a reset is a reset, a hang waits for the
// client. That a service refused connections, or was not there, is in no journal.
//
// What a journal does not hold is replaced; [Replay.StandIns] says by what. The host in the
// goal state's URLs is the one that the client asked. All methods are safe for concurrent use.
type Replay struct {
	journal  *journal
	services []Service
	standIns []string
	// guest answers requests for certificates, with those that IMDS told of.
	guest *vmState

	mu      sync.Mutex
	answers map[string]*recording
	order   []string // Keys, as they were first met.
}

// A recording is the answers to one request, in order.
type recording struct {
	entries []Entry
	next    int
	asked   bool
}

// NewReplay makes a replay of a journal's entries. options may be nil. A journal without
// bodies or of several VMs is an error of azprov.KindMalformed.
func NewReplay(entries []Entry, options *ReplayOptions) (*Replay, error) {
	if options == nil {
		options = &ReplayOptions{}
	}
	if err := options.Bodies.validate(opNewReplay); err != nil {
		return nil, err
	}
	if err := replayable(entries); err != nil {
		return nil, err
	}
	r := &Replay{
		journal: &journal{out: options.Journal, bodies: options.Bodies, secrets: newSecretTable(nil)}, answers: map[string]*recording{},
		guest: &vmState{ciphers: []string{defaultCipher, laterCipher}},
	}
	r.guest.bundle = newBundle(certificatesIn(entries))
	k := newKeyer()
	for _, entry := range entries {
		if entry.Service == ServiceKVP {
			continue
		}
		if !slices.Contains(r.services, entry.Service) {
			r.services = append(r.services, entry.Service)
		}
		key := k.key(entry.Service, entry.Method, entry.Path, entry.Headers["If-None-Match"] != "")
		if r.answers[key] == nil {
			r.answers[key] = &recording{}
			r.order = append(r.order, key)
		}
		r.answers[key].entries = append(r.answers[key].entries, entry)
		r.tellStandIn(&entry)
	}
	return r, nil
}

func replayable(entries []Entry) error {
	wrong := func(message, hint string) error {
		return &azprov.Error{Op: opNewReplay, Kind: azprov.KindMalformed, Message: message, Hint: hint}
	}
	requests, answered := 0, 0
	for _, entry := range entries {
		switch {
		case entry.Service == ServiceKVP:
			continue
		case entry.VM != entries[0].VM:
			return wrong("the journal is of several VMs", "choose the entries of one")
		case entry.Answer != nil:
			answered++
		}
		requests++
	}
	switch {
	case requests == 0:
		return wrong("the journal has no requests", "record the journal of an agent")
	case answered == 0:
		return wrong("the journal has no answers", "record it with bodies")
	}
	return nil
}

// Services returns the services that the journal has requests for.
func (r *Replay) Services() []Service { return slices.Clone(r.services) }

// StandIns says in a sentence each what a replay gives in place of what a journal does not
// hold; none if it holds all.
func (r *Replay) StandIns() []string { return slices.Clone(r.standIns) }

// Journal returns the requests to the replay so far.
func (r *Replay) Journal() []Entry { return r.journal.list() }

// Unasked returns the recorded requests that no client has made yet, with names for ids.
func (r *Replay) Unasked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, key := range r.order {
		if !r.answers[key].asked {
			list = append(list, key)
		}
	}
	return list
}

// Handler returns the handler of a service. What [Fabric.IMDS] says of faults holds for it.
func (r *Replay) Handler(service Service) http.Handler {
	k := newKeyer()
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		started := time.Now()
		req := readRequest(request)
		entry := r.journal.newEntry(service, req, started)
		recorded, ok := r.take(k.keys(service, req))
		if !ok {
			resp := service.failure(http.StatusNotFound)
			r.journal.record(entry, resp, []string{verdictNotRecorded})
			send(w, resp, nil)
			return
		}
		fault := recorded.replayedFault()
		if entry.Fault = recorded.Fault; fault != nil && !spend(request.Context(), fault) {
			r.journal.record(entry, response{}, nil)
			abort(w)
			return
		}
		resp := r.answer(&recorded, req)
		if resp.report = sentReport(req); resp.report != nil && recorded.Report != nil {
			resp.report.Pool = recorded.Report.Pool
		}
		r.journal.record(entry, resp, resp.verdicts)
		send(w, resp, fault)
	})
}

// Listen serves the replay as [Fabric.Listen] does a scenario. A service that the journal has
// no requests for has a port on which nobody listens: as far as the journal can tell it was
// not there.
func (r *Replay) Listen(ctx context.Context, addresses Addresses) (*Server, error) {
	return listenAt(ctx, r, listenTCP, addresses)
}

func (r *Replay) handler(service Service) http.Handler { return r.Handler(service) }

func (r *Replay) outage(service Service) (absent bool, refused time.Duration) {
	return !slices.Contains(r.services, service), 0
}

func (*Replay) toDrive() []*Fabric { return nil }

func (r *Replay) failure() error { return r.journal.failure() }

// take returns the next answer to the first of the keys that has any.
func (r *Replay) take(keys []string) (Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range keys {
		if rec := r.answers[key]; rec != nil {
			entry := rec.entries[rec.next]
			rec.next = min(rec.next+1, len(rec.entries)-1)
			rec.asked = true
			return entry, true
		}
	}
	return Entry{}, false
}

// replayedFault is the fault that an entry tells of, nil if none. What took long without one
// took long by chance.
func (e *Entry) replayedFault() *Fault {
	delay := Duration(time.Duration(e.DurationMs) * time.Millisecond)
	kind := FaultKind(e.Fault)
	switch {
	case e.Status == 0 && kind == FaultReset:
		return &Fault{Kind: FaultReset, Delay: delay}
	case e.Status == 0: // It hung, or the client gave up before the delay was over.
		return &Fault{Kind: FaultHang}
	case e.Fault == "":
		return nil
	case !slices.Contains(PossibleFaultKindValues(), kind):
		kind = FaultAnswer // A status, or a delay.
	}
	return &Fault{Kind: kind, Delay: delay}
}

// answer makes the answer of a recorded one.
func (r *Replay) answer(e *Entry, req *request) response {
	resp := response{status: e.Status, header: http.Header{}}
	if e.Answer == nil {
		return resp
	}
	for name, value := range e.Answer.Headers {
		resp.header.Set(name, value)
	}
	if e.Answer.Body == nil {
		return resp
	}
	text := e.Answer.Body.Text
	if holdsBlob(e) {
		return r.guest.certificates(req)
	}
	if e.Service == ServiceIMDS {
		text = standInUserData(text)
	} else {
		text = readdress(text, authority(req.host))
	}
	resp.body = []byte(text)
	return resp
}

// sentReport is the health report in a request, nil if there is none that can be read.
func sentReport(req *request) *Report {
	parse, format := goalstate.ParseHealthXML, "xml"
	switch {
	case req.method != http.MethodPost:
		return nil
	case req.path == "/provisioning/health":
		parse, format = goalstate.ParseHealthJSON, "json"
	case req.query.Get("comp") != "health":
		return nil
	}
	health, err := parse(req.body)
	if err != nil {
		return nil
	}
	return judge(health, format, 0, http.StatusOK).report
}

// holdsBlob reports whether the answer had certificates, which the journal has not.
func holdsBlob(e *Entry) bool {
	return e.Status == http.StatusOK && strings.Contains(e.Answer.Body.Text, "CertificateFile") &&
		strings.Contains(e.Answer.Body.Text, blobDigest)
}

// standInUserData makes base64 of a secret's replacement where IMDS has base64.
func standInUserData(text string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(azprov.Redacted))
	if text == azprov.Redacted { // the leaf, as text
		return encoded
	}
	return strings.ReplaceAll(text, `"userData":"`+azprov.Redacted+`"`, `"userData":"`+encoded+`"`)
}

// readdress leads the URLs below /machine to host.
func readdress(text, host string) string {
	const scheme, path = "http://", "/machine/"
	var b strings.Builder
	for {
		at := strings.Index(text, scheme)
		if at < 0 {
			return b.String() + text
		}
		at += len(scheme)
		b.WriteString(text[:at])
		text = text[at:]
		if end := strings.IndexAny(text, "/<\"' \t\r\n"); end >= 0 && strings.HasPrefix(text[end:], path) {
			b.WriteString(host)
			text = text[end:]
		}
	}
}

// certificatesIn are the certificates in PEM that IMDS has told of: the guest may have them,
// since they are no secret. The private keys of those it hands out are in no journal.
func certificatesIn(entries []Entry) pfx.Contents {
	var c pfx.Contents
	for i := range entries {
		body := entries[i].Answer.body()
		if body == nil || entries[i].Service != ServiceIMDS {
			continue
		}
		// PEM wants a line for itself, and here it is a string of JSON.
		rest := []byte(strings.ReplaceAll(unescapeJSON(body.Text), `"`, "\n"))
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			known := slices.ContainsFunc(c.Certificates, func(known pfx.Certificate) bool { return string(known.DER) == string(block.Bytes) })
			if block.Type == "CERTIFICATE" && !known {
				c.Certificates = append(c.Certificates, pfx.Certificate{DER: block.Bytes})
			}
		}
	}
	return c
}

// tellStandIn remembers what has to be said about an entry.
func (r *Replay) tellStandIn(e *Entry) {
	say := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(r.standIns, text) {
			r.standIns = append(r.standIns, text)
		}
	}
	body := e.Answer.body()
	switch {
	case e.Answer == nil && e.Status != 0:
		say("The answer to %s %s was not recorded: its status comes with an empty body.", e.Method, e.Path)
	case body == nil:
	case holdsBlob(e):
		held := "none"
		if n := r.guest.bundle.certificates; n > 0 {
			held = fmt.Sprintf("the %d that IMDS told of", n)
		}
		say("The VM's certificates and private keys were not recorded: of certificates the guest gets %s, of keys none.", held)
	case body.Left == LeftEnd:
		say("The answer to %s %s ends after %d of its %d bytes.", e.Method, e.Path, len(body.Text), body.Length)
	case body.Left != LeftNone:
		say("The answer to %s %s is empty: its %d bytes are no text.", e.Method, e.Path, body.Length)
	case e.Service == ServiceIMDS && standInUserData(body.Text) != body.Text:
		say("The user data was not recorded: it is %q, in base64.", azprov.Redacted)
	case strings.Contains(body.Text, azprov.Redacted):
		say("In the answer to %s %s secrets are %q.", e.Method, e.Path, azprov.Redacted)
	}
}

// A keyer makes keys of requests, by which a replay finds answers.
type keyer struct{ uuid *regexp.Regexp }

func newKeyer() keyer { return keyer{uuid: regexp.MustCompile(uuidExpression)} }

// keys are those by which the answer to a request is looked for, in order.
func (k keyer) keys(service Service, req *request) []string {
	plain := k.key(service, req.method, req.uri, false)
	if req.header.Get("If-None-Match") == "" {
		return []string{plain}
	}
	return []string{k.key(service, req.method, req.uri, true), plain}
}

// key names a request. Ids are all the same, as are the order of a query's parameters and a
// slash at the end of the path, where agents differ.
func (k keyer) key(service Service, method, uri string, conditional bool) string {
	path, query, hasQuery := strings.Cut(uri, "?")
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for i, segment := range segments {
		segments[i] = k.uuid.ReplaceAllString(canonicalEscapes(segment), "{uuid}")
	}
	if len(segments) == 4 && segments[1] == "machine" {
		segments[2], segments[3] = "{container}", "{instance}"
	}
	key := string(service) + " " + method + " " + strings.Join(segments, "/")
	if hasQuery {
		parameters := strings.Split(query, "&")
		for i, parameter := range parameters {
			parameter = k.uuid.ReplaceAllString(canonicalEscapes(parameter), "{uuid}")
			if strings.HasPrefix(parameter, "incarnation=") {
				parameter = "incarnation={incarnation}"
			}
			parameters[i] = parameter
		}
		slices.Sort(parameters)
		key += "?" + strings.Join(parameters, "&")
	}
	if conditional {
		key += " If-None-Match"
	}
	return key
}
