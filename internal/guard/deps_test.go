package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// A ban keeps packages out of the programs that import the banning one.
type ban struct {
	// patterns as [matches] has them.
	patterns []string
	reason   string
}

var (
	noHTTP = ban{
		patterns: []string{"net/http/..."},
		reason:   "it makes a 1.9 MB program one of 5.8 MB; who needs only this package needs no client",
	}
	noZap = ban{
		patterns: []string{"go.uber.org/zap/..."},
		reason:   "zap links net/http; parsers return warnings as data",
	}
	noAzcore = ban{
		patterns: []string{"github.com/Azure/azure-sdk-for-go/..."},
		reason:   "the HTTP pipeline belongs to the clients alone",
	}
	noEtree = ban{
		patterns: []string{"github.com/beevik/etree/..."},
		reason:   "nothing here reads XML, and etree with encoding/xml is 180 KB",
	}
	noIMDS = ban{
		patterns: []string{modulePath + "/imds/..."},
		reason:   "the clients do not know each other: who needs one service links one client",
	}
	noWireServer = ban{
		patterns: []string{modulePath + "/wireserver/..."},
		reason:   "the clients do not know each other: who needs one service links one client",
	}
	emulatorSharesNothing = ban{
		patterns: []string{modulePath + "/imds/...", modulePath + "/wireserver/...", modulePath + "/provision/..."},
		reason:   "the emulator must not share the mistakes of what it is to test",
	}
	upward = ban{
		patterns: []string{modulePath + "/provision/...", modulePath + "/pps/..."},
		reason:   "imports go down: provision uses this package",
	}
	noEmulator = ban{
		patterns: []string{modulePath + "/emulator/..."},
		reason:   "the emulator is for tests and demonstrations",
	}
	noNetworkSetup = ban{
		patterns: []string{modulePath + "/ephemeral/...", "github.com/insomniacslk/...", "github.com/vishvananda/...", "github.com/mdlayher/..."},
		reason:   "the network is the caller's choice; only package ephemeral and the lab configure one",
	}
	// onlyNetworkSetup is for package ephemeral itself.
	onlyNetworkSetup = ban{
		patterns: []string{
			modulePath + "/provision/...", modulePath + "/pps/...", modulePath + "/ovf/...", modulePath + "/goalstate/...",
			modulePath + "/imds/...", modulePath + "/wireserver/...", modulePath + "/emulator/...",
			"github.com/Azure/...", "github.com/beevik/...",
		},
		reason: "a network is brought up without knowing what for; programs that have one link nothing of it",
	}
	noCommandLine = ban{
		patterns: []string{"github.com/spf13/...", "golang.org/x/term/...", "go.yaml.in/...", modulePath + "/examples/..."},
		reason:   "command lines, terminals and what people write for them live in examples",
	}
	noTestCode = ban{
		patterns: []string{"testing", "net/http/httptest/...", "github.com/google/go-cmp/..."},
		reason:   "test code registers flags in the importing program, and weighs",
	}
	noTOML = ban{
		patterns: []string{"github.com/BurntSushi/..."},
		reason:   "configuration files are the examples' business",
	}
	noTemplates = ban{
		patterns: []string{"text/template/...", "html/template/..."},
		reason:   "calling methods by name switches off the linker's removal of unused ones, in the whole program",
	}
	noIgnition = ban{
		patterns: []string{"github.com/coreos/..."},
		reason:   "only the nested module examples/ignition may need Ignition",
	}
)

// everywhere holds for every package but the examples and what is for tests only.
var everywhere = []ban{noNetworkSetup, noCommandLine, noTestCode, noTemplates, noIgnition, noTOML}

// parser is for packages that turn bytes into values.
var parser = []ban{noHTTP, noZap, noAzcore, noIMDS, noWireServer, upward, noEmulator}

type layoutRow struct {
	// dir is the package's directory from the module's root.
	dir  string
	bans [][]ban
}

// layout lists every package of the root module with what may not be linked into
// a program that imports it. docs/architecture.md draws the same picture.
var layout = []layoutRow{
	{".", [][]ban{everywhere, parser, {noEtree, ban{
		patterns: []string{modulePath + "/..."},
		reason:   "the root is what all packages share; it imports none of them",
	}}}},
	{"internal/atomicfile", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/ber", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/boundtest", [][]ban{{noNetworkSetup, noCommandLine, noIgnition, noEtree}}}, // for tests
	{"internal/cms", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/cmd/size", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/discfs", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/discimage", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/e2e", [][]ban{everywhere, parser, {noEtree}}},         // tests alone
	{"internal/conformance", [][]ban{everywhere, parser, {noEtree}}}, // tests alone
	{"internal/guard", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/iso9660", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/lease", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/link", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/mediatest", [][]ban{{noNetworkSetup, noCommandLine, noIgnition}}}, // for tests
	{"internal/memlinks", [][]ban{{noNetworkSetup, noCommandLine, noIgnition}}},
	{"internal/memnet", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/nearest", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/pfx", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/programtest", [][]ban{{noNetworkSetup, noCommandLine, noIgnition, noEtree}}}, // for tests
	{"internal/record", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/sha512crypt", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/udf", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/unitfailure", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/xmldoc", [][]ban{everywhere, parser}},
	{"internal/wait", [][]ban{everywhere, parser, {noEtree}}},
	{"internal/retry", [][]ban{everywhere, {noEtree, noIMDS, noWireServer, upward, noEmulator}}},
	{"internal/transport", [][]ban{everywhere, {noEtree, noIMDS, noWireServer, upward, noEmulator}}},
	{"internal/scripttest", [][]ban{{noNetworkSetup, noCommandLine, noIgnition, noEtree}}}, // for tests
	{"ovf", [][]ban{everywhere, parser}},
	{"ovf/media", [][]ban{everywhere, parser}},
	{"goalstate", [][]ban{everywhere, parser, {ban{
		patterns: []string{modulePath + "/goalstate/..."},
		reason:   "who reads a goal state need not link the certificates' cryptography",
	}}}},
	{"goalstate/certs", [][]ban{everywhere, parser}},
	{"report", [][]ban{everywhere, parser, {noEtree}}},
	{"imds", [][]ban{everywhere, {noEtree, noWireServer, upward, noEmulator}}},
	{"wireserver", [][]ban{everywhere, {noIMDS, upward, noEmulator}}},
	{"report/crash", [][]ban{everywhere, parser, {noEtree}}},
	{"report/kvp", [][]ban{everywhere, parser, {noEtree}}},
	{"pps", [][]ban{everywhere, {noWireServer, upward, noEmulator}}},
	{"provision", [][]ban{everywhere, {noEmulator}}},
	{"ephemeral", [][]ban{{noCommandLine, noTestCode, noTemplates, noIgnition, onlyNetworkSetup}}},
	{"emulator", [][]ban{everywhere, {emulatorSharesNothing, noAzcore, noZap}}},
	{"emulator/lab", [][]ban{{emulatorSharesNothing, noAzcore, noZap, noCommandLine, noTestCode, noTemplates, noIgnition, ban{
		patterns: []string{modulePath + "/ephemeral/...", "github.com/insomniacslk/..."},
		reason:   "the lab's DHCP server must not share the mistakes of the client that it is to test",
	}}}},
	{"examples/afterburn", [][]ban{{noIgnition, noTestCode, noNetworkSetup}}},
	{"examples/azprov", [][]ban{{noIgnition, noTestCode}}},
	{"examples/azure-init", [][]ban{{noIgnition, noTestCode}}},
}

// TestForbiddenDependencies fails for a package that links a banned one, with the
// chain of imports that brought it in.
func TestForbiddenDependencies(t *testing.T) {
	t.Parallel()
	graph := loadImports(t)
	for _, row := range layout {
		t.Run(row.dir, func(t *testing.T) {
			t.Parallel()
			path := modulePath
			if row.dir != "." {
				path += "/" + row.dir
			}
			if _, ok := graph[path]; !ok {
				t.Fatalf("%s is in the layout but not in the module", path)
			}
			for _, violation := range violations(graph, path, slices.Concat(row.bans...)) {
				t.Error(violation)
			}
		})
	}
}

// TestLayoutIsComplete fails for a package of the module without a row: where it
// belongs is to be decided when it is made.
func TestLayoutIsComplete(t *testing.T) {
	t.Parallel()
	for path := range loadImports(t) {
		dir, ok := relative(path)
		if !ok {
			continue
		}
		if !slices.ContainsFunc(layout, func(row layoutRow) bool { return row.dir == dir }) {
			t.Errorf("package %s has no row in the layout of deps_test.go", dir)
		}
	}
}

// TestViolationsAreFound keeps the guard itself honest, on an invented graph with
// one violation and one name that only looks like one.
func TestViolationsAreFound(t *testing.T) {
	t.Parallel()
	graph := map[string][]string{
		"a": {"c", "b"}, "b": {"net/http/httptrace"}, "c": {"b", "net/httpx"},
		"net/http/httptrace": {"net/http/internal"},
	}
	got := violations(graph, "a", []ban{noHTTP, noZap})
	want := "links a → b → net/http/httptrace: " + noHTTP.reason
	if len(got) != 1 || got[0] != want {
		t.Errorf("violations = %q, want only %q", got, want)
	}
}

// violations describes, for each ban that start breaks, the nearest banned package.
// What that one links in its turn would only repeat it.
func violations(graph map[string][]string, start string, bans []ban) []string {
	var found []string
	order, from := reach(graph, start)
	for _, b := range bans {
		banned := func(path string) bool {
			return slices.ContainsFunc(b.patterns, func(p string) bool { return matches(p, path) })
		}
		if i := slices.IndexFunc(order, banned); i >= 0 {
			found = append(found, "links "+chain(from, start, order[i])+": "+b.reason)
		}
	}
	return found
}

// reach lists every package that start links, nearest first, and maps each to one
// that imports it on a shortest way.
func reach(graph map[string][]string, start string) (order []string, from map[string]string) {
	from = map[string]string{start: ""}
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		for _, next := range graph[queue[0]] {
			if _, seen := from[next]; !seen {
				from[next] = queue[0]
				order = append(order, next)
				queue = append(queue, next)
			}
		}
	}
	return order, from
}

func chain(from map[string]string, start, end string) string {
	steps := []string{end}
	for at := end; at != start; {
		at = from[at]
		steps = append(steps, at)
	}
	slices.Reverse(steps)
	return strings.Join(steps, " → ")
}

// loadImports maps every package of the module, and every package that one of
// them links, to its imports.
func loadImports(t *testing.T) map[string][]string {
	t.Helper()
	out := runGo(t, "list", "-deps", "-json=ImportPath,Imports", "./...")
	graph := make(map[string][]string)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return graph
		}
		if err != nil {
			t.Fatal(err)
		}
		graph[p.ImportPath] = p.Imports
	}
}
