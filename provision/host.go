package provision

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
	"github.com/azprov/azprov/report/kvp"
)

// hostTimeout bounds the host channel, a file on this machine: it must not cost the
// report that goes over the network.
const hostTimeout = 10 * time.Second

// lastEventsTimeout bounds the flush of what nobody waits for.
const lastEventsTimeout = 2 * time.Second

// HostChannel is a way to the host beside the wire server: Hyper-V KVP, see [kvp.Channel].
type HostChannel interface {
	// WriteReport replaces the provisioning report that the host will collect and
	// flushes it. The record is one line.
	WriteReport(ctx context.Context, record string) error
}

// EventChannel is a HostChannel that takes diagnostic events too: each step of a run.
type EventChannel interface {
	HostChannel
	// WriteEvent never blocks: what cannot be taken is lost.
	WriteEvent(e kvp.Event)
	// FlushEvents returns when the host can see all of them. It is called before the
	// outcome is reported, because that is when the host looks.
	FlushEvents(ctx context.Context) error
}

// DefaultHost returns the channel of a VM on Azure: Hyper-V KVP, the pool of hv_kvp_daemon.
// Where the daemon is not installed that is no warning.
func DefaultHost() HostChannel { return defaultHost{kvp.Channel(kvp.Open(nil), nil)} }

type defaultHost struct{ *kvp.ReportChannel }

// NoHost returns a HostChannel that is not there: the wire server is the only way.
func NoHost() HostChannel { return noHost{} }

type noHost struct{}

func (noHost) WriteReport(context.Context, string) error {
	return &azprov.Error{Op: "provision.HostChannel.WriteReport", Kind: azprov.KindNotFound, Message: "no host channel is configured"}
}

// tellHost writes a record, behind the events that led to it.
func (r *Reporter) tellHost(ctx context.Context, record string) error {
	return wait.Within(ctx, "provision.Report", hostTimeout, func(ctx context.Context) error {
		var lost error
		if events, ok := r.o.Host.(EventChannel); ok {
			lost = events.FlushEvents(ctx)
		}
		if err := r.o.Host.WriteReport(ctx, record); err != nil {
			return err
		}
		if lost != nil {
			r.o.Logger.Warn("events were not written", zap.Error(lost))
		}
		return nil
	})
}

// flushEvents brings the last events to the host, for a process that may end now.
func (r *Reporter) flushEvents(ctx context.Context) {
	events, ok := r.o.Host.(EventChannel)
	if !ok || !r.usesHost() {
		return
	}
	if err := wait.Within(context.WithoutCancel(ctx), "provision.Run", lastEventsTimeout, events.FlushEvents); err != nil {
		r.o.Logger.Debug("events were not written", zap.Error(err))
	}
}

// hostWarning is what the caller is told of a host channel that did not take a record;
// nothing of one that is only there if the machine happens to have it.
func (r *Reporter) hostWarning(err error) []string {
	if _, maybe := r.o.Host.(defaultHost); maybe && errors.Is(err, azprov.ErrNotFound) {
		r.o.Logger.Debug("no host channel", zap.Error(err))
		return nil
	}
	return []string{"the host channel: " + err.Error()}
}

// event sends one on its way.
func (r *Reporter) event(e kvp.Event) {
	events, ok := r.o.Host.(EventChannel)
	if !ok || !r.usesHost() {
		return
	}
	e.VMID = r.id()
	events.WriteEvent(e)
}

// stepEvent is what the host sees of a step.
func stepEvent(e StepEvent) kvp.Event {
	event := kvp.Event{Type: kvp.EventStart, Name: "azprov/" + string(e.Step.Name), Time: e.Step.Start, Message: string(e.Step.Name)}
	if !e.Done {
		return event
	}
	event.Type, event.Time, event.Duration = kvp.EventFinish, e.Step.Start.Add(e.Step.Duration), e.Step.Duration
	event.Result = kvp.ResultSuccess
	if e.Step.Note != "" {
		event.Message = azprov.OneLine(e.Step.Note)
	}
	if e.Step.Err != nil {
		event.Result, event.Message = kvp.ResultFail, azprov.OneLine(e.Step.Err.Error())
	}
	return event
}
