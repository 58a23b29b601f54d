package wireserver

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/lease"
	"github.com/azprov/azprov/internal/transport"
	"github.com/azprov/azprov/internal/wait"
)

// discoverBudget is the default for reading some files, which takes milliseconds unless
// the disk is in trouble.
const discoverBudget = 10 * time.Second

// EndpointSource says what named the wire server. Values unknown to a program are
// possible.
type EndpointSource string

// The sources, in the order in which [Discover] asks them.
const (
	// EndpointSourceExplicit: DiscoverOptions.Endpoint.
	EndpointSourceExplicit EndpointSource = "Explicit"
	// EndpointSourceOption: DiscoverOptions.Option245.
	EndpointSourceOption EndpointSource = "Option"
	// EndpointSourceRoute: the kernel has a route to the public address.
	EndpointSourceRoute EndpointSource = "Route"
	// EndpointSourceLease: option 245 in a lease of the operating system's DHCP client.
	EndpointSourceLease EndpointSource = "Lease"
	// EndpointSourceDefault: nothing named one, so that it is the public address.
	EndpointSourceDefault EndpointSource = "Default"
)

// PossibleEndpointSourceValues returns all sources, in the order in which they are asked.
func PossibleEndpointSourceValues() []EndpointSource {
	return []EndpointSource{
		EndpointSourceExplicit, EndpointSourceOption, EndpointSourceRoute, EndpointSourceLease, EndpointSourceDefault,
	}
}

// Endpoint is where the wire server is.
type Endpoint struct {
	// URL is the base URL, for ClientOptions.Endpoint.
	URL string
	// Address is the one in URL, the zero netip.Addr if that has a name.
	Address netip.Addr
	// Source says what named it.
	Source EndpointSource
	// File is the lease or the table of routes that named it, as an absolute path; else
	// empty.
	File string
	// Interface is the network interface of that lease or route, empty if it is not known.
	Interface string
}

// DiscoverOptions holds the optional parameters of [Discover].
type DiscoverOptions struct {
	// Endpoint is a base URL that was configured, and then is the answer.
	Endpoint string
	// Option245 is the value of DHCP option 245 from the caller's own DHCP client: its 4
	// bytes, or the text that NetworkManager (private_245), systemd-networkd or dhclient
	// show. One that cannot be read gives a warning.
	Option245 []byte
	// Root is the root directory of the system whose files are read, os.DirFS("/") if nil.
	Root fs.FS
}

// DiscoverResponse is the answer of [Discover].
type DiscoverResponse struct {
	Endpoint
	// Warnings is what was odd, and how it was taken.
	Warnings []string
}

// Discover tells where the wire server is. On public Azure and its sovereign clouds it is
// always [azprov.WireServerEndpoint], which [NewClient] takes by itself: nobody there needs
// Discover. It is for fabrics with an address of their own, which only their DHCP server
// knows: Azure Stack Hub, and labs. The answer's URL goes into ClientOptions.Endpoint.
//
// It makes no request and sends no packet; a later request shows whether the answer is
// right. The first of these is the answer: DiscoverOptions.Endpoint; Option245; a route to
// 168.63.129.16 in /proc/net/route; option 245 in the leases of systemd-networkd,
// NetworkManager, dhcpcd and dhclient, the newest that has not ended; the public address.
// WALinuxAgent has the same order. Name servers are no answer. In an initramfs the leases
// may not be there yet: call it when the network is up, and again after the network
// changed.
//
// Without a deadline in ctx it reads for 10 s at most; what could not be read by then is
// left out, with a warning. Nothing is retried. Reading takes no root, except where a
// client keeps its leases to itself: those are passed over with a warning, or, in a
// directory that may not be listed, without.
//
// Errors: Internal (DiscoverOptions.Endpoint is no base URL), Canceled and Timeout (ctx
// ended). That nothing names a wire server is none.
func Discover(ctx context.Context, options *DiscoverOptions) (DiscoverResponse, error) {
	const op = "wireserver.Discover"
	if options == nil {
		options = &DiscoverOptions{}
	}
	if err := ctx.Err(); err != nil {
		return DiscoverResponse{}, wait.Ended(op, "", err)
	}
	if options.Endpoint != "" {
		url, err := transport.CheckEndpoint(op, options.Endpoint)
		if err != nil {
			return DiscoverResponse{}, err
		}
		return DiscoverResponse{Endpoint: Endpoint{URL: url, Address: addressOf(url), Source: EndpointSourceExplicit}}, nil
	}
	var warnings []string
	if len(options.Option245) > 0 {
		address, err := lease.ParseWireServer(options.Option245)
		if err == nil {
			return DiscoverResponse{Endpoint: endpointAt(address, EndpointSourceOption)}, nil
		}
		warnings = append(warnings, "Option245 is passed over: "+message(err))
	}
	root := options.Root
	if root == nil {
		root = os.DirFS("/")
	}
	resp, err := discoverFiles(ctx, op, root)
	resp.Warnings = append(warnings, resp.Warnings...)
	return resp, err
}

// discoverFiles reads the system's files, and does not wait for a disk that hangs.
func discoverFiles(ctx context.Context, op string, root fs.FS) (DiscoverResponse, error) {
	budget := discoverBudget
	if deadline, ok := ctx.Deadline(); ok {
		budget = max(budget, time.Until(deadline)+time.Second) // the caller's deadline is first
	}
	answers := make(chan DiscoverResponse, 1)
	err := wait.Within(ctx, op, budget, func(ctx context.Context) error {
		resp, err := lookThroughFiles(ctx, root)
		answers <- resp
		return err
	})
	switch {
	case err == nil:
		return <-answers, nil
	case ctx.Err() != nil:
		return DiscoverResponse{}, wait.Ended(op, "the files of DHCP clients", ctx.Err())
	default:
		return DiscoverResponse{
			Endpoint: endpointAt(lease.PublicWireServer, EndpointSourceDefault),
			Warnings: []string{"the system's files could not be read within " + budget.String()},
		}, nil
	}
}

// lookThroughFiles returns the context's error if that ends.
func lookThroughFiles(ctx context.Context, root fs.FS) (DiscoverResponse, error) {
	if name, ok := routedInterface(root); ok {
		e := endpointAt(lease.PublicWireServer, EndpointSourceRoute)
		e.File, e.Interface = "/"+routesFile, name
		return DiscoverResponse{Endpoint: e}, nil
	}
	leases, warnings, err := lease.Read(ctx, root)
	if err != nil {
		return DiscoverResponse{}, err
	}
	resp := DiscoverResponse{Endpoint: endpointAt(lease.PublicWireServer, EndpointSourceDefault), Warnings: warnings}
	now := time.Now()
	for i := range leases {
		l := &leases[i]
		for _, warning := range l.Warnings {
			resp.warn(l.Source + ": " + warning)
		}
		switch {
		case !l.WireServer.IsValid():
		case !l.Valid(now):
			resp.warn(l.Source + ": the lease with " + l.WireServer.String() + " has ended")
		default:
			resp.Endpoint = endpointAt(l.WireServer, EndpointSourceLease)
			resp.File, resp.Interface = "/"+l.Source, l.Interface
			return resp, nil
		}
	}
	return resp, nil
}

// message is what is wrong, without the name of a function that the caller does not know.
func message(err error) string {
	var e *azprov.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// maxDiscoverWarnings bounds what is said of some hundred leases.
const maxDiscoverWarnings = 20

func (r *DiscoverResponse) warn(text string) {
	if len(r.Warnings) < maxDiscoverWarnings {
		r.Warnings = append(r.Warnings, azprov.OneLine(text))
	}
}

func endpointAt(address netip.Addr, source EndpointSource) Endpoint {
	return Endpoint{URL: "http://" + address.String(), Address: address, Source: source}
}
