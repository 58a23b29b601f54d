package pps_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/scripttest"
	"github.com/azprov/azprov/pps"
)

// gaps are the times between the starts of requests.
func gaps(requests []time.Duration) []time.Duration {
	var found []time.Duration
	for i := 1; i < len(requests); i++ {
		found = append(found, requests[i]-requests[i-1])
	}
	return found
}

func TestPace(t *testing.T) {
	const ms = time.Millisecond
	for _, row := range []struct {
		name    string
		answers []answer // then data
		want    []time.Duration
	}{
		{"once a second", []answer{notYet, notYet, notYet}, []time.Duration{sec, sec, sec}},
		{"from start to start", []answer{takes(400*ms, notYet), takes(900*ms, notYet)}, []time.Duration{sec, sec}},
		{"slower than that", []answer{takes(3*sec, notYet), notYet}, []time.Duration{3 * sec, sec}},
		{"empty is not yet", []answer{empty, empty}, []time.Duration{sec, sec}},
		{"throttled without a time", []answer{failsFor(azprov.KindThrottled, 0), failsFor(azprov.KindThrottled, 0), failsFor(azprov.KindThrottled, 0), failsFor(azprov.KindThrottled, 0), failsFor(azprov.KindThrottled, 0), notYet, failsFor(azprov.KindThrottled, 0)}, []time.Duration{sec, 2 * sec, 4 * sec, 8 * sec, 8 * sec, sec, sec}},
		{"throttled for a while", []answer{failsFor(azprov.KindThrottled, 7*sec)}, []time.Duration{7 * sec}},
		{"throttled for less than a second", []answer{failsFor(azprov.KindThrottled, 100*ms)}, []time.Duration{sec}},
		{"throttled for an hour", []answer{failsFor(azprov.KindThrottled, time.Hour)}, []time.Duration{time.Minute}},
		{"throttled for a negative time", []answer{failsFor(azprov.KindNotReady, -time.Hour)}, []time.Duration{sec}},
		{"unwell for a while", []answer{failsFor(azprov.KindNotReady, 5*sec), notYet}, []time.Duration{5 * sec, sec}},
		{"from the end of the answer", []answer{takes(2*sec, failsFor(azprov.KindNotReady, 5*sec))}, []time.Duration{7 * sec}},
		{"a hang has half a minute", []answer{hangs, notYet}, []time.Duration{30 * sec, sec}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				marked(pps.PhaseReported)(w, nil)
				w.answers, w.steady = row.answers, data
				result, err := w.run(t.Context(), w.options(pps.TypeUnknown), nil)
				if err != nil || result.Requests != len(row.want)+1 {
					t.Fatalf("%v, %d requests", err, result.Requests)
				}
				if got := gaps(w.requests); !slices.Equal(got, row.want) {
					t.Errorf("%v, want %v", got, row.want)
				}
			})
		})
	}
}

func takes(d time.Duration, a answer) answer {
	return func(ctx context.Context) (azprov.Secret, error) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return a(ctx)
	}
}

// TestFastForTwoMinutes: four a second once reuse is likely, and not for ever.
func TestFastForTwoMinutes(t *testing.T) {
	for _, row := range []struct {
		kind   pps.Type
		script []play
	}{
		{pps.TypeRunning, flip(1100*time.Millisecond, eth0)},
		{pps.TypeSavable, []play{detach(1100*time.Millisecond, eth0), attach(1600*time.Millisecond, nic(3, ownersMAC))}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.run(t.Context(), w.options(row.kind), append(row.script, then(200*sec, data)))
			if err != nil {
				t.Fatal(err)
			}
			between := func(from, to time.Duration) (n int) {
				for _, at := range w.requests {
					if at >= from && at < to {
						n++
					}
				}
				return n
			}
			if slow, fast, after := between(0, sec), between(10*sec, 70*sec), between(130*sec, 190*sec); slow != 1 || fast < 230 || fast > 231 || after != 60 {
				t.Errorf("%s: %d, %d, %d requests", row.kind, slow, fast, after)
			}
		})
	}
}

// TestRetryAfterOutlivesTheSwitch: a service that wants to be left alone is.
func TestRetryAfterOutlivesTheSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.anyNetwork = true
		w.answers, w.steady = []answer{notYet, failsFor(azprov.KindThrottled, 20*sec)}, data
		if _, err := w.run(t.Context(), w.options(pps.TypeRunning), flip(2*sec, eth0)); err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{0, sec, 21 * sec}; !slices.Equal(w.requests, want) {
			t.Errorf("asked at %v, want %v", w.requests, want)
		}
	})
}

// TestHangIsLeftBehind: a request that hangs on the pool's network does not hold up the
// owner's.
func TestHangIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.anyNetwork = true
		w.steady = hangs
		if _, err := w.run(t.Context(), w.options(pps.TypeRunning), append(flip(2*sec, eth0), then(2400*time.Millisecond, data))); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(w.start); took > 4*sec {
			t.Errorf("took %v", took)
		}
	})
}

// TestLeftBehindIsNoTrouble: a request that was given up says nothing of the network.
func TestLeftBehindIsNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.anyNetwork = true
		w.answers, w.steady = []answer{hangs, hangs, isSlow}, notYet
		if _, err := w.run(t.Context(), w.options(pps.TypeRunning), append(flip(2*sec, eth0), then(60*sec, data))); err != nil {
			t.Fatal(err)
		}
		if w.ups != 1 {
			t.Errorf("%d addresses asked for, want one", w.ups)
		}
	})
}

// TestThrottledInAHurry: too many requests are a second's matter, whatever the service
// asks for.
func TestThrottledInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var throttledAt time.Duration
		script := append(flip(1100*time.Millisecond, eth0), play{5100 * time.Millisecond, func(w *world) {
			w.locked(func() {
				w.steady = data
				w.answers = []answer{func(ctx context.Context) (azprov.Secret, error) {
					throttledAt = time.Since(w.start)
					return failsFor(azprov.KindThrottled, 100*time.Millisecond)(ctx)
				}}
			})
		}})
		if _, err := w.run(t.Context(), w.options(pps.TypeRunning), script); err != nil {
			t.Fatal(err)
		}
		if pause := time.Since(w.start) - throttledAt; pause != sec {
			t.Errorf("asked again after %v, want a second", pause)
		}
	})
}

// TestLateSuccessCounts: data that was on its way when its request was given up.
func TestLateSuccessCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.anyNetwork = true
		w.answers = []answer{func(context.Context) (azprov.Secret, error) {
			time.Sleep(4 * sec)
			return azprov.NewSecret([]byte(ownersDoc)), nil
		}}
		w.steady = fails(azprov.KindNotReady, nil)
		if _, err := w.run(t.Context(), w.options(pps.TypeRunning), flip(2*sec, eth0)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(w.start); took > 5*sec {
			t.Errorf("took %v", took)
		}
	})
}

// TestTrouble: what is taken for a changed network, and how often it is changed.
func TestTrouble(t *testing.T) {
	for _, row := range []struct {
		name    string
		answers []answer
		ups     int
	}{
		{"one read timeout is nothing", []answer{notYet, isSlow, notYet}, 0},
		{"two with an answer between", []answer{isSlow, notYet, isSlow, notYet}, 0},
		{"two in a row", []answer{isSlow, isSlow, notYet}, 1},
		{"four in a row, of which two are after the change", []answer{isSlow, isSlow, isSlow, notYet}, 1},
		{"one hang is nothing", []answer{hangs}, 0},
		{"two hangs", []answer{hangs, hangs}, 1},
		{"two in a row, one that the change ends, and one after it", []answer{takes(2*sec, isSlow), takes(2*sec, isSlow), takes(2*sec, isSlow), takes(2*sec, isSlow), notYet}, 1},
		{"refused once", []answer{refuses}, 1},
		{"a dial that takes too long is no read timeout", []answer{fails(azprov.KindNetwork, dialTimeout)}, 1},
		{"broken off", []answer{fails(azprov.KindNetwork, context.Canceled)}, 1},
		{"a refusal is an answer", []answer{fails(azprov.KindDenied, nil), fails(azprov.KindMalformed, nil)}, 0},
		{"not yet", []answer{notYet, failsFor(azprov.KindThrottled, 0), fails(azprov.KindNotFound, nil)}, 0},
		{"again and again: at 0, 1, 3, 7, 15 s", slices.Repeat([]answer{refuses}, 100), 5},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.upTakes = time.Millisecond
				marked(pps.PhaseReported)(w, nil)
				w.anyNetwork = true
				w.answers, w.steady = row.answers, data
				if _, err := w.run(t.Context(), w.options(pps.TypeUnknown), nil); err != nil {
					t.Fatal(err)
				}
				if w.ups != row.ups || w.downs != row.ups {
					t.Errorf("%d times up and %d down, want %d", w.ups, w.downs, row.ups)
				}
			})
		})
	}
}

// TestLog: what is expected is no warning, and is told rarely.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		w := newWorld(t)
		o := w.options(pps.TypeRunning)
		o.Logger = zap.New(core)
		if _, err := w.run(t.Context(), o, []play{then(1000*sec, data)}); err != nil {
			t.Fatal(err)
		}
		if n := logs.FilterLevelExact(zapcore.WarnLevel).Len(); n != 0 {
			t.Errorf("%d warnings", n)
		}
		var told []int64
		for _, entry := range logs.FilterMessage("no data of the owner").All() {
			told = append(told, entry.ContextMap()["request"].(int64))
		}
		if want := []int64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}; !slices.Equal(told, want) {
			t.Errorf("told of the requests %v", told)
		}
		if n := logs.FilterMessage("state").Len(); n != 4 {
			t.Errorf("told of %d transitions", n)
		}
	})
}

// TestIMDSMetadata asks the real client, one request at a time.
func TestIMDSMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(
			t, scripttest.Answer{Status: 404}, scripttest.Answer{Status: 410}, scripttest.Answer{Status: 503}, scripttest.Answer{},
			scripttest.Answer{Status: 429, Header: map[string]string{"Retry-After": "4"}}, scripttest.Answer{Hang: true},
			scripttest.Answer{Status: 400}, scripttest.Answer{Body: ownersDoc},
		)
		client, err := imds.NewClient(&imds.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t)
		o := w.options(pps.TypeUnknown)
		o.Metadata = pps.IMDSMetadata(client)
		m, err := pps.New(o)
		if err != nil {
			t.Fatal(err)
		}
		result, err := m.Run(t.Context())
		if err != nil || result.Document.RevealString() != ownersDoc || result.Requests != 8 {
			t.Fatalf("%v, %+v", err, result)
		}
		var at []time.Duration
		for _, r := range server.Requests() {
			at = append(at, r.At)
		}
		if want := []time.Duration{0, sec, 2 * sec, 3 * sec, 4 * sec, 8 * sec, 38 * sec, 39 * sec}; !slices.Equal(at, want) {
			t.Errorf("asked at %v, want %v", at, want)
		}
		if w.ups != 0 {
			t.Errorf("one read timeout changed the network %d times", w.ups)
		}
	})
}
