package imds_test

import (
	"fmt"
	"net"

	"github.com/azprov/azprov/imds"
)

func ExampleParseInstance() {
	document := []byte(`{
		"compute": {
			"name": "web_3",
			"osProfile": {"adminUsername": "ops", "disablePasswordAuthentication": "true"},
			"publicKeys": [{"keyData": "ssh-ed25519 AAAA\r\nBBBB ops@example.test\r\n", "path": ""}],
			"userData": "IyEvYmluL3NoCg==",
			"vmId": "5a17f0c2-6f1d-4b7e-9a55-0d1e2f3a4b5c"
		}
	}`)
	instance, err := imds.ParseInstance(document)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("host name:", instance.Compute.HostName())
	for _, key := range instance.Compute.PublicKeys {
		if line, ok := key.OpenSSH(); ok {
			fmt.Println("key:", line)
		}
	}
	off, known := instance.Compute.OSProfile.DisablePasswordAuthentication.Value()
	fmt.Println("passwords off:", off, known)
	data, err := instance.Compute.UserDataBytes()
	fmt.Println("user data:", data, data.Len(), err)
	// Output:
	// host name: web-3
	// key: ssh-ed25519 AAAABBBB ops@example.test
	// passwords off: true true
	// user data: [redacted] 10 <nil>
}

func ExampleNetwork_ByMAC() {
	instance, err := imds.ParseInstance([]byte(`{"network": {"interface": [{
		"macAddress": "0022489900AA",
		"ipv4": {
			"ipAddress": [{"privateIpAddress": "10.9.0.4", "publicIpAddress": "198.51.100.7"}, {"privateIpAddress": "10.9.0.5"}],
			"subnet": [{"address": "10.9.0.0", "prefix": "26"}]
		},
		"ipv6": {"ipAddress": [{"privateIpAddress": "fd00:9::4"}]}
	}]}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	mac, err := net.ParseMAC("00:22:48:99:00:aa") // as the link has it
	if err != nil {
		fmt.Println(err)
		return
	}
	nic, ok := instance.Network.ByMAC(mac)
	fmt.Println(ok, nic.IPv4Prefixes(), nic.IPv6Prefixes(), nic.PublicAddresses())
	// Output:
	// true [10.9.0.4/26 10.9.0.5/26] [fd00:9::4/128] [198.51.100.7]
}

func ExampleParseLoadBalancer() {
	lb, err := imds.ParseLoadBalancer([]byte(`{"loadbalancer": {"inboundRules": [{
		"frontendIpAddress": "[2001:db8::80]", "frontendPort": 443,
		"privateIpAddress": "[fd00:9::4]", "backendPort": 8443, "protocol": "tcp"
	}]}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	rule := lb.InboundRules[0]
	frontend, _ := rule.Frontend()
	private, _ := rule.Private()
	fmt.Println(rule.Protocol.Canonical(), frontend, rule.FrontendPort, "to", private, rule.BackendPort)
	// Output:
	// Tcp 2001:db8::80 443 to fd00:9::4 8443
}
