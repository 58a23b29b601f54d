package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/provision"
)

const (
	// frameTime is how often the live line is drawn anew.
	frameTime = 100 * time.Millisecond
	// waitingTime is how often plain output says that a step is still running: a
	// serial console must not look dead, and not be flooded.
	waitingTime = 10 * time.Second
	// stepWidth is the length of the longest step name.
	stepWidth = 12
	// defaultColumns is for terminals that do not tell their width.
	defaultColumns = 80
)

// progress shows steps while they run: on a terminal a line that changes in place,
// elsewhere one line per step when it ends.
type progress struct {
	w       io.Writer
	live    bool
	columns func() int
	stop    chan struct{}
	done    sync.WaitGroup

	mu      sync.Mutex
	running []*runningStep
	frame   int
	drawn   int // columns of the live line on the screen
}

type runningStep struct {
	name  provision.StepName
	start time.Time
	told  int // how many times waitingTime has been announced
	cause string
}

// doing is the step with its time and, while it waits, what it waits for.
func (s *runningStep) doing() string {
	return fmt.Sprintf("%.0fs%s", time.Since(s.start).Seconds(), s.cause)
}

// newProgress starts to show; close ends it.
func newProgress(w io.Writer, live bool, columns func() int) *progress {
	p := &progress{w: w, live: live, columns: columns, stop: make(chan struct{})}
	every := frameTime
	if !live {
		every = time.Second
	}
	p.done.Go(func() { p.tick(every) })
	return p
}

func (p *progress) tick(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.mu.Lock()
			p.update()
			p.mu.Unlock()
		}
	}
}

// close removes the live line.
func (p *progress) close() {
	close(p.stop)
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// onStep is for provision.Options.
func (p *progress) onStep(e provision.StepEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !e.Done {
		p.running = append(p.running, &runningStep{name: e.Step.Name, start: e.Step.Start})
		p.draw()
		return
	}
	for i, step := range p.running {
		if step.name == e.Step.Name {
			p.running = append(p.running[:i], p.running[i+1:]...)
			break
		}
	}
	p.clear()
	_, _ = fmt.Fprintln(p.w, stepLine(e.Step, p.live))
	p.draw()
}

// onRetry is for the clients: it tells why a step waits.
func (p *progress) onRetry(e azprov.RetryEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, step := range p.running {
		// Only IMDS is read beside another step, a medium that is late.
		if strings.HasPrefix(e.Op, "imds.") == (step.name == provision.StepIMDS) {
			step.cause = ", attempt " + strconv.Itoa(e.Attempt) + ": " + azprov.OneLine(e.Err.Error())
		}
	}
}

// onTransition is for pps: it shows where a VM in a pool is.
func (p *progress) onTransition(t pps.Transition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	_, _ = fmt.Fprintln(p.w, "...", transitionLine(t))
	for _, step := range p.running {
		if step.name == provision.StepPreprovision {
			step.cause = ", " + string(t.To)
		}
	}
	p.draw()
}

// stepLine is the line of a step that has ended.
func stepLine(s provision.Step, live bool) string {
	mark, text := "ok    ", s.Note
	if live {
		mark = "✓"
	}
	if s.Err != nil {
		mark = "failed"
		if live {
			mark = "✗"
		}
		text = newErrorDocument(s.Err).Message
	}
	line := fmt.Sprintf("%s %s %6s  %s", mark, pad(string(s.Name), stepWidth), short(s.Duration), azprov.OneLine(text))
	return strings.TrimRight(line, " ")
}

// short is a duration in at most six characters.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}

// update is called with the lock held, at every tick.
func (p *progress) update() {
	if p.live {
		p.frame++
		p.draw()
		return
	}
	for _, step := range p.running {
		if n := int(time.Since(step.start) / waitingTime); n > step.told {
			step.told = n
			_, _ = fmt.Fprintf(p.w, "...still waiting (%s, %s)\n", step.name, step.doing())
		}
	}
}

// draw puts the live line on the screen. Only carriage returns and blanks are used,
// which every terminal understands.
func (p *progress) draw() {
	if !p.live || len(p.running) == 0 {
		return
	}
	spinner := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	steps := make([]string, 0, len(p.running))
	for _, step := range p.running {
		steps = append(steps, pad(string(step.name), stepWidth)+" "+step.doing())
	}
	line := []rune(string(spinner[p.frame%len(spinner)]) + " " + strings.Join(steps, ", "))
	if limit := p.columns() - 1; len(line) > limit {
		line = line[:max(limit, 0)]
	}
	_, _ = io.WriteString(p.w, "\r"+pad(string(line), p.drawn))
	p.drawn = len(line)
}

// clear takes the live line off the screen.
func (p *progress) clear() {
	if p.drawn > 0 {
		_, _ = io.WriteString(p.w, "\r"+strings.Repeat(" ", p.drawn)+"\r")
		p.drawn = 0
	}
}

// beside returns a writer for other output to the same screen: the live line makes
// way for it.
func (p *progress) beside(w io.Writer) io.Writer { return besideWriter{p, w} }

type besideWriter struct {
	p *progress
	w io.Writer
}

func (b besideWriter) Write(text []byte) (int, error) {
	b.p.mu.Lock()
	defer b.p.mu.Unlock()
	b.p.clear()
	n, err := b.w.Write(text)
	b.p.draw()
	return n, err
}

// terminal reports whether w is one that can redraw a line, and how wide it is.
func terminal(w io.Writer, getenv func(string) string) (columns func() int, ok bool) {
	switch wrapped := w.(type) {
	case *sticky:
		w = wrapped.w
	case *locked:
		w = wrapped.w
	}
	file, isFile := w.(*os.File)
	if !isFile || getenv("TERM") == "dumb" || !term.IsTerminal(int(file.Fd())) {
		return nil, false
	}
	return func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 {
			return defaultColumns
		}
		return width
	}, true
}
