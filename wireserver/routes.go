package wireserver

import (
	"bufio"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const (
	// routesFile is Linux's table of IPv4 routes (proc_net(5)); other systems have none.
	routesFile = "proc/net/route"
	// maxRoutes bounds what is read of it, some 10,000 lines of 128 bytes.
	maxRoutes = 1 << 20
	// publicRoute is 168.63.129.16 there: hexadecimal, the last byte first, because all of
	// Azure's processors are little-endian.
	publicRoute = "10813FA8"
	// routeUp and routeReject are flags (RTF_UP and RTF_REJECT in linux/route.h).
	routeUp     = 0x1
	routeReject = 0x200
)

// routedInterface looks for a route that names the public wire server, as its destination
// or, as WALinuxAgent takes it too, as its gateway. The default route is none: it says
// nothing about what is behind it.
func routedInterface(root fs.FS) (name string, ok bool) {
	f, err := root.Open(routesFile)
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(io.LimitReader(f, maxRoutes))
	for lines.Scan() {
		// Iface Destination Gateway Flags, and more.
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.EqualFold(fields[1], publicRoute) && !strings.EqualFold(fields[2], publicRoute) {
			continue
		}
		flags, err := strconv.ParseUint(fields[3], 16, 32)
		if err == nil && flags&routeUp != 0 && flags&routeReject == 0 {
			return fields[0], true
		}
	}
	return "", false
}

// addressOf returns the address that a URL has for its host, if it is one.
func addressOf(base string) netip.Addr {
	u, err := url.Parse(base)
	if err != nil {
		return netip.Addr{}
	}
	address, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return netip.Addr{}
	}
	return address
}
