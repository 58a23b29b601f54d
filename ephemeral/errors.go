package ephemeral

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

// The reasons are those that Azure's support knows from cloud-init
// (cloudinit/sources/azure/errors.py); so are the details' keys and their order.
const (
	reasonNoInterface = "failure to find DHCP interface"
	reasonLease       = "failure to obtain DHCP lease"
	reasonNotPrimary  = "failure to find primary DHCP interface"
)

const hintPrivileges = "run as root: CAP_NET_ADMIN and CAP_NET_RAW are needed"

// kinds of what a system or a DHCP client returns, the first that fits. Others are none of
// the caller's doing, and no answer either.
var kinds = []struct {
	err  error
	kind azprov.Kind
	hint string
}{
	{fs.ErrPermission, azprov.KindDenied, hintPrivileges},
	{errGone, azprov.KindNotFound, ""},
	{errNAK, azprov.KindNotReady, ""},
	{azprov.ErrMalformed, azprov.KindMalformed, ""},
}

// classify returns the kind of err, fallback if it is not known, and a hint.
func classify(err error, fallback azprov.Kind) (azprov.Kind, string) {
	for _, row := range kinds {
		if errors.Is(err, row.err) {
			return row.kind, row.hint
		}
	}
	return fallback, ""
}

// errNoInterface is the error of an attempt without a candidate.
func errNoInterface(op string, elapsed time.Duration) *azprov.Error {
	return &azprov.Error{
		Op: op, Kind: azprov.KindNotFound, Message: "there is no network interface to get a lease for",
		Reason: reasonNoInterface, Details: []azprov.Detail{duration(elapsed)},
	}
}

// errLease is the error of an attempt without a lease.
func errLease(op string, a Attempt, err error) *azprov.Error {
	kind, hint := classify(err, azprov.KindNetwork)
	return &azprov.Error{
		Op: op, Target: a.Link.Name, Kind: kind, Message: "no DHCP lease", Hint: hint, Last: err,
		Reason: reasonLease,
		Details: []azprov.Detail{
			{Key: "driver", Value: a.Link.Driver},
			duration(a.Elapsed),
			{Key: "interface", Value: a.Link.Name},
			{Key: "mac_address", Value: a.Link.MAC.String()},
		},
	}
}

// errNotPrimary is the error of an attempt whose lease leads elsewhere.
func errNotPrimary(op string, a Attempt) *azprov.Error {
	routes := make([]string, 0, len(a.Lease.Routes))
	for _, r := range a.Lease.Routes {
		routes = append(routes, r.String())
	}
	router := ""
	if a.Lease.Gateway.IsValid() {
		router = a.Lease.Gateway.String()
	}
	return &azprov.Error{
		Op: op, Target: a.Link.Name, Kind: azprov.KindNotFound, Message: "its lease has no route to the platform",
		Hint:   "another network interface may be the primary one",
		Reason: reasonNotPrimary,
		Details: []azprov.Detail{
			{Key: "interface", Value: a.Link.Name},
			{Key: "driver", Value: a.Link.Driver},
			{Key: "router", Value: router},
			{Key: "static_routes", Value: strings.Join(routes, ", ")},
			{Key: "lease", Value: a.Lease.Address.String()},
		},
	}
}

// errNoLink is the error of a look at one link.
func errNoLink(op string, index int, err error) *azprov.Error {
	kind, hint := classify(err, azprov.KindInternal)
	return &azprov.Error{
		Op: op, Target: "index " + strconv.Itoa(index), Kind: kind, Message: "there is no such network interface to be seen", Hint: hint, Last: err,
	}
}

// errConfigure is the error of a change, or a look, that the kernel refused.
func errConfigure(op string, link Link, err error) *azprov.Error {
	kind, hint := classify(err, azprov.KindInternal)
	return &azprov.Error{
		Op: op, Target: link.Name, Kind: kind, Message: "the network cannot be configured", Hint: hint, Last: err,
	}
}

// ended is the error of an operation that err, or the end of its context, has ended.
func ended(op string, ctxErr, err error) *azprov.Error {
	if ctxErr != nil {
		return wait.Ended(op, "no network", ctxErr)
	}
	var e *azprov.Error
	if errors.As(err, &e) {
		copied := *e
		return &copied
	}
	return errConfigure(op, Link{}, err)
}

// duration is what all details have of it: seconds.
func duration(d time.Duration) azprov.Detail {
	return azprov.Detail{Key: "duration", Value: strconv.FormatFloat(d.Seconds(), 'f', 3, 64)}
}

// String is the route as ip(8) writes it.
func (r Route) String() string {
	if !r.Gateway.IsValid() {
		return r.Destination.String()
	}
	return r.Destination.String() + " via " + r.Gateway.String()
}
