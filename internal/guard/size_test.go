package guard

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// measuredWith is the toolchain of the figures below. Another one makes programs
// of another size, so with another one they are not compared.
const measuredWith = "go1.26"

// sizes lists the minimal importer of each public package, testdata/size/NAME,
// with its size in bytes as first measured on 2026-11-23 with go1.26.8:
//
//	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags='-s -w'
//
// The ceiling is that and a tenth. Raise a figure only together with the line of
// CHANGELOG.md that tells importers what they get for it. A figure of 0 fails and
// prints what to write here.
var sizes = []sizeRow{
	{name: "root", dir: ".", measured: 1_777_826},
	{name: "ovf", dir: "ovf", measured: 2_445_474},
	{name: "media", dir: "ovf/media", measured: 2_801_826},
	{name: "goalstate", dir: "goalstate", measured: 2_162_850},
	{name: "certs", dir: "goalstate/certs", measured: 3_883_170},
	{name: "report", dir: "report", measured: 1_839_266},
	{name: "imds", dir: "imds", measured: 7_274_658},
	{name: "wireserver", dir: "wireserver", measured: 7_401_634},
	{name: "crash", dir: "report/crash", measured: 1_908_898},
	{name: "kvp", dir: "report/kvp", measured: 2_121_890},
	{name: "pps", dir: "pps", measured: 7_590_050},
	{name: "provision", dir: "provision", measured: 8_835_234},
	{name: "ephemeral", dir: "ephemeral", measured: 4_522_146},
	{name: "emulator", dir: "emulator", measured: 7_393_442},
	{name: "lab", dir: "emulator/lab", measured: 7_479_458},
}

type sizeRow struct {
	// name is the directory below testdata/size.
	name string
	// dir is the package that it imports, from the module's root.
	dir      string
	measured int64
}

// withoutSize lists the packages that need no ceiling, and why.
var withoutSize = map[string]string{}

// ceiling is the measured size and a tenth: room for fixes, not for a library.
func (r sizeRow) ceiling() int64 { return r.measured + r.measured/10 }

// TestSizeOfMinimalImporter links a program that really calls the package, for
// each public package, and compares its size with the ceiling.
func TestSizeOfMinimalImporter(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("links a program for each package, which takes long with a cold cache")
	}
	toolchain := strings.TrimSpace(string(runGo(t, "env", "GOVERSION")))
	if toolchain != measuredWith && !strings.HasPrefix(toolchain, measuredWith+".") {
		t.Skipf("the ceilings were measured with %s; this is %s", measuredWith, toolchain)
	}
	bin := t.TempDir()
	args := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", bin + string(filepath.Separator)}
	for _, row := range sizes {
		args = append(args, "./internal/guard/testdata/size/"+row.name)
	}
	runGo(t, args...)
	for _, row := range sizes {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			info, err := os.Stat(filepath.Join(bin, row.name))
			if err != nil {
				t.Fatal(err)
			}
			switch size := info.Size(); {
			case row.measured == 0:
				t.Errorf("no figure yet; measured: %d", size)
			case size > row.ceiling():
				t.Errorf("%d bytes, %.1f %% over the %d measured first; the ceiling is %d",
					size, 100*float64(size-row.measured)/float64(row.measured), row.measured, row.ceiling())
			default:
				t.Logf("%d bytes; the ceiling is %d", size, row.ceiling())
			}
		})
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
		if !slices.ContainsFunc(sizes, func(row sizeRow) bool { return row.dir == dir }) {
			t.Errorf("package %s has neither a size nor a reason to have none in size_test.go", dir)
		}
	}
}
