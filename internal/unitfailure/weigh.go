package unitfailure

import (
	"regexp"
	"strings"
)

// The weights of lines: which of them says why.
const (
	weightManager   = iota // systemd's own, about the unit
	weightLine             // any other of the program
	weightContext          // what belongs to a heavier one
	weightError            // of error priority, or that begins like an error
	weightCritical         // of a more urgent priority
	weightFinal            // the last words of a program that is known
	weightTraceback        // the error at the end of a traceback
	weightPanic            // a crash
)

// priorityErr and more urgent ones, with lower numbers, are errors (syslog(3)).
const priorityErr = 3

// finals are how programs begin the line that tells why they end.
var finals = []struct {
	start  *regexp.Regexp
	weight int
}{
	// Ignition, by its logger (internal/main.go) and with --log-to-stdout
	// (internal/log/stdout.go).
	{regexp.MustCompile(`^(?:(?:EMERGENCY|ALERT|CRITICAL) *: )?Ignition failed: `), weightFinal},
	{regexp.MustCompile(`^(?:EMERGENCY|ALERT|CRITICAL) *: `), weightCritical},
	// The command of this module.
	{regexp.MustCompile(`^azprov: `), weightFinal},
	// Rust's main with an error, like Afterburn's; and what many others write.
	{regexp.MustCompile(`^(?i:error|fatal|fatal error) *:`), weightError},
}

// starts of a crash and its context.
var (
	goPanic   = regexp.MustCompile(`^(?:panic|fatal error): `)
	goroutine = regexp.MustCompile(`^goroutine [0-9]+ .*\[.+\]:$`)
	// rustPanic is followed by its message on the next line since Rust 1.73.
	rustPanic = regexp.MustCompile(`^thread '.*' (?:\([0-9]+\) )?panicked at `)
	// frame is a function of a goroutine's stack, with its arguments.
	frame = regexp.MustCompile(`^[\w./*()\[\]{}~%-]+\(.*\)$`)
)

const (
	// traceback is how Python begins one.
	traceback = "Traceback (most recent call last):"
	// panicContext is how many lines behind a crash belong to it: the goroutine, and the
	// first frames.
	panicContext = 6
	// goroutineWithin is how many lines behind a crash the goroutine comes, and behind
	// it the first frame that is not Go's own: a signal's description and the runtime's
	// stack may stand between them.
	goroutineWithin = 20
)

// weigh gives each line its weight.
func weigh(lines []line) {
	heavy := false // the message is an error
	for i := range lines {
		l := &lines[i]
		if l.managers {
			l.weight = weightManager
			continue
		}
		if l.first {
			heavy = l.priority <= priorityErr
		}
		l.weight = max(byPriority(*l, heavy), byStart(*l))
	}
	weighTracebacks(lines)
	for _, i := range panics(lines) {
		lines[i].weight = weightPanic
		for j := i + 1; j < len(lines) && j <= i+panicContext; j++ {
			if !lines[j].managers {
				lines[j].weight = max(lines[j].weight, weightContext)
			}
		}
	}
}

func byPriority(l line, heavy bool) int {
	switch {
	case !heavy:
		return weightLine
	case !l.first:
		return weightContext
	case l.priority < priorityErr:
		return weightCritical
	default:
		return weightError
	}
}

func byStart(l line) int {
	if l.indented {
		return weightLine
	}
	for _, final := range finals {
		if final.start.MatchString(l.text) {
			return final.weight
		}
	}
	return weightLine
}

// weighTracebacks finds the errors at the end of Python's tracebacks: the first line
// behind the frames, which are indented.
func weighTracebacks(lines []line) {
	inside := false
	for i := range lines {
		l := &lines[i]
		switch {
		case l.managers:
		case strings.HasSuffix(l.text, traceback):
			inside = true
			l.weight = max(l.weight, weightContext)
		case inside && !l.indented:
			inside = false
			l.weight = weightTraceback
		}
	}
}

// panics are the indices of the lines at which programs crash.
func panics(lines []line) []int {
	var found []int
	for i, l := range lines {
		if l.managers || l.indented {
			continue
		}
		isGo := goPanic.MatchString(l.text) && (strings.HasPrefix(l.text, "panic: ") || goroutineBehind(lines, i) >= 0)
		if isGo || rustPanic.MatchString(l.text) {
			found = append(found, i)
		}
	}
	return found
}

// goroutineBehind is the index of the goroutine of a crash at i, -1 if there is none.
func goroutineBehind(lines []line, i int) int {
	for j := i + 1; j < len(lines) && j <= i+goroutineWithin; j++ {
		if !lines[j].managers && goroutine.MatchString(lines[j].text) {
			return j
		}
	}
	return -1
}

// findPanic is the last crash in one line: its message, the goroutine, and the first frame
// that is not Go's own.
func findPanic(lines []line) string {
	found := panics(lines)
	if len(found) == 0 {
		return ""
	}
	i := found[len(found)-1]
	if rustPanic.MatchString(lines[i].text) {
		return line{text: rustMessage(lines, i)}.shown()
	}
	j := goroutineBehind(lines, i)
	if j < 0 {
		return lines[i].shown()
	}
	text := lines[i].text + "; " + strings.TrimSuffix(lines[j].text, ":")
	if name := firstFrame(lines, j); name != "" {
		text += " in " + name
	}
	return line{text: text}.shown()
}

// firstFrame is the function of the first frame of the goroutine at j that is not Go's
// own; empty if it is not among the lines.
func firstFrame(lines []line, j int) string {
	for k := j + 1; k < len(lines) && k <= j+goroutineWithin; k++ {
		name := lines[k].text
		if frame.MatchString(name) && !strings.HasPrefix(name, "panic(") && !strings.HasPrefix(name, "runtime.") {
			return name[:strings.LastIndexByte(name, '(')]
		}
	}
	return ""
}

func rustMessage(lines []line, i int) string {
	text := lines[i].text
	if strings.HasSuffix(text, ":") && i+1 < len(lines) && !lines[i+1].managers {
		text += " " + lines[i+1].text
	}
	return text
}
