package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	ignition "github.com/coreos/ignition/v2/config/shared/errors"

	"github.com/azprov/azprov/examples/ignition/provider"
)

type runFlags struct {
	platform   surroundings
	order      string
	fail       string
	readyAfter string
}

func runVerb(ctx context.Context, s *streams, args []string) error {
	f := &runFlags{}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	f.platform.register(flags)
	flags.StringVar(&f.order, "order", "user-data,custom-data", "the `SOURCES` of the config, the first that has one counts")
	flags.StringVar(&f.fail, "fail", "", "let a stage fail: `STAGE=ERROR`")
	flags.StringVar(&f.readyAfter, "ready-after", provider.StageUmount, "the `STAGE` after which Ready is reported, - for none")
	if err := parse(s, flags, args, 0); err != nil {
		return err
	}
	failing, fault, ok := strings.Cut(f.fail, "=")
	if f.fail != "" && (!ok || !slices.Contains(provider.Stages(), failing)) {
		return usagef("--fail: want STAGE=ERROR; the stages are %s", strings.Join(provider.Stages(), ", "))
	}
	var sources []provider.Source
	for source := range strings.SplitSeq(f.order, ",") {
		sources = append(sources, provider.Source(source))
	}
	// Wrong ones are told before the platform is looked for.
	if _, err := provider.New(&provider.Options{Sources: sources, ReadyAfter: f.readyAfter}); err != nil {
		return usagef("%v", err)
	}
	if err := f.platform.open(ctx); err != nil {
		return err
	}
	defer f.platform.close()
	p, err := provider.New(&provider.Options{
		Sources: sources, ReadyAfter: f.readyAfter, IMDS: f.platform.imds, WireServer: f.platform.wireServer,
		Medium: f.platform.readMedium, Sysfs: f.platform.sysfs, AgentName: "Ignition/2.27.0",
	})
	if err != nil {
		return err
	}
	e := &engine{streams: s, provider: p, failing: failing, fault: fault}
	err = e.run()
	if fabric := f.platform.fabric; fabric != nil {
		for _, report := range fabric.Reports() {
			fmt.Fprintln(s.out, strings.TrimSpace("accepted: "+string(report.State)+" "+report.Description))
		}
	}
	return err
}

// engine is what calls the provider in Ignition: its main, once per stage.
type engine struct {
	*streams
	provider provider.Provider
	failing  string
	fault    string
}

// run runs the stages until one fails, each with what Ignition's main does after it.
func (e *engine) run() error {
	for _, stage := range provider.Stages() {
		started := time.Now()
		f := provider.Fetcher{Logger: e, Offline: stage == provider.StageFetchOffline}
		err := e.stage(stage, &f)
		took := time.Since(started).Round(time.Millisecond)
		if statusErr := e.provider.Status(stage, f, err); statusErr != nil {
			fmt.Fprintf(e.err, "stage %s: POST Status error: %v\n", stage, statusErr)
		}
		if err != nil {
			return fmt.Errorf("stage %s failed: %w", stage, err)
		}
		fmt.Fprintf(e.out, "stage %-13s passed in %s\n", stage, took)
	}
	return nil
}

// stage fetches the config in the fetch stages; the others have nothing to apply here.
func (e *engine) stage(name string, f *provider.Fetcher) error {
	if name == e.failing {
		return errors.New(e.fault)
	}
	if !strings.HasPrefix(name, "fetch") {
		return nil
	}
	_, report, err := e.provider.Fetch(f)
	for _, entry := range report.Entries {
		f.Logger.Info("%v", entry)
	}
	switch {
	case errors.Is(err, ignition.ErrEmpty):
		f.Logger.Info("%v: ignoring user-provided config", err)
		return nil
	case errors.Is(err, provider.ErrNeedNet) && f.Offline:
		f.Logger.Info("failed to fetch config: %v", err)
		return nil // the network is asked for
	}
	return err
}

// Info implements provider.Logger.
func (e *engine) Info(format string, a ...any) { fmt.Fprintf(e.out, "  "+format+"\n", a...) }

// Debug implements provider.Logger.
func (e *engine) Debug(string, ...any) {}
