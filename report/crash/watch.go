package crash

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"time"

	"github.com/azprov/azprov"
)

const (
	// variable marks the environment of the process that watches, and of no other: the one
	// that is watched may be gone before that has begun, so nothing else tells them apart.
	variable = "AZPROV_CRASH_WATCHES"
	// farewell is what an agent writes that ends as it should. No crash text begins so.
	farewell = "\x00done\n"
	// signaled comes before the name of a signal that ends the agent.
	signaled = "\x00signal "
	// reportTimeout bounds the report of a crash, as a failure report is.
	reportTimeout = 2 * time.Minute
	// farewellTimeout is what the watching process may take to notice the end.
	farewellTimeout = time.Second
)

// Watch has report called in another process if this one ends before done is called. Its
// error is an *azprov.Error of [azprov.KindInternal] with a reason and details for the
// platform: the first line of the crash and its stack, or the signal. report has 2
// minutes; it is provision.Reporter's ReportFailure, for example, whose latch knows what
// this process has told already.
//
// The other process runs this program from its start, with the same arguments. So call
// Watch early in main, before anything has an effect; there it does not return. It has
// no standard output and ignores SIGINT, SIGTERM and SIGHUP, so that it outlives the agent:
// under systemd for the unit's TimeoutStopSec=, 90 seconds by default.
//
// The signals given are caught, named in the report, and end this process as they would
// have. Others that end it are reported without their name. A program that handles
// signals itself gives none.
//
// A panic's text goes into the report: no secret belongs there.
//
// Call done in every good end, os.Exit included: it stops the other process. A second call
// does nothing.
//
// Errors: *azprov.Error of KindInternal, if the other process cannot be started. The agent can
// go on without it; done may be called all the same.
func Watch(report func(ctx context.Context, err error) error, signals ...os.Signal) (done func(), err error) {
	//nolint:forbidigo // The process that watches belongs to this package.
	if os.Getenv(variable) != "" {
		os.Exit(monitor(os.Stdin, report))
	}
	pipe, process, err := start()
	if err != nil {
		return func() {}, &azprov.Error{Op: "crash.Watch", Kind: azprov.KindInternal, Message: "nobody watches this process", Last: err}
	}
	if err := debug.SetCrashOutput(pipe, debug.CrashOptions{}); err != nil {
		_ = process.Kill()
		return func() {}, &azprov.Error{Op: "crash.Watch", Kind: azprov.KindInternal, Message: "crashes cannot be seen", Last: err}
	}
	stop := catch(pipe, signals)
	return sync.OnceFunc(func() {
		stop()
		_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
		_, _ = io.WriteString(pipe, farewell)
		_ = pipe.Close()
		late := time.AfterFunc(farewellTimeout, func() { _ = process.Kill() })
		_, _ = process.Wait()
		late.Stop()
	}), nil
}

// start starts the other process, which reads what is written to pipe.
func start() (pipe *os.File, process *os.Process, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	in, out, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = in.Close() }()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		_ = out.Close()
		return nil, nil, err
	}
	defer func() { _ = null.Close() }()
	environment := os.Environ() //nolint:forbidigo // The same program in the same surroundings.
	attributes := &os.ProcAttr{
		Env:   append(environment, variable+"=1"),
		Files: []*os.File{in, null, os.Stderr}, //nolint:forbidigo // The other process has it for its last words.
		Sys:   apart(),
	}
	process, err = os.StartProcess(program, os.Args, attributes) //nolint:gosec // This very program.
	if err != nil {
		_ = out.Close()
		return nil, nil, err
	}
	return out, process, nil
}

// catch names the signals that end this process to the other one.
func catch(pipe io.Writer, signals []os.Signal) (stop func()) {
	if len(signals) == 0 {
		return func() {}
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, signals...)
	go func() {
		s, ok := <-caught
		if !ok {
			return
		}
		_, _ = io.WriteString(pipe, signaled+s.String()+"\n")
		signal.Reset(s)
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Signal(s)
		}
	}()
	return func() { signal.Stop(caught); close(caught) }
}
