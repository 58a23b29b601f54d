package emulator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/azprov/azprov"
)

// Assertion is something that holds at the end of a conversation: one of State, Phase,
// Report, Request, Never, Order, Between, Verdicts and Step.
type Assertion struct {
	// State is what the platform shows for the VM at the end.
	State ReportState `json:"state,omitempty"`
	// Phase is where the VM stands at the end.
	Phase Phase `json:"phase,omitempty"`
	// Report is a part of the description of the last report that was accepted.
	Report string `json:"report,omitempty"`
	// Request is what requests are like that are counted: at least one, if neither
	// Exactly, AtLeast nor AtMost is there.
	Request *Match `json:"request,omitempty"`
	// Exactly is the number of such requests.
	Exactly *int `json:"exactly,omitempty"`
	// AtLeast is the smallest number of them.
	AtLeast *int `json:"atLeast,omitempty"`
	// AtMost is the largest number of them.
	AtMost *int `json:"atMost,omitempty"`
	// Never is what no request is like.
	Never *Match `json:"never,omitempty"`
	// Order is two or more requests, each of which comes after one like that before it.
	Order []Match `json:"order,omitempty"`
	// Between is two requests: the first like the one, and the first after it like the
	// other. The time from one to the other is NotBefore at least and Within at most.
	Between []Match `json:"between,omitempty"`
	// NotBefore is the shortest time.
	NotBefore Duration `json:"notBefore,omitempty"`
	// Within is the longest time.
	Within Duration `json:"within,omitempty"`
	// Verdicts are parts of the verdicts that requests and records may have. With an
	// empty list nothing may be wrong about any.
	Verdicts []string `json:"verdicts,omitzero"`
	// Step is the name of a step that was played.
	Step string `json:"step,omitempty"`
}

// Unmet is an assertion of the scenario that does not hold.
type Unmet struct {
	// Index is its place in [Scenario.Assert].
	Index int `json:"index"`
	// Want is what it says, in words.
	Want string `json:"want"`
	// Saw is what there was instead. The VM's secrets are replaced.
	Saw string `json:"saw"`
}

// String is one line.
func (u Unmet) String() string { return fmt.Sprintf("assert[%d]: %s; saw %s", u.Index, u.Want, u.Saw) }

// Check holds the assertions of the scenario against what has happened so far, and returns
// those that do not hold, in the order of the scenario. Call it at the end of a
// conversation: a request that is still to come is missing before.
func (f *Fabric) Check() []Unmet {
	var unmet []Unmet
	journal := f.Journal()
	for i := range f.scenario.Assert {
		a := &f.scenario.Assert[i]
		want, saw := f.check(a, journal)
		if saw != "" {
			unmet = append(unmet, Unmet{i, want, saw})
		}
	}
	return unmet
}

// check returns what the assertion says, and what there was if it does not hold.
func (f *Fabric) check(a *Assertion, journal []Entry) (want, saw string) {
	switch {
	case a.State != "":
		return "state " + string(a.State), unless(f.State() == a.State, string(f.State()))
	case a.Phase != "":
		return "phase " + string(a.Phase), unless(f.Phase() == a.Phase, string(f.Phase()))
	case a.Report != "":
		return fmt.Sprintf("a last report with %q", a.Report), f.checkReport(a.Report)
	case a.Never != nil:
		found := indexes(journal, *a.Never)
		return "never " + a.Never.String(), unless(len(found) == 0, fmt.Sprintf("%s, first as number %d of the journal", times(len(found)), at(found)))
	case a.Request != nil:
		n := len(indexes(journal, *a.Request))
		return a.Request.String() + " " + a.count(), unless(a.counted(n), times(n))
	case a.Order != nil:
		return checkOrder(journal, a.Order)
	case a.Between != nil:
		return a.checkBetween(journal)
	case a.Verdicts != nil:
		return a.checkVerdicts(journal)
	default:
		return "step " + a.Step + " played", f.checkStep(a.Step)
	}
}

// unless returns what was seen, or nothing if the assertion holds.
func unless(holds bool, saw string) string {
	if holds {
		return ""
	}
	return saw
}

func times(n int) string {
	if n == 1 {
		return "it once"
	}
	return fmt.Sprintf("it %d times", n)
}

// at is the number of the first entry.
func at(found []int) int {
	if len(found) == 0 {
		return 0
	}
	return found[0] + 1
}

func (f *Fabric) checkReport(part string) string {
	reports := f.Reports()
	if len(reports) == 0 {
		return "no report"
	}
	last := reports[len(reports)-1]
	return unless(strings.Contains(last.Description, part), fmt.Sprintf("%s %q", last.State, last.Description))
}

func indexes(journal []Entry, m Match) []int {
	var found []int
	for i := range journal {
		if m.matches(journal[i].asked()) {
			found = append(found, i)
		}
	}
	return found
}

func (a *Assertion) count() string {
	switch {
	case a.Exactly != nil:
		return fmt.Sprintf("exactly %d times", *a.Exactly)
	case a.AtLeast != nil && a.AtMost != nil:
		return fmt.Sprintf("%d to %d times", *a.AtLeast, *a.AtMost)
	case a.AtMost != nil:
		return fmt.Sprintf("at most %d times", *a.AtMost)
	case a.AtLeast != nil:
		return fmt.Sprintf("at least %d times", *a.AtLeast)
	default:
		return "at least once"
	}
}

func (a *Assertion) counted(n int) bool {
	if a.Exactly == nil && a.AtLeast == nil && a.AtMost == nil {
		return n > 0
	}
	return (a.Exactly == nil || n == *a.Exactly) && (a.AtLeast == nil || n >= *a.AtLeast) && (a.AtMost == nil || n <= *a.AtMost)
}

// follow finds the requests one after the other; it stops at the first that is not there.
func follow(journal []Entry, order []Match) []Entry {
	var found []Entry
	for i := range journal {
		if len(found) < len(order) && order[len(found)].matches(journal[i].asked()) {
			found = append(found, journal[i])
		}
	}
	return found
}

func checkOrder(journal []Entry, order []Match) (want, saw string) {
	var names []string
	for _, m := range order {
		names = append(names, m.String())
	}
	found := follow(journal, order)
	if len(found) == len(order) {
		return strings.Join(names, ", then "), ""
	}
	saw = "no " + names[len(found)]
	if len(found) > 0 {
		saw += " after the " + names[len(found)-1] + fmt.Sprintf(" that is number %d of the journal", found[len(found)-1].Seq)
	}
	return strings.Join(names, ", then "), saw
}

func (a *Assertion) checkBetween(journal []Entry) (want, saw string) {
	want, saw = checkOrder(journal, a.Between)
	if a.NotBefore > 0 {
		want += " not before " + time.Duration(a.NotBefore).String()
	}
	if a.Within > 0 {
		want += " within " + time.Duration(a.Within).String()
	}
	if saw != "" {
		return want, saw
	}
	found := follow(journal, a.Between)
	passed := found[1].Time.Sub(found[0].Time)
	holds := passed >= time.Duration(a.NotBefore) && (a.Within == 0 || passed <= time.Duration(a.Within))
	return want, unless(holds, passed.String())
}

func (a *Assertion) checkVerdicts(journal []Entry) (want, saw string) {
	want = "no verdicts"
	if len(a.Verdicts) > 0 {
		want += " but " + strings.Join(a.Verdicts, ", ")
	}
	var wrong []string
	for i := range journal {
		for _, verdict := range journal[i].Verdicts {
			allowed := slices.ContainsFunc(a.Verdicts, func(part string) bool { return strings.Contains(verdict, part) })
			if !allowed {
				wrong = append(wrong, fmt.Sprintf("%q at number %d of the journal", verdict, journal[i].Seq))
			}
		}
	}
	const shown = 3
	if len(wrong) > shown {
		wrong = append(wrong[:shown], fmt.Sprintf("%d more", len(wrong)-shown))
	}
	return want, strings.Join(wrong, ", ")
}

// validateAssertions returns what is wrong with the assertions, "" if nothing is.
func validateAssertions(assertions []Assertion, steps []Step) string {
	for i := range assertions {
		if wrong := assertions[i].validate(fmt.Sprintf("assert[%d]", i), steps); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (a *Assertion) validate(path string, steps []Step) string {
	var known, has []string
	for _, kind := range []struct {
		name  string
		there bool
	}{
		{"state", a.State != ""},
		{"phase", a.Phase != ""},
		{"report", a.Report != ""},
		{"request", a.Request != nil},
		{"never", a.Never != nil},
		{"order", a.Order != nil},
		{"between", a.Between != nil},
		{"verdicts", a.Verdicts != nil},
		{"step", a.Step != ""},
	} {
		known = append(known, kind.name)
		if kind.there {
			has = append(has, kind.name)
		}
	}
	counts := a.Exactly != nil || a.AtLeast != nil || a.AtMost != nil
	named := func(step Step) bool { return step.Name == a.Step }
	switch {
	case len(has) > 1:
		return path + " has " + strings.Join(has, " and ") + ": make an item of each"
	case counts && a.Request == nil:
		return path + ": exactly, atLeast and atMost count a request: add request"
	case a.Exactly != nil && (a.AtLeast != nil || a.AtMost != nil):
		return path + ": exactly excludes atLeast and atMost"
	case negative(a.Exactly) || negative(a.AtLeast) || negative(a.AtMost):
		return path + ": a number of requests is negative"
	case a.Order != nil && len(a.Order) < 2, a.Between != nil && len(a.Between) != 2:
		return path + " wants two requests"
	case (a.Between == nil) != (a.NotBefore == 0 && a.Within == 0):
		return path + ": between goes with notBefore, within or both"
	case len(has) == 0:
		return path + " has nothing to hold: want one of " + strings.Join(known, ", ") + "; that there are no verdicts is written verdicts: []"
	case a.NotBefore < 0 || a.Within < 0:
		return path + ": a duration is negative"
	case a.State != "" && !oneOf(a.State, PossibleReportStateValues()):
		return path + ".state is " + notOneOf(a.State, PossibleReportStateValues())
	case a.Phase != "" && !oneOf(a.Phase, PossiblePhaseValues()):
		return path + ".phase is " + notOneOf(a.Phase, PossiblePhaseValues())
	case a.Step != "" && !slices.ContainsFunc(steps, named):
		var names []string
		for _, step := range steps {
			names = append(names, step.Name)
		}
		return fmt.Sprintf("%s.step: no step is called %q", path, a.Step) + meant(a.Step, names)
	}
	return a.validateMatches(path)
}

func (a *Assertion) validateMatches(path string) string {
	wrong := ""
	if a.Request != nil {
		wrong = a.Request.validate(path + ".request")
	}
	if a.Never != nil {
		wrong = cmp.Or(wrong, a.Never.validate(path+".never"))
	}
	for i, m := range a.Order {
		wrong = cmp.Or(wrong, m.validate(fmt.Sprintf("%s.order[%d]", path, i)))
	}
	for i, m := range a.Between {
		wrong = cmp.Or(wrong, m.validate(fmt.Sprintf("%s.between[%d]", path, i)))
	}
	return wrong
}

func negative(n *int) bool { return n != nil && *n < 0 }

// messageOf is an error's message without the rest.
func messageOf(err error) string {
	if own, ok := err.(*azprov.Error); ok { //nolint:errorlint // It was made here.
		return own.Message
	}
	return err.Error()
}
