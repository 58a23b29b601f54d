package ephemeral

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/azprov/azprov"
)

// TestLastFailure: the error has the last failure that the end of time did not cause, or
// that one if there was no other.
func TestLastFailure(t *testing.T) {
	for _, row := range []struct {
		name    string
		replies []reply
		want    error
		text    string
	}{
		{"a refusal, then silence", []reply{{err: errNAK}, {after: time.Hour}}, azprov.ErrNotReady, "after 2 attempts in 5s"},
		{"silence alone", []reply{{after: time.Hour}}, azprov.ErrNetwork, "after 1 attempt"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(nic(2, "eth0"))
				f.offers[2] = row.replies
				var told []error
				n := f.network(Options{OnAttempt: func(a Attempt) { told = append(told, a.Err) }})
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				err := n.Up(ctx)
				if !errors.Is(err, azprov.ErrTimeout) || !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.text) {
					t.Errorf("%v, want %v in it", err, row.want)
				}
				if len(told) != 1 || !errors.Is(told[0], row.want) {
					t.Errorf("told: %v", told)
				}
			})
		})
	}
}

// TestSettleTells of a link that cannot be set down again, unless it has gone.
func TestSettleTells(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
		want int
	}{
		{"it has gone", errGone, 0},
		{"the kernel refuses", syscall.EBUSY, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.InfoLevel)
				f := newFake(downed(nic(2, "eth0")))
				f.fail["up 2 false"] = []error{row.err}
				f.offers[2] = []reply{{lease: leaseFor(t, "10.1.0.4/24")}}
				n := f.network(Options{Logger: zap.New(core)})
				if primary, err := n.UpOn(t.Context(), 2); primary || err != nil {
					t.Errorf("%v, %v", primary, err)
				}
				if got := logs.FilterLevelExact(zap.WarnLevel).All(); len(got) != row.want {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

func TestUpGivesUp(t *testing.T) {
	for _, row := range []struct {
		name    string
		nics    []Link
		offers  map[int][]reply
		fail    map[string][]error
		openErr error
		kind    azprov.Kind
		reason  string
		details string
		after   time.Duration
		text    string
	}{
		{
			name: "no NIC", kind: azprov.KindTimeout, reason: reasonNoInterface, details: "duration", after: FirstTimeout,
			text: "ephemeral.Network.Up: time ran out: no network: ",
		},
		{
			name: "silence", nics: []Link{nic(2, "eth0")}, kind: azprov.KindTimeout, reason: reasonLease,
			details: "driver duration interface mac_address", after: FirstTimeout,
			text: "ephemeral.Network.Up: time ran out: no network after 110 attempts in 20m0s: ephemeral.Network.Up (eth0): no DHCP lease: ",
		},
		{
			name: "leases that lead nowhere", nics: []Link{nic(2, "eth0")}, offers: map[int][]reply{2: {{lease: leaseFor(t, "10.1.0.4/24", via("10.2.0.0/16", "10.1.0.1"))}}},
			kind: azprov.KindTimeout, reason: reasonNotPrimary, details: "interface driver router static_routes lease", after: FirstTimeout,
			text: "another network interface may be the primary one",
		},
		{
			name: "nothing may be configured", nics: []Link{downed(nic(2, "eth0"))}, fail: map[string][]error{"up 2 true": {syscall.EPERM}},
			kind: azprov.KindDenied, reason: reasonLease, details: "driver duration interface mac_address", text: hintPrivileges,
		},
		{
			name: "no packet socket", nics: []Link{nic(2, "eth0")}, offers: map[int][]reply{2: {{err: syscall.EACCES}}},
			kind: azprov.KindDenied, reason: reasonLease, details: "driver duration interface mac_address", text: hintPrivileges,
		},
		{
			name: "no address may be added", nics: []Link{nic(2, "eth0")}, offers: map[int][]reply{2: {{lease: azureLease(t, "10.0.0.4/24")}}},
			fail: map[string][]error{"add 10.0.0.4/24 0s": {syscall.EPERM}}, kind: azprov.KindDenied, text: hintPrivileges,
		},
		{
			name: "no route may be added", nics: []Link{nic(2, "eth0")}, offers: map[int][]reply{2: {{lease: azureLease(t, "10.0.0.4/24")}}},
			fail: map[string][]error{upSteps[2]: {syscall.EPERM}}, kind: azprov.KindDenied, text: hintPrivileges,
		},
		{name: "no netlink", openErr: syscall.EPROTONOSUPPORT, kind: azprov.KindInternal, text: "cannot be configured: " + syscall.EPROTONOSUPPORT.Error()},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(row.nics...)
				if row.offers != nil {
					f.offers = row.offers
				}
				if row.fail != nil {
					f.fail = row.fail
				}
				f.openErr = row.openErr
				n := f.network(Options{})
				started := time.Now()
				err := n.Up(t.Context())
				reason, details := azprov.ReasonOf(err)
				var keys []string
				for _, d := range details {
					keys = append(keys, d.Key)
				}
				if azprov.KindOf(err) != row.kind || reason != row.reason || strings.Join(keys, " ") != row.details ||
					time.Since(started) != row.after || err == nil || !strings.Contains(err.Error(), row.text) {
					t.Errorf("after %v: %v\nreason %q, %v", time.Since(started), err, reason, details)
				}
				if n.Index() != 0 || len(f.there) != 0 {
					t.Errorf("%d, %v", n.Index(), f.there)
				}
				f.wantClosed(t)
				if err := n.Down(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		n := f.network(Options{})
		short, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for _, row := range []struct {
			name string
			do   func() error
			want time.Duration
		}{
			{"the first", func() error { return n.Up(t.Context()) }, FirstTimeout},
			{"the second", func() error { return n.Up(t.Context()) }, NextTimeout},
			{"a NIC that was attached", func() error { _, err := n.UpOn(t.Context(), 2); return err }, FirstTimeout},
			{"the caller's own", func() error { return n.Up(short) }, time.Hour - 2*FirstTimeout - NextTimeout},
		} {
			started := time.Now()
			err := row.do()
			if took := time.Since(started); took != row.want || !errors.Is(err, azprov.ErrTimeout) || !errors.Is(err, azprov.ErrNetwork) {
				t.Errorf("%s: %v, want %v: %v", row.name, took, row.want, err)
			}
		}
	})
}

// TestDownInterrupts: an Up that is under way ends, and leaves nothing.
func TestDownInterrupts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(downed(nic(2, "eth0")))
		n := f.network(Options{})
		result := make(chan error, 1)
		go func() { result <- n.Up(t.Context()) }()
		time.Sleep(5 * time.Second)
		started := time.Now()
		if err := n.Down(t.Context()); err != nil || time.Since(started) != 0 {
			t.Errorf("%v after %v", err, time.Since(started))
		}
		if err := <-result; !errors.Is(err, azprov.ErrCanceled) {
			t.Errorf("%v", err)
		}
		wantSteps(t, f, "up 2 true", "ask eth0", "up 2 false")
	})
}

func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		n := f.network(Options{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = n.Up(ctx) }()
		synctest.Wait()
		short, cancelShort := context.WithTimeout(t.Context(), time.Second)
		defer cancelShort()
		if err := n.Up(short); !errors.Is(err, azprov.ErrTimeout) || !strings.Contains(err.Error(), "another operation") {
			t.Errorf("%v", err)
		}
		cancel()
	})
}
