package pps_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/pps"
)

const (
	secret    = "anchor-chain-secret"
	ownersDoc = `<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure">` +
		`<wa:ProvisioningSection><wa:Version>1.0</wa:Version><wa:LinuxProvisioningConfigurationSet>` +
		`<wa:HostName>jetty-07</wa:HostName><wa:UserName>pilot</wa:UserName><wa:UserPassword>` + secret + `</wa:UserPassword>` +
		`</wa:LinuxProvisioningConfigurationSet></wa:ProvisioningSection></Environment>`
	poolMAC, ownersMAC, otherMAC = "00:0d:3a:00:00:01", "00:0d:3a:00:00:02", "00:0d:3a:00:00:03"
)

var vmID = azprov.VMID{0x91, 0x26, 0x7c, 0x52, 0x9f, 0x02, 0x4c, 0xfe, 0xb1, 0xf4, 0xa4, 0xda, 0x7e, 0xba, 0xc2, 0xcf}

// nic is a synthetic interface that is up.
func nic(index int, address string) pps.Link {
	return pps.Link{
		Index: index, Name: fmt.Sprintf("eth%d", index-2), Address: address, OperState: pps.OperUp, Carrier: true, Driver: "hv_netvsc",
	}
}

func in(l pps.Link, state pps.OperState) pps.Link {
	l.OperState, l.Carrier = state, state == pps.OperUp
	return l
}

func named(l pps.Link, name string) pps.Link { l.Name = name; return l }

func driven(l pps.Link, driver string) pps.Link { l.Driver = driver; return l }

var eth0 = nic(2, poolMAC)

// answer is what one request for the owner's data gets.
type answer func(ctx context.Context) (azprov.Secret, error)

func fails(kind azprov.Kind, last error) answer {
	return func(context.Context) (azprov.Secret, error) {
		return azprov.Secret{}, &azprov.Error{Op: "fake", Kind: kind, Message: "played", Last: last}
	}
}

func failsFor(kind azprov.Kind, after time.Duration) answer {
	return func(context.Context) (azprov.Secret, error) {
		return azprov.Secret{}, &azprov.Error{Op: "fake", Kind: kind, Message: "played", RetryAfter: after}
	}
}

func gives(document string) answer {
	return func(context.Context) (azprov.Secret, error) { return azprov.NewSecret([]byte(document)), nil }
}

var (
	notYet  = fails(azprov.KindNotReady, nil)
	empty   = gives(" \n")
	data    = gives(ownersDoc)
	refuses = fails(azprov.KindNetwork, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})
	noRoute = fails(azprov.KindNetwork, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)})
	isSlow  = fails(azprov.KindNetwork, context.DeadlineExceeded)
	hangs   = answer(func(ctx context.Context) (azprov.Secret, error) {
		<-ctx.Done()
		return azprov.Secret{}, &azprov.Error{Op: "fake", Kind: azprov.KindTimeout, Context: ctx.Err(), Message: "hung"}
	})
)

// play is what happens at a moment.
type play struct {
	at time.Duration
	do func(*world)
}

// world is the scripted surroundings of one machine. It implements all of the machine's
// interfaces, and keeps account of what was asked of it.
type world struct {
	t     *testing.T
	start time.Time
	mu    sync.Mutex

	links   []pps.Link
	events  chan pps.LinkEvent
	noWatch error
	watches int
	open    int // watchers
	broken  chan error

	primary    map[string]bool // by address
	connected  bool
	index      int
	anyNetwork bool // IMDS answers whatever the network is
	upFails    error
	upTakes    time.Duration
	upBlind    bool // an address comes without a carrier
	onFails    map[string]error
	onHangs    map[string]bool
	ups, downs int
	probes     []string

	answers  []answer // in turn; then steady
	steady   answer
	requests []time.Duration

	report      func(ctx context.Context) error
	reports     []time.Duration
	ejects      int
	ejectFails  error
	openAtFirst bool // a watcher was open when the first report began

	store   memoryStore
	observe func(pps.Transition)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		t: t, start: time.Now(), links: []pps.Link{{Index: 1, Name: "lo", Loopback: true, OperState: pps.OperUnknown, Carrier: true}, eth0},
		events: make(chan pps.LinkEvent, 1000), broken: make(chan error, 1),
		primary: map[string]bool{poolMAC: true, ownersMAC: true}, connected: true, index: 2, upTakes: 300 * time.Millisecond,
		onFails: map[string]error{}, onHangs: map[string]bool{}, steady: notYet,
		report: func(context.Context) error { return nil },
	}
}

func (w *world) locked(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// Links

func (w *world) Watch(context.Context) (pps.LinkWatcher, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watches++
	if w.noWatch != nil {
		return nil, w.noWatch
	}
	w.open++
	return &watcher{w: w}, nil
}

type watcher struct {
	w      *world
	closed bool
}

func (x *watcher) Links() []pps.Link {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	return slices.Clone(x.w.links)
}

func (x *watcher) Next(ctx context.Context) (pps.LinkEvent, error) {
	select {
	case e := <-x.w.events:
		return e, nil
	case err := <-x.w.broken:
		return pps.LinkEvent{}, err
	case <-ctx.Done():
		return pps.LinkEvent{}, ctx.Err()
	}
}

func (x *watcher) Close() error {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	if x.closed {
		x.w.t.Error("a watcher was closed twice")
	}
	x.closed = true
	x.w.open--
	return nil
}

// change makes the links so, with an event if loud.
func (w *world) change(kind pps.LinkEventKind, l pps.Link, loud bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := pps.LinkEvent{Kind: kind, Link: l}
	if i := slices.IndexFunc(w.links, func(x pps.Link) bool { return x.Index == l.Index }); i >= 0 {
		e.Previous = w.links[i]
		w.links = slices.Delete(w.links, i, i+1)
	}
	if kind == pps.LinkDetached {
		if w.index == l.Index {
			w.connected = false
		}
	} else {
		w.links = append(w.links, l)
	}
	slices.SortFunc(w.links, func(a, b pps.Link) int { return cmp.Compare(a.Index, b.Index) })
	if loud {
		w.events <- e
	}
}

func attach(at time.Duration, l pps.Link) play {
	return play{at, func(w *world) { w.change(pps.LinkAttached, l, true) }}
}

func detach(at time.Duration, l pps.Link) play {
	return play{at, func(w *world) { w.change(pps.LinkDetached, l, true) }}
}

func change(at time.Duration, l pps.Link) play {
	return play{at, func(w *world) { w.change(pps.LinkChanged, l, true) }}
}

// unseen makes a change whose event is lost.
func unseen(at time.Duration, kind pps.LinkEventKind, l pps.Link) play {
	return play{at, func(w *world) { w.change(kind, l, false) }}
}

func resync(at time.Duration) play {
	return play{at, func(w *world) { w.events <- pps.LinkEvent{Kind: pps.LinkResynced} }}
}

// then sets what IMDS answers from a moment on.
func then(at time.Duration, a answer) play {
	return play{at, func(w *world) { w.locked(func() { w.answers, w.steady = nil, a }) }}
}

// switched cuts the network off until it is brought up anew: the host has moved it.
func switched(at time.Duration) play {
	return play{at, func(w *world) { w.locked(func() { w.connected = false }) }}
}

func flip(at time.Duration, l pps.Link) []play {
	return []play{switched(at), change(at, in(l, pps.OperDown)), change(at+500*time.Millisecond, in(l, pps.OperUp))}
}

// Network

func (w *world) Up(ctx context.Context) error {
	var takes time.Duration
	w.locked(func() { w.ups++; takes = w.upTakes })
	if err := w.pause(ctx, takes); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.upFails != nil {
		return w.upFails
	}
	for _, l := range w.links {
		if (l.Up() || w.upBlind) && pps.DefaultCandidate(l) {
			w.index, w.connected = l.Index, w.primary[l.Address]
			return nil
		}
	}
	return errors.New("no interface has a carrier")
}

func (w *world) UpOn(ctx context.Context, index int) (bool, error) {
	w.mu.Lock()
	i := slices.IndexFunc(w.links, func(l pps.Link) bool { return l.Index == index })
	if i < 0 {
		w.mu.Unlock()
		return false, errors.New("no such interface")
	}
	l := w.links[i]
	w.probes = append(w.probes, l.Name)
	fail, hang, takes := w.onFails[l.Address], w.onHangs[l.Address], w.upTakes
	w.mu.Unlock()
	if hang {
		<-ctx.Done()
		return false, ctx.Err()
	}
	if err := w.pause(ctx, takes); err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if fail != nil {
		return false, fail
	}
	w.index, w.connected = index, w.primary[l.Address]
	return w.connected, nil
}

func (w *world) Down(context.Context) error {
	w.locked(func() { w.downs, w.connected, w.index = w.downs+1, false, 0 })
	return errors.New("the interface is gone")
}

func (w *world) Index() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.index
}

func (w *world) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Metadata

func (w *world) ReprovisionData(ctx context.Context) (azprov.Secret, error) {
	w.mu.Lock()
	w.requests = append(w.requests, time.Since(w.start))
	a := w.steady
	switch {
	case !w.connected && !w.anyNetwork:
		a = noRoute
	case len(w.answers) > 0:
		a, w.answers = w.answers[0], w.answers[1:]
	}
	w.mu.Unlock()
	return a(ctx)
}

// Reporter and Ejector

func (w *world) ReportPoolReady(ctx context.Context) error {
	w.locked(func() {
		w.reports = append(w.reports, time.Since(w.start))
		w.openAtFirst = w.open > 0
	})
	return w.report(ctx)
}

func (w *world) Eject(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ejects++
	if len(w.reports) > 0 {
		w.t.Error("the medium was ejected after the report")
	}
	return w.ejectFails
}

// memoryStore is a store that may fail.
type memoryStore struct {
	mu                         sync.Mutex
	marker                     pps.Marker
	there                      bool
	loadErr, saveErr, clearErr error
	saves, clears              int
}

func (s *memoryStore) Load(context.Context) (pps.Marker, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marker, s.there, s.loadErr
}

func (s *memoryStore) Save(_ context.Context, m pps.Marker) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saves++
	if s.saveErr != nil {
		return s.saveErr
	}
	s.marker, s.there = m, true
	return nil
}

func (s *memoryStore) Clear(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clears++
	if s.clearErr != nil {
		return s.clearErr
	}
	s.there, s.loadErr = false, nil
	return nil
}

// options are of a machine in this world.
func (w *world) options(kind pps.Type) *pps.Options {
	return &pps.Options{
		Type: kind, VMID: vmID, Metadata: w, Reporter: w, Links: w, Network: w, Store: &w.store, Ejector: w,
		OnState: func(step pps.Transition) {
			w.check(step)
			if w.observe != nil {
				w.observe(step)
			}
		},
	}
}

// check holds every transition against the table.
func (w *world) check(step pps.Transition) {
	w.t.Logf("%7.2fs %s --%s--> %s %s", time.Since(w.start).Seconds(), step.From, step.Event, step.To, step.Detail)
	for _, r := range pps.Transitions() {
		if (r.From == step.From || r.From == "") && r.Event == step.Event && r.To == step.To {
			return
		}
	}
	w.t.Errorf("%s --%s--> %s is not in the table", step.From, step.Event, step.To)
}

// run plays the script and returns what came of the machine. It checks what holds for
// every run: the rate of requests, one report at most, nothing left open, no secret told.
func (w *world) run(ctx context.Context, options *pps.Options, script []play) (*pps.Result, error) {
	w.t.Helper()
	m, err := pps.New(options)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun := time.Now()
	var wg sync.WaitGroup
	for _, p := range script {
		wg.Go(func() {
			if w.pause(ctx, p.at-time.Since(begun)) == nil {
				p.do(w)
			}
		})
	}
	result, err := m.Run(ctx)
	cancel()
	wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, at := range w.requests {
		if i > 0 && at-w.requests[i-1] < 250*time.Millisecond {
			w.t.Errorf("request %d at %v, %v after the one before", i, at, at-w.requests[i-1])
		}
		if i > 3 && at-w.requests[i-4] <= time.Second {
			w.t.Errorf("request %d at %v is the fifth within a second", i, at)
		}
	}
	if len(w.reports) > 1 {
		w.t.Errorf("reported %d times", len(w.reports))
	}
	if w.open != 0 {
		w.t.Errorf("%d watchers are open", w.open)
	}
	if result.Requests > len(w.requests) {
		w.t.Errorf("%d requests counted, %d made", result.Requests, len(w.requests))
	}
	for _, text := range []string{fmt.Sprintf("%+v %#v", result, result), fmt.Sprint(err)} {
		if strings.Contains(text, secret) {
			w.t.Errorf("a secret was told: %s", text)
		}
	}
	if last := result.Timeline[len(result.Timeline)-1].To; last != m.State() {
		w.t.Errorf("the timeline ends with %s, the state is %s", last, m.State())
	}
	return result, err
}

// path is the states that a run went through.
func path(result *pps.Result) string {
	var names []string
	for _, step := range result.Timeline {
		names = append(names, string(step.To))
	}
	return strings.Join(names, " ")
}

// dialTimeout is what net gives for a connection that could not be made in time.
var dialTimeout = &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
