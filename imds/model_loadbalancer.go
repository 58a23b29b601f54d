package imds

import (
	"net/netip"

	"github.com/azprov/azprov"
)

// LoadBalancer is the document of /metadata/loadbalancer: the rules of Standard
// load balancers that lead to this VM, and its Standard public addresses, which
// the network section of [Instance] leaves out.
type LoadBalancer struct {
	PublicIPAddresses []FrontendAddress `json:"publicIpAddresses"`
	InboundRules      []InboundRule     `json:"inboundRules"`
	OutboundRules     []FrontendAddress `json:"outboundRules"`
	// Warnings names what could not be used, by path and without values.
	Warnings []string `json:"-"`
}

// FrontendAddress pairs an address of the load balancer, or an instance-level
// public address, with the VM's own. Real hosts put IPv6 addresses into brackets;
// the methods take them off.
type FrontendAddress struct {
	FrontendIPAddress string `json:"frontendIpAddress"`
	PrivateIPAddress  string `json:"privateIpAddress"`
}

// Frontend returns the outer address; ok is false if there is none to parse.
func (a FrontendAddress) Frontend() (addr netip.Addr, ok bool) { return parseAddr(a.FrontendIPAddress) }

// Private returns the VM's address; ok is false if there is none to parse.
func (a FrontendAddress) Private() (addr netip.Addr, ok bool) { return parseAddr(a.PrivateIPAddress) }

// InboundRule is one load-balancing or NAT rule that leads to the VM.
type InboundRule struct {
	FrontendIPAddress string `json:"frontendIpAddress"`
	FrontendPort      int    `json:"frontendPort"`
	BackendPort       int    `json:"backendPort"`
	PrivateIPAddress  string `json:"privateIpAddress"`
	// Protocol varies in case; see [Protocol.Canonical].
	Protocol Protocol `json:"protocol"`
}

// Frontend returns the outer address; ok is false if there is none to parse.
func (r InboundRule) Frontend() (addr netip.Addr, ok bool) { return parseAddr(r.FrontendIPAddress) }

// Private returns the VM's address; ok is false if there is none to parse.
func (r InboundRule) Private() (addr netip.Addr, ok bool) { return parseAddr(r.PrivateIPAddress) }

// ParseLoadBalancer reads the document of /metadata/loadbalancer, as tolerantly
// as [ParseInstance] and with the same errors. A document without the
// "loadbalancer" object is an error of [azprov.KindMalformed]: the service answers
// 404 when there is no load balancer, so it is some other service's.
func ParseLoadBalancer(b []byte) (LoadBalancer, error) {
	const op = "imds.ParseLoadBalancer"
	var document struct {
		// A pointer tells a missing object from an empty one.
		LoadBalancer *LoadBalancer `json:"loadbalancer"`
	}
	warnings, err := parseDocument(op, b, '{', &document)
	if err != nil {
		return LoadBalancer{}, err
	}
	if document.LoadBalancer == nil {
		return LoadBalancer{}, documentError(op, azprov.KindMalformed, "the document has no loadbalancer object")
	}
	document.LoadBalancer.Warnings = warnings
	return *document.LoadBalancer, nil
}
