package wireserver

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/scripttest"
)

func TestWatchYieldsTheEndLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, answer{Status: 401})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var kinds []azprov.Kind
		for _, err := range testClient(t, transport).WatchGoalState(ctx, nil) {
			kinds = append(kinds, azprov.KindOf(err))
			cancel()
		}
		if want := []azprov.Kind{azprov.KindUnauthenticated, azprov.KindCanceled}; !slices.Equal(kinds, want) {
			t.Errorf("yielded %q, want %q", kinds, want)
		}
	})
}

func TestWatchGoalState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The same, new certificates under the same incarnation, a failure, back again.
		second := state("c1", "1")
		second.CertificatesURL = "http://192.0.2.1/certificates"
		same := stateAnswer("c1", "1")
		server, transport := scripttest.Start(t, same, same, answer{Body: string(second.Encode())}, answer{Status: 403}, answer{Body: string(second.Encode())}, stateAnswer("c2", "1"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := time.Now()
		type event struct {
			at   time.Duration
			id   string
			kind azprov.Kind
		}
		var got []event
		for resp, err := range testClient(t, transport).WatchGoalState(ctx, nil) {
			got = append(got, event{time.Since(start), resp.ContainerID + resp.CertificatesURL, azprov.KindOf(err)})
			if resp.ContainerID == "c2" {
				cancel()
			}
		}
		want := []event{
			{0, "c1", ""},
			{12 * time.Second, "c1http://192.0.2.1/certificates", ""},
			{18 * time.Second, "", azprov.KindDenied},
			{30 * time.Second, "c2", ""},
			{30 * time.Second, "", azprov.KindCanceled},
		}
		if !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		if server.Attempts() != 6 {
			t.Errorf("%d reads, want 6", server.Attempts())
		}
	})
}

func TestWatchGoalStateEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, stateAnswer("c1", "1"))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second+time.Millisecond) // not while it reads
		defer cancel()
		var last error
		for _, err := range testClient(t, transport).WatchGoalState(ctx, &WatchGoalStateOptions{Interval: time.Second}) {
			last = err
		}
		var e *azprov.Error
		if !errors.As(last, &e) || e.Op != "wireserver.Client.WatchGoalState" || e.Kind != azprov.KindTimeout || !errors.Is(last, context.DeadlineExceeded) {
			t.Errorf("ended with %v", last)
		}
	})
}

func TestWatchWithoutAnIntervalReadsEverySixSeconds(t *testing.T) {
	for name, options := range map[string]*WatchGoalStateOptions{"no options": nil, "zero options": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				same := stateAnswer("c1", "1")
				server, transport := scripttest.Start(t, same, same, answer{Status: 403})
				for _, err := range testClient(t, transport).WatchGoalState(t.Context(), options) {
					if err != nil {
						break
					}
				}
				var at []time.Duration
				for _, r := range server.Requests() {
					at = append(at, r.At)
				}
				if want := []time.Duration{0, WatchInterval, 2 * WatchInterval}; !slices.Equal(at, want) {
					t.Errorf("read at %v, want %v", at, want)
				}
			})
		})
	}
}
