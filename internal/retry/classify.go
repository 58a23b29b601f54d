package retry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/azprov/azprov"
)

// Classify returns the rule for a failed attempt; ok is true if it did not fail.
// It looks at nothing but its argument and the profile's tables.
func (p *Profile) Classify(o Outcome) (rule Rule, ok bool) {
	switch {
	case o.Err != nil && o.Status != 0:
		return p.document(o.Err), false
	case o.Err != nil:
		return p.transport(o.Err), false
	}
	for _, b := range p.Bodies {
		if b.Status == o.Status && containsAny(o.Body, b.Texts) {
			return b.Rule, false
		}
	}
	if rule, found := p.Statuses[o.Status]; found {
		return rule, false
	}
	return p.byRange(o.Status)
}

func (p *Profile) byRange(status int) (rule Rule, ok bool) {
	switch {
	case status >= http.StatusOK && status < http.StatusMultipleChoices:
		return Rule{}, true
	case status >= http.StatusInternalServerError:
		return p.ServerError, false
	case status >= http.StatusBadRequest:
		return p.ClientError, false
	default:
		return p.Redirect, false
	}
}

func (p *Profile) document(err error) Rule {
	kind := azprov.KindOf(err)
	if rule, found := p.Documents[kind]; found {
		return rule
	}
	return Rule{Kind: kind}
}

func (p *Profile) transport(err error) Rule {
	if kind := azprov.KindOf(err); kind == azprov.KindTooLarge {
		return Rule{Kind: kind}
	}
	// azcore's way for a policy to say that trying again is of no use.
	var final interface {
		error
		NonRetriable()
	}
	if errors.As(err, &final) {
		return Rule{Kind: azprov.KindInternal}
	}
	if rule, found := p.Transport[ClassOf(err)]; found {
		return rule
	}
	return Rule{Kind: azprov.KindNetwork}
}

func containsAny(body []byte, texts []string) bool {
	for _, text := range texts {
		if bytes.Contains(body, []byte(text)) {
			return true
		}
	}
	return false
}

// ClassOf sorts a transport failure by its error tree, never by its text.
func ClassOf(err error) Class {
	for _, row := range classes {
		if row.match(err) {
			return row.class
		}
	}
	return ClassOther
}

// classes is searched in order: a dial that timed out is a connect failure, and
// only after it any time-out is an attempt's.
var classes = []struct {
	class Class
	match func(error) bool
}{
	{ClassUnreachable, isAny(syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL)},
	{ClassConnect, isAny(syscall.ECONNREFUSED)},
	{ClassConnect, isDial},
	{ClassTimeout, isTimeout},
	{ClassBroken, isAny(syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed)},
}

func isAny(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout())
}
