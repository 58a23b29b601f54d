package emulator

import (
	"fmt"
	"math/rand/v2"
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
	// FaultLose does what the request asks for, and closes the connection without an answer:
	// a health report is accepted.
	FaultLose FaultKind = "lose"
	// FaultTruncate sends half of the answer and closes the connection; the
	// declared length is that of the whole. A health report is accepted: only
	// its answer is lost.
	FaultTruncate FaultKind = "truncate"
	// FaultLonger sends the whole answer with a Content-Length that is ten too large, and
	// closes the connection. A health report is accepted.
	FaultLonger FaultKind = "longer"
	// FaultShorter sends the whole answer with a Content-Length of half its size: what is
	// left over stands on the connection, which is then closed. A health report is
	// accepted.
	FaultShorter FaultKind = "shorter"
)

// PossibleFaultKindValues returns every kind.
func PossibleFaultKindValues() []FaultKind {
	return []FaultKind{FaultAnswer, FaultReset, FaultLose, FaultHang, FaultTruncate, FaultLonger, FaultShorter}
}

// loses reports whether the answer does not arrive as a whole, or not as one.
func (k FaultKind) loses() bool {
	return k == FaultLose || k == FaultTruncate || k == FaultLonger || k == FaultShorter
}

// Fault is one step of a service's misbehaviour. For each request the first step
// that matches and is not used up is taken, so steps for the same path
// follow one another. A request that the service refuses as wrong (400, 405)
// takes none: it would hide the fault of the client.
type Fault struct {
	// Path must be part of the request's path and query; empty matches all.
	Path string `json:"path,omitempty"`
	// Method is the request's, in upper case; empty matches all.
	Method string `json:"method,omitempty"`
	// APIVersion is the api-version of the query, or the header x-ms-version; empty matches
	// all.
	APIVersion string `json:"apiVersion,omitempty"`
	// RequestHeaders must be there, and each have its text as a part of its value.
	RequestHeaders map[string]string `json:"requestHeaders,omitempty"`
	// Nth lets the first requests that match pass: 3 begins with the third. 0 stands for 1.
	Nth int `json:"nth,omitempty"`
	// Probability, over 0 and up to 1, is how likely a request that matches meets the step;
	// 0 stands for 1. The dice are the scenario's seed and the order of these requests.
	Probability float64 `json:"probability,omitempty"`
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
	// Delay is waited before whatever follows. The answer stays that of the moment at which
	// the request came: what a step changes meanwhile does not show in it.
	Delay Duration `json:"delay,omitempty"`
	// Refuse is how long after its start the server refuses connections. It
	// stands alone in its step, takes no request, and has a meaning only for a
	// [Server], which owns the listener.
	Refuse Duration `json:"refuse,omitempty"`
}

// A faultQueue is the steps of one service with what is left of each.
type faultQueue struct {
	path  string // where the scenario has them
	steps []Fault
	left  []int
	seen  []int  // Requests that have matched.
	taken []bool // Whether any has met the step.
	dice  []*rand.Rand
}

func newFaultQueue(path string, steps []Fault, seed uint64) *faultQueue {
	q := &faultQueue{path: path, steps: steps, taken: make([]bool, len(steps)), left: make([]int, len(steps)), seen: make([]int, len(steps)), dice: make([]*rand.Rand, len(steps))}
	for i, step := range steps {
		q.left[i] = max(step.Times, 1)
		if step.Refuse > 0 {
			q.left[i] = 0
		}
		if step.Probability > 0 {
			q.dice[i] = rand.New(rand.NewPCG(seed, uint64(i))) //nolint:gosec // The same faults in every run are wanted.
		}
	}
	return q
}

// take returns the step for a request, nil if it is to be served well.
func (q *faultQueue) take(a asked) *Fault {
	var taken *Fault
	for i := range q.steps {
		step := &q.steps[i]
		if step.Refuse > 0 || !step.match().matches(a) {
			continue
		}
		// Every step counts, and throws its dice, for every request of its own: what
		// another step takes must not change what this one does.
		q.seen[i]++
		meets := q.dice[i] == nil || q.dice[i].Float64() < step.Probability
		if taken != nil || !meets || q.left[i] == 0 || q.seen[i] < step.Nth {
			continue
		}
		if !step.Always {
			q.left[i]--
		}
		q.taken[i] = true
		taken = step
	}
	return taken
}

// untaken names the steps that no request has met.
func (q *faultQueue) untaken() []string {
	var names []string
	for i := range q.steps {
		if step := &q.steps[i]; !q.taken[i] && step.Refuse == 0 {
			names = append(names, fmt.Sprintf("%s[%d] (%s of %s)", q.path, i, step.label(), step.match()))
		}
	}
	return names
}

// match is what a request must be like.
func (f *Fault) match() Match {
	return Match{Method: f.Method, Path: f.Path, APIVersion: f.APIVersion, Headers: f.RequestHeaders}
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
	case f.Nth < 0:
		return "nth is negative"
	case f.Probability < 0 || f.Probability > 1:
		return "probability is not between 0 and 1"
	case f.Method != strings.ToUpper(f.Method):
		return "method is not in upper case"
	case f.Refuse > 0 && (answers || f.Kind != FaultAnswer || f.Delay > 0 || f.matchesSome() || f.Always || f.Times > 0):
		return "refuse stands alone in its step"
	case (f.Kind == FaultReset || f.Kind == FaultLose || f.Kind == FaultHang) && answers:
		return "a step of kind " + string(f.Kind) + " has no answer"
	case f.Refuse == 0 && f.Delay == 0 && f.Kind == FaultAnswer && !answers:
		return "the step does nothing"
	}
	if !oneOf(f.Kind, PossibleFaultKindValues()) {
		return "kind " + strconv.Quote(string(f.Kind)) + " is " + notOneOf(f.Kind, PossibleFaultKindValues()[1:])
	}
	return ""
}

// matchesSome reports whether the step is not for every request.
func (f *Fault) matchesSome() bool {
	return f.Path != "" || f.Method != "" || f.APIVersion != "" || f.RequestHeaders != nil || f.Nth > 0 || f.Probability > 0
}

// validateFaults returns what is wrong with a list of faults, "" if nothing is.
func validateFaults(path string, faults []Fault) string {
	for i := range faults {
		if wrong := faults[i].validate(); wrong != "" {
			return path + "[" + strconv.Itoa(i) + "]: " + wrong
		}
	}
	return ""
}
