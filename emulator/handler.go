package emulator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

// Service names one of the services that a fabric plays.
type Service string

// The services.
const (
	ServiceIMDS       Service = "imds"
	ServiceWireServer Service = "wireserver"
	// ServiceHostGA is the HostGAPlugin, on a port of its own at the wire server's address.
	ServiceHostGA Service = "hostga"
	// ServiceKVP is the host, which reads what the guest leaves for it. It is nobody's to
	// ask.
	ServiceKVP Service = "kvp"
)

// PossibleServiceValues returns every service.
func PossibleServiceValues() []Service {
	return []Service{ServiceIMDS, ServiceWireServer, ServiceHostGA, ServiceKVP}
}

// bodyLimit is far over any request that an agent sends: telemetry is below
// 64 KiB, health reports below 4. The guest agent's logs are larger: of what is over the
// limit nothing is kept, but it is read up to drainLimit, or the client would not see its
// answer.
const (
	bodyLimit  = 1 << 20
	drainLimit = 256 << 20
)

var errBodyTooLarge = errors.New("body too large")

// A request is what the services look at, read to its end.
type request struct {
	method   string
	path     string // decoded
	uri      string // path and query as sent
	host     string
	query    url.Values
	badQuery bool
	header   http.Header
	body     []byte
	bodyErr  error
}

// A response is an answer before it is sent.
type response struct {
	status   int
	header   http.Header
	body     []byte
	verdicts []string
	report   *Report // The health report in the request, accepted or not.
	accept   bool    // The report is to be accepted when this answer is sent.
	lost     bool    // The answer will not arrive as a whole.
	sound    bool    // Nothing is wrong with the request, whatever the status says.
	served   func()  // What a right answer changes. Fabric.mu is held.
}

func readRequest(r *http.Request) *request {
	req := &request{
		method: r.Method, path: r.URL.Path, uri: r.URL.RequestURI(), host: r.Host, header: r.Header,
	}
	query, ok := parseQuery(r.URL.RawQuery)
	req.query, req.badQuery = query, !ok
	req.body, req.bodyErr = io.ReadAll(io.LimitReader(r.Body, bodyLimit+1))
	if req.bodyErr == nil && len(req.body) > bodyLimit {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, drainLimit))
		req.bodyErr = errBodyTooLarge
	}
	return req
}

func (f *Fabric) handler(service Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		req := readRequest(r)
		resp, fault := f.decide(service, req, started)
		entry := f.newEntry(service, req, started)
		if fault != nil {
			entry.Fault = fault.label()
			if !spend(r.Context(), fault) {
				f.record(entry, response{}, resp.verdicts)
				f.noteRequest(req.asked(service, 0))
				abort(w)
				return
			}
			faulty := fault.answer(service, resp)
			faulty.verdicts, faulty.report = resp.verdicts, resp.report
			faulty.accept = resp.accept && fault.Status == 0
			faulty.lost = fault.Kind.loses()
			resp = faulty
		}
		f.collectFor(r.Context(), &resp)
		f.acceptReport(&resp, time.Now())
		lost := fault != nil && fault.Kind == FaultLose
		if lost {
			resp.status = 0
		}
		f.record(entry, resp, resp.verdicts)
		f.noteRequest(req.asked(service, resp.status))
		if lost {
			abort(w)
			return
		}
		send(w, resp, fault)
	})
}

// asked is the request as a [Match] sees it.
func (r *request) asked(service Service, status int) asked {
	return asked{service: service, method: r.method, uri: r.uri, header: r.header, status: status}
}

// decide returns the answer to a request as if nothing were wrong, and the fault
// that is to be applied to it, if any. Requests that the service refuses for
// their form meet neither fault nor rate limit.
func (f *Fabric) decide(service Service, req *request, now time.Time) (response, *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begin(now)
	f.advance(now)
	if f.vm.away[service] {
		// Nobody there is more than a service can play; a closed connection is the
		// nearest to it.
		return response{}, &Fault{Kind: FaultReset}
	}
	var resp response
	limited := false
	switch service {
	case ServiceIMDS:
		limited = f.vm.rate.exceeded(now)
		resp = f.vm.imds(req)
	case ServiceHostGA:
		resp = f.vm.hostGA(req)
	default:
		resp = f.vm.wireServer(req)
	}
	if f.journal.leaks(req.uri) {
		resp.verdicts = append(resp.verdicts, "secret in URL")
	}
	switch resp.status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusTooManyRequests:
		if !resp.sound {
			return resp, nil
		}
	default:
	}
	if limited {
		refused := service.failure(http.StatusTooManyRequests)
		refused.verdicts = append(refused.verdicts, resp.verdicts...)
		refused.verdicts = append(refused.verdicts, "over 5 requests a second")
		return refused, nil
	}
	fault := f.vm.faults[service].take(req.asked(service, 0))
	if resp.served != nil && (fault == nil || fault.keepsAnswer()) {
		resp.served()
	}
	return resp, fault
}

// acceptReport keeps the report of a response that says it was accepted.
func (f *Fabric) acceptReport(resp *response, now time.Time) {
	if !resp.accept {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	report := *resp.report
	report.Time = now.UTC()
	report.Description = f.journal.redactURI(report.Description)
	f.advance(now)
	if verdict := f.vm.account(&report, now, resp.lost); verdict != "" {
		resp.verdicts = append(resp.verdicts, verdict)
	}
	resp.report.Pool = report.Pool
	resp.verdicts = append(resp.verdicts, f.vm.judgeWire(report)...)
	f.vm.reports = append(f.vm.reports, report)
}

// spend spends the fault's delay. It is false if there is to be no answer: the
// fault says so, or the client or the server has given up.
func spend(ctx context.Context, fault *Fault) bool {
	if wait.For(ctx, time.Duration(fault.Delay)) != nil {
		return false
	}
	switch fault.Kind {
	case FaultHang:
		<-ctx.Done()
		return false
	case FaultReset:
		return false
	default:
		return true
	}
}

// abort closes the connection without an answer, by a reset where there is one.
func abort(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to end a connection; its servers recover it.
	}
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// send writes the response, damaged as the fault wants it. Cut, it writes the first half of
// the body and declares the whole, or one byte where there is none; net/http then closes
// the connection.
func send(w http.ResponseWriter, resp response, fault *Fault) {
	header := w.Header()
	for name, values := range resp.header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	body, declared := resp.body, len(resp.body)
	if fault != nil {
		switch fault.Kind {
		case FaultTruncate:
			body, declared = body[:len(body)/2], max(declared, 1)
		case FaultLonger:
			declared += tooLong
		case FaultShorter:
			declared /= 2
			if overrun(w, resp, declared) {
				return
			}
			body = body[:declared]
		default: // Nothing is wrong with the length.
		}
	}
	if resp.status != http.StatusNoContent && resp.status != http.StatusNotModified {
		header.Set("Content-Length", strconv.Itoa(declared))
	}
	w.WriteHeader(resp.status)
	if len(body) > 0 {
		_, _ = w.Write(body) // It fails if the client is gone.
	}
}

// tooLong is how much [FaultLonger] promises in vain.
const tooLong = 10

// overrun sends more than it declares, which net/http would not, and closes the connection.
// It is false if the connection cannot be had.
func overrun(w http.ResponseWriter, resp response, declared int) bool {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	header := w.Header().Clone()
	header.Set("Content-Length", strconv.Itoa(declared))
	_, _ = fmt.Fprintf(buffered, "HTTP/1.1 %03d %s\r\n", resp.status, http.StatusText(resp.status))
	_ = header.Write(buffered)
	_, _ = buffered.WriteString("\r\n")
	_, _ = buffered.Write(resp.body)
	_ = buffered.Flush() // It fails if the client is gone.
	_ = conn.Close()
	return true
}

// failure is the service's own answer with a status that means trouble.
func (s Service) failure(status int) response {
	switch s {
	case ServiceIMDS:
		return imdsFailure(status)
	case ServiceHostGA:
		return hostGAFailure(status)
	default:
		return wireFailure(status)
	}
}

// randomUUID returns a random version 4 UUID in a VMID, which knows how to print.
func randomUUID() azprov.VMID {
	var id azprov.VMID
	_, _ = rand.Read(id[:]) // Never fails (crypto/rand, since Go 1.24).
	return markUUID(id, 4)
}

// markUUID sets the version and the variant of RFC 9562.
func markUUID(id azprov.VMID, version byte) azprov.VMID {
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80
	return id
}
