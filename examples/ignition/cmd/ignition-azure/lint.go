package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/azprov/azprov/examples/ignition/lint"
	"github.com/azprov/azprov/examples/ignition/render"
)

func lintVerb(_ context.Context, s *streams, args []string) error {
	flags := flag.NewFlagSet("lint", flag.ContinueOnError)
	known := render.Specs()
	knows := flags.String("knows", string(known[len(known)-1]), "the newest `VERSION` of the spec that the image's Ignition reads: 3.3.0 for Debian's 2.14")
	user := flags.String("user", "", "the user's config, a `FILE`")
	output := flags.String("output", "text", "`FORM` of the findings: text, or json, a list")
	if err := parse(s, flags, args, 1); err != nil {
		return err
	}
	spec, err := render.ParseSpec(*knows)
	switch {
	case err != nil:
		return usagef("--knows: %v", err)
	case *output != "text" && *output != "json":
		return usagef("--output: %q is neither text nor json", *output)
	case flags.NArg() == 0:
		return usagef("name the directory with the fragments, %s for example", platformDir)
	}
	options := &lint.Options{Knows: spec}
	if *user != "" {
		if options.User, err = os.ReadFile(*user); err != nil {
			return err
		}
	}
	if _, err := os.Stat(flags.Arg(0)); err != nil {
		return err
	}
	findings, err := lint.Dir(os.DirFS(flags.Arg(0)), options)
	if err != nil {
		return err
	}
	if *output == "json" {
		if findings == nil {
			findings = []lint.Finding{}
		}
		b, err := json.MarshalIndent(findings, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s\n", b)
	} else {
		printFindings(s.out, findings)
	}
	if refused(findings) {
		return errRefused
	}
	return nil
}
