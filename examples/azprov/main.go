// Command azprov provisions a VM on Azure step by step or as a whole, shows what
// the platform's services say, and plays those services itself: every action of the
// SDK as one verb.
//
//	go run ./examples/azprov provision --emulate
//
// starts an emulated platform in the process and provisions against it.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/azprov/azprov/report/crash"
)

func main() {
	// A console that goes away must not keep the platform from being told.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	a.watchCrash = func(report func(context.Context, error) error) (func(), error) { return crash.Watch(report) }
	os.Exit(a.run(ctx, os.Args[1:]))
}

// programName is what to type to call this program again, for the commands that it
// suggests: a program of "go run" is gone when it ends.
func programName() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(filepath.ToSlash(exe), "/go-build") {
		return "go run ./examples/azprov"
	}
	return "azprov"
}
