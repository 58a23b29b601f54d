// Package size guards what the provider adds to a program like Ignition, and what it may link.
package size

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// measuredWith is the toolchain of the figures; with another one they are not compared.
const measuredWith = "go1.26"

// measured is what the provider adds, in bytes, as measured first with go1.26.8:
//
//	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags='-s -w'
//
// The ceiling is that and a tenth. docs/ignition.md says what the bytes are.
var measured = []struct {
	without, with string
	bytes         int64
}{
	{"testdata/azcore", "testdata/azcore-sdk", 856_064},
	{"testdata/ignition", "testdata/ignition-provider", 1_347_584},
}

// TestSize links the programs that show it: what of azcore, encoding/xml and Ignition's parser
// others have already, once without the SDK and once with it.
func TestSize(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("links four programs, which takes long with a cold cache")
	}
	toolchain := strings.TrimSpace(run(t, "env", "GOVERSION"))
	if toolchain != measuredWith && !strings.HasPrefix(toolchain, measuredWith+".") {
		t.Skipf("the figures were measured with %s; this is %s", measuredWith, toolchain)
	}
	for _, row := range measured {
		added := size(t, row.with) - size(t, row.without)
		switch ceiling := row.bytes + row.bytes/10; {
		case row.bytes == 0:
			t.Errorf("%s: no figure yet; measured: %d", row.with, added)
		case added > ceiling:
			t.Errorf("%s adds %d bytes; it was %d, and the ceiling is %d", row.with, added, row.bytes, ceiling)
		default:
			t.Logf("%s adds %d bytes; the ceiling is %d", row.with, added, ceiling)
		}
	}
}

// TestOfTheAzureSDK: azcore, and what that needs, is all of it.
func TestOfTheAzureSDK(t *testing.T) {
	t.Parallel()
	azcore := false
	for dependency := range strings.Lines(run(t, "list", "-deps", "github.com/azprov/azprov/examples/ignition/provider")) {
		dependency = strings.TrimSpace(dependency)
		const sdk = "github.com/Azure/azure-sdk-for-go/sdk/"
		azcore = azcore || dependency == sdk+"azcore"
		foreign := strings.HasPrefix(dependency, "github.com/Azure") && !strings.HasPrefix(dependency, sdk+"azcore") && !strings.HasPrefix(dependency, sdk+"internal/")
		if foreign || strings.HasPrefix(dependency, "github.com/azprov/azprov/emulator") || strings.HasPrefix(dependency, "github.com/azprov/azprov/provision") {
			t.Errorf("the provider links %s", dependency)
		}
	}
	if !azcore {
		t.Error("the provider does not link azcore: the list is another's")
	}
}

func size(t *testing.T, program string) int64 {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	run(t, "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./"+program)
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOEXPERIMENT=", "GOWORK=off")
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
