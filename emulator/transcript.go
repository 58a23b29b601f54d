package emulator

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/azprov/azprov"
)

// Repeats says what a transcript does with a request that is like the one before it, as
// those of a poll are. Values other than the constants count as RepeatsCounted.
type Repeats string

// What is done with repeated requests.
const (
	// RepeatsCounted: one line, with "x3" at its end.
	RepeatsCounted Repeats = "counted"
	// RepeatsFolded: one line, with no word of how many there were. For golden files of
	// agents that ask until something happens: how often is a matter of time.
	RepeatsFolded Repeats = "folded"
	// RepeatsApart: a line each.
	RepeatsApart Repeats = "apart"
)

// PossibleRepeatsValues returns every way.
func PossibleRepeatsValues() []Repeats { return []Repeats{RepeatsCounted, RepeatsFolded, RepeatsApart} }

// TranscriptOptions are the optional settings of [TranscriptWith].
type TranscriptOptions struct {
	// Repeats is RepeatsCounted if it is empty.
	Repeats Repeats
	// ByService puts the requests for one service below each other, in their order. Which
	// of two services is asked first may be chance, where an agent asks both at once.
	ByService bool
	// Bodies adds a line for every line of a body that the journal has: "> " before those
	// of requests, "< " before those of answers.
	Bodies bool
}

// Transcript is [TranscriptWith] without options.
func Transcript(entries []Entry) string { return TranscriptWith(entries, nil) }

// TranscriptWith returns a conversation as text, the same for every run that differs in no
// more than ids and times. options may be nil. Each request is a line that ends with a line
// feed:
//
//	wireserver POST /machine?comp=health Content-Type="text/xml; charset=utf-8" -> 200 report=Ready/xml
//
// These are service, method, path with query, the headers of interest by name, "->" and the
// status, or "none"; then fault, report and verdicts, where there are any. Ids have names by
// order of appearance, {container-1}, {instance-1}, {uuid-1}, {mac-1}; incarnations count
// from the first one, {incarnation}, {incarnation+1}; a request's own id is {uuid}. Times,
// durations, the services' addresses, certificates and the versions of products are {time},
// {duration}, {address}, {certificate}, {version}, and a User-Agent has none. Percent-escapes
// that nothing needs are undone. What the journal does not tell apart, secrets say, is the
// same here too.
func TranscriptWith(entries []Entry, options *TranscriptOptions) string {
	if options == nil {
		options = &TranscriptOptions{}
	}
	if options.ByService {
		entries = slices.Clone(entries)
		slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Service, b.Service) })
	}
	var blocks []string
	n := newNamer(true)
	for i := range entries {
		x := n.exchange(&entries[i])
		block := x.line()
		if options.Bodies {
			block += quoteBody("> ", x.get(factBody)) + quoteBody("< ", x.get(factAnswerBody))
		}
		blocks = append(blocks, block)
	}
	var b strings.Builder
	for i := 0; i < len(blocks); {
		times := 1
		for options.Repeats != RepeatsApart && i+times < len(blocks) && blocks[i+times] == blocks[i] {
			times++
		}
		line, body, _ := strings.Cut(blocks[i], "\n")
		b.WriteString(line)
		if times > 1 && options.Repeats != RepeatsFolded {
			b.WriteString(" x" + strconv.Itoa(times))
		}
		b.WriteString("\n" + body)
		i += times
	}
	return b.String()
}

func quoteBody(prefix, body string) string {
	if body == "" {
		return ""
	}
	var b strings.Builder
	for line := range strings.Lines(body) {
		b.WriteString(prefix + strings.TrimRight(line, "\r\n") + "\n")
	}
	return b.String()
}

// The names of facts about an exchange that are no header's.
const (
	factStatus     = "status"
	factFault      = "fault"
	factReport     = "report"
	factVerdict    = "verdict"
	factBody       = "body"
	factAnswerBody = "answer body"
	// headerPrefix and answerPrefix stand before the name of a header.
	headerPrefix = "header "
	answerPrefix = "answer header "
)

// An exchangeFact is something about an exchange that can be compared.
type exchangeFact struct{ name, value string }

// An exchange is an entry without what differs from run to run.
type exchange struct {
	// request says what was asked of whom; by it two conversations are aligned.
	request string
	// facts are all else, in the order of the line.
	facts []exchangeFact
}

func (x *exchange) add(name, value string) {
	if value != "" {
		x.facts = append(x.facts, exchangeFact{name, value})
	}
}

// get returns a fact; empty if there is none.
func (x *exchange) get(name string) string {
	for _, f := range x.facts {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// line is the exchange without its bodies.
func (x *exchange) line() string {
	words := []string{x.request}
	for _, f := range x.facts {
		if header, ok := strings.CutPrefix(f.name, headerPrefix); ok {
			words = append(words, header+"="+quoted(f.value))
		}
	}
	words = append(words, x.outcome())
	for _, f := range x.facts {
		if f.name == factVerdict {
			words = append(words, f.name+"="+quoted(f.value))
		}
	}
	return strings.Join(words, " ") + "\n"
}

// outcome is what came of the request.
func (x *exchange) outcome() string {
	words := []string{"->", x.get(factStatus)}
	for _, name := range []string{factFault, factReport} {
		if value := x.get(name); value != "" {
			words = append(words, name+"="+quoted(value))
		}
	}
	return strings.Join(words, " ")
}

// quoted puts a value into quotes if it has blanks or would be mistaken.
func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " \"\t\n\r") || strconv.Quote(value) != `"`+value+`"` {
		return strconv.Quote(value)
	}
	return value
}

// exchange takes an entry's ids and times away.
func (n *namer) exchange(e *Entry) exchange {
	path := n.path(e.Path)
	if e.Service == ServiceKVP {
		path = n.text(e.Path)
	}
	x := exchange{request: azprov.OneLine(string(e.Service) + " " + e.Method + " " + path)}
	if e.VM != "" {
		x.request = n.name("vm", e.VM) + " " + x.request
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		x.add(headerPrefix+name, n.header(name, e.Headers[name]))
	}
	if e.Body != nil {
		x.add(factBody, n.body(e.Body))
	}
	status := "none"
	if e.Status != 0 {
		status = strconv.Itoa(e.Status)
	}
	x.add(factStatus, status)
	x.add(factFault, e.Fault)
	if r := e.Report; r != nil {
		x.add(factReport, n.report(r))
	}
	if h := e.HostReport; h != nil {
		x.add(factReport, n.text(h.Raw))
	}
	for _, verdict := range e.Verdicts {
		x.add(factVerdict, n.text(verdict))
	}
	if e.Answer != nil {
		for _, name := range slices.Sorted(maps.Keys(e.Answer.Headers)) {
			x.add(answerPrefix+name, n.header(name, e.Answer.Headers[name]))
		}
		if e.Answer.Body != nil {
			x.add(factAnswerBody, n.body(e.Answer.Body))
		}
	}
	return x
}

// report is "Failed/ProvisioningFailed/xml/pool: description".
func (n *namer) report(r *Report) string {
	parts := []string{string(r.State)}
	if r.SubStatus != "" {
		parts = append(parts, n.text(r.SubStatus))
	}
	parts = append(parts, r.Format)
	if r.Pool {
		parts = append(parts, "pool")
	}
	text := strings.Join(parts, "/")
	if r.Description != "" {
		text += ": " + n.text(r.Description)
	}
	return text
}

// body is the text that was kept of a body, with a word about what was not.
func (n *namer) body(b *Body) string {
	text := n.text(b.Text)
	if b.Left != "" {
		text = strings.TrimSpace(text + "\n(" + string(b.Left) + ")")
	}
	return text
}
