// Command azure-init sets a VM on Azure up at its first boot: host name, user, SSH keys,
// password, sudo rule, sshd's switch. It is a port of the program of that name to this SDK.
//
//	go run ./examples/azure-init --emulate --root "$(mktemp -d)"
//
// sets up a directory for an emulated platform.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // A console that goes away must not keep the platform from being told.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		system: "/", run: runProgram, setKernelName: setKernelName,
	}
	os.Exit(a.main(ctx, os.Args[1:]))
}
