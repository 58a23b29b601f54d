package unitfailure

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/azprov/azprov"
)

const (
	// maxPicked and maxPickedBytes bound the lines of a failure: a report has 4,095 bytes
	// in all, and XML makes some of them longer.
	maxPicked      = 20
	maxPickedBytes = 2 << 10
	// maxLine bounds one of them, so that others have room.
	maxLine = 512
	// maxWord bounds a result, a signal or a name.
	maxWord = 64
	// maxSplit bounds the lines that are looked at: the last ones.
	maxSplit = 2 * maxLines
)

// line is one line of a message. Only a PEM block, which has several, is taken out of it
// before one is picked; shown does the rest.
type line struct {
	text string
	// managers: written by systemd about the unit, not by the unit's program.
	managers bool
	// indented as it was written; a traceback's frames are.
	indented bool
	priority int
	// first of its message.
	first  bool
	weight int
}

// shown is the line without secrets, and short.
func (l line) shown() string { return clip(redact(l.text), maxLine) }

// collect makes lines of entries: split, clean and weighed. What systemd says of the
// result is known better from its fields, and left out.
func collect(entries []entry) []line {
	var lines []line
	for _, e := range entries {
		if e.managers() && (e.MessageID == messageUnitResult || e.MessageID == messageUnitSuccess) {
			continue
		}
		first := true
		for text := range strings.Lines(string(e.Message)) {
			raw := printable(text)
			clean := strings.TrimSpace(raw)
			if clean == "" {
				continue
			}
			lines = append(lines, line{
				text: clean, managers: e.managers(), indented: raw != clean, priority: e.priority(), first: first,
			})
			first = false
		}
		if len(lines) > 2*maxSplit {
			lines = append(lines[:0], lines[len(lines)-maxSplit:]...)
		}
	}
	lines = lines[max(0, len(lines)-maxSplit):]
	redactArmor(lines)
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.text == "" })
	weigh(lines)
	return lines
}

// pick chooses the lines that say why, oldest first, and the most telling one of them: the
// heaviest, and of equal ones the last. Light ones are there only if there are no others.
func pick(lines []line) (picked []string, telling string) {
	if len(lines) == 0 {
		return nil, ""
	}
	order := make([]int, len(lines))
	for i := range order {
		order[i] = len(lines) - 1 - i // the last ones first
	}
	slices.SortStableFunc(order, func(i, j int) int { return lines[j].weight - lines[i].weight })
	least := min(lines[order[0]].weight, weightContext)
	var chosen []int
	size := 0
	for _, i := range order {
		size += len(lines[i].shown())
		if lines[i].weight < least || len(chosen) == maxPicked || size > maxPickedBytes {
			break
		}
		chosen = append(chosen, i)
	}
	telling = lines[chosen[0]].shown()
	slices.Sort(chosen)
	for _, i := range chosen {
		picked = append(picked, lines[i].shown())
	}
	return picked, telling
}

// printable is s as one line of valid UTF-8 without terminal sequences. A blank is left of
// its indentation, which tells a traceback's frames from its error.
func printable(s string) string {
	if strings.ContainsRune(s, '\x1b') {
		s = terminal.ReplaceAllString(s, "")
	}
	clean := azprov.OneLine(s)
	if clean != "" && (s[0] == ' ' || s[0] == '\t') {
		return " " + clean
	}
	return clean
}

// clip is at most n bytes of s, cut between runes and marked.
func clip(s string, n int) string {
	const mark = "…"
	if len(s) <= n {
		return s
	}
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}
