// Package goalstate reads and writes the documents that Azure's wire server
// exchanges with a VM while it is provisioned: the protocol versions, the goal
// state and the configurations it points to, error documents, and the health
// reports, in XML and in JSON.
//
// Parsers are tolerant: unknown elements are passed over, optional ones may be
// missing, text is trimmed, and values the protocol treats as opaque stay
// strings. What cannot be used is an error of type [azprov.Error], and the result
// is then the zero value. A document is at most 1 MiB and 256 levels deep, its
// character set UTF-8 or UTF-16. Names are compared by local name and namespace;
// the documents are in no namespace, but one that the whole document is in does
// no harm.
//
// Health reports are strict: they are written byte for byte as the platform's own
// agents write them, and have at most [MaxHealthBody] bytes.
//
// The package does no I/O; package wireserver fetches and sends these documents.
// It imports neither net/http nor a logger.
package goalstate

// ProtocolVersion is the version of the wire protocol that this package speaks,
// and the one that cloud-init and WALinuxAgent ask for. Azure prefers 2015-04-05,
// which no known agent uses.
const ProtocolVersion = "2012-11-30"

// Headers of requests to the wire server.
const (
	// HeaderVersion carries [ProtocolVersion].
	HeaderVersion = "x-ms-version"
	// HeaderAgentName names the agent; WALinuxAgent and cloud-init send
	// "WALinuxAgent".
	HeaderAgentName = "x-ms-agent-name"
	// HeaderGuestAgentName names the agent at the JSON endpoint of health reports.
	HeaderGuestAgentName = "x-ms-guest-agent-name"
	// HeaderGuestAgentCertificate carries the certificate that the certificates are to
	// be encrypted for: its DER in base64 on one line.
	HeaderGuestAgentCertificate = "x-ms-guest-agent-public-x509-cert"
	// HeaderCipherName names the cipher for them. Without it the wire server takes
	// AES128_CBC (WALinuxAgent, commit 54cd6246).
	HeaderCipherName = "x-ms-cipher-name"
)

// Content types of health reports.
const (
	// ContentTypeXML goes with [Health.EncodeXML].
	ContentTypeXML = "text/xml; charset=utf-8"
	// ContentTypeJSON goes with [Health.EncodeJSON].
	ContentTypeJSON = "application/json"
)
