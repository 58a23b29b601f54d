package goalstate

import (
	"net/netip"
	"strconv"

	"github.com/azprov/azprov"
)

// SharedConfig describes the instances of the VM's role and their endpoints. No
// part of it is always there. Texts are as the platform gave them.
type SharedConfig struct {
	// Version is the version of the document.
	Version string
	// GoalStateIncarnation is that of the goal state it was written for.
	GoalStateIncarnation string
	Deployment           Deployment
	Incarnation          RoleIncarnation
	Role                 Role
	LoadBalancerSettings LoadBalancerSettings
	OutputEndpoints      []OutputEndpoint
	Instances            []Instance
}

// Own returns the instance that the document was written for, by the id in Incarnation;
// ok is false if it is not among Instances.
func (s SharedConfig) Own() (instance Instance, ok bool) {
	for _, i := range s.Instances {
		if i.ID == s.Incarnation.Instance && i.ID != "" {
			return i, true
		}
	}
	return Instance{}, false
}

// LoadBalancerSettings says how a load balancer finds out whether an instance is
// alive.
type LoadBalancerSettings struct {
	TimeoutSeconds             string
	WaitLoadBalancerProbeCount string
	// Probes are the probes' names.
	Probes []string
}

// OutputEndpoint is an endpoint of other instances that the role talks to.
type OutputEndpoint struct {
	Name    string
	Type    string
	Targets []OutputTarget
}

// OutputTarget is one end of an [OutputEndpoint].
type OutputTarget struct {
	Instance string
	Endpoint string
}

// Instance is one instance of the role; for a VM there is one.
type Instance struct {
	ID string
	// Address is the IPv4 address on the fabric's side; see Addr.
	Address        string
	FaultDomains   FaultDomains
	InputEndpoints []InputEndpoint
}

// Addr returns Address, if it is one.
func (i Instance) Addr() (addr netip.Addr, ok bool) {
	addr, err := netip.ParseAddr(i.Address)
	return addr, err == nil
}

// FaultDomains says where in the datacenter an instance runs.
type FaultDomains struct {
	RandomID    string
	UpdateID    string
	UpdateCount string
}

// InputEndpoint is a port of an instance that others may reach.
type InputEndpoint struct {
	Name string
	// Address is address and port; see AddrPort.
	Address  string
	Protocol string
	IsPublic azprov.Switch
	// LoadBalancedPublicAddress is address and port on the load balancer; see
	// LoadBalancedAddrPort.
	LoadBalancedPublicAddress string
	EnableDirectServerReturn  azprov.Switch
	IsDirectAddress           azprov.Switch
	DisableStealthMode        azprov.Switch
	LocalPorts                []PortRange
}

// AddrPort returns Address, if it is an address and a port.
func (e InputEndpoint) AddrPort() (addr netip.AddrPort, ok bool) {
	addr, err := netip.ParseAddrPort(e.Address)
	return addr, err == nil
}

// LoadBalancedAddrPort returns LoadBalancedPublicAddress, if it is an address and a port.
func (e InputEndpoint) LoadBalancedAddrPort() (addr netip.AddrPort, ok bool) {
	addr, err := netip.ParseAddrPort(e.LoadBalancedPublicAddress)
	return addr, err == nil
}

// PortRange is a range of ports, both ends included.
type PortRange struct {
	From string
	To   string
}

// Ports returns the ends of the range; ok is false if they are no ports, or the
// wrong way round.
func (r PortRange) Ports() (from, to uint16, ok bool) {
	low, errLow := strconv.ParseUint(r.From, 10, 16)
	high, errHigh := strconv.ParseUint(r.To, 10, 16)
	if errLow != nil || errHigh != nil || low > high {
		return 0, 0, false
	}
	return uint16(low), uint16(high), true
}

// ParseSharedConfig reads a SharedConfig document. No part of it is required; for
// the errors see the package documentation.
func ParseSharedConfig(b []byte) (SharedConfig, error) {
	root, err := parseXML("goalstate.ParseSharedConfig", "SharedConfig", b)
	if err != nil {
		return SharedConfig{}, err
	}
	balancer := root.at("LoadBalancerSettings")
	s := SharedConfig{
		Version:              root.attr("version"),
		GoalStateIncarnation: root.attr("goalStateIncarnation"),
		Deployment:           readDeployment(root.at("Deployment")),
		Incarnation:          readRoleIncarnation(root.at("Incarnation")),
		Role:                 readRole(root.at("Role")),
		LoadBalancerSettings: LoadBalancerSettings{
			TimeoutSeconds:             balancer.attr("timeoutSeconds"),
			WaitLoadBalancerProbeCount: balancer.attr("waitLoadBalancerProbeCount"),
		},
	}
	for _, n := range balancer.at("Probes").all("Probe") {
		s.LoadBalancerSettings.Probes = append(s.LoadBalancerSettings.Probes, n.attr("name"))
	}
	for _, n := range root.at("OutputEndpoints").all("Endpoint") {
		s.OutputEndpoints = append(s.OutputEndpoints, readOutputEndpoint(n))
	}
	for _, n := range root.at("Instances").all("Instance") {
		s.Instances = append(s.Instances, readInstance(n))
	}
	return s, nil
}

func readOutputEndpoint(n node) OutputEndpoint {
	e := OutputEndpoint{Name: n.attr("name"), Type: n.attr("type")}
	for _, target := range n.all("Target") {
		e.Targets = append(e.Targets, OutputTarget{
			Instance: target.attr("instance"), Endpoint: target.attr("endpoint"),
		})
	}
	return e
}

func readInstance(n node) Instance {
	domains := n.at("FaultDomains")
	i := Instance{
		ID:      n.attr("id"),
		Address: n.attr("address"),
		FaultDomains: FaultDomains{
			RandomID:    domains.attr("randomId"),
			UpdateID:    domains.attr("updateId"),
			UpdateCount: domains.attr("updateCount"),
		},
	}
	for _, endpoint := range n.at("InputEndpoints").all("Endpoint") {
		i.InputEndpoints = append(i.InputEndpoints, readInputEndpoint(endpoint))
	}
	return i
}

func readInputEndpoint(n node) InputEndpoint {
	e := InputEndpoint{
		Name:                      n.attr("name"),
		Address:                   n.attr("address"),
		Protocol:                  n.attr("protocol"),
		IsPublic:                  readSwitch(n.attr("isPublic")),
		LoadBalancedPublicAddress: n.attr("loadBalancedPublicAddress"),
		EnableDirectServerReturn:  readSwitch(n.attr("enableDirectServerReturn")),
		IsDirectAddress:           readSwitch(n.attr("isDirectAddress")),
		DisableStealthMode:        readSwitch(n.attr("disableStealthMode")),
	}
	for _, ports := range n.at("LocalPorts").all("LocalPortRange") {
		e.LocalPorts = append(e.LocalPorts, PortRange{From: ports.attr("from"), To: ports.attr("to")})
	}
	return e
}
