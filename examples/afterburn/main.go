// Command afterburn does on Azure and Azure Stack what Afterburn does there: attributes
// for other units, SSH keys, the host name, the report that the VM is up, and fragments
// of Ignition configurations.
//
//	go run ./examples/afterburn --provider azure --emulate --attributes - --ssh-keys core --hostname - --check-in
//
// runs it against an emulated platform in the process, and changes nothing.
package main

import (
	"context"
	"os"
	"os/signal"
	"os/user"
	"syscall"

	"github.com/azprov/azprov/provision"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{
		out: os.Stdout, err: os.Stderr,
		proc: os.DirFS("/proc"), sys: os.DirFS("/sys"),
		account: user.Lookup, journal: "/run/systemd/journal/socket", host: provision.DefaultHost(),
	}
	os.Exit(a.run(ctx, os.Args[1:]))
}
