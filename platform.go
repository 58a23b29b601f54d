package azprov

// The addresses every VM on public Azure, its sovereign clouds and most Azure
// Stack Hubs can reach without configuration. Both are plain HTTP on purpose:
// the services offer nothing else (Microsoft, "What is IP address
// 168.63.129.16" and "Azure Instance Metadata Service").
const (
	// IMDSEndpoint is the base URL of the Instance Metadata Service.
	IMDSEndpoint = "http://169.254.169.254"
	// WireServerEndpoint is the base URL of the wire server, unless DHCP option
	// 245 names another.
	WireServerEndpoint = "http://168.63.129.16"
	// HostGAEndpoint is the base URL of the HostGAPlugin, the guest agent's second source
	// of goal states: a port of its own at the wire server's address.
	HostGAEndpoint = "http://168.63.129.16:32526"
)

// DocumentationURL is where the platform sends a user whose VM failed to
// provision; failure reports carry it.
const DocumentationURL = "https://aka.ms/linuxprovisioningerror"
