package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/wait"
)

// retryPolicy is the only owner of retries. It stands first among the policies
// that azcore runs per attempt, with azcore's own retry off.
type retryPolicy struct {
	overrides policy.RetryOptions
	logger    *zap.Logger
	onRetry   func(azprov.RetryEvent)
	proxyWait func(context.Context) error
}

// Do runs attempts until one succeeds, a rule ends the call, or time is up.
func (p *retryPolicy) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	rec, ok := ctx.Value(recordKey{}).(*record)
	if !ok {
		return nil, errNoOperation
	}
	limits := rec.call.Limits
	if rec.op.answered {
		limits = retry.Limits{Attempts: limits.Attempts} // something did answer, in an earlier call
	}
	session := retry.NewSession(rec.call.Profile, p.overrides, limits)
	for {
		resp, outcome := p.attempt(ctx, req, rec, session)
		if ctx.Err() != nil && rec.last != nil {
			return nil, ctx.Err()
		}
		decision := session.Next(outcome, resp)
		if decision.Done {
			return resp, nil
		}
		if rec.last == nil {
			rec.last = &failure{kind: azprov.KindNotReady, text: "refused by the caller's retry options"}
		}
		rec.rule = decision.Rule
		if asked, err := p.askProxyAgent(ctx, rec, outcome); asked {
			if err == nil {
				continue
			}
			rec.last = &failure{kind: decision.Rule.Kind, text: rec.last.Error() + ": the guest proxy agent did not come up", err: err}
			rec.decided = true
			return resp, rec.last
		}
		if !decision.Again {
			rec.decided = true
			return resp, rec.last
		}
		if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= decision.Pause {
			rec.outOf = true
			return resp, rec.last
		}
		p.tell(rec, decision)
		if err := wait.For(ctx, decision.Pause); err != nil {
			return nil, err
		}
	}
}

// attempt sends the request once, on a copy with a body reader of its own: azcore
// rewinds a shared one, which races with a transport that has timed out and still
// reads it.
func (p *retryPolicy) attempt(ctx context.Context, req *policy.Request, rec *record, session *retry.Session) (*http.Response, retry.Outcome) {
	rec.op.attempts++
	timeout := AttemptTimeout
	if p.overrides.TryTimeout > 0 {
		timeout = p.overrides.TryTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, session.AttemptTimeout(timeout))
	defer cancel() // the body has been read by then
	clone := req.Clone(ctx)
	call := rec.call
	if call.Body != nil {
		if err := clone.SetBody(streaming.NopCloser(bytes.NewReader(call.Body)), call.ContentType); err != nil {
			return nil, p.failed(rec, retry.Outcome{Err: err})
		}
	}
	if call.RequestIDHeader != "" {
		clone.Raw().Header.Set(call.RequestIDHeader, newUUID())
	}
	resp, err := clone.Next()
	if err != nil {
		return nil, p.failed(rec, retry.Outcome{Err: err})
	}
	body, err := runtime.Payload(resp)
	if err != nil {
		return nil, p.failed(rec, retry.Outcome{Err: err})
	}
	rec.status, rec.after = resp.StatusCode, retry.After(resp.Header, time.Now())
	outcome := retry.Outcome{Status: resp.StatusCode, Header: resp.Header, Body: body}
	if _, fine := call.Profile.Classify(outcome); fine && call.Check != nil {
		outcome.Err = call.Check(&Response{Status: resp.StatusCode, Header: resp.Header, Body: body})
	}
	rec.last = describe(call.Profile, outcome, resp)
	return resp, outcome
}

func (p *retryPolicy) failed(rec *record, o retry.Outcome) retry.Outcome {
	rec.status, rec.after = 0, 0
	o.Answered = rec.op.answered
	rec.last = describe(rec.call.Profile, o, nil)
	return o
}

// askProxyAgent waits, once per operation, for the guest proxy agent after a 401.
func (p *retryPolicy) askProxyAgent(ctx context.Context, rec *record, o retry.Outcome) (asked bool, err error) {
	if o.Status != http.StatusUnauthorized || p.proxyWait == nil || rec.op.asked {
		return false, nil
	}
	rec.op.asked = true
	p.logger.Info("waiting for the guest proxy agent", zap.String("operation", rec.op.op))
	return true, p.proxyWait(ctx)
}

// tell shows attempts 1, 2, 4, 8, … in the log: a service that is down for minutes
// must not fill a serial console. Who watches is told all.
func (p *retryPolicy) tell(rec *record, d retry.Decision) {
	n := rec.op.attempts
	if p.onRetry != nil {
		p.onRetry(azprov.RetryEvent{Op: rec.op.op, Attempt: n, Err: rec.last, Pause: d.Pause})
	}
	if bits.OnesCount(uint(n)) != 1 {
		return
	}
	p.logger.Info("will try again",
		zap.String("operation", rec.op.op), zap.Int("attempt", n), zap.Int("status", rec.status),
		zap.String("kind", string(d.Rule.Kind)), zap.Duration("pause", d.Pause), zap.String("cause", rec.last.Error()))
}

// failure is what one attempt failed of. It prints no body, and leads to
// azcore.ResponseError, which does, by errors.As only.
type failure struct {
	kind azprov.Kind
	text string
	err  error
}

func (f *failure) Error() string        { return f.text }
func (f *failure) Unwrap() error        { return f.err }
func (f *failure) Is(target error) bool { return target == f.kind.Err() }

// describe names the failure of an attempt, nil if there is none.
func describe(p *retry.Profile, o retry.Outcome, resp *http.Response) error {
	rule, ok := p.Classify(o)
	switch {
	case ok:
		return nil
	case o.Err != nil && resp != nil:
		return o.Err
	case o.Err != nil:
		return &failure{kind: rule.Kind, text: transportText(o.Err), err: o.Err}
	}
	respErr := &azcore.ResponseError{StatusCode: o.Status, ErrorCode: errorCode(o), RawResponse: resp}
	text := fmt.Sprintf("HTTP status %d", o.Status)
	if name := http.StatusText(o.Status); name != "" {
		text += " " + name
	}
	if respErr.ErrorCode != "" {
		text += " (" + respErr.ErrorCode + ")"
	}
	return &failure{kind: rule.Kind, text: text, err: respErr}
}

// transportText leaves out the URL that url.Error repeats.
func transportText(err error) string {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	if retry.ClassOf(err) == retry.ClassTimeout {
		return "no answer within the time of one attempt"
	}
	return azprov.OneLine(err.Error())
}
