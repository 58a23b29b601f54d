package pps

import "slices"

// State is where a [Machine] is.
type State string

// The states.
const (
	// StateStart is before Run.
	StateStart State = "Start"
	// StateReport ejects the medium and reports Ready to the pool.
	StateReport State = "Report"
	// StateWaitSwitch waits for the primary link to go down and up: the host moves it to
	// the owner's network.
	StateWaitSwitch State = "WaitSwitch"
	// StateWaitDetach waits for the primary interface to be taken away.
	StateWaitDetach State = "WaitDetach"
	// StateWaitAttach waits for the owner's interface.
	StateWaitAttach State = "WaitAttach"
	// StateProbe gets an address on an attached interface and looks whether it is the
	// primary one.
	StateProbe State = "Probe"
	// StateConnect gets an address anew, on whichever interface there is.
	StateConnect State = "Connect"
	// StatePoll has a network and asks IMDS for the owner's data.
	StatePoll State = "Poll"
	// StateHandover has the owner's data, and gets an address anew because the network
	// was still the pool's, or none.
	StateHandover State = "Handover"
	// StateWaitShutdown waits for the host to shut the VM down.
	StateWaitShutdown State = "WaitShutdown"
	// StateDone has the owner's data and a network.
	StateDone State = "Done"
	// StateFailed cannot get the owner's data.
	StateFailed State = "Failed"
	// StateStopped was ended by its context.
	StateStopped State = "Stopped"
)

// PossibleStateValues returns all states.
func PossibleStateValues() []State {
	return []State{
		StateStart, StateReport, StateWaitSwitch, StateWaitDetach, StateWaitAttach, StateProbe,
		StateConnect, StatePoll, StateHandover, StateWaitShutdown, StateDone, StateFailed, StateStopped,
	}
}

// final are the states in which Run has ended.
var final = []State{StateDone, StateFailed, StateStopped}

// polling are the states in which IMDS is asked for the owner's data. A VM whose disk
// alone goes to the owner has none to wait for: the owner's boot is an ordinary one.
var polling = []State{
	StateWaitSwitch, StateWaitDetach, StateWaitAttach, StateProbe, StateConnect, StatePoll,
}

func (s State) isFinal() bool { return slices.Contains(final, s) }
func (s State) polls() bool   { return slices.Contains(polling, s) }

// Event is what leads from one state to the next.
type Event string

// The events.
const (
	// EventBegin: the VM has just been put into its pool.
	EventBegin Event = "begin"
	// EventRecover: it has reported to the pool before a reboot.
	EventRecover Event = "recover"
	// EventReportedRunning and the next two: the pool has taken the report.
	EventReportedRunning Event = "reported, Running"
	EventReportedSavable Event = "reported, Savable"
	EventReportedOSDisk  Event = "reported, PreprovisionedOSDisk"
	// EventSwitched: the primary link went down and up.
	EventSwitched Event = "switched"
	// EventMaybeSwitched: events were lost among which the switch may have been.
	EventMaybeSwitched Event = "maybe switched"
	// EventDetached: the interface in use is gone.
	EventDetached Event = "detached"
	// EventAttached: there is an interface that was not there before.
	EventAttached Event = "attached"
	// EventOverdue: no interface came for a minute.
	EventOverdue Event = "overdue"
	// EventPrimary: the interface leads to the platform.
	EventPrimary Event = "primary"
	// EventSecondary: it does not.
	EventSecondary Event = "secondary"
	// EventUnusable: no address was to be had on it.
	EventUnusable Event = "unusable"
	// EventConnected: there is an address again.
	EventConnected Event = "connected"
	// EventUnconnected: there is none to be had; the data is handed over all the same.
	EventUnconnected Event = "unconnected"
	// EventUnreachable: IMDS cannot be reached, so the network may have changed unseen.
	EventUnreachable Event = "unreachable"
	// EventData: the owner's data has come.
	EventData Event = "data"
	// EventDataEarly: it has come before the network was the owner's.
	EventDataEarly Event = "data early"
	// EventFailed: it will not come, or cannot be used.
	EventFailed Event = "failed"
	// EventStopped: the caller's context has ended.
	EventStopped Event = "stopped"
)

// Rule is a row of the table of transitions.
type Rule struct {
	// From is empty for every state that is not an end.
	From  State
	Event Event
	To    State
}

// rules is the only place that knows which state follows which. Without a network of ours
// Probe and Connect last no time, but the data may come in it.
var rules = []Rule{
	{StateStart, EventBegin, StateReport},
	{StateStart, EventRecover, StatePoll},

	{StateReport, EventReportedRunning, StateWaitSwitch},
	{StateReport, EventReportedSavable, StateWaitDetach},
	{StateReport, EventReportedOSDisk, StateWaitShutdown},

	{StateWaitSwitch, EventSwitched, StateConnect},
	{StateWaitSwitch, EventMaybeSwitched, StateConnect},
	{StateWaitSwitch, EventUnreachable, StateConnect},
	{StateWaitSwitch, EventData, StateDone},
	{StateWaitSwitch, EventDataEarly, StateHandover},

	{StateWaitDetach, EventDetached, StateWaitAttach},
	{StateWaitDetach, EventUnreachable, StateConnect},
	{StateWaitDetach, EventData, StateDone},
	{StateWaitDetach, EventDataEarly, StateHandover},

	{StateWaitAttach, EventAttached, StateProbe},
	{StateWaitAttach, EventOverdue, StateConnect},
	{StateWaitAttach, EventData, StateDone},
	{StateWaitAttach, EventDataEarly, StateHandover},

	{StateProbe, EventPrimary, StatePoll},
	{StateProbe, EventSecondary, StateWaitAttach},
	{StateProbe, EventUnusable, StateWaitAttach},
	{StateProbe, EventDetached, StateWaitAttach},
	{StateProbe, EventData, StateDone},
	{StateProbe, EventDataEarly, StateHandover},

	{StateConnect, EventConnected, StatePoll},
	{StateConnect, EventAttached, StateProbe},
	{StateConnect, EventData, StateDone},
	{StateConnect, EventDataEarly, StateHandover},

	{StatePoll, EventSwitched, StateConnect},
	{StatePoll, EventDetached, StateWaitAttach},
	{StatePoll, EventUnreachable, StateConnect},
	{StatePoll, EventData, StateDone},
	{StatePoll, EventDataEarly, StateHandover},

	{StateHandover, EventConnected, StateDone},
	{StateHandover, EventUnconnected, StateDone},

	{"", EventFailed, StateFailed},
	{"", EventStopped, StateStopped},
}

// Transitions returns the table: every transition that a [Machine] can make.
func Transitions() []Rule { return slices.Clone(rules) }

// next looks a transition up; ok is false if there is none.
func next(from State, event Event) (to State, ok bool) {
	for _, r := range rules {
		if r.Event == event && (r.From == from || (r.From == "" && !from.isFinal())) {
			return r.To, true
		}
	}
	return "", false
}
