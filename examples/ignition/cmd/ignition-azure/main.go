// Command ignition-azure shows what this SDK would do in Ignition: it runs the platform
// provider as Ignition's main does, renders what Azure says of the machine as fragments of
// Ignition config, and says what Ignition would make of these.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/azprov/azprov"
)

// The exit codes, as in usage.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `ignition-azure shows Ignition on Azure with this SDK.

  ignition-azure run    [flags]      the stages of Ignition, with the provider; they apply nothing
  ignition-azure render [flags]      fragments for base.platform.d/azure, to print or to write
  ignition-azure lint   [flags] DIR  what Ignition would drop of them, and the user overrides

ignition-azure VERB --help has the flags. Exit codes: 0 done, 1 failed or refused, 2 usage.
`

// verbs are what the program can do. Each parses its own flags.
var verbs = map[string]func(context.Context, *streams, []string) error{
	"run": runVerb, "render": renderVerb, "lint": lintVerb,
}

// streams are those of the program.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is a mistake on the command line.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// errRefused: it was printed what is wrong.
var errRefused = errors.New("refused")

func main() {
	os.Exit(command(context.Background(), &streams{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

func command(ctx context.Context, s *streams, args []string) int {
	if len(args) == 0 || strings.TrimLeft(args[0], "-") == "help" || args[0] == "-h" {
		fmt.Fprint(s.out, usage)
		return exitDone
	}
	verb, ok := verbs[args[0]]
	if !ok {
		fmt.Fprintf(s.err, "ignition-azure: there is no verb %q: run, render or lint\n", args[0])
		return exitUsage
	}
	err := verb(ctx, s, args[1:])
	var mistake usageError
	var known *azprov.Error
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errRefused):
		return exitFailed
	case errors.As(err, &mistake):
		fmt.Fprintf(s.err, "ignition-azure %s: %v\n", args[0], err)
		return exitUsage
	}
	fmt.Fprintf(s.err, "ignition-azure %s: %v\n", args[0], err)
	if errors.As(err, &known) && known.Hint != "" && !strings.Contains(err.Error(), known.Hint) {
		fmt.Fprintf(s.err, "  %s\n", known.Hint)
	}
	return exitFailed
}

// parse reads the flags of a verb; at most arguments may follow them.
func parse(s *streams, flags *flag.FlagSet, args []string, arguments int) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(s.out, "ignition-azure %s [flags]\n\n", flags.Name())
		flags.SetOutput(s.out)
		flags.PrintDefaults()
		return err
	case err != nil:
		return usagef("%v", err)
	case flags.NArg() > arguments:
		return usagef("stray argument %q", flags.Arg(arguments))
	}
	return nil
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}
