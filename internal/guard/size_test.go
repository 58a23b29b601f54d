package guard

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// withoutSize lists the packages that need no ceiling, and why.
var withoutSize = map[string]string{}

// TestSizeOfMinimalImporter links a program that really calls the package, for
// each public package, and compares its size with the ceiling.
func TestSizeOfMinimalImporter(t *testing.T) {
	t.Parallel()
	needsToolchain(t)
	watchSources(t)
	bin := t.TempDir()
	for _, row := range Importers {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			size, err := Build(t.Context(), moduleRoot, row.Program(), bin)
			if err != nil {
				t.Fatal(err)
			}
			checkSize(t, size, row.Measured)
		})
	}
}

// checkSize fails the test if the size is more than a tenth above the measured one: room
// for fixes, not for a library.
func checkSize(t *testing.T, size, measured int64) {
	t.Helper()
	switch ceiling := measured + measured/10; {
	case measured == 0:
		t.Errorf("no figure yet; measured: %d", size)
	case size > ceiling:
		t.Errorf("%d bytes, %.1f %% over the %d measured first; the ceiling is %d",
			size, 100*float64(size-measured)/float64(measured), measured, ceiling)
	default:
		t.Logf("%d bytes; the ceiling is %d", size, ceiling)
	}
}

// needsToolchain skips the test with a toolchain that the figures are not of.
func needsToolchain(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("links a program for each package, which takes long with a cold cache")
	}
	toolchain := strings.TrimSpace(string(runGo(t, "env", "GOVERSION")))
	if toolchain != MeasuredWith && !strings.HasPrefix(toolchain, MeasuredWith+".") {
		t.Skipf("the ceilings were measured with %s; this is %s", MeasuredWith, toolchain)
	}
}

// TestSizeOfExamples compares the commands in examples, those of nested modules too, with
// docs/size.md.
func TestSizeOfExamples(t *testing.T) {
	t.Parallel()
	needsToolchain(t)
	told := toldSizes(t)
	bin := t.TempDir()
	for _, program := range examples(t) {
		t.Run(program.Name, func(t *testing.T) {
			t.Parallel()
			size, err := Build(t.Context(), moduleRoot, program, bin)
			if err != nil {
				t.Fatal(err)
			}
			checkSize(t, size, told[program.Name])
		})
	}
}

// TestSizesAreTold fails for a package or an example that docs/size.md does not name, and
// for one that it names and that is not there.
func TestSizesAreTold(t *testing.T) {
	t.Parallel()
	told := toldSizes(t)
	var want []string
	for _, row := range Importers {
		want = append(want, row.Dir)
	}
	for _, program := range examples(t) {
		want = append(want, program.Name)
	}
	for _, name := range want {
		if told[name] < 1_000_000 {
			t.Errorf("docs/size.md has no size of %s; \"go run ./internal/cmd/size\" prints the whole file", name)
		}
	}
	if len(told) != len(want) {
		t.Errorf("docs/size.md has %d sizes, want those of %v", len(told), want)
	}
}

func examples(t *testing.T) []Program {
	t.Helper()
	watchSources(t)
	programs, err := Examples(os.DirFS(moduleRoot))
	if err != nil || len(programs) < 2 {
		t.Fatal(programs, err)
	}
	return programs
}

// toldSizes are the sizes in docs/size.md by what they are of.
func toldSizes(t *testing.T) map[string]int64 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(moduleRoot, "docs", "size.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int64{}
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(line, "|") // "", name, bytes, …
		if len(cells) < 4 {
			continue
		}
		digits := strings.ReplaceAll(strings.TrimSpace(cells[2]), ",", "")
		if size, err := strconv.ParseInt(digits, 10, 64); err == nil {
			told[strings.Trim(strings.TrimSpace(cells[1]), "`")] = size
		}
	}
	return told
}

// TestExamplesAreFound in every depth and module, and nothing else.
func TestExamplesAreFound(t *testing.T) {
	t.Parallel()
	source := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	got, err := Examples(fstest.MapFS{
		"examples/one/main.go":             source("// Command one is one.\npackage main\n"),
		"examples/one/more.go":             source("package main\n"),
		"examples/nested/go.mod":           source("module example.test/nested\n"),
		"examples/nested/lib.go":           source("package nested\n"),
		"examples/nested/cmd/two/main.go":  source("package main\n"),
		"examples/units/a.service":         source("[Unit]\n"),
		"examples/tests/main_test.go":      source("package main\n"),
		"examples/one/testdata/x/main.go":  source("package main\n"),
		"examples/one/tool.go":             source("//go:build ignore\n\npackage tool\n"),
		"internal/cmd/none/main.go":        source("package main\n"),
		"examples/nested/_old/old/main.go": source("package main\n"),
	})
	want := []Program{
		{Name: "examples/nested/cmd/two", Module: "examples/nested", Package: "./cmd/two"},
		{Name: "examples/one", Module: ".", Package: "./examples/one"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestEveryPublicPackageHasASize fails for a package that importers can see and
// that has no row.
func TestEveryPublicPackageHasASize(t *testing.T) {
	t.Parallel()
	out := string(runGo(t, "list", "-f", "{{.ImportPath}} {{.Name}}", "./..."))
	for line := range strings.Lines(out) {
		path, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		dir, ok := relative(path)
		if !ok || name == "main" || slices.Contains(strings.Split(dir, "/"), "internal") {
			continue
		}
		if _, listed := withoutSize[dir]; listed {
			continue
		}
		if !slices.ContainsFunc(Importers, func(row Importer) bool { return row.Dir == dir }) {
			t.Errorf("package %s has neither a size nor a reason to have none in size_test.go", dir)
		}
	}
}
