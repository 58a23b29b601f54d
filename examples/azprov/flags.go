package main

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/nearest"
)

// The values of --output.
const (
	outputText = "text"
	outputJSON = "json"
)

// choice is a flag with a closed list of values.
type choice struct {
	value string
	name  string // its placeholder in the help
	known []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return c.name }

// Set takes one of the known values.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.known, s) {
		return usagef("", "want %s", strings.Join(c.known, " or "))
	}
	c.value = s
	return nil
}

// baseURL is a flag that names a service: scheme and authority, no more.
type baseURL struct{ value string }

func (u *baseURL) String() string { return u.value }
func (u *baseURL) Type() string   { return "URL" }

// Set takes what the clients take.
func (u *baseURL) Set(s string) error {
	parsed, err := url.Parse(s)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" ||
		strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" || parsed.Fragment != "" || parsed.User != nil {
		return usagef("", "want a base URL like %s", azprov.IMDSEndpoint)
	}
	u.value = strings.TrimRight(s, "/")
	return nil
}

// scenarioName is a flag that need not have a value; pflag wants a type of its own
// for the placeholder.
type scenarioName struct{ value string }

func (n *scenarioName) String() string { return n.value }
func (n *scenarioName) Type() string   { return "NAME|FILE" }

// Set takes what is not empty, as a shell variable may be.
func (n *scenarioName) Set(s string) error {
	if s == "" {
		return usagef("azprov emulate --list names the scenarios", "want the name of a scenario or a file")
	}
	n.value = s
	return nil
}

// directory is a flag for a place to write to.
type directory struct{ value string }

func (d *directory) String() string { return d.value }
func (d *directory) Type() string   { return "DIR" }

// Set refuses the values of --output, which is easily taken for --out.
func (d *directory) Set(s string) error {
	switch s {
	case "":
		return usagef("", "want a directory")
	case outputText, outputJSON:
		return usagef("", "want a directory; --output %s is the form of the result, ./%s a directory", s, s)
	}
	d.value = s
	return nil
}

// address is a flag for an address to listen on.
type address struct{ value string }

func (a *address) String() string { return a.value }
func (a *address) Type() string   { return "HOST:PORT" }

// Set takes host and port; both may be empty.
func (a *address) Set(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err == nil && port != "" {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("", "want HOST:PORT, like 127.0.0.1:0 for a free port")
	}
	a.value = s
	return nil
}

// count is a flag for how many there are to be.
type count int

func (c *count) String() string {
	if *c == 0 {
		return ""
	}
	return strconv.Itoa(int(*c))
}
func (c *count) Type() string { return "N" }

// Set takes a decimal number.
func (c *count) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return usagef("", "want a number, like 20")
	}
	*c = count(n)
	return nil
}

// patience is a flag for a duration that is not negative.
type patience struct{ value *time.Duration }

func (p patience) String() string {
	if p.value == nil || *p.value == 0 {
		return "0"
	}
	return p.value.String()
}
func (p patience) Type() string { return "DURATION" }

// Set takes what time.ParseDuration does.
func (p patience) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return usagef("", "want a duration like 30s, 5m or 0")
	}
	*p.value = d
	return nil
}

// agentName is a flag whose value goes into a header and a report.
type agentName struct{ value string }

func (n *agentName) String() string { return n.value }
func (n *agentName) Type() string   { return "NAME" }

// Set takes printable ASCII without "|", which separates the fields of a report.
func (n *agentName) Set(s string) error {
	unfit := func(r rune) bool { return r < ' ' || r > '~' || r == '|' }
	if strings.TrimSpace(s) == "" || strings.ContainsFunc(s, unfit) {
		return usagef("", "want printable ASCII without |, like agent/1.0")
	}
	n.value = s
	return nil
}

// flagError turns pflag's words into ours, and suggests the flag that was meant.
func flagError(command *cobra.Command, err error) error {
	text := err.Error()
	name, isUnknown := strings.CutPrefix(text, "unknown flag: --")
	if !isUnknown {
		return usagef("", "%s", text)
	}
	if meant := similarFlag(command, name); meant != "" {
		return usagef("did you mean --"+meant+"?", "unknown flag --%s", name)
	}
	return usagef("", "unknown flag --%s", name)
}

// similarFlag returns the flag of the command that is nearest to name, "" if none is
// near.
func similarFlag(command *cobra.Command, name string) string {
	var known []string
	command.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	return nearest.Word(name, known)
}

// noArguments refuses positional arguments.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("", "stray argument %q", args[0])
	}
	return nil
}

// atMostOneArgument is for verbs that can find by themselves what they work on.
func atMostOneArgument(command *cobra.Command, args []string) error {
	if len(args) > 1 {
		return noArguments(command, args[1:])
	}
	if len(args) == 1 && args[0] == "" {
		return usagef("", "the argument is empty")
	}
	return nil
}

// oneArgument wants exactly one; what names it.
func oneArgument(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || args[0] == "":
			return usagef("", "the argument %s is missing", what)
		case len(args) > 1:
			return usagef("", "stray argument %q", args[1])
		default:
			return nil
		}
	}
}
