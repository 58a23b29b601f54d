package wireserver_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/wireserver"
)

const (
	routesHeader = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	defaultRoute = "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
	publicRoute  = "eth0\t10813FA8\t0100000A\t0007\t0\t0\t100\tFFFFFFFF\t0\t0\t0\n"
	leaseFile    = "run/systemd/netif/leases/2"
)

// file is one that was written so long ago.
func file(text string, age time.Duration) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(text), ModTime: time.Now().Add(-age)}
}

// dhclient is a lease of the other wire server on eth1, until a date.
func dhclient(expire string) string {
	return "lease {\n  interface \"eth1\";\n  option unknown-245 a:3e:90:8d;\n  expire " + expire + ";\n}\n"
}

func at(address string, source wireserver.EndpointSource) wireserver.Endpoint {
	return wireserver.Endpoint{URL: "http://" + address, Address: netip.MustParseAddr(address), Source: source}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	const networkd = "ADDRESS=10.0.0.4\nOPTION_245=0a3e908c\n"
	const other = "10.62.144.140"
	public := at("168.63.129.16", wireserver.EndpointSourceDefault)
	routed := at("168.63.129.16", wireserver.EndpointSourceRoute)
	routed.File, routed.Interface = "/proc/net/route", "eth0"
	leased := at(other, wireserver.EndpointSourceLease)
	leased.File = "/" + leaseFile
	leasedBy := at("10.62.144.141", wireserver.EndpointSourceLease)
	leasedBy.File, leasedBy.Interface = "/var/lib/dhcp/dhclient.leases", "eth1"
	routes := func(lines ...string) *fstest.MapFile { return file(routesHeader+strings.Join(lines, ""), 0) }
	for _, row := range []struct {
		name     string
		options  wireserver.DiscoverOptions
		files    fstest.MapFS
		want     wireserver.Endpoint
		warnings []string
	}{
		{"nothing says anything", wireserver.DiscoverOptions{}, nil, public, nil},
		{"an endpoint that was configured", wireserver.DiscoverOptions{Endpoint: "http://192.0.2.1:8080/", Option245: []byte("x")}, fstest.MapFS{"proc/net/route": routes(publicRoute)}, wireserver.Endpoint{URL: "http://192.0.2.1:8080", Address: netip.MustParseAddr("192.0.2.1"), Source: wireserver.EndpointSourceExplicit}, nil},
		{"an endpoint with a name", wireserver.DiscoverOptions{Endpoint: "https://harbour-01"}, nil, wireserver.Endpoint{URL: "https://harbour-01", Source: wireserver.EndpointSourceExplicit}, nil},
		{"the caller's option goes before a route", wireserver.DiscoverOptions{Option245: []byte("\x0a\x3e\x90\x8c")}, fstest.MapFS{"proc/net/route": routes(publicRoute)}, at(other, wireserver.EndpointSourceOption), nil},
		{"the caller's option as NetworkManager has it", wireserver.DiscoverOptions{Option245: []byte("0a:3e:90:8c")}, nil, at(other, wireserver.EndpointSourceOption), nil},
		{"the caller's option cannot be read", wireserver.DiscoverOptions{Option245: []byte("\x0a\x3e")}, fstest.MapFS{leaseFile: file(networkd, 0)}, leased, []string{`Option245 is passed over: option 245 is "\n>", want 4 bytes`}},
		{"an empty option is none", wireserver.DiscoverOptions{Option245: []byte{}}, nil, public, nil},
		{"a route goes before a lease", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes(defaultRoute, publicRoute), leaseFile: file(networkd, 0)}, routed, nil},
		{"no such route", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes(defaultRoute), leaseFile: file(networkd, 0)}, leased, nil},
		{"a route of small letters", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes(strings.ToLower(publicRoute))}, routed, nil},
		{"a route by way of the wire server", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes("eth0\t0000000A\t10813FA8\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n")}, routed, nil},
		{"a route with the address as its mask", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes("eth0\t0000000A\t0100000A\t0003\t0\t0\t0\t10813FA8\t0\t0\t0\n")}, public, nil},
		{"a route that is down", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes(strings.Replace(publicRoute, "0007", "0006", 1))}, public, nil},
		{"a route that refuses", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes(strings.Replace(publicRoute, "0007", "0201", 1))}, public, nil},
		{"a route whose flags are none", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes(strings.Replace(publicRoute, "0007", "up", 1))}, public, nil},
		{"a line that is cut off", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes("eth0\t10813FA8\t0100000A\n", "eth0\n", "\n")}, public, nil},
		{"a route behind more than are read", wireserver.DiscoverOptions{}, fstest.MapFS{"proc/net/route": routes(strings.Repeat("\n", 1<<20), publicRoute)}, public, nil},
		{"a lease without the option", wireserver.DiscoverOptions{}, fstest.MapFS{leaseFile: file("ADDRESS=10.0.0.4\nDNS=10.62.144.140\nSERVER_ADDRESS=10.62.144.140\n", 0)}, public, nil},
		{"the newest of two leases", wireserver.DiscoverOptions{}, fstest.MapFS{leaseFile: file(networkd, time.Minute), "var/lib/dhcp/dhclient.leases": file(dhclient("never"), 0)}, leasedBy, nil},
		{"the older one, if the newest lacks the option", wireserver.DiscoverOptions{}, fstest.MapFS{leaseFile: file("ADDRESS=10.0.0.4", 0), "var/lib/dhcp/dhclient.leases": file(dhclient("never"), time.Minute)}, leasedBy, nil},
		{"the older one, if the newest has ended", wireserver.DiscoverOptions{}, fstest.MapFS{leaseFile: file(networkd, time.Minute), "var/lib/dhcp/dhclient.leases": file(dhclient("4 2015/06/16 16:58:54"), 0)}, leased, []string{"the lease with 10.62.144.141 has ended"}},
		{"the last in a file", wireserver.DiscoverOptions{}, fstest.MapFS{"var/lib/dhcp/dhclient.leases": file("lease { option unknown-245 4:3:2:1; expire never; }\n"+dhclient("never"), 0)}, leasedBy, nil},
		{"the last in a file that has not ended", wireserver.DiscoverOptions{}, fstest.MapFS{"var/lib/dhcp/dhclient.leases": file(dhclient("never")+"lease { option unknown-245 4:3:2:1; expire 4 2015/06/16 16:58:54; }\n", 0)}, leasedBy, []string{"the lease with 4.3.2.1 has ended"}},
		{"a lease that ends later", wireserver.DiscoverOptions{}, fstest.MapFS{"var/lib/dhcp/dhclient.leases": file(dhclient("epoch "+fmt.Sprint(time.Now().Add(time.Hour).Unix())), 0)}, leasedBy, nil},
		{"a lease with oddities", wireserver.DiscoverOptions{}, fstest.MapFS{leaseFile: file("MTU=many\n"+networkd, 0)}, leased, []string{leaseFile + `: MTU is "many"`}},
		{"files that are none of a lease", wireserver.DiscoverOptions{}, fstest.MapFS{leaseFile: file("jetty", 0)}, public, []string{leaseFile + ": no lease"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.options.Root = row.files
			got, err := wireserver.Discover(t.Context(), &row.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got.Endpoint, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if len(got.Warnings) != len(row.warnings) {
				t.Fatalf("warnings %q, want %q", got.Warnings, row.warnings)
			}
			for i, text := range row.warnings {
				if !strings.Contains(got.Warnings[i], text) {
					t.Errorf("warning %q, want %q in it", got.Warnings[i], text)
				}
			}
			if _, err := wireserver.NewClient(&wireserver.ClientOptions{Endpoint: got.URL}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Without options it looks at the system's own files, and has an answer on any.
func TestDiscoverHere(t *testing.T) {
	t.Parallel()
	got, err := wireserver.Discover(t.Context(), nil)
	if err != nil || !got.Address.Is4() || !slices.Contains(wireserver.PossibleEndpointSourceValues(), got.Source) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDiscoverErrors(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	for _, row := range []struct {
		name     string
		ctx      context.Context //nolint:containedctx // A row of a table.
		endpoint string
		want     error
		text     string
	}{
		{"no base URL", t.Context(), "168.63.129.16", azprov.ErrInternal, "wireserver.Discover (://168.63.129.16): the endpoint is no base URL"},
		{"canceled", canceled, "", azprov.ErrCanceled, "wireserver.Discover: canceled by the caller"},
		{"canceled, with an endpoint", canceled, "http://192.0.2.1", azprov.ErrCanceled, "canceled"},
		{"too late", late, "", azprov.ErrTimeout, "wireserver.Discover: time ran out"},
	} {
		got, err := wireserver.Discover(row.ctx, &wireserver.DiscoverOptions{Endpoint: row.endpoint, Root: fstest.MapFS{}})
		if !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.text) || got.URL != "" {
			t.Errorf("%s: %+v, %v", row.name, got, err)
		}
	}
}

// stuck is a disk that answers after a while.
type stuck struct {
	fs.FS
	wait time.Duration
}

func (s stuck) Open(name string) (fs.File, error) {
	time.Sleep(s.wait)
	return s.FS.Open(name)
}

func TestDiscoverOnADiskThatHangs(t *testing.T) {
	const hour = time.Hour
	for _, row := range []struct {
		name   string
		wait   time.Duration // of each file
		limit  time.Duration // of the caller, none if zero
		cancel time.Duration // by the caller, never if zero
		takes  time.Duration // 0 for any
		want   error
		source wireserver.EndpointSource
	}{
		{"its own budget ends, which is no error", hour, 0, 0, 10 * time.Second, nil, wireserver.EndpointSourceDefault},
		{"the caller's deadline is before it", hour, time.Second, 0, time.Second, azprov.ErrTimeout, ""},
		{"the caller's deadline is behind it", hour, time.Minute, 0, time.Minute, azprov.ErrTimeout, ""},
		{"the caller gives up", hour, 0, 3 * time.Second, 3 * time.Second, azprov.ErrCanceled, ""},
		{"a slow one, and a caller with time", 2 * time.Second, 10 * time.Minute, 0, 0, nil, wireserver.EndpointSourceLease},
		{"a slow one, and its own budget", 2 * time.Second, 0, 0, 10 * time.Second, nil, wireserver.EndpointSourceDefault},
		{"one that is fast enough", time.Millisecond, 0, 0, 0, nil, wireserver.EndpointSourceLease},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if row.limit > 0 {
					ctx, cancel = context.WithTimeout(ctx, row.limit)
					defer cancel()
				}
				if row.cancel > 0 {
					time.AfterFunc(row.cancel, cancel)
				}
				root := stuck{fstest.MapFS{leaseFile: file("OPTION_245=0a3e908c", 0)}, row.wait}
				started := time.Now()
				got, err := wireserver.Discover(ctx, &wireserver.DiscoverOptions{Root: root})
				if took := time.Since(started); row.takes > 0 && took != row.takes {
					t.Errorf("took %v, want %v", took, row.takes)
				}
				if (row.want == nil) != (err == nil) || !errors.Is(err, row.want) || got.Source != row.source {
					t.Errorf("%+v, %v; want %q, %v", got, err, row.source, row.want)
				}
				if row.source == wireserver.EndpointSourceDefault && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "within 10s")) {
					t.Errorf("warnings %q", got.Warnings)
				}
				time.Sleep(24 * hour) // what was left behind ends
			})
		})
	}
}

func TestDiscoverWarningsAreBounded(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("lease { option unknown-245 4:3:2:1; expire soon; }\n", 100)
	got, err := wireserver.Discover(t.Context(), &wireserver.DiscoverOptions{Root: fstest.MapFS{"run/dhclient.lease": file(text, 0)}})
	if err != nil || len(got.Warnings) != 20 || got.Source != wireserver.EndpointSourceDefault {
		t.Errorf("%d warnings, %+v, %v", len(got.Warnings), got.Endpoint, err)
	}
}
