package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		Long:    "Prints the version of the SDK, of Go, and the platform that the command was built for.",
		Example: "  azprov version --output json",
		Args:    noArguments, Annotations: map[string]string{annotationAction: "print the version"},
		RunE: func(*cobra.Command, []string) error { return a.runVersion() },
	}
}

func (a *app) runVersion() error {
	document := struct {
		Version  string `json:"version"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{azprov.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	return a.print(document, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "azprov %s (%s, %s)\n", document.Version, document.Go, document.Platform)
	})
}
