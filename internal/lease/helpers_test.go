package lease_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/azprov/azprov/internal/lease"
)

// The addresses of the tests' harbour.
var (
	wire     = netip.MustParseAddr("168.63.129.16")
	other    = netip.MustParseAddr("10.62.144.140")
	gateway  = netip.MustParseAddr("10.0.0.1")
	routes   = []lease.Route{route("0.0.0.0/0"), route("168.63.129.16/32"), route("169.254.169.254/32")}
	compared = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}
)

// routesOption is routes as option 121 has them.
const routesOption = "\x00\x0a\x00\x00\x01" + "\x20\xa8\x3f\x81\x10\x0a\x00\x00\x01" + "\x20\xa9\xfe\xa9\xfe\x0a\x00\x00\x01"

func route(destination string) lease.Route {
	return lease.Route{Destination: netip.MustParsePrefix(destination), Gateway: gateway}
}

// option is an option on the wire.
func option(code byte, value string) string {
	return string([]byte{code, byte(len(value))}) + value
}

// packet is a server's packet with the options given, for 10.0.0.4.
func packet(options string) []byte {
	b := make([]byte, 240, 240+len(options))
	b[0] = 2
	copy(b[16:], "\x0a\x00\x00\x04")
	copy(b[236:], "\x63\x82\x53\x63")
	return append(b, options...)
}

// equal compares leases but for their warnings, which must hold the texts.
func equal(t *testing.T, got, want lease.Lease, warnings ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got, compared, cmpopts.IgnoreFields(lease.Lease{}, "Warnings")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	warned(t, got.Warnings, warnings...)
}

// warned wants exactly these warnings, each of which holds its text.
func warned(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("warnings %q, want %q", got, want)
	}
	for i, text := range want {
		if !strings.Contains(got[i], text) {
			t.Errorf("warning %q, want %q in it", got[i], text)
		}
	}
}

// internalDomain is the lease's domain, which must be one of Azure's for its own names: that
// of a captured lease is a stranger's VM's.
func internalDomain(t *testing.T, l lease.Lease) string {
	t.Helper()
	if !strings.HasSuffix(l.Domain, ".internal.cloudapp.net") {
		t.Errorf("domain %q", l.Domain)
	}
	return l.Domain
}

// vector reads a captured file.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("AZPROV_VECTORS")
	if dir == "" {
		t.Skip("AZPROV_VECTORS names no directory of captured documents")
	}
	b, err := os.ReadFile(filepath.Join(dir, "walinuxagent", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
