package pps_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/pps"
)

// situation brings a machine into a state, by ten seconds after its start, and keeps it
// there while IMDS has no data.
type situation struct {
	state  pps.State
	kind   pps.Type
	set    func(*world)
	script []play
}

// situations has every state that waits for something.
var situations = []situation{
	{pps.StateReport, pps.TypeRunning, func(w *world) {
		w.report = func(ctx context.Context) error { return w.pause(ctx, 24*time.Hour) }
	}, nil},
	{pps.StateWaitShutdown, pps.TypePreprovisionedOSDisk, nil, nil},
	{pps.StateWaitSwitch, pps.TypeRunning, nil, nil},
	{pps.StateWaitDetach, pps.TypeSavable, nil, nil},
	{pps.StateWaitAttach, pps.TypeSavable, nil, []play{detach(9*sec, eth0)}},
	{pps.StateProbe, pps.TypeSavable, func(w *world) { w.onHangs[ownersMAC] = true }, []play{detach(sec, eth0), attach(2*sec, nic(3, ownersMAC))}},
	{pps.StateConnect, pps.TypeRunning, func(w *world) { w.upTakes = time.Hour }, flip(sec, eth0)},
	{pps.StatePoll, pps.TypeRunning, nil, flip(sec, eth0)},
	{pps.StatePoll, pps.TypeSavable, nil, []play{detach(sec, eth0), attach(2*sec, nic(3, ownersMAC))}},
	{pps.StatePoll, pps.TypeUnknown, nil, nil},
	{pps.StateHandover, pps.TypeRunning, func(w *world) { w.upTakes = time.Hour }, []play{then(9*sec, data)}},
}

func (s situation) name() string { return string(s.state) + ", " + string(s.kind) }

// polls: IMDS is asked in this state.
func (s situation) polls() bool {
	return !slices.Contains([]pps.State{pps.StateReport, pps.StateWaitShutdown, pps.StateHandover}, s.state)
}

// world makes the surroundings. IMDS can be reached whatever the network is, so that every
// answer is heard in every state.
func (s situation) world(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.anyNetwork = true
	if s.set != nil {
		s.set(w)
	}
	if s.kind == pps.TypeUnknown {
		marked(pps.PhaseReported)(w, nil)
	}
	return w
}

// answers are all that may come in place of the owner's data.
var answers = map[string]answer{
	"400": fails(azprov.KindMalformed, nil), "401": fails(azprov.KindUnauthenticated, nil), "403": fails(azprov.KindDenied, nil),
	"404": fails(azprov.KindNotFound, nil), "410": notYet, "429": failsFor(azprov.KindThrottled, 0),
	"429 for a while": failsFor(azprov.KindThrottled, 7*sec), "500, 503": failsFor(azprov.KindNotReady, 0),
	"503 for a while": failsFor(azprov.KindNotReady, 9*sec), "501": fails(azprov.KindInternal, nil),
	"a redirect": fails(azprov.KindNotAzure, nil), "too large": fails(azprov.KindTooLarge, nil),
	"stale": fails(azprov.KindStale, nil), "another api-version": fails(azprov.KindUnsupportedVersion, nil),
	"hangs": hangs, "read timeouts": isSlow, "refused": refuses, "no route": noRoute,
	"broken off": fails(azprov.KindNetwork, io.ErrUnexpectedEOF), "empty": empty,
	"an error of no kind": func(context.Context) (azprov.Secret, error) { return azprov.Secret{}, errors.New("odd") },
}

// TestNoAnswerEndsTheWait: three minutes of anything but data, in every state, and then
// the data.
func TestNoAnswerEndsTheWait(t *testing.T) {
	for _, s := range situations {
		for name, a := range answers {
			if !s.polls() {
				continue
			}
			t.Run(s.name()+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := s.world(t)
					script := append(slices.Clone(s.script), then(10*sec, a), then(190*sec, data))
					result, err := w.run(t.Context(), w.options(s.kind), script)
					if err != nil || result.Environment == nil {
						t.Fatalf("%v", err)
					}
					if took := time.Since(w.start); took < 190*sec || took > 190*sec+7*time.Minute {
						t.Errorf("took %v", took)
					}
					if !slices.ContainsFunc(result.Timeline, func(step pps.Transition) bool { return step.To == s.state }) {
						t.Errorf("was never in %s", s.state)
					}
				})
			})
		}
	}
}

// TestGarbage: a document that is none of an owner is a failure, at once, everywhere.
func TestGarbage(t *testing.T) {
	for name, document := range map[string]string{
		"no XML":            secret,
		"cut off":           ownersDoc[:len(ownersDoc)-20],
		"another document":  "<GoalState>" + secret + "</GoalState>",
		"no host name":      strings.Replace(ownersDoc, "HostName", "Ship", 2),
		"two passwords":     strings.Replace(ownersDoc, "<wa:UserName>", "<wa:UserPassword>"+secret+"</wa:UserPassword><wa:UserName>", 1),
		"an undefined name": strings.Replace(ownersDoc, "pilot", "&"+secret+";", 1),
	} {
		for _, s := range situations {
			if !s.polls() {
				continue
			}
			t.Run(s.name()+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := s.world(t)
					result, err := w.run(t.Context(), w.options(s.kind), append(slices.Clone(s.script), then(10*sec, gives(document))))
					if kind := azprov.KindOf(err); kind != azprov.KindMalformed && kind != azprov.KindNotAzure {
						t.Errorf("%v", err)
					}
					if reason, _ := azprov.ReasonOf(err); reason == "" {
						t.Errorf("nothing to tell the platform: %v", err)
					}
					if w.store.there || result.Environment != nil || time.Since(w.start) > 12*sec {
						t.Errorf("marker %v, after %v, %+v", w.store.there, time.Since(w.start), result)
					}
				})
			})
		}
	}
}

// TestRefusals: five minutes of nothing but refusals are enough where nothing else is
// waited for.
func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name string
		at   situation
		kind azprov.Kind // of the refusal; the error's
		ends bool
		soft bool // with another answer in between
	}{
		{"400 in Poll", situations[7], azprov.KindMalformed, true, false},
		{"401 in Poll", situations[7], azprov.KindUnauthenticated, true, false},
		{"403 after a reboot", situations[9], azprov.KindDenied, true, false},
		{"501 in Poll", situations[7], azprov.KindInternal, true, false},
		{"400, and now and then not", situations[7], azprov.KindMalformed, false, true},
		{"400 in the pool", situations[2], azprov.KindMalformed, false, false},
		{"400 before the exchange", situations[3], azprov.KindMalformed, false, false},
		{"503", situations[7], azprov.KindNotReady, false, false},
		{"404", situations[7], azprov.KindNotFound, false, false},
		{"stale", situations[7], azprov.KindStale, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := row.at.world(t)
				script := append(slices.Clone(row.at.script), then(10*sec, fails(row.kind, nil)), then(20*time.Minute, data))
				for m := range 10 {
					if row.soft {
						script = append(script, then(time.Duration(m+1)*time.Minute, notYet), then(time.Duration(m+1)*time.Minute+3*sec, fails(row.kind, nil)))
					}
				}
				if row.soft {
					script = slices.DeleteFunc(script, func(p play) bool { return p.at == 20*time.Minute })
					script = append(script, then(10*time.Minute+30*sec, data))
				}
				_, err := w.run(t.Context(), w.options(row.at.kind), script)
				took := time.Since(w.start)
				switch {
				case !row.ends && err != nil:
					t.Errorf("%v after %v", err, took)
				case row.ends && (azprov.KindOf(err) != row.kind || took < 5*time.Minute || took > 5*time.Minute+12*sec):
					t.Errorf("%v after %v", err, took)
				case row.ends && !w.store.there:
					t.Error("the marker is gone: the VM is still in its pool, as far as anybody knows")
				}
			})
		})
	}
}

// TestEndOfTheContext: cancellation and deadline, in every state.
func TestEndOfTheContext(t *testing.T) {
	for _, s := range situations {
		for _, kind := range []azprov.Kind{azprov.KindCanceled, azprov.KindTimeout} {
			t.Run(s.name()+"/"+string(kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := s.world(t)
					ctx, cancel := context.WithTimeout(t.Context(), 11*sec)
					defer cancel()
					script := slices.Clone(s.script)
					if kind == azprov.KindCanceled {
						script = append(script, play{10500 * time.Millisecond, func(*world) { cancel() }})
					}
					result, err := w.run(ctx, w.options(s.kind), script)
					want := 11 * sec
					if kind == azprov.KindCanceled {
						want = 10500 * time.Millisecond
					}
					if azprov.KindOf(err) != kind || time.Since(w.start) != want || !errors.Is(err, ctx.Err()) {
						t.Errorf("%v after %v", err, time.Since(w.start))
					}
					last := result.Timeline[len(result.Timeline)-1]
					if last.From != s.state || last.To != pps.StateStopped {
						t.Errorf("stopped in %s -> %s, want %s", last.From, last.To, s.state)
					}
					reported := s.kind != pps.TypePreprovisionedOSDisk && s.state != pps.StateReport
					if w.store.there != reported {
						t.Errorf("marker %v, want %v", w.store.there, reported)
					}
				})
			})
		}
	}
}

// TestEndedBefore: a context that has ended before anything began.
func TestEndedBefore(t *testing.T) {
	for _, kind := range pps.PossibleTypeValues() {
		if kind == pps.TypeNone {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := w.run(ctx, w.options(kind), nil); !errors.Is(err, azprov.ErrCanceled) {
				t.Errorf("%s: %v", kind, err)
			}
		})
	}
}

// TestReboot: the VM is rebooted in every state, with and without a store, and gets its
// data in the end.
func TestReboot(t *testing.T) {
	for _, s := range situations {
		for _, stored := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/store %v", s.name(), stored), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := s.world(t)
					o := w.options(s.kind)
					if !stored {
						o.Store = nil
					}
					ctx, cancel := context.WithTimeout(t.Context(), 11*sec)
					defer cancel()
					if _, err := w.run(ctx, o, s.script); !errors.Is(err, azprov.ErrTimeout) {
						t.Fatal(err)
					}
					before := len(w.reports)

					again := newWorld(t)
					again.store.marker, again.store.there = w.store.marker, w.store.there
					again.steady = data
					o = again.options("")
					if !stored {
						o.Store = nil
					}
					_, found, _ := pps.FindMarker(t.Context(), o.Store, vmID.Swapped())
					kind := s.kind
					if kind == pps.TypeUnknown || kind == pps.TypePreprovisionedOSDisk {
						kind = pps.TypeRunning // as the owner's IMDS, or the pool's, has it
					}
					if found {
						kind = pps.TypeUnknown
					}
					o.Type = kind
					result, err := again.run(t.Context(), o, nil)
					if err != nil || result.Environment == nil {
						t.Fatal(err)
					}
					want := 1
					if found {
						want = 0
					}
					if len(again.reports) != want {
						t.Errorf("reported %d times after %d before, want %d", len(again.reports), before, want)
					}
				})
			})
		}
	}
}

// TestDay: nothing grows in a day in which nothing works.
func TestDay(t *testing.T) {
	for _, row := range []struct {
		name string
		at   situation
		a    answer
		min  int
	}{
		{"not yet", situations[2], notYet, 80_000},
		{"not yet, Savable", situations[3], notYet, 80_000},
		{"not yet, after a reboot", situations[9], notYet, 80_000},
		{"refused", situations[7], refuses, 80_000},
		{"no answer", situations[9], isSlow, 80_000},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := row.at.world(t)
				w.steady = row.a
				day, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				defer cancel()
				result, err := w.run(day, w.options(row.at.kind), row.at.script)
				if !errors.Is(err, azprov.ErrTimeout) {
					t.Fatal(err)
				}
				if n := result.Requests; n < row.min || n > 87_500 {
					t.Errorf("%d requests", n)
				}
				if len(result.Timeline) > 64 || len(result.Warnings) > 32 {
					t.Errorf("%d transitions, %d warnings", len(result.Timeline), len(result.Warnings))
				}
				// Every half minute at most, once it did not help.
				if w.ups > 24*120+20 {
					t.Errorf("%d addresses asked for", w.ups)
				}
			})
		})
	}
}

// TestTimelineIsBounded: a link that never rests.
func TestTimelineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var script []play
		for i := range 100 {
			script = append(script, flip(time.Duration(i+1)*2*sec, eth0)...)
		}
		result, err := w.run(t.Context(), w.options(pps.TypeRunning), append(script, then(300*sec, data)))
		if err != nil || len(result.Timeline) != 64 || result.Dropped < 100 {
			t.Fatalf("%v, %d transitions, %d dropped", err, len(result.Timeline), result.Dropped)
		}
		if first, last := result.Timeline[0], result.Timeline[63]; first.To != pps.StateReport || last.To != pps.StateDone {
			t.Errorf("begins with %v, ends with %v", first, last)
		}
		if !slices.IsSortedFunc(result.Timeline, func(a, b pps.Transition) int { return a.At.Compare(b.At) }) {
			t.Error("not in order")
		}
	})
}
