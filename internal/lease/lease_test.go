package lease_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/lease"
)

func TestReachesPlatform(t *testing.T) {
	t.Parallel()
	on := netip.MustParseAddr
	for _, row := range []struct {
		name       string
		lease      lease.Lease
		wireServer netip.Addr
		want       bool
	}{
		{"what Azure sends", lease.Lease{Routes: routes}, netip.Addr{}, true},
		{"no routes", lease.Lease{Router: gateway}, netip.Addr{}, false},
		{"the default route alone", lease.Lease{Routes: routes[:1]}, netip.Addr{}, false},
		{"the wire server alone, as on Azure Stack", lease.Lease{Routes: routes[:2]}, netip.Addr{}, true},
		{"IMDS alone", lease.Lease{Routes: routes[2:]}, netip.Addr{}, true},
		{"IMDS alone, and another wire server", lease.Lease{Routes: routes[2:]}, other, true},
		{"the public wire server, and it is another", lease.Lease{Routes: routes[1:2]}, other, false},
		{"the public wire server, and the lease has another", lease.Lease{Routes: routes[1:2], WireServer: other}, netip.Addr{}, false},
		{"another wire server, by the lease", lease.Lease{Routes: []lease.Route{route("10.62.144.140/32")}, WireServer: other}, netip.Addr{}, true},
		{"another wire server, by the caller", lease.Lease{Routes: []lease.Route{route("10.62.144.140/32")}}, other, true},
		{"the caller goes before the lease", lease.Lease{Routes: []lease.Route{route("10.62.144.140/32")}, WireServer: other}, wire, false},
		{"an address in IPv6's clothes", lease.Lease{Routes: routes[1:2]}, on("::ffff:168.63.129.16"), true},
		{"the network around IMDS", lease.Lease{Routes: []lease.Route{route("169.254.0.0/16")}}, netip.Addr{}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := row.lease.ReachesPlatform(row.wireServer); got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}

func TestPublicWireServer(t *testing.T) {
	t.Parallel()
	if got := "http://" + lease.PublicWireServer.String(); got != azprov.WireServerEndpoint {
		t.Errorf("%s, want %s", got, azprov.WireServerEndpoint)
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name    string
		expires time.Time
		want    bool
	}{
		{"without an end", time.Time{}, true},
		{"ends later", now.Add(time.Second), true},
		{"ends now", now, false},
		{"ended", now.Add(-time.Second), false},
		{"an end that cannot be read", time.Unix(0, 0), false},
	} {
		l := lease.Lease{Expires: row.expires}
		if got := l.Valid(now); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
