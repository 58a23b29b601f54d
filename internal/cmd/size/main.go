// Command size measures the minimal importer of each public package and each example, and
// prints docs/size.md:
//
//	go run ./internal/cmd/size >docs/size.md
//
// It is run in the module's root, and builds what internal/guard compares.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/azprov/azprov/internal/guard"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1) //nolint:gocritic // Nothing is left to be undone.
	}
}

// run writes the document when everything is built, so that a failure leaves none.
func run(ctx context.Context, out, progress io.Writer) error {
	examples, err := guard.Examples(os.DirFS("."))
	if err != nil {
		return fmt.Errorf("%w (run it in the module's root)", err)
	}
	toolchain, err := guard.Toolchain(ctx, ".")
	if err != nil {
		return err
	}
	var importers []guard.Program
	for _, importer := range guard.Importers {
		importers = append(importers, importer.Program())
	}
	bin, err := os.MkdirTemp("", "azprov-size-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(bin) }()
	packages, err := table(ctx, "package", importers, bin, progress)
	if err != nil {
		return err
	}
	commands, err := table(ctx, "example", examples, bin, progress)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, document, time.Now().UTC().Format(time.DateOnly), toolchain, packages, commands)
	return err
}

const document = `# Sizes

Of programs for linux/amd64, without cgo and stripped (` + "`go build -trimpath -ldflags='-s -w'`" + `),
measured on %s with %s by

` + "```sh\ngo run ./internal/cmd/size >docs/size.md\n```" + `

A test of internal/guard fails for what has grown by more than a tenth: a package since it was
first measured, an example since the date above.

A program that does no more than call the package:

%s
The examples:

%s`

// table builds the programs and returns their sizes as a table of Markdown.
func table(ctx context.Context, what string, programs []guard.Program, bin string, progress io.Writer) (string, error) {
	var text strings.Builder
	text.WriteString("| " + what + " | bytes | MB |\n| --- | ---: | ---: |\n")
	for _, program := range programs {
		fmt.Fprintln(progress, "building", program.Name)
		size, err := guard.Build(ctx, ".", program, bin)
		if err != nil {
			return "", fmt.Errorf("%s: %w", program.Name, err)
		}
		fmt.Fprintf(&text, "| `%s` | %s | %.1f |\n", program.Name, grouped(size), float64(size)/1e6)
	}
	return text.String(), nil
}

// grouped writes a number with a comma before each group of three digits.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
