// Package retry decides whether a failed request is worth another one, and when.
//
// The decision is one pure function, [Profile.Classify], over a table of rules. A
// [Session] adds what one call has seen so far: counters and the schedule.
package retry

import (
	"net/http"
	"time"

	"github.com/azprov/azprov"
)

// Rule says what a failure means and what to do about it.
type Rule struct {
	// Kind of the error if the call ends with this failure.
	Kind azprov.Kind
	// Retry allows another attempt.
	Retry bool
	// Limit is the number of attempts that may fail in this way within one call;
	// 0 is no limit but the budget.
	Limit int
	// Delay replaces the schedule before the next attempt if it is not 0.
	Delay time.Duration
	// Throttled marks an answer to too many requests: the pause doubles and never
	// goes below a second.
	Throttled bool
	// Hint tells the user what to do next.
	Hint string
}

// Class tells transport failures apart.
type Class string

// The classes of transport failure.
const (
	// ClassConnect: the connection was refused or could not be made in time.
	ClassConnect Class = "connect"
	// ClassUnreachable: the kernel has no route or no link.
	ClassUnreachable Class = "unreachable"
	// ClassBroken: the connection broke before the answer was complete.
	ClassBroken Class = "broken"
	// ClassTimeout: connected, and no answer within the time of one attempt.
	ClassTimeout Class = "timeout"
	// ClassOther: any other failure of the transport.
	ClassOther Class = "other"
)

// BodyRule is a rule for a status whose body holds one of the texts.
type BodyRule struct {
	Status int
	// Texts to look for, any of them, byte for byte.
	Texts []string
	Rule  Rule
}

// Schedule is the pause between attempts: Initial, then growing by Factor to Max,
// each spread by ±Jitter (a fraction).
type Schedule struct {
	Initial time.Duration
	Max     time.Duration
	Factor  float64
	Jitter  float64
}

// Profile is how one service is to be treated.
type Profile struct {
	Name     string
	Schedule Schedule
	// Bodies are looked at before Statuses, in order.
	Bodies []BodyRule
	// Statuses maps a status to its rule; a 2xx that is listed is a failure.
	Statuses map[int]Rule
	// Redirect, ClientError and ServerError are for statuses not listed.
	Redirect    Rule
	ClientError Rule
	ServerError Rule
	// Transport is for failures without an answer.
	Transport map[Class]Rule
	// Documents is for a 2xx whose body the operation refuses, by the kind of the
	// refusal.
	Documents map[azprov.Kind]Rule
}

// Outcome is what one attempt gave: a response, or Err; with both, Err is the
// operation's refusal of a 2xx document.
type Outcome struct {
	Status int
	Header http.Header
	Body   []byte
	Err    error
	// Answered: headers came, even if the body then did not.
	Answered bool
}
