package kvp

import (
	"strconv"
	"strings"
	"time"

	"github.com/azprov/azprov"
)

// EventType says what an event is. Values unknown here are written as they are.
type EventType string

// The types, as cloud-init has them.
const (
	EventStart         EventType = "start"
	EventFinish        EventType = "finish"
	EventDiagnostic    EventType = "diagnostic"
	EventCompressed    EventType = "compressed"
	EventBootTelemetry EventType = "boot-telemetry"
	EventSystemInfo    EventType = "system-info"
)

// PossibleEventTypeValues returns all types.
func PossibleEventTypeValues() []EventType {
	return []EventType{EventStart, EventFinish, EventDiagnostic, EventCompressed, EventBootTelemetry, EventSystemInfo}
}

// EventResult is how a step ended.
type EventResult string

// The results.
const (
	ResultSuccess EventResult = "SUCCESS"
	ResultWarn    EventResult = "WARN"
	ResultFail    EventResult = "FAIL"
)

// PossibleEventResultValues returns all results.
func PossibleEventResultValues() []EventResult {
	return []EventResult{ResultSuccess, ResultWarn, ResultFail}
}

// DefaultPrefix begins the keys of events. Each agent that shares a pool should have its
// own; cloud-init's is CLOUD_INIT.
const DefaultPrefix = "AZPROV"

// Bounds, in bytes. With all of them at their longest a key has 241 bytes, below MaxKey, and
// an event without its message some 600 characters, which leaves room for a piece of that.
const (
	maxPrefix = 32
	maxType   = 32
	maxName   = 80
	maxResult = 16
	// MaxMessage is what is kept of an event's message: a dmesg of a boot, compressed.
	// More would take more than a tenth of the pool.
	MaxMessage = 64 << 10
	// sliceSize is the length of a value that is one of several. cloud-init's are 8 below
	// 1024, whose hosts see the same slices of a text without escapes
	// (cloudinit/reporting/handlers.py, _break_down).
	sliceSize = 1024 - 8
)

// Event is a step of provisioning, or something that happened in it.
type Event struct {
	Type EventType
	// Name of the step, like "azure-ds/crawl_metadata". Of more than 80 bytes the rest is
	// cut off.
	Name string
	// Time it happened; a [Queue] fills in the present.
	Time time.Time
	// Result and Duration are written for EventFinish alone.
	Result   EventResult
	Duration time.Duration
	// Message is any text without secrets; of more than [MaxMessage] bytes the rest is cut
	// off.
	Message string
	// VMID is written in the place of the Source's, unless it is zero: it may become known
	// only after the first events.
	VMID azprov.VMID
	// ID distinguishes events of the same name; a [Queue] fills in a random one (UUID
	// version 4).
	ID [16]byte
}

// Source is what the events of one program and boot have in common.
type Source struct {
	// Prefix of the keys, [DefaultPrefix] if empty. Of more than 32 bytes the rest is cut
	// off.
	Prefix string
	// Boot is when the machine was booted, see [BootTime].
	Boot time.Time
	// VMID as the platform knows it; the zero id where it is not known yet.
	VMID azprov.VMID
}

// Records returns an event as the pool has it, in cloud-init's form:
//
//	key    PREFIX|BOOT|TYPE|NAME|VMID|ID
//	value  {"name":…,"type":…,"ts":…,"result":…,"duration":…,"msg":…}
//
// The JSON is ASCII. A message that does not fit into one record is cut, and each slice is
// an event of its own with its index at the end of the key and in "msg_i". The cut is in
// the text and not in the JSON, so that every value can be read by itself, and no
// character is in two of them.
func (s Source) Records(e Event) []Record {
	e = e.bounded()
	key := s.key(e)
	if whole := e.json("", quoted(e.Message)); len(whole) <= MaxValue {
		return []Record{{key, whole}}
	}
	var records []Record
	for rest := e.Message; rest != ""; {
		index := strconv.Itoa(len(records))
		var slice string
		slice, rest = quotedUpTo(rest, sliceSize-len(e.json(index, "")))
		records = append(records, Record{key + "|" + index, e.json(index, slice)})
	}
	return records
}

// bounded is the event as it is written.
func (e Event) bounded() Event {
	e.Type = EventType(shorten(string(e.Type), maxType))
	e.Name = shorten(e.Name, maxName)
	e.Result = EventResult(shorten(string(e.Result), maxResult))
	e.Message = e.Message[:cut(e.Message, MaxMessage)]
	return e
}

func shorten(s string, limit int) string {
	s = azprov.OneLine(s)
	return s[:cut(s, limit)]
}

func (s Source) key(e Event) string {
	prefix := shorten(s.Prefix, maxPrefix)
	if prefix == "" {
		prefix = DefaultPrefix
	}
	boot := int64(0)
	if !s.Boot.IsZero() {
		boot = s.Boot.Unix()
	}
	id := e.VMID
	if id.IsZero() {
		id = s.VMID
	}
	parts := []string{prefix, strconv.FormatInt(boot, 10), string(e.Type), e.Name, id.String(), azprov.VMID(e.ID).String()}
	for i := range parts { // who reads a key cuts it there
		parts[i] = strings.ReplaceAll(parts[i], "|", "/")
	}
	return strings.Join(parts, "|")
}

// json puts the document together; index is empty for an event in one record, and message is
// quoted already.
func (e Event) json(index, message string) string {
	var b strings.Builder
	b.WriteString(`{"name":"` + quoted(e.Name) + `","type":"` + quoted(string(e.Type)) + `","ts":"` + timestamp(e.Time) + `"`)
	if e.Type == EventFinish {
		seconds := strconv.FormatFloat(float64(e.Duration)/float64(time.Second), 'f', -1, 64)
		b.WriteString(`,"result":"` + quoted(string(e.Result)) + `","duration":` + seconds)
	}
	if index != "" {
		b.WriteString(`,"msg_i":` + index)
	}
	b.WriteString(`,"msg":"` + message + `"}`)
	return b.String()
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000-07:00") }
