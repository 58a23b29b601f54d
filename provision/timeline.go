package provision

import (
	"bytes"
	"context"
	"encoding/json"
	"math/bits"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report/kvp"
)

// StepName names a step of the course from boot to Ready.
type StepName string

// The steps, in the order in which they begin.
const (
	StepIdentify     StepName = "identify"
	StepNetwork      StepName = "network"
	StepMedium       StepName = "medium"
	StepProxyAgent   StepName = "proxy-agent"
	StepIMDS         StepName = "imds"
	StepPreprovision StepName = "preprovision"
	StepKeys         StepName = "keys"
	StepMerge        StepName = "merge"
	StepApply        StepName = "apply"
	StepEject        StepName = "eject"
	StepReport       StepName = "report"
)

// PossibleStepNameValues returns all steps.
func PossibleStepNameValues() []StepName {
	return []StepName{
		StepIdentify, StepNetwork, StepMedium, StepProxyAgent, StepIMDS, StepPreprovision,
		StepKeys, StepMerge, StepApply, StepEject, StepReport,
	}
}

// Step is one step that has ended. A step may occur twice: IMDS is read again after
// pre-provisioning.
type Step struct {
	Name     StepName
	Start    time.Time
	Duration time.Duration
	// Note says in a few words what came of it, without secrets.
	Note string
	// Err is why it failed, if it did.
	Err error
}

// MarshalJSON gives step, start (RFC 3339, UTC), seconds, and where there is one note
// and error.
func (s Step) MarshalJSON() ([]byte, error) {
	doc := struct {
		Step    StepName `json:"step"`
		Start   string   `json:"start"`
		Seconds float64  `json:"seconds"`
		Note    string   `json:"note,omitempty"`
		Error   string   `json:"error,omitempty"`
	}{Step: s.Name, Start: s.Start.UTC().Format(time.RFC3339Nano), Seconds: s.Duration.Round(time.Microsecond).Seconds(), Note: s.Note}
	if s.Err != nil {
		doc.Error = azprov.OneLine(s.Err.Error())
	}
	// Whether <, > and & are escaped is for the outer encoder to say.
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(doc); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// StepEvent tells of the start of a step (Done false; only Step.Name and Step.Start
// are set) and of its end.
type StepEvent struct {
	Step Step
	Done bool
}

// timeline collects the steps of one run.
type timeline struct {
	onStep func(StepEvent)
	event  func(kvp.Event)
	logger *zap.Logger

	mu    sync.Mutex
	steps []Step
	begun map[StepName]int
}

// step runs do as a step. do returns a note.
func (t *timeline) step(ctx context.Context, name StepName, do func(context.Context) (string, error)) error {
	s := Step{Name: name, Start: time.Now()}
	told := t.worthTelling(name)
	t.emit(StepEvent{Step: s}, told)
	s.Note, s.Err = do(ctx)
	s.Duration = time.Since(s.Start)
	t.mu.Lock()
	t.steps = append(t.steps, s)
	t.mu.Unlock()
	note := zap.Skip()
	if s.Note != "" {
		note = zap.String("note", s.Note)
	}
	t.logger.Info("step", zap.String("step", string(name)), zap.Duration("took", s.Duration), note, zap.Error(s.Err))
	t.emit(StepEvent{Step: s, Done: true}, told)
	return s.Err
}

// worthTelling: the host hears of a step that is repeated the 1st, 2nd, 4th, 8th, … time. Its
// file has room for about a thousand records, of all agents, and IMDS may be read hundreds of
// times.
func (t *timeline) worthTelling(name StepName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.begun == nil {
		t.begun = map[StepName]int{}
	}
	t.begun[name]++
	return bits.OnesCount(uint(t.begun[name])) == 1
}

func (t *timeline) emit(e StepEvent, told bool) {
	if told {
		t.event(stepEvent(e))
	}
	if t.onStep == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onStep(e)
}

func (t *timeline) list() []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Step{}, t.steps...)
}
