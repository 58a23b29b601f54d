package emulator

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that is written as text in JSON: "1.5s", "100ms".
type Duration time.Duration

// MarshalText returns the form that time.ParseDuration reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return malformed("emulator.Duration.UnmarshalText", "want a duration such as 1.5s or 100ms")
	}
	*d = Duration(v)
	return nil
}

// FaultKind says what a fault does instead of answering. Values other than the
// constants are refused.
type FaultKind string

// The kinds of faults.
const (
	// FaultAnswer answers with the fault's status, headers and body; without a
	// status it lets the good answer through, after the delay.
	FaultAnswer FaultKind = ""
	// FaultReset closes the connection without an answer. A health report that
	// meets it is not accepted.
	FaultReset FaultKind = "reset"
	// FaultHang never answers: it waits until the client or the server gives up.
	FaultHang FaultKind = "hang"
	// FaultTruncate sends half of the answer and closes the connection; the
	// declared length is that of the whole. A health report is accepted: only
	// its answer is lost.
	FaultTruncate FaultKind = "truncate"
)

// PossibleFaultKindValues returns every kind.
func PossibleFaultKindValues() []FaultKind {
	return []FaultKind{FaultAnswer, FaultReset, FaultHang, FaultTruncate}
}

// Fault is one step of a service's misbehaviour. For each request the first step
// whose path matches and that is not used up is taken, so steps for the same path
// follow one another. A request that the service refuses as wrong (400, 405)
// takes none: it would hide the fault of the client.
type Fault struct {
	// Path must be part of the request's path and query; empty matches all.
	Path string `json:"path,omitempty"`
	// Times is how often the step is taken; 0 stands for once.
	Times int `json:"times,omitempty"`
	// Always: the step is never used up. It excludes Times.
	Always bool `json:"always,omitempty"`
	// Kind says what happens.
	Kind FaultKind `json:"kind,omitempty"`
	// Status is the answer's status, 200 to 599; 0 keeps the good answer.
	Status int `json:"status,omitempty"`
	// Headers are added to the answer, and replace those of the same name.
	Headers map[string]string `json:"headers,omitempty"`
	// Body is the answer's body. Without one it is what the service has been seen
	// to send with this status.
	Body *string `json:"body,omitempty"`
	// RetryAfter is the value of Retry-After.
	RetryAfter string `json:"retryAfter,omitempty"`
	// Delay is waited before whatever follows.
	Delay Duration `json:"delay,omitempty"`
	// Refuse is how long after its start the server refuses connections. It
	// stands alone in its step, takes no request, and has a meaning only for a
	// [Server], which owns the listener.
	Refuse Duration `json:"refuse,omitempty"`
}

// A faultQueue is the steps of one service with what is left of each.
type faultQueue struct {
	steps []Fault
	left  []int
}

func newFaultQueue(steps []Fault) *faultQueue {
	q := &faultQueue{steps: steps, left: make([]int, len(steps))}
	for i, step := range steps {
		q.left[i] = max(step.Times, 1)
		if step.Refuse > 0 {
			q.left[i] = 0
		}
	}
	return q
}

// take returns the step for a request to uri, nil if it is to be served well.
func (q *faultQueue) take(uri string) *Fault {
	for i := range q.steps {
		step := &q.steps[i]
		if q.left[i] == 0 || !strings.Contains(uri, step.Path) {
			continue
		}
		if !step.Always {
			q.left[i]--
		}
		return step
	}
	return nil
}

// refusal is how long a server refuses connections: the sum of the steps that say so.
func refusal(steps []Fault) time.Duration {
	var d time.Duration
	for _, step := range steps {
		d += time.Duration(step.Refuse)
	}
	return d
}

// label is the fault's name in the journal.
func (f *Fault) label() string {
	switch {
	case f.Kind != FaultAnswer:
		return string(f.Kind)
	case f.Status != 0:
		return strconv.Itoa(f.Status)
	default:
		return "delay"
	}
}

// keepsAnswer reports whether the right answer arrives after all.
func (f *Fault) keepsAnswer() bool {
	return f.Kind == FaultAnswer && f.Status == 0 && f.Body == nil
}

// answer turns good, the answer to a right request, into the fault's.
func (f *Fault) answer(service Service, good response) response {
	resp := good
	if f.Status != 0 {
		resp = service.failure(f.Status)
	}
	if f.Body != nil {
		resp.body = []byte(*f.Body)
	}
	for name, value := range f.Headers {
		resp.header.Set(name, value)
	}
	if f.RetryAfter != "" {
		resp.header.Set("Retry-After", f.RetryAfter)
	}
	return resp
}

// validate returns what is wrong with the step, "" if nothing is.
func (f *Fault) validate() string {
	answers := f.Status != 0 || f.Headers != nil || f.Body != nil || f.RetryAfter != ""
	switch {
	case f.Times < 0:
		return `times is negative; use "always": true`
	case f.Always && f.Times > 0:
		return "times and always exclude each other"
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return "status is not between 200 and 599"
	case f.Delay < 0 || f.Refuse < 0:
		return "a duration is negative"
	case f.Refuse > 0 && (answers || f.Kind != FaultAnswer || f.Delay > 0 || f.Path != "" || f.Always || f.Times > 0):
		return "refuse stands alone in its step"
	case (f.Kind == FaultReset || f.Kind == FaultHang) && answers:
		return "a step of kind " + string(f.Kind) + " has no answer"
	case f.Refuse == 0 && f.Delay == 0 && f.Kind == FaultAnswer && !answers:
		return "the step does nothing"
	}
	if !slices.Contains(PossibleFaultKindValues(), f.Kind) {
		return "kind is " + strconv.Quote(string(f.Kind)) + ", want reset, hang or truncate"
	}
	return ""
}
