package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/azprov/azprov/examples/ignition/azure"
	"github.com/azprov/azprov/examples/ignition/lint"
	"github.com/azprov/azprov/examples/ignition/render"
)

// platformDir is where Ignition has the fragments of this platform for this boot.
const platformDir = "/run/ignition/base.platform.d/azure"

type renderFlags struct {
	platform     surroundings
	machine      string
	dir          string
	spec         string
	groups       list
	resourceDisk bool
	off          bool
	reveal       bool
	without      map[render.Part]*bool
}

func renderVerb(ctx context.Context, s *streams, args []string) error {
	f := &renderFlags{without: map[render.Part]*bool{}}
	flags := flag.NewFlagSet("render", flag.ContinueOnError)
	f.platform.register(flags)
	flags.StringVar(&f.machine, "machine", "", "a description of the machine in JSON, `FILE`, in place of Azure's; - for standard input")
	flags.StringVar(&f.dir, "dir", "", "write the fragments into `DIR`, "+platformDir+" for Ignition; without it they are printed")
	flags.StringVar(&f.spec, "spec", string(render.DefaultSpec), "the `VERSION` of the fragments")
	flags.Var(&f.groups, "group", "a `GROUP` of the image for the administrator; may be repeated")
	flags.BoolVar(&f.resourceDisk, "resource-disk", false, "mount the temporary disk at "+azure.ResourceDisk().MountPoint)
	flags.BoolVar(&f.off, "off", false, "render nothing, and remove what was rendered before")
	flags.BoolVar(&f.reveal, "reveal", false, "print the hash of the password too")
	for _, part := range render.Parts() {
		if part != render.PartResourceDisk {
			f.without[part] = flags.Bool("no-"+string(part), false, "leave this part to the image and the user")
		}
	}
	if err := parse(s, flags, args, 0); err != nil {
		return err
	}
	options, err := f.options()
	if err != nil {
		return err
	}
	var machine render.Machine
	if !f.off { // or there is nobody to ask
		if machine, err = f.describe(ctx, s.in); err != nil {
			return err
		}
	}
	if f.dir == "" && !f.reveal && machine.User.PasswordHash != "" {
		machine.User.PasswordHash = "[redacted]"
	}
	fragments, err := render.Render(machine, options)
	if err != nil {
		return err
	}
	return f.put(s, fragments, options.Spec)
}

func (f *renderFlags) options() (*render.Options, error) {
	spec, err := render.ParseSpec(f.spec)
	if err != nil {
		return nil, usagef("--spec: %v", err)
	}
	if f.machine != "" && (f.platform.named() || f.resourceDisk || f.groups != nil) {
		return nil, usagef("--machine says it all: leave out --emulate, --imds, --group and --resource-disk")
	}
	options := &render.Options{Spec: spec, Off: f.off}
	for _, part := range render.Parts() {
		if off := f.without[part]; off != nil && *off {
			options.Without = append(options.Without, part)
		}
	}
	return options, nil
}

// describe asks Azure, or reads what another provider has found.
func (f *renderFlags) describe(ctx context.Context, in io.Reader) (render.Machine, error) {
	switch f.machine {
	case "":
		return f.ask(ctx)
	case "-":
		return render.ReadMachine(in)
	}
	file, err := os.Open(f.machine)
	if err != nil {
		return render.Machine{}, err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	return render.ReadMachine(file)
}

func (f *renderFlags) ask(ctx context.Context) (render.Machine, error) {
	if err := f.platform.open(ctx); err != nil {
		return render.Machine{}, err
	}
	defer f.platform.close()
	collector, err := f.platform.collector()
	if err != nil {
		return render.Machine{}, err
	}
	found, err := collector.Collect(ctx)
	if err != nil {
		return render.Machine{}, err
	}
	options := &azure.Options{Groups: f.groups}
	if f.resourceDisk {
		options.ResourceDisk = azure.ResourceDisk()
	}
	return azure.Machine(found, options)
}

// put prints or writes the fragments, once it is sure that Ignition takes them.
func (f *renderFlags) put(s *streams, fragments []render.Fragment, spec render.Spec) error {
	findings, err := lint.Files(lint.Of(fragments), &lint.Options{Knows: spec})
	if err != nil {
		return err
	}
	if refused(findings) {
		printFindings(s.err, findings)
		return errRefused
	}
	if f.dir == "" {
		for _, fragment := range fragments {
			fmt.Fprintf(s.out, "== %s %04o\n%s", fragment.Name, fragment.Mode(), fragment.Content)
		}
		return nil
	}
	if err := render.Write(f.dir, fragments); err != nil {
		return err
	}
	for _, fragment := range fragments {
		fmt.Fprintln(s.out, filepath.Join(f.dir, fragment.Name))
	}
	return nil
}

func refused(findings []lint.Finding) bool {
	return slices.ContainsFunc(findings, func(f lint.Finding) bool { return f.Verdict == lint.Refused })
}

func printFindings(w io.Writer, findings []lint.Finding) {
	for _, finding := range findings {
		fmt.Fprintln(w, finding)
	}
}
