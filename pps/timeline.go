package pps

import (
	"slices"
	"time"
)

// Transition is one step of a [Machine].
type Transition struct {
	At    time.Time
	From  State
	Event Event
	To    State
	// Detail says more for people, without secrets. It may be empty.
	Detail string
}

const (
	// maxTimeline bounds what is kept of a wait of any length, half of it of the
	// beginning: an undisturbed wait has ten transitions.
	maxTimeline = 64
	// maxWarnings bounds them likewise.
	maxWarnings = 32
)

// timeline keeps the first and the last transitions.
type timeline struct {
	list    []Transition
	dropped int
}

func (t *timeline) add(step Transition) {
	if len(t.list) == maxTimeline {
		t.list = slices.Delete(t.list, maxTimeline/2, maxTimeline/2+1)
		t.dropped++
	}
	t.list = append(t.list, step)
}
