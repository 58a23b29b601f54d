package guard

import (
	"bytes"
	"context"
	"fmt"
	goparser "go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// MeasuredWith is the toolchain of the figures below. Another one makes programs of
// another size, so with another one they are not compared.
const MeasuredWith = "go1.26"

// Importers lists the minimal importer of each public package, testdata/size/NAME,
// with its size in bytes as first measured on 2026-11-23 with go1.26.8, by [Build].
//
// The ceiling is that and a tenth. Raise a figure only together with the line of
// CHANGELOG.md that tells importers what they get for it. A figure of 0 fails and
// prints what to write here.
var Importers = []Importer{
	{Name: "root", Dir: ".", Measured: 1_777_826},
	{Name: "ovf", Dir: "ovf", Measured: 2_445_474},
	{Name: "media", Dir: "ovf/media", Measured: 2_801_826},
	{Name: "goalstate", Dir: "goalstate", Measured: 2_162_850},
	{Name: "certs", Dir: "goalstate/certs", Measured: 3_883_170},
	{Name: "report", Dir: "report", Measured: 1_839_266},
	{Name: "imds", Dir: "imds", Measured: 7_274_658},
	{Name: "wireserver", Dir: "wireserver", Measured: 7_401_634},
	{Name: "crash", Dir: "report/crash", Measured: 1_908_898},
	{Name: "kvp", Dir: "report/kvp", Measured: 2_121_890},
	{Name: "pps", Dir: "pps", Measured: 7_590_050},
	{Name: "provision", Dir: "provision", Measured: 8_835_234},
	{Name: "ephemeral", Dir: "ephemeral", Measured: 4_522_146},
	{Name: "emulator", Dir: "emulator", Measured: 7_393_442},
	{Name: "lab", Dir: "emulator/lab", Measured: 7_479_458},
}

// Importer is a program that really calls a package.
type Importer struct {
	// Name is the directory below testdata/size.
	Name string
	// Dir is the package that it imports, from the module's root.
	Dir      string
	Measured int64
}

// Program is the importer as a program to build.
func (i Importer) Program() Program {
	return Program{Name: i.Dir, Module: ".", Package: "./internal/guard/testdata/size/" + i.Name}
}

// Program is a command of this module, or of one nested in it.
type Program struct {
	// Name is what the size is of: a directory from this module's root.
	Name string
	// Module is the root of its module, from this one's; Package is the command there.
	Module, Package string
}

// Examples finds the commands below examples, in the order of their names; root is this
// module's.
func Examples(root fs.FS) ([]Program, error) {
	modules := map[string]string{".": "."} // of directories
	seen := map[string]bool{}
	var programs []Program
	err := fs.WalkDir(root, "examples", func(file string, entry fs.DirEntry, err error) error {
		dir := path.Dir(file)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), "_") || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir():
			modules[file] = modules[dir]
			if _, err := fs.Stat(root, path.Join(file, "go.mod")); err == nil {
				modules[file] = file
			}
			return nil
		case seen[dir] || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		b, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		source, err := goparser.ParseFile(token.NewFileSet(), file, b, goparser.PackageClauseOnly)
		if err != nil || source.Name.Name != "main" {
			return err
		}
		seen[dir] = true
		module := modules[dir]
		inside := strings.TrimPrefix(strings.TrimPrefix(dir, module), "/")
		programs = append(programs, Program{Name: dir, Module: module, Package: "./" + inside})
		return nil
	})
	slices.SortFunc(programs, func(a, b Program) int { return strings.Compare(a.Name, b.Name) })
	return programs, err
}

// Build links a program into the directory bin and returns its size in bytes:
//
//	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags='-s -w'
//
// root is this module's directory.
func Build(ctx context.Context, root string, p Program, bin string) (int64, error) {
	out, err := filepath.Abs(filepath.Join(bin, strings.NewReplacer("/", "-", ".", "root").Replace(p.Name)))
	if err != nil {
		return 0, err
	}
	dir := filepath.Join(root, filepath.FromSlash(p.Module))
	if _, err := goTool(ctx, dir, "build", "-trimpath", "-ldflags=-s -w", "-o", out, p.Package); err != nil {
		return 0, err
	}
	info, err := os.Stat(out)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Toolchain is the version of the go command, like go1.26.8.
func Toolchain(ctx context.Context, root string) (string, error) {
	out, err := goTool(ctx, root, "env", "GOVERSION")
	return strings.TrimSpace(string(out)), err
}

// goTool runs the go command in dir for linux/amd64 without cgo, so that the result is
// the same on every host, and returns its standard output.
func goTool(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // Its arguments are this package's.
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), //nolint:forbidigo // The go command needs its caches.
		"GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "CGO_ENABLED=0",
		"GOFLAGS=-buildvcs=false", "GOEXPERIMENT=", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}
