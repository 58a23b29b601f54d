package main

import (
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov/internal/nearest"
	"github.com/azprov/azprov/provision"
)

// The providers.
const (
	azure      = "azure"
	azureStack = "azurestack"
)

// runActions is afterburn multi.
func (a *app) runActions(command *cobra.Command, _ []string) error {
	f := &a.flags
	changed := command.Flags().Changed
	if !changed("attributes") && !changed("ssh-keys") && !changed("hostname") && !f.checkIn {
		return usagef("name an action: --attributes, --ssh-keys, --hostname or --check-in; afterburn --help has examples", "nothing to do")
	}
	for name, value := range map[string]string{"attributes": f.attributes, "ssh-keys": f.sshKeys, "hostname": f.hostname} {
		if changed(name) && value == "" {
			return usagef("", "--%s is empty", name)
		}
	}
	return a.onPlatform(command.Context(), func(ctx context.Context, p *platform) error {
		actions := []struct {
			wanted bool
			do     func(context.Context, *platform) error
		}{
			{changed("attributes"), a.writeAttributes},
			{changed("ssh-keys"), a.writeKeys},
			{changed("hostname"), a.writeHostName},
			{f.checkIn, a.checkIn},
		}
		for _, action := range actions {
			if !action.wanted {
				continue
			}
			if err := action.do(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// onPlatform finds the platform that the flags mean, and calls do with it.
func (a *app) onPlatform(ctx context.Context, do func(context.Context, *platform) error) error {
	provider, err := a.provider()
	if err != nil {
		return err
	}
	if a.flags.timeout < 0 {
		return usagef("", "--timeout is negative")
	}
	if a.flags.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.flags.timeout)
		defer cancel()
	}
	p, done, err := a.newPlatform(ctx, provider)
	if err != nil {
		return err
	}
	defer done()
	return do(ctx, p)
}

// provider is the platform by --provider or --cmdline.
func (a *app) provider() (string, error) {
	f := &a.flags
	known := []string{azure, azureStack}
	from := "--provider"
	name := f.provider
	switch {
	case f.cmdline && name != "":
		return "", usagef("", "--provider and --cmdline exclude each other")
	case f.cmdline:
		from = platformID
		b, err := fs.ReadFile(a.proc, "cmdline")
		if err != nil {
			return "", fileError("--cmdline", "/proc/cmdline", err)
		}
		if name = platformOf(string(b)); name == "" {
			return "", usagef("name it with --provider", "the kernel's command line has no %s", platformID)
		}
	case name == "":
		return "", usagef("say --provider azure, --provider azurestack, or --cmdline", "the platform is missing")
	}
	if f.hostnameFrom != fromVMName && f.hostnameFrom != fromComputerName {
		return "", usagef("want "+fromVMName+" or "+fromComputerName, "--hostname-from: %q", f.hostnameFrom)
	}
	if slices.Contains(known, name) {
		return name, nil
	}
	hint := "this port knows azure and azurestack; for others use Afterburn itself"
	if meant := nearest.Word(name, known); meant != "" {
		hint = "did you mean " + meant + "?"
	}
	return "", usagef(hint, "%s: unknown platform %q", strings.TrimSuffix(from, "="), name)
}

// platformID is the argument of the kernel that names the platform.
const platformID = "ignition.platform.id="

// platformOf is the first platform that the kernel's command line names.
func platformOf(cmdline string) string {
	for word := range strings.FieldsSeq(cmdline) {
		if name, ok := strings.CutPrefix(word, platformID); ok && name != "" {
			return name
		}
	}
	return ""
}

// checkIn reports Ready. The reporter's latch, which all agents of azprov share, keeps it
// from contradicting a failure of this boot, and from telling the same twice.
func (a *app) checkIn(ctx context.Context, p *platform) error {
	reporter, err := p.reporter(ctx)
	if err != nil {
		return err
	}
	result, err := reporter.Report(ctx, provision.Outcome{State: provision.ReportReady})
	for _, warning := range result.Warnings {
		a.note("warning: %s", warning)
	}
	switch {
	case err != nil:
		return err
	case result.Repeated:
		a.note("checked in: the platform knew already that the machine is Ready")
	default:
		a.note("checked in: the platform has accepted that the machine is Ready")
	}
	return nil
}
