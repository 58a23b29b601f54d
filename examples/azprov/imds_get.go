package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
)

func (a *app) imdsGetCommand() *cobra.Command {
	format := choice{name: "FORMAT", known: []string{"text", "json"}}
	var version string
	command := &cobra.Command{
		Use: "get PATH", Short: "Read any path of the service",
		Long: `Reads one path below /metadata, which may be left out, and prints the body. A single
value ("leaf") needs --format text.

Without --reveal the values of userData and customData in an instance document are
redacted, and the body of a path that is not known to be harmless (tokens, attested
data, reprovision data) is not printed at all.`,
		Example: `  azprov imds get /metadata/instance/compute/location --format text
  azprov imds get loadbalancer
  azprov imds get instance/network --api-version 2021-02-01 --output json`,
		Args: oneArgument("PATH"), Annotations: map[string]string{annotationAction: "read the path"},
		RunE: func(command *cobra.Command, args []string) error {
			options := &imds.GetOptions{APIVersion: version, Format: format.value}
			if version != "" {
				if _, err := time.Parse(time.DateOnly, version); err != nil {
					return usagef("", "--api-version %q is no version, like 2021-02-01", version)
				}
			}
			return a.askIMDS(command, func(ctx context.Context, client *imds.Client) error {
				return a.runGet(ctx, client, args[0], options)
			})
		},
	}
	command.Flags().Var(&format, "format", "form of the answer: text or json (default is the service's: json)")
	command.Flags().StringVar(&version, "api-version", "", "`VERSION` to ask with (default 2023-11-15)")
	return command
}

func (a *app) runGet(ctx context.Context, client *imds.Client, path string, options *imds.GetOptions) error {
	resp, err := client.Get(ctx, path, options)
	if err != nil {
		var typed *azprov.Error
		if errors.As(err, &typed) && typed.Kind == azprov.KindMalformed && typed.Attempts == 0 {
			return usagef(typed.Hint, "PATH %q: %s", path, typed.Message)
		}
		return err
	}
	raw := resp.Raw().Reveal()
	body, ok := harmless(path, options.Format, raw)
	if a.global.reveal {
		body, ok = raw, true
	}
	var value any = azprov.Redacted
	if ok {
		value = string(body)
		if json.Valid(body) {
			value = json.RawMessage(body)
		}
	}
	document := object{{"contentType", resp.ContentType}, {"size", len(raw)}, {"body", value}}
	return a.print(document, func(w io.Writer) {
		if !ok {
			_, _ = fmt.Fprintln(w, size(azprov.NewSecret(raw)))
			a.remark("It may hold a secret; --reveal prints it.")
			return
		}
		_, _ = fmt.Fprintf(w, "%s\n", bytes.TrimRight(body, "\n"))
	})
}

// secretNames are the fields of an instance document whose values are secret, in
// lower case.
var secretNames = [...]string{"userdata", "customdata"}

func secretName(name string) bool { return slices.Contains(secretNames[:], strings.ToLower(name)) }

// harmless returns what may be shown of a body without --reveal; ok is false if that
// is nothing. The paths are listed that hold no secret; any other may.
func harmless(path, format string, body []byte) (shown []byte, ok bool) {
	segments := strings.Split(strings.Trim(strings.ToLower(path), "/"), "/")
	if segments[0] == "metadata" {
		segments = segments[1:]
	}
	if len(segments) == 0 {
		return nil, false
	}
	switch segments[0] {
	case "versions", "loadbalancer", "scheduledevents":
		return body, true
	case "instance":
	default:
		return nil, false
	}
	if slices.ContainsFunc(segments, secretName) {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var document any
	err := decoder.Decode(&document)
	_, isObject := document.(map[string]any)
	_, isList := document.([]any)
	if err == nil && (isObject || isList) && !decoder.More() {
		redactNames(document)
		indented, err := json.MarshalIndent(document, "", "  ")
		return indented, err == nil
	}
	// One value, or a list of names. In any other form it is not the service's.
	return body, format == "text"
}

// redactNames replaces the values of secret fields, empty ones excepted.
func redactNames(v any) {
	switch x := v.(type) {
	case map[string]any:
		for name, value := range x {
			if secretName(name) && value != "" && value != nil {
				x[name] = azprov.Redacted
				continue
			}
			redactNames(value)
		}
	case []any:
		for _, value := range x {
			redactNames(value)
		}
	}
}
