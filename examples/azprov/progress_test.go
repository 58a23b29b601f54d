package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/provision"
)

// step tells p of a step that takes so long.
func step(p *progress, name provision.StepName, takes time.Duration, note string, err error) {
	s := provision.Step{Name: name, Start: time.Now()}
	p.onStep(provision.StepEvent{Step: s})
	time.Sleep(takes)
	s.Duration, s.Note, s.Err = time.Since(s.Start), note, err
	p.onStep(provision.StepEvent{Step: s, Done: true})
}

func TestPlainProgressTellsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, false, nil)
		p.onStep(provision.StepEvent{Step: provision.Step{Name: provision.StepMedium, Start: time.Now()}})
		p.onStep(provision.StepEvent{Step: provision.Step{Name: provision.StepIMDS, Start: time.Now()}})
		p.onRetry(azprov.RetryEvent{Op: "imds.Client.GetInstance", Attempt: 3, Err: errors.New("HTTP status 410\nGone"), Pause: time.Second})
		time.Sleep(11 * time.Second)
		p.close()
		for _, want := range []string{"(imds, 11s, attempt 3: HTTP status 410 Gone)", "(medium, 11s)"} {
			if got := strings.ReplaceAll(out.String(), "10s", "11s"); !strings.Contains(got, want) {
				t.Errorf("%q lacks %q", got, want)
			}
		}
	})
}

func TestPlainProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, false, nil)
		step(p, provision.StepMedium, 0, "none", nil)
		step(p, provision.StepIMDS, 25*time.Second+300*time.Millisecond, "api-version 2023-11-15", nil)
		step(p, provision.StepApply, 1300*time.Millisecond, "", nil)
		step(p, provision.StepReport, 75*time.Second, "", errors.New("a line\nand another"))
		p.close()
		want := `ok     medium         <1ms  none
...still waiting (imds, 10s)
...still waiting (imds, 20s)
ok     imds          25.3s  api-version 2023-11-15
ok     apply          1.3s
...still waiting (report, 10s)
...still waiting (report, 20s)
...still waiting (report, 30s)
...still waiting (report, 40s)
...still waiting (report, 50s)
...still waiting (report, 60s)
...still waiting (report, 70s)
failed report        1m15s  a line and another
`
		got := out.String()
		// A step does not start on the second that the clock ticks.
		for s := 10; s <= 70; s += 10 {
			got = strings.ReplaceAll(got, fmt.Sprintf(", %ds)", s+1), fmt.Sprintf(", %ds)", s))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// screen is what a terminal's line shows after carriage returns.
func screen(written string) []string {
	var lines []string
	for line := range strings.SplitSeq(written, "\n") {
		var cells []rune
		column := 0
		for _, r := range line {
			if r == '\r' {
				column = 0
				continue
			}
			if column == len(cells) {
				cells = append(cells, r)
			} else {
				cells[column] = r
			}
			column++
		}
		lines = append(lines, strings.TrimRight(string(cells), " "))
	}
	return lines
}

func TestLiveProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, true, func() int { return 24 })
		p.onStep(provision.StepEvent{Step: provision.Step{Name: provision.StepMedium, Start: time.Now()}})
		p.onStep(provision.StepEvent{Step: provision.Step{Name: provision.StepIMDS, Start: time.Now()}})
		time.Sleep(3*time.Second + frameTime/2)
		synctest.Wait()
		if got, want := screen(out.String()), []string{"⠋ medium       3s, imds"}; !cmp.Equal(got, want) {
			t.Errorf("while two steps run, cut to the width, the screen shows %q, want %q", got, want)
		}
		_, _ = p.beside(&out).Write([]byte("a log line\n"))
		p.onStep(provision.StepEvent{Done: true, Step: provision.Step{Name: provision.StepMedium, Duration: 3 * time.Second, Note: "none"}})
		p.onStep(provision.StepEvent{Done: true, Step: provision.Step{Name: provision.StepIMDS, Duration: 4 * time.Second, Err: errors.New("no answer")}})
		p.close()
		want := []string{"a log line", "✓ medium         3.0s  none", "✗ imds           4.0s  no answer", ""}
		if diff := cmp.Diff(want, screen(out.String())); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
	})
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	if _, ok := terminal(&sticky{w: &bytes.Buffer{}}, func(string) string { return "xterm" }); ok {
		t.Error("a buffer is taken for a terminal")
	}
}
