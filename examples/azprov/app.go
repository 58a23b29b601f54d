package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/wireserver"
)

// app is one run of the command.
type app struct {
	in     io.Reader
	out    *sticky
	err    *locked
	getenv func(string) string
	// program is how the user calls the command.
	program string
	// system is the machine whose drives are looked at; nil is this one.
	system media.System
	// watchCrash is crash.Watch in a process of its own, nil in tests, which share theirs.
	watchCrash func(report func(context.Context, error) error) (done func(), err error)
	// proc is the view of /proc; nil is this machine's.
	proc fs.FS
	// told is when something was last said to be waited for.
	told   time.Time
	global globalFlags
}

// globalFlags are the flags that every verb has.
type globalFlags struct {
	imds       baseURL
	wireServer baseURL
	dmi        string
	state      string
	timeout    time.Duration
	output     choice
	logLevel   choice
	reveal     bool
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) *app {
	return &app{in: stdin, out: &sticky{w: stdout}, err: &locked{w: stderr}, getenv: getenv, program: programName()}
}

// run executes one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand() //nolint:contextcheck // cobra hands ctx to the verb.
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = a.out.failure()
	}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errDifferent):
		return exitFailed // the result says all
	case errors.Is(err, syscall.EPIPE) && a.out.failure() != nil:
		return exitCode(err) // who read it has seen enough, as head has
	}
	return a.fail(command, args, err)
}

// json reports whether standard output is for machines.
func (a *app) json() bool { return a.global.output.value == outputJSON }

// context bounds ctx by --timeout.
func (a *app) context(ctx context.Context) (context.Context, context.CancelFunc) {
	return bounded(ctx, a.global.timeout)
}

// bounded bounds ctx by d, or not at all if d is 0.
func bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d > 0 {
		return context.WithTimeout(ctx, d)
	}
	return context.WithCancel(ctx)
}

// logger writes to w, which is standard error.
func (a *app) logger(w io.Writer) *zap.Logger {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.ISO8601TimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(config)
	if !a.json() {
		config.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(config)
	}
	level, err := zapcore.ParseLevel(a.global.logLevel.value)
	if err != nil { // the flag takes known levels only
		level = zapcore.WarnLevel
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(w), level))
}

// sysfs is the tree that DMI is read from.
func (a *app) sysfs() fs.FS { return os.DirFS(a.global.dmi) }

// requireAzure stops a verb that would wait for minutes for a service that is not
// there. Whoever names an endpoint knows better.
func (a *app) requireAzure(endpoint baseURL) error {
	if endpoint.value != "" {
		return nil
	}
	dmi, err := azprov.ReadDMI(a.sysfs())
	if dmi.OnAzure() {
		return nil
	}
	return &azprov.Error{
		Op: "azprov.ReadDMI", Target: a.global.dmi, Kind: azprov.KindNotAzure, Last: err,
		Message: "the chassis asset tag is not Azure's: this machine is no VM on Azure",
		Hint:    "to talk to another endpoint, name it with --imds and --wireserver",
	}
}

// tellRetry shows, for verbs without steps, that something is waited for: at attempts
// 1, 2, 4, 8, … and every 10 s, so that a console neither fills nor looks dead.
func (a *app) tellRetry(e azprov.RetryEvent) {
	if bits.OnesCount(uint(e.Attempt)) == 1 || time.Since(a.told) >= waitingTime {
		a.told = time.Now()
		_, _ = fmt.Fprintf(a.err, "waiting: attempt %d: %s; again in %s\n", e.Attempt, azprov.OneLine(e.Err.Error()), short(e.Pause))
	}
}

// imdsClient returns a client that tells onRetry what it waits for.
func (a *app) imdsClient(logger *zap.Logger, onRetry func(azprov.RetryEvent)) (*imds.Client, error) {
	return imds.NewClient(&imds.ClientOptions{Endpoint: a.global.imds.value, Logger: logger, OnRetry: onRetry})
}

// wireServerClient returns a client that tells onRetry what it waits for.
func (a *app) wireServerClient(logger *zap.Logger, agentName string, onRetry func(azprov.RetryEvent)) (*wireserver.Client, error) {
	return wireserver.NewClient(&wireserver.ClientOptions{
		Endpoint: a.global.wireServer.value, Logger: logger, AgentName: agentName, OnRetry: onRetry,
	})
}
