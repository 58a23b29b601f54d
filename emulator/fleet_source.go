package emulator

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// statusStranger answers a request that is no VM's. No service of Azure's has it, and agents
// do not take it for one of the answers that they know.
const statusStranger = http.StatusMisdirectedRequest

// IMDS returns the Instance Metadata Service of all VMs: the address that a request comes
// from (http.Request.RemoteAddr) says whose it is. What [Fabric.IMDS] says holds for it too.
func (f *Fleet) IMDS() http.Handler { return f.handler(ServiceIMDS) }

// WireServer is as [Fleet.IMDS], for the wire server.
func (f *Fleet) WireServer() http.Handler { return f.handler(ServiceWireServer) }

// HostGA is as [Fleet.IMDS], for the HostGAPlugin.
func (f *Fleet) HostGA() http.Handler { return f.handler(ServiceHostGA) }

func (f *Fleet) handler(service Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		fabric, wrong := f.caller(r.RemoteAddr)
		switch {
		case fabric == nil:
			f.refuse(w, r, service, wrong, started)
		case f.silent(fabric, service, started):
			abort(w)
		default:
			fabric.handler(service).ServeHTTP(w, r)
		}
	})
}

// silent reports whether nothing listens for that VM, though for others something does.
func (f *Fleet) silent(fabric *Fabric, service Service, now time.Time) bool {
	absent, refused := fabric.outage(service)
	if absent || refused == 0 {
		return absent
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return now.Sub(f.since) < refused
}

// caller returns the VM that has the address, and gives an address that is new the next VM.
// Without one, wrong says why.
func (f *Fleet) caller(remote string) (fabric *Fabric, wrong string) {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return nil, "no VM: the request has no address"
	}
	source := at.Addr().Unmap().WithZone("")
	f.mu.RLock()
	if number, ok := f.bySource[source]; ok {
		fabric = f.members[number].fabric
	}
	f.mu.RUnlock()
	if fabric != nil {
		return fabric, ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	number, ok := f.bySource[source]
	switch {
	case ok:
	case len(f.options.Sources) > 0:
		return nil, fmt.Sprintf("no VM for %s: it is none of the fleet's addresses", source)
	default:
		if number, ok = f.free(); !ok {
			return nil, fmt.Sprintf("no VM for %s: all %d are taken", source, len(f.members))
		}
		f.bind(source, number)
	}
	return f.make(number), ""
}

// free returns the next VM that has no address. Fleet.mu is held.
func (f *Fleet) free() (number int, ok bool) {
	for f.next < len(f.members) && f.members[f.next].source.IsValid() {
		f.next++
	}
	return f.next, f.next < len(f.members)
}

// bind makes source the address of a VM; it is false if it is taken. Fleet.mu is held, or
// nobody else has the fleet.
func (f *Fleet) bind(source netip.Addr, number int) bool {
	source = source.Unmap().WithZone("")
	if _, taken := f.bySource[source]; taken {
		return false
	}
	f.bySource[source] = number
	f.members[number].source = source
	return true
}

// refuse answers a stranger, and writes that down.
func (f *Fleet) refuse(w http.ResponseWriter, r *http.Request, service Service, wrong string, started time.Time) {
	req := readRequest(r)
	entry := f.strays.newEntry(service, req, started)
	resp := response{
		status: statusStranger,
		header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
		body:   []byte("azprov emulator: " + wrong + "\n"),
	}
	f.strays.record(entry, resp, []string{wrong})
	send(w, resp, nil)
}
