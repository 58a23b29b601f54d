package emulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/azprov/azprov/internal/nearest"
)

// Step is a change of what is around the VM: when it comes, and what changes. A step is
// played once. It is due at a time or after an event, and what it changes shows in the next
// answer: a request that is being answered is not changed. All that a step changes changes
// at once.
type Step struct {
	// Name is what other steps and assertions call it.
	Name string `json:"name,omitempty"`
	// At is how long after the start of the services, or the first request, it is played.
	// It excludes After; without either the step is played at the start.
	At Duration `json:"at,omitempty"`
	// After is the event that it follows.
	After *Event `json:"after,omitempty"`

	// Migrate moves the VM to another host, as [Fabric.Migrate] does: another container id
	// and the next incarnation.
	Migrate bool `json:"migrate,omitempty"`
	// GoalState gives the goal state its next incarnation. Its older URLs answer with 410.
	GoalState bool `json:"goalState,omitempty"`
	// Instance is a JSON merge patch over the instance document as it is by then.
	Instance json.RawMessage `json:"instance,omitempty"`
	// Tags replace the tags of the VM.
	Tags []Tag `json:"tags,omitempty"`
	// Certificates replace the VM's certificates, as a rotation in Key Vault does; the
	// goal state gets its next incarnation. Those of SSH keys stay.
	Certificates []Certificate `json:"certificates,omitempty"`
	// Stop names services that go away: a connection to one is closed without an answer.
	Stop []Service `json:"stop,omitempty"`
	// Start names services that come (back). One that is absent at first resets
	// connections until then, instead of refusing them.
	Start []Service `json:"start,omitempty"`
	// Faults replace the faults of the services that have any here.
	Faults *StepFaults `json:"faults,omitempty"`
}

// StepFaults are the faults that come with a step.
type StepFaults struct {
	// IMDS are those of the Instance Metadata Service.
	IMDS []Fault `json:"imds,omitempty"`
	// WireServer are those of the wire server.
	WireServer []Fault `json:"wireServer,omitempty"`
	// HostGA are those of the HostGAPlugin.
	HostGA []Fault `json:"hostGA,omitempty"`
}

// Event is what a step waits for: one of Request, Report, Phase and Step.
type Event struct {
	// Request is what a request must be like, once it was answered.
	Request *Match `json:"request,omitempty"`
	// Count is the number of the request that is meant, from 1; 0 stands for 1.
	Count int `json:"count,omitempty"`
	// Report is the state that the first accepted report of its kind says.
	Report ReportState `json:"report,omitempty"`
	// Phase is a phase of the VM's way to its owner.
	Phase Phase `json:"phase,omitempty"`
	// Step is the name of a step above.
	Step string `json:"step,omitempty"`
	// Delay is waited after the event.
	Delay Duration `json:"delay,omitempty"`
}

// stepRun is what has become of a step.
type stepRun struct {
	seen int       // requests that match
	due  time.Time // zero as long as the event has not come
	at   time.Time // zero as long as it was not played
}

// PlayedStep is a step of the scenario that was played.
type PlayedStep struct {
	// Index is the step's place in [Scenario.Steps].
	Index int
	// Name is the step's, or "steps[0]" for the first if it has none.
	Name string
	// Time is when it was due, in UTC.
	Time time.Time
}

// Played returns the steps of the scenario that were played, in their order.
func (f *Fabric) Played() []PlayedStep {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(time.Now())
	var played []PlayedStep
	for i, run := range f.vm.steps {
		if !run.at.IsZero() {
			played = append(played, PlayedStep{i, stepName(f.scenario.Steps, i), run.at.UTC()})
		}
	}
	slices.SortStableFunc(played, func(a, b PlayedStep) int { return a.Time.Compare(b.Time) })
	return played
}

// Waiting returns the steps whose event has come, and whose delay after it is not over, in
// their order; Time is when they are due. One that comes by time alone is not among them.
func (f *Fabric) Waiting() []PlayedStep {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(time.Now())
	var waiting []PlayedStep
	for i, run := range f.vm.steps {
		if f.scenario.Steps[i].After != nil && run.at.IsZero() && !run.due.IsZero() {
			waiting = append(waiting, PlayedStep{i, stepName(f.scenario.Steps, i), run.due.UTC()})
		}
	}
	return waiting
}

// checkStep returns why the step of that name was not played, "" if it was.
func (f *Fabric) checkStep(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.advance(now)
	i := slices.IndexFunc(f.scenario.Steps, func(step Step) bool { return step.Name == name })
	run, event := f.vm.steps[i], f.scenario.Steps[i].After
	switch {
	case !run.at.IsZero():
		return ""
	case !run.due.IsZero():
		return "that it was due in " + run.due.Sub(now).Round(time.Millisecond).String()
	case event == nil:
		return "that nothing was asked"
	case run.seen > 0:
		return fmt.Sprintf("that its request came %d of %d times", run.seen, event.Count)
	default:
		return "that its event never came"
	}
}

// Unused returns a line for each fault of the scenario that no request has met, and for each
// step whose event never came: what it was written for was not tried, or it has a mistake.
// So has a request of an assertion that is to come never, if it says more than a path and
// nothing has asked for that path. As long as there was no request at all there are none.
func (f *Fabric) Unused() []string {
	journal := f.Journal()
	if !slices.ContainsFunc(journal, func(e Entry) bool { return e.Service != ServiceKVP }) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(time.Now())
	var lines []string
	queues := slices.Clone(f.vm.replaced)
	for _, service := range servedServices() {
		queues = append(queues, f.vm.faults[service])
	}
	for _, queue := range queues {
		for _, name := range queue.untaken() {
			lines = append(lines, "never taken: "+name)
		}
	}
	for i, run := range f.vm.steps {
		if run.due.IsZero() {
			lines = append(lines, "never played: "+stepName(f.scenario.Steps, i)+", as its event never came")
		}
	}
	for i := range f.scenario.Assert {
		never := f.scenario.Assert[i].Never
		if never != nil && never.Path != "" && never.String() != never.Path && len(indexes(journal, Match{Path: never.Path})) == 0 {
			lines = append(lines, fmt.Sprintf("never asked for: %s, of assert[%d]", never.Path, i))
		}
	}
	return lines
}

func stepName(steps []Step, i int) string {
	return cmp.Or(steps[i].Name, fmt.Sprintf("steps[%d]", i))
}

// noteRequest counts a request that was answered, for the steps that wait for it.
func (f *Fabric) noteRequest(a asked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for i := range f.vm.steps {
		step, run := &f.scenario.Steps[i], &f.vm.steps[i]
		if step.After == nil || step.After.Request == nil || !run.due.IsZero() || !step.After.Request.matches(a) {
			continue
		}
		if run.seen++; run.seen == max(step.After.Count, 1) {
			run.due = now.Add(time.Duration(step.After.Delay))
		}
	}
}

// playDue plays the steps that are due by now, in the order of their times. Fabric.mu is
// held.
func (f *Fabric) playDue(now time.Time) {
	for {
		next := -1
		for i := range f.vm.steps {
			run := &f.vm.steps[i]
			if !run.at.IsZero() {
				continue
			}
			if run.due.IsZero() {
				run.due = f.vm.dueOf(f.scenario, i)
			}
			if run.due.IsZero() || run.due.After(now) {
				continue
			}
			if next < 0 || run.due.Before(f.vm.steps[next].due) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		f.vm.steps[next].at = f.vm.steps[next].due
		f.vm.play(f.scenario, next)
	}
}

// dueOf is when a step is to be played, the zero time if that is not known yet.
func (v *vmState) dueOf(s *Scenario, i int) time.Time {
	step := &s.Steps[i]
	if step.After == nil {
		return v.timeline[0].Time.Add(time.Duration(step.At))
	}
	event, delay := step.After, time.Duration(step.After.Delay)
	switch {
	case event.Report != "":
		for _, report := range v.reports {
			if report.State == event.Report {
				return report.Time.Add(delay)
			}
		}
	case event.Phase != "":
		for _, milestone := range v.timeline {
			if milestone.Phase == event.Phase {
				return milestone.Time.Add(delay)
			}
		}
	case event.Step != "":
		for j := range s.Steps[:i] {
			if s.Steps[j].Name == event.Step && !v.steps[j].at.IsZero() {
				return v.steps[j].at.Add(delay)
			}
		}
	}
	return time.Time{}
}

// play makes the changes of a step. Fabric.mu is held.
func (v *vmState) play(s *Scenario, i int) {
	step := &s.Steps[i]
	switch {
	case step.Migrate:
		v.wire = v.wire.next()
	case step.GoalState || step.Certificates != nil:
		v.wire.incarnation++
	}
	spec := *v.spec // The scenario's own stays as it is.
	v.spec = &spec
	if step.Certificates != nil {
		spec.Certificates = step.Certificates
		contents, _ := contentsOf(spec, "vm") // NewFabric has tried.
		v.bundle = newBundle(contents)
	}
	var changes []any
	if step.Tags != nil {
		spec.Tags = step.Tags
		text, list := tagsDocument(spec)
		changes = append(changes, object{"compute": object{"tags": text, "tagsList": list}})
	}
	if patch, err := decodePatch(step.Instance); err == nil && patch != nil {
		changes = append(changes, patch)
	}
	for _, change := range changes {
		before := v.document
		v.document = func() object {
			// Parts of it may be those of other VMs' too.
			document, _ := mergePatch(cloneDocument(before()), change).(object)
			return document
		}
	}
	for _, service := range step.Stop {
		v.away[service] = true
	}
	for _, service := range step.Start {
		delete(v.away, service)
	}
	if step.Faults != nil {
		for _, list := range []struct {
			service Service
			path    string
			faults  []Fault
		}{{ServiceIMDS, "imds", step.Faults.IMDS}, {ServiceWireServer, "wireServer", step.Faults.WireServer}, {ServiceHostGA, "hostGA", step.Faults.HostGA}} {
			if list.faults != nil {
				v.replaced = append(v.replaced, v.faults[list.service])
				v.faults[list.service] = newFaultQueue(fmt.Sprintf("steps[%d].faults.%s", i, list.path), list.faults, s.Seed)
			}
		}
	}
}

// decodePatch reads a merge patch; nil if there is none.
func decodePatch(patch json.RawMessage) (any, error) {
	if len(patch) == 0 {
		return nil, nil //nolint:nilnil // No patch is no error.
	}
	var changes any
	d := json.NewDecoder(bytes.NewReader(patch))
	d.UseNumber()
	err := d.Decode(&changes)
	return changes, err
}

// cloneDocument copies objects; what is in lists and below is replaced, not changed.
func cloneDocument(document object) object {
	clone := maps.Clone(document)
	for key, value := range clone {
		if inner, ok := value.(object); ok {
			clone[key] = cloneDocument(inner)
		}
	}
	return clone
}

// isStarted reports whether a step starts the service: it then listens from the beginning.
func (s *Scenario) isStarted(service Service) bool {
	return slices.ContainsFunc(s.Steps, func(step Step) bool { return slices.Contains(step.Start, service) })
}

// firstAway are the services that are absent until a step starts them.
func (s *Scenario) firstAway() map[Service]bool {
	away := map[Service]bool{}
	for service, absent := range map[Service]bool{
		ServiceIMDS: s.IMDS.Absent, ServiceWireServer: s.WireServer.Absent, ServiceHostGA: s.HostGA.Absent,
	} {
		if absent && s.isStarted(service) {
			away[service] = true
		}
	}
	return away
}

// stoppable are the services that a step may stop and start.
func stoppable() []Service { return servedServices() }

// validateSteps returns what is wrong with the steps, "" if nothing is.
func validateSteps(steps []Step) string {
	names := map[string]bool{}
	for i := range steps {
		step, path := &steps[i], fmt.Sprintf("steps[%d]", i)
		if wrong := step.validate(path, names); wrong != "" {
			return wrong
		}
		if step.Name != "" && names[step.Name] {
			return path + ".name is that of another step"
		}
		names[step.Name] = true
	}
	return ""
}

// validate returns what is wrong with the step; above are the names of those before it.
func (s *Step) validate(path string, above map[string]bool) string {
	if s.After != nil {
		if wrong := s.After.validate(path+".after", above); wrong != "" {
			return wrong
		}
	}
	changes := s.Migrate || s.GoalState || s.Instance != nil || s.Tags != nil || s.Certificates != nil ||
		s.Stop != nil || s.Start != nil || s.Faults != nil
	switch {
	case s.After != nil && s.At != 0:
		return path + ": at and after exclude each other"
	case s.At < 0:
		return path + ".at is negative"
	case !changes:
		return path + " changes nothing"
	}
	for _, service := range slices.Concat(s.Stop, s.Start) {
		if !oneOf(service, stoppable()) {
			return fmt.Sprintf("%s: %q is %s", path, service, notOneOf(service, stoppable()))
		}
		if slices.Contains(s.Stop, service) && slices.Contains(s.Start, service) {
			return fmt.Sprintf("%s both stops and starts %s", path, service)
		}
	}
	if patch, err := decodePatch(s.Instance); s.Instance != nil {
		if _, ok := patch.(object); err != nil || !ok {
			return path + ".instance is not a JSON object"
		}
	}
	if _, err := contentsOf(VM{Certificates: s.Certificates}, path); err != nil {
		return messageOf(err)
	}
	if s.Faults == nil {
		return ""
	}
	return cmp.Or(
		validateFaults(path+".faults.imds", s.Faults.IMDS),
		validateFaults(path+".faults.wireServer", s.Faults.WireServer),
		validateFaults(path+".faults.hostGA", s.Faults.HostGA),
	)
}

func (e *Event) validate(path string, above map[string]bool) string {
	kinds := 0
	for _, there := range []bool{e.Request != nil, e.Report != "", e.Phase != "", e.Step != ""} {
		if there {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return path + " wants one of request, report, phase and step"
	case e.Count < 0 || e.Count > 0 && e.Request == nil:
		return path + ".count is the number of a request, from 1"
	case e.Delay < 0:
		return path + ".delay is negative"
	case e.Report != "" && !oneOf(e.Report, PossibleReportStateValues()[1:]):
		return path + ".report is " + notOneOf(e.Report, PossibleReportStateValues()[1:])
	case e.Phase != "" && !oneOf(e.Phase, PossiblePhaseValues()):
		return path + ".phase is " + notOneOf(e.Phase, PossiblePhaseValues())
	case e.Step != "" && !above[e.Step]:
		return fmt.Sprintf("%s.step: no step above is called %q", path, e.Step) + meant(e.Step, sortedKeys(above))
	case e.Request != nil:
		return e.Request.validate(path + ".request")
	}
	return ""
}

// oneOf reports whether a word is one of a closed list.
func oneOf[T ~string](word T, words []T) bool { return slices.Contains(words, word) }

// notOneOf says of a word that it is none of a closed list, and which was probably meant.
func notOneOf[T ~string](word T, words []T) string {
	var texts []string
	for _, known := range words {
		texts = append(texts, string(known))
	}
	return "not one of " + join(words) + meant(string(word), texts)
}

// meant asks whether the known word most like this one was meant, "" if none is.
func meant(word string, known []string) string {
	if near := nearest.Word(word, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// join lists words for people.
func join[T ~string](words []T) string {
	var texts []string
	for _, word := range words {
		texts = append(texts, string(word))
	}
	return strings.Join(texts, ", ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
