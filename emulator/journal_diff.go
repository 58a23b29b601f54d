package emulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/azprov/azprov"
)

// DiffOptions are the optional settings of [DiffConversations].
type DiffOptions struct {
	// Ignore are names of requests' headers that are not compared, in any case of letters,
	// and of what a [DiffChange] is about: "verdict", as a replay finds nothing wrong.
	Ignore []string
	// Answers compares the headers and bodies of answers too. They are the emulator's, and
	// differ where two scenarios do.
	Answers bool
}

// DiffKind says how two conversations differ at one place.
type DiffKind string

// The kinds of a step.
const (
	// DiffSame: both have the request, and all that is compared is the same.
	DiffSame DiffKind = "same"
	// DiffChanged: both have the request, with something else about it.
	DiffChanged DiffKind = "changed"
	// DiffOnlyA and DiffOnlyB: one conversation alone has the request.
	DiffOnlyA DiffKind = "onlyA"
	DiffOnlyB DiffKind = "onlyB"
)

// PossibleDiffKindValues returns every kind.
func PossibleDiffKindValues() []DiffKind {
	return []DiffKind{DiffSame, DiffChanged, DiffOnlyA, DiffOnlyB}
}

// DiffStep is a request of one conversation, or of both.
type DiffStep struct {
	// Kind says whose it is.
	Kind DiffKind `json:"kind"`
	// Request is service, method and path, with the names of [TranscriptWith]; only those
	// of containers and instances are numbered.
	Request string `json:"request"`
	// Outcome is the status, with fault and report; of DiffChanged it is A's.
	Outcome string `json:"outcome"`
	// A and B are the numbers of the entries, from 1 by their order; 0 where there is none.
	A int `json:"a,omitempty"`
	B int `json:"b,omitempty"`
	// Changes are what differs, of kind DiffChanged alone.
	Changes []DiffChange `json:"changes,omitempty"`
}

// DiffChange is something about a request that two conversations have otherwise.
type DiffChange struct {
	// What is "status", "fault", "report", "verdict", "body", "answer body", or "header" or
	// "answer header" with a name.
	What string `json:"what"`
	// A and B are the values, empty where there is none.
	A string `json:"a"`
	B string `json:"b"`
}

// ConversationDiff is how two conversations differ: all their requests, in an order that
// keeps that of both.
type ConversationDiff struct {
	Steps []DiffStep `json:"steps"`
}

// Same reports whether nothing differs.
func (d ConversationDiff) Same() bool {
	return !slices.ContainsFunc(d.Steps, func(s DiffStep) bool { return s.Kind != DiffSame })
}

// Count is how many steps are of a kind.
func (d ConversationDiff) Count(kind DiffKind) int {
	n := 0
	for _, s := range d.Steps {
		if s.Kind == kind {
			n++
		}
	}
	return n
}

// DiffConversations aligns two conversations by their requests, in such a way that the most
// are in both, and of these the most the same. Ids and times do not count. options may be
// nil. Bodies are compared if both journals have them. The time it takes grows with the
// product of both lengths: 40 ms for two of a thousand entries.
func DiffConversations(a, b []Entry, options *DiffOptions) ConversationDiff {
	if options == nil {
		options = &DiffOptions{}
	}
	bodies := hasBodies(a) && hasBodies(b)
	known := map[string]int{}
	left, right := newSide(a, known, options, bodies), newSide(b, known, options, bodies)
	al := aligner{a: left, b: right}
	al.align(0, len(a), 0, len(b))
	var d ConversationDiff
	i, j := 0, 0
	rest := func(toA, toB int) {
		for ; i < toA; i++ {
			d.Steps = append(d.Steps, DiffStep{Kind: DiffOnlyA, Request: left.exchanges[i].request, Outcome: left.exchanges[i].outcome(), A: i + 1})
		}
		for ; j < toB; j++ {
			d.Steps = append(d.Steps, DiffStep{Kind: DiffOnlyB, Request: right.exchanges[j].request, Outcome: right.exchanges[j].outcome(), B: j + 1})
		}
	}
	for _, pair := range al.pairs {
		rest(pair[0], pair[1])
		x, y := left.exchanges[i], right.exchanges[j]
		i, j = i+1, j+1
		step := DiffStep{Kind: DiffSame, Request: x.request, Outcome: x.outcome(), A: i, B: j, Changes: changes(x.facts, y.facts)}
		if len(step.Changes) > 0 {
			step.Kind = DiffChanged
		}
		d.Steps = append(d.Steps, step)
	}
	rest(len(a), len(b))
	return d
}

func hasBodies(entries []Entry) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool { return e.Body != nil || e.Answer != nil })
}

// A side is one conversation, with numbers for what is the same.
type side struct {
	exchanges []exchange
	requests  []int // By the request alone.
	wholes    []int // By all that is compared.
}

func newSide(entries []Entry, known map[string]int, options *DiffOptions, bodies bool) side {
	var s side
	n := newNamer(false)
	alone := !slices.ContainsFunc(entries, func(e Entry) bool { return e.VM != entries[0].VM })
	number := func(text string) int {
		if _, ok := known[text]; !ok {
			known[text] = len(known)
		}
		return known[text]
	}
	for i := range entries {
		entry := entries[i]
		if alone {
			entry.VM = "" // Two VMs, of a journal each, may have two names.
		}
		x := n.exchange(&entry)
		x.facts = slices.DeleteFunc(x.facts, func(f exchangeFact) bool { return !options.compares(f.name, bodies) })
		s.exchanges = append(s.exchanges, x)
		s.requests = append(s.requests, number(x.request))
		s.wholes = append(s.wholes, number(fmt.Sprintf("%q %q", x.request, x.facts)))
	}
	return s
}

func (o *DiffOptions) compares(fact string, bodies bool) bool {
	named := strings.TrimPrefix(fact, headerPrefix)
	switch {
	case slices.ContainsFunc(o.Ignore, func(name string) bool { return strings.EqualFold(name, named) }):
		return false
	case fact == factBody:
		return bodies
	case fact == factAnswerBody, strings.HasPrefix(fact, answerPrefix):
		return bodies && o.Answers
	default:
		return true
	}
}

// changes lists the facts that differ. Of several of the same name the first is the first's
// counterpart.
func changes(a, b []exchangeFact) []DiffChange {
	var list []DiffChange
	b = slices.Clone(b)
	for _, x := range a {
		at := slices.IndexFunc(b, func(y exchangeFact) bool { return y.name == x.name })
		if at < 0 {
			list = append(list, DiffChange{What: x.name, A: x.value})
			continue
		}
		if b[at].value != x.value {
			list = append(list, DiffChange{What: x.name, A: x.value, B: b[at].value})
		}
		b = slices.Delete(b, at, at+1)
	}
	for _, y := range b {
		list = append(list, DiffChange{What: y.name, B: y.value})
	}
	return list
}

// An aligner finds the pairs of a longest common subsequence, by Hirschberg's algorithm
// (Communications of the ACM 18, 6, 1975): its memory grows with the sum of the lengths.
type aligner struct {
	a, b  side
	pairs [][2]int
}

// score is what it is worth to pair two exchanges; 0 if they are none.
func (al *aligner) score(i, j int) int {
	switch {
	case al.a.requests[i] != al.b.requests[j]:
		return 0
	case al.a.wholes[i] == al.b.wholes[j]:
		return 3
	default:
		return 2
	}
}

// align pairs a[fromA:toA] with b[fromB:toB].
func (al *aligner) align(fromA, toA, fromB, toB int) {
	switch {
	case fromA == toA || fromB == toB:
		return
	case toA-fromA == 1:
		best, at := 0, 0
		for j := fromB; j < toB; j++ {
			if s := al.score(fromA, j); s > best {
				best, at = s, j
			}
		}
		if best > 0 {
			al.pairs = append(al.pairs, [2]int{fromA, at})
		}
		return
	}
	middle := (fromA + toA) / 2
	before, after := al.forward(fromA, middle, fromB, toB), al.backward(middle, toA, fromB, toB)
	cut, best := fromB, -1
	for k := range before {
		if sum := before[k] + after[k]; sum > best {
			best, cut = sum, fromB+k
		}
	}
	al.align(fromA, middle, fromB, cut)
	al.align(middle, toA, cut, toB)
}

// forward is the best score of a[fromA:toA] with each beginning of b[fromB:toB].
func (al *aligner) forward(fromA, toA, fromB, toB int) []int {
	row := make([]int, toB-fromB+1)
	for i := fromA; i < toA; i++ {
		diagonal := 0
		for k := 1; k < len(row); k++ {
			above := row[k]
			row[k] = max(above, row[k-1], paired(diagonal, al.score(i, fromB+k-1)))
			diagonal = above
		}
	}
	return row
}

// backward is the best score of a[fromA:toA] with each end of b[fromB:toB].
func (al *aligner) backward(fromA, toA, fromB, toB int) []int {
	row := make([]int, toB-fromB+1)
	for i := toA - 1; i >= fromA; i-- {
		diagonal := 0
		for k := len(row) - 2; k >= 0; k-- {
			below := row[k]
			row[k] = max(below, row[k+1], paired(diagonal, al.score(i, fromB+k)))
			diagonal = below
		}
	}
	return row
}

func paired(before, score int) int {
	if score == 0 {
		return 0
	}
	return before + score
}

const (
	// diffContext is how many requests that are the same are shown in a row; of more, the
	// first and the last.
	diffContext = 3
	// diffValue is how much of a value is shown, in bytes.
	diffValue = 160
)

// String shows the steps, each in a line: "  " before what is the same, "- " before what A
// alone has, "+ " before what B alone has, and "! " before what both have otherwise, with
// the values of A and of B below it. Long rows of the same are shortened.
func (d ConversationDiff) String() string {
	var b strings.Builder
	for i := 0; i < len(d.Steps); {
		alike := 0
		for i+alike < len(d.Steps) && d.Steps[i+alike].Kind == DiffSame {
			alike++
		}
		if alike > diffContext {
			b.WriteString(d.Steps[i].String() + "  … " + strconv.Itoa(alike-2) + " more that are the same\n")
			i += alike - 1
		}
		b.WriteString(d.Steps[i].String())
		i++
	}
	return b.String()
}

// String shows the step as [ConversationDiff.String] does.
func (s DiffStep) String() string {
	sign := map[DiffKind]string{DiffSame: "  ", DiffChanged: "! ", DiffOnlyA: "- ", DiffOnlyB: "+ "}[s.Kind]
	var b strings.Builder
	b.WriteString(sign + s.Request)
	if s.Kind != DiffChanged {
		b.WriteString(" " + s.Outcome)
	}
	b.WriteString("\n")
	for _, c := range s.Changes {
		one, other := around(c.A, c.B)
		b.WriteString("    " + c.What + "\n      A  " + one + "\n      B  " + other + "\n")
	}
	return b.String()
}

// around cuts two values to lines, that show where they begin to differ.
func around(a, b string) (one, other string) {
	common := 0
	for common < min(len(a), len(b)) && a[common] == b[common] {
		common++
	}
	cut := func(s string) string {
		if s == "" {
			return "(none)"
		}
		from, before := 0, ""
		if common > diffValue/2 {
			from, before = common-diffValue/4, "…"
		}
		return before + shorten(azprov.OneLine(strings.ToValidUTF8(s[from:], "")), diffValue)
	}
	return cut(a), cut(b)
}
