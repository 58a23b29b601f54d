package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/azprov/azprov"
)

// verdict is a row's expectation in short.
type verdict struct {
	kind  azprov.Kind
	retry bool
}

func fails(kind azprov.Kind) verdict { return verdict{kind, false} }
func again(kind azprov.Kind) verdict { return verdict{kind, true} }
func succeeds() verdict              { return verdict{} }
func (v verdict) String() string     { return fmt.Sprintf("%s retry=%v", v.kind, v.retry) }
func judge(p *Profile, o Outcome) verdict {
	rule, ok := p.Classify(o)
	if ok {
		return verdict{}
	}
	return verdict{rule.Kind, rule.Retry}
}

// TestStatuses names every status that the services, their proxies and their peers
// are known to answer with, for each profile.
func TestStatuses(t *testing.T) {
	t.Parallel()
	const (
		throttleXML = `<?xml version="1.0" encoding="utf-8"?><Error><Code>RequestRateLimitExceeded</Code></Error>`
		throttleIIS = `<html><title>403 - Forbidden: Access is denied.</title></html>`
		invalidGA   = `{"errorCode":"InvalidContainerConfiguration","message":"ValidateIpAddress"}`
		noConfigGA  = `{"errorCode":"RequestRoleConfigFileNotFound","message":""}`
		deniedGA    = `{"errorCode":"AccessDenied","message":"client validation"}`
	)
	ready, throttled := azprov.KindNotReady, azprov.KindThrottled
	rows := []struct {
		name                                           string
		status                                         int
		body                                           string
		provisioning, plain, reprovision, wire, hostGA verdict
	}{
		{"200 OK", 200, "", succeeds(), succeeds(), succeeds(), succeeds(), succeeds()},
		{"201 created", 201, "", succeeds(), succeeds(), succeeds(), succeeds(), succeeds()},
		{"202 accepted", 202, "", succeeds(), succeeds(), succeeds(), succeeds(), succeeds()},
		{"204 no content", 204, "", succeeds(), succeeds(), succeeds(), succeeds(), succeeds()},
		{"205 without a document", 205, "", succeeds(), succeeds(), succeeds(), again(ready), again(ready)},
		{"206 half a document", 206, "", succeeds(), succeeds(), succeeds(), again(ready), again(ready)},
		{"301 redirect", 301, "", fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure)},
		{"302 captive portal", 302, "", fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure)},
		{"304 not asked for", 304, "", fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure)},
		{"307 redirect", 307, "", fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure)},
		{"400 bad request", 400, "", fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed)},
		{"400 invalid container", 400, invalidGA, fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindStale), fails(azprov.KindStale)},
		{"400 no role config", 400, noConfigGA, fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindStale), fails(azprov.KindStale)},
		{"401 unsigned", 401, "", fails(azprov.KindUnauthenticated), fails(azprov.KindUnauthenticated), fails(azprov.KindUnauthenticated), fails(azprov.KindUnauthenticated), fails(azprov.KindUnauthenticated)},
		{"403 denied by a rule", 403, "", fails(azprov.KindDenied), fails(azprov.KindDenied), fails(azprov.KindDenied), fails(azprov.KindDenied), fails(azprov.KindDenied)},
		{"403 throttled, XML", 403, throttleXML, fails(azprov.KindDenied), fails(azprov.KindDenied), fails(azprov.KindDenied), again(throttled), fails(azprov.KindDenied)},
		{"403 throttled, IIS page", 403, throttleIIS, fails(azprov.KindDenied), fails(azprov.KindDenied), fails(azprov.KindDenied), again(throttled), fails(azprov.KindDenied)},
		{"403 plugin's access denied", 403, deniedGA, fails(azprov.KindDenied), fails(azprov.KindDenied), fails(azprov.KindDenied), fails(azprov.KindDenied), again(throttled)},
		{"404 not there", 404, "", again(ready), fails(azprov.KindNotFound), fails(ready), fails(azprov.KindNotFound), fails(azprov.KindNotFound)},
		{"405 wrong verb", 405, "", fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed)},
		{"408 request time-out", 408, "", again(ready), again(ready), again(ready), again(ready), again(ready)},
		{"410 gone", 410, "", again(ready), again(ready), fails(ready), fails(azprov.KindStale), fails(azprov.KindStale)},
		{"418 unheard of", 418, "", fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed), fails(azprov.KindMalformed)},
		{"421 caller unknown to the proxy agent", 421, "", again(azprov.KindDenied), again(azprov.KindDenied), again(azprov.KindDenied), again(azprov.KindDenied), again(azprov.KindDenied)},
		{"429 too many requests", 429, "", again(throttled), again(throttled), again(throttled), again(throttled), again(throttled)},
		{"500 server error", 500, "", again(ready), again(ready), again(ready), again(ready), again(ready)},
		{"501 not implemented", 501, "", fails(azprov.KindInternal), fails(azprov.KindInternal), fails(azprov.KindInternal), again(ready), again(ready)},
		{"502 bad gateway", 502, "", again(ready), again(ready), again(ready), again(ready), again(ready)},
		{"503 unavailable", 503, "", again(ready), again(ready), again(ready), again(throttled), again(throttled)},
		{"504 gateway time-out", 504, "", again(ready), again(ready), again(ready), again(ready), again(ready)},
		{"505 unheard of", 505, "", fails(azprov.KindInternal), fails(azprov.KindInternal), fails(azprov.KindInternal), fails(azprov.KindInternal), fails(azprov.KindInternal)},
		{"507 insufficient storage", 507, "", fails(azprov.KindInternal), fails(azprov.KindInternal), fails(azprov.KindInternal), again(ready), again(ready)},
	}
	for _, row := range rows {
		for _, c := range []struct {
			profile *Profile
			want    verdict
		}{
			{IMDSProvisioning(), row.provisioning},
			{IMDSPlain(), row.plain},
			{IMDSReprovision(), row.reprovision},
			{WireServer(), row.wire},
			{HostGA(), row.hostGA},
		} {
			t.Run(c.profile.Name+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				if got := judge(c.profile, Outcome{Status: row.status, Body: []byte(row.body)}); got != c.want {
					t.Errorf("got %v, want %v", got, c.want)
				}
			})
		}
	}
}

// TestDerivedProfiles names where the goal state and the reports differ from other
// requests to the wire server.
func TestDerivedProfiles(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		profile *Profile
		status  int
		want    verdict
	}{
		{"a stale goal state is soon followed by a new one", GoalState(), 410, again(azprov.KindStale)},
		{"a missing goal state is no wire server", GoalState(), 404, fails(azprov.KindNotFound)},
		{"a stale report is built anew", Health(), 410, fails(azprov.KindStale)},
		{"a report in an unknown format is refused for good", Health(), 501, fails(azprov.KindMalformed)},
		{"a report that met an error is repeated", Health(), 500, again(azprov.KindNotReady)},
		{"a report has no body to be reset", Health(), 205, succeeds()},
		{"a report has no body to be partial", Health(), 206, succeeds()},
		{"a report is throttled like all", Health(), 503, again(azprov.KindThrottled)},
		{"half a goal state is read again", GoalState(), 206, again(azprov.KindNotReady)},
		{"certificates that are not there are stale", Certificates(), 410, fails(azprov.KindStale)},
		{"certificates that are not implemented may be later", Certificates(), 501, again(azprov.KindNotReady)},
		{"a goal state that is not implemented may be later", GoalState(), 501, again(azprov.KindNotReady)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := judge(row.profile, Outcome{Status: row.status}); got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

type timeoutError struct{}

func (timeoutError) Error() string { return "i/o timeout" }
func (timeoutError) Timeout() bool { return true }

// TestTransportFailures names every failure without an answer.
func TestTransportFailures(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	read := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	for _, row := range []struct {
		name  string
		err   error
		class Class
	}{
		{"refused", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), ClassConnect},
		{"connect timed out", dial(timeoutError{}), ClassConnect},
		{"connect timed out in the kernel", dial(os.NewSyscallError("connect", syscall.ETIMEDOUT)), ClassConnect},
		{"no route", dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), ClassUnreachable},
		{"host unreachable", dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), ClassUnreachable},
		{"link down", dial(os.NewSyscallError("connect", syscall.ENETDOWN)), ClassUnreachable},
		{"address gone", dial(os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)), ClassUnreachable},
		{"reset", read(os.NewSyscallError("read", syscall.ECONNRESET)), ClassBroken},
		{"broken pipe", read(os.NewSyscallError("write", syscall.EPIPE)), ClassBroken},
		{"closed before the answer", io.EOF, ClassBroken},
		{"cut off in the body", io.ErrUnexpectedEOF, ClassBroken},
		{"no answer in time", fmt.Errorf("get: %w", context.DeadlineExceeded), ClassTimeout},
		{"read timed out", read(timeoutError{}), ClassTimeout},
		{"malformed HTTP", errors.New("malformed HTTP response"), ClassOther},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := ClassOf(row.err); got != row.class {
				t.Errorf("class %s, want %s", got, row.class)
			}
			for _, p := range []*Profile{IMDSProvisioning(), IMDSPlain(), IMDSReprovision(), WireServer(), GoalState(), Certificates(), Health(), HostGA()} {
				if got, want := judge(p, Outcome{Err: row.err}), again(azprov.KindNetwork); got != want {
					t.Errorf("%s: got %v, want %v", p.Name, got, want)
				}
			}
		})
	}
}

func TestRefusedDocuments(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		kind                           azprov.Kind
		provisioning, plain, wireState verdict
	}{
		{azprov.KindMalformed, again(azprov.KindMalformed), fails(azprov.KindMalformed), again(azprov.KindMalformed)},
		{azprov.KindNotReady, again(azprov.KindNotReady), fails(azprov.KindNotReady), again(azprov.KindNotReady)},
		{azprov.KindTooLarge, fails(azprov.KindTooLarge), fails(azprov.KindTooLarge), fails(azprov.KindTooLarge)},
		{azprov.KindNotAzure, fails(azprov.KindNotAzure), fails(azprov.KindNotAzure), fails(azprov.KindNotAzure)},
	} {
		t.Run(string(row.kind), func(t *testing.T) {
			t.Parallel()
			o := Outcome{Status: http.StatusOK, Err: &azprov.Error{Op: "test", Kind: row.kind}}
			for p, want := range map[*Profile]verdict{IMDSProvisioning(): row.provisioning, IMDSPlain(): row.plain, GoalState(): row.wireState} {
				if got := judge(p, o); got != want {
					t.Errorf("%s: got %v, want %v", p.Name, got, want)
				}
			}
		})
	}
}

// final is how azcore's policies mark an error that no retry helps.
type final struct{ error }

func (final) NonRetriable() {}

func TestNonRetriableIsFinal(t *testing.T) {
	t.Parallel()
	if got, want := judge(IMDSProvisioning(), Outcome{Err: final{errors.New("no token")}}), fails(azprov.KindInternal); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTooLargeIsFinal(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("body download: %w", &azprov.Error{Op: "test", Kind: azprov.KindTooLarge})
	if got, want := judge(IMDSProvisioning(), Outcome{Err: err}), fails(azprov.KindTooLarge); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
