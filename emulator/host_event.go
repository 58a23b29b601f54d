package emulator

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report/kvp"
)

// HostEvent is an event of the guest's, put together of its records:
// PREFIX|BOOT|TYPE|NAME|VMID|ID, and |INDEX if there are several. The VM's secrets are
// replaced in all of it.
type HostEvent struct {
	// Prefix is the agent's, CLOUD_INIT for example.
	Prefix string `json:"prefix"`
	// Boot is when the agent takes the machine for booted, in UTC.
	Boot time.Time `json:"boot"`
	// Type, Name, VMID and ID are as the agent writes them.
	Type kvp.EventType `json:"type"`
	Name string        `json:"name"`
	VMID string        `json:"vmId"`
	ID   string        `json:"id"`
	// Timestamp is when it happened, in UTC; zero if it does not say.
	Timestamp time.Time `json:"timestamp,omitzero"`
	// Result and Duration are those of a step that has ended.
	Result   kvp.EventResult `json:"result,omitempty"`
	Duration Duration        `json:"duration,omitzero"`
	// Message is the text of all slices; of more than [kvp.MaxMessage] bytes the rest is
	// cut off.
	Message string `json:"message"`
	// Records is how many records it has.
	Records int `json:"records"`
	// Time is when the host first saw it, in UTC.
	Time time.Time `json:"time"`
	// Warnings say what is odd about it.
	Warnings []string `json:"warnings,omitempty"`
}

// The warnings about an event.
const (
	warningForm    = "a value is not in cloud-init's form"
	warningEscapes = "the message has escapes that are none"
	warningSlice   = "a slice is missing, or there twice"
)

const (
	// eventParts is how many parts the key of an event has, without an index.
	eventParts = 6
	// maxSeconds bounds a duration: 30 years.
	maxSeconds = 1e9
)

// slice is one record of an event.
type slice struct {
	index int
	value string
}

// hearEvents keeps the events that are new, and those that have got more records: an agent
// may append them one by one.
func (f *Fabric) hearEvents(records []kvp.Record, at time.Time) {
	keys, events := gather(records)
	for _, key := range keys {
		before, found := f.host.events[key]
		if !found && len(f.host.events) >= maxHostEvents || before.records >= len(events[key]) {
			continue
		}
		event, leaks := f.journal.redactEvent(newEvent(key, events[key]))
		event.Time = at.UTC()
		f.host.events[key] = known{at: f.keepEvent(event, before, found), records: event.Records}
		if leaks {
			f.tellHost(f.journal.redactText(key), nil, at, verdictEventLeak)
		}
	}
}

// keepEvent puts an event at its place, and returns that.
func (f *Fabric) keepEvent(event HostEvent, before known, found bool) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !found {
		f.vm.hostEvents = append(f.vm.hostEvents, event)
		return len(f.vm.hostEvents) - 1
	}
	event.Time = f.vm.hostEvents[before.at].Time
	f.vm.hostEvents[before.at] = event
	return before.at
}

// gather sorts the records of events by their key without the index, in the order of the
// file. Other programs' records (azure-init's diagnostics) are in other forms.
func gather(records []kvp.Record) (keys []string, events map[string][]slice) {
	events = map[string][]slice{}
	for _, record := range records {
		key, index, ok := splitKey(record.Key)
		if !ok {
			continue
		}
		if index < 0 {
			index = len(events[key])
		}
		if events[key] == nil {
			keys = append(keys, key)
		}
		events[key] = append(events[key], slice{index, record.Value})
	}
	return keys, events
}

// splitKey takes the index off the key of an event; it is -1 if there is none.
func splitKey(text string) (key string, index int, ok bool) {
	parts := strings.Split(text, "|")
	if len(parts) < eventParts || len(parts) > eventParts+1 || parts[0] == "" {
		return "", 0, false
	}
	if _, err := strconv.ParseInt(parts[1], 10, 64); err != nil {
		return "", 0, false
	}
	if _, err := azprov.ParseVMID(parts[eventParts-1]); err != nil {
		return "", 0, false
	}
	index = -1
	if len(parts) > eventParts {
		n, err := strconv.ParseUint(parts[eventParts], 10, 16)
		if err != nil {
			return "", 0, false
		}
		index = int(n)
	}
	return strings.Join(parts[:eventParts], "|"), index, true
}

// newEvent puts an event together. key is one of gather's.
func newEvent(key string, all []slice) HostEvent {
	parts := strings.Split(key, "|")
	boot, _ := strconv.ParseInt(parts[1], 10, 64)
	e := HostEvent{
		Prefix: parts[0], Boot: time.Unix(boot, 0).UTC(), Type: kvp.EventType(parts[2]), Name: parts[3],
		VMID: parts[4], ID: parts[5], Records: len(all),
	}
	slices.SortStableFunc(all, func(a, b slice) int { return cmp.Compare(a.index, b.index) })
	var escaped strings.Builder
	for i, s := range all {
		if s.index != i {
			e.warn(warningSlice)
		}
		head, message, ok := cutMessage(s.value)
		if !ok || !e.read(head) {
			e.warn(warningForm)
		}
		escaped.WriteString(message)
	}
	// cloud-init cuts a message without a look at its escapes, so a slice by itself may be
	// no JSON. All of them together are.
	if err := json.Unmarshal([]byte(`"`+escaped.String()+`"`), &e.Message); err != nil {
		e.Message = escaped.String()
		e.warn(warningEscapes)
	}
	return e
}

func (e *HostEvent) warn(text string) {
	if !slices.Contains(e.Warnings, text) {
		e.Warnings = append(e.Warnings, text)
	}
}

// cutMessage takes the message, which both writers of the form put last, out of a value,
// with its escapes. A value in another form is all message.
func cutMessage(value string) (head, message string, ok bool) {
	const begin, end = `"msg":"`, `"}`
	head, message, found := strings.Cut(value, begin)
	if !found || !strings.HasSuffix(message, end) {
		return "", value, false
	}
	return head + begin + end, strings.TrimSuffix(message, end), true
}

// read takes what is beside the message out of a value.
func (e *HostEvent) read(head string) bool {
	var value struct {
		Timestamp time.Time       `json:"ts"`
		Result    kvp.EventResult `json:"result"`
		Seconds   float64         `json:"duration"`
	}
	if json.Unmarshal([]byte(head), &value) != nil {
		return false
	}
	seconds := min(max(value.Seconds, 0), maxSeconds)
	e.Timestamp, e.Result = value.Timestamp.UTC(), value.Result
	e.Duration = Duration(seconds * float64(time.Second))
	return true
}

// redactEvent replaces the secrets in every part of an event, and bounds its message.
func (j *journal) redactEvent(e HostEvent) (clean HostEvent, leaks bool) {
	redact := func(text string) string {
		clean := j.redactText(text)
		leaks = leaks || clean != text
		return clean
	}
	for _, text := range []*string{&e.Prefix, &e.Name, &e.VMID, &e.ID} {
		*text = redact(*text)
	}
	e.Type, e.Result = kvp.EventType(redact(string(e.Type))), kvp.EventResult(redact(string(e.Result)))
	e.Message = shorten(redact(e.Message), kvp.MaxMessage)
	return e, leaks
}
