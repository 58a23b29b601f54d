package pps

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/azprov/azprov"
)

// verdict is what a failed request for the owner's data says.
type verdict string

const (
	// verdictNotYet: the way to IMDS is open.
	verdictNotYet verdict = "not yet"
	// verdictThrottled: as before, and it wants fewer requests.
	verdictThrottled verdict = "throttled"
	// verdictSlow: connected, and no answer. One is nothing, two in a row are unreachable.
	verdictSlow verdict = "slow"
	// verdictUnreachable: the network may have changed.
	verdictUnreachable verdict = "unreachable"
	// verdictRefused: asking again may not help.
	verdictRefused verdict = "refused"
)

// verdicts is by the kind of the error. Kinds that are not here are refusals.
var verdicts = map[azprov.Kind]verdict{
	azprov.KindNotReady:  verdictNotYet,
	azprov.KindNotFound:  verdictNotYet,
	azprov.KindStale:     verdictNotYet,
	azprov.KindThrottled: verdictThrottled,
	azprov.KindNetwork:   verdictUnreachable,
	azprov.KindTimeout:   verdictSlow,
	azprov.KindCanceled:  verdictSlow,
}

// judge sorts an error of [Metadata].
func judge(err error) verdict {
	if isReadTimeout(err) {
		return verdictSlow
	}
	if v, known := verdicts[azprov.KindOf(err)]; known {
		return v
	}
	return verdictRefused
}

// isReadTimeout tells a connection on which no answer came from one that was not made.
func isReadTimeout(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// retryAfter is what the service asks for, at most a minute: no answer is worth a longer
// sleep of a VM that may have an owner by now.
func retryAfter(err error) time.Duration {
	var e *azprov.Error
	if !errors.As(err, &e) {
		return 0
	}
	return min(max(e.RetryAfter, 0), maxRetryAfter)
}
