package retry

import (
	"time"

	"github.com/azprov/azprov"
)

// Hints that several rules share.
const (
	hintDenied = "the guest proxy agent or the host refuses this caller (Metadata Security Protocol): " +
		"run as root, and look at the agent's rules"
	hintUnsigned = "the host wants signed requests (Metadata Security Protocol): wait for the guest proxy agent, " +
		"or configure a waiter for it"
	hintRedirect = "something other than Azure answered: look for a captive portal or a proxy in the path"
	hintNetwork  = "check that the interface is up, has its address by DHCP, and has a route to the service"
	hintRefused  = "nothing listens there: check the endpoint, and that its route leads over the primary interface"
	hintNoWire   = "what answers there does not know this path: it is no wire server"
	hintBusy     = "another program on this VM may be using up its share of requests"
	hintHost     = "the platform's service is not well; try again later"
	hintRequest  = "the service does not take this request: check path, api-version and format (a leaf of IMDS needs text)"
	hintCipher   = "the platform does not take this cipher, or cannot use the certificate: ask for another cipher"
	hintMissing  = "check the path and the api-version"
)

// Rules that several profiles share.
var (
	unauthenticated = Rule{Kind: azprov.KindUnauthenticated, Hint: hintUnsigned}
	denied          = Rule{Kind: azprov.KindDenied, Hint: hintDenied}
	badRequest      = Rule{Kind: azprov.KindMalformed, Hint: hintRequest}
	notFound        = Rule{Kind: azprov.KindNotFound, Hint: hintMissing}
	notYet          = Rule{Kind: azprov.KindNotReady, Retry: true}
	busy            = Rule{Kind: azprov.KindThrottled, Retry: true, Throttled: true, Hint: hintBusy}
	unwell          = Rule{Kind: azprov.KindNotReady, Retry: true, Hint: hintHost}
	broken          = Rule{Kind: azprov.KindInternal, Hint: hintHost}
	redirect        = Rule{Kind: azprov.KindNotAzure, Hint: hintRedirect}
	stale           = Rule{Kind: azprov.KindStale, Hint: "read the goal state again"}
	network         = Rule{Kind: azprov.KindNetwork, Retry: true, Hint: hintNetwork}
	// The guest proxy agent answers 421 while it cannot tell which process asks;
	// a new connection a moment later usually gets through.
	misdirected = Rule{Kind: azprov.KindDenied, Retry: true, Limit: 3, Delay: time.Second, Hint: hintDenied}
)

// transportRules treats every failure without an answer alike: during a boot the
// network may still be coming up.
var transportRules = map[Class]Rule{
	ClassConnect:     {Kind: azprov.KindNetwork, Retry: true, Hint: hintRefused},
	ClassUnreachable: network,
	ClassBroken:      network,
	ClassTimeout:     {Kind: azprov.KindNetwork, Retry: true, Hint: hintNetwork},
	ClassOther:       network,
}

// imdsSchedule starts at the one second of cloud-init and stays far below the
// limit of five requests a second, which all agents of a VM share.
var imdsSchedule = Schedule{Initial: time.Second, Max: 5 * time.Second, Factor: 1.5, Jitter: 0.2}

// IMDSProvisioning is for the reads that a boot depends on: what is not there yet
// is waited for, and a document that is damaged or partial is asked for again
// (azure-init retries it; cloud-init goes on without metadata).
func IMDSProvisioning() *Profile {
	p := IMDSPlain()
	p.Name = "imds-provisioning"
	p.Statuses[404] = notYet
	p.Documents = map[azprov.Kind]Rule{
		azprov.KindMalformed: {Kind: azprov.KindMalformed, Retry: true, Hint: hintHost},
		azprov.KindNotReady:  notYet,
	}
	return p
}

// IMDSPlain is for ordinary reads: 404 is the answer "there is none".
func IMDSPlain() *Profile {
	return &Profile{
		Name:     "imds-plain",
		Schedule: imdsSchedule,
		Statuses: map[int]Rule{
			400: badRequest,
			401: unauthenticated,
			403: denied,
			404: notFound,
			408: unwell,
			410: notYet, // the service is being updated; up to 70 s (MSAL's rule)
			421: misdirected,
			429: busy,
			500: unwell,
			502: unwell,
			503: unwell,
			504: unwell,
		},
		Redirect:    redirect,
		ClientError: badRequest,
		ServerError: broken,
		Transport:   transportRules,
	}
}

// IMDSReprovision is for one question "has the owner come?": the caller polls, so
// "not yet" is an answer and not a reason to ask again here.
func IMDSReprovision() *Profile {
	p := IMDSPlain()
	p.Name = "imds-reprovision"
	once := Rule{Kind: azprov.KindNotReady}
	p.Statuses[404], p.Statuses[410] = once, once
	return p
}

// WireServer is for the wire server on port 80. 410 means "gone": asking the same
// URL again is useless, the caller reads the goal state first. 403 is a throttle if
// the body says so (WALinuxAgent takes every 403 for one); any other comes from the
// Metadata Security Protocol.
func WireServer() *Profile {
	return &Profile{
		Name:     "wireserver",
		Schedule: Schedule{Initial: time.Second, Max: 10 * time.Second, Factor: 1.5, Jitter: 0.2},
		Bodies: []BodyRule{
			{403, []string{"RequestRateLimitExceeded", "Access is denied"}, busy},
			{400, []string{"InvalidContainerConfiguration", "RequestRoleConfigFileNotFound"}, stale},
		},
		Statuses: map[int]Rule{
			// WALinuxAgent asks again after these two; they carry no whole document.
			205: unwell,
			206: unwell,
			400: badRequest,
			401: unauthenticated,
			403: denied,
			404: {Kind: azprov.KindNotFound, Hint: hintNoWire},
			408: unwell,
			410: stale,
			421: misdirected,
			429: busy,
			500: unwell,
			501: unwell,
			502: unwell,
			503: busy, // HTML "Service Unavailable" while it throttles
			504: unwell,
			507: unwell,
		},
		Redirect:    redirect,
		ClientError: badRequest,
		ServerError: broken,
		Transport: map[Class]Rule{
			ClassConnect: {Kind: azprov.KindNetwork, Retry: true, Hint: hintRefused},
			// The NIC is gone or the VM was put to sleep (cloud-init stops at once);
			// ten tries, most of a minute, bridge a link that flaps or comes up late.
			ClassUnreachable: {Kind: azprov.KindNetwork, Retry: true, Limit: 10, Hint: hintNetwork},
			ClassBroken:      network,
			ClassTimeout:     {Kind: azprov.KindNetwork, Retry: true, Hint: "the guest's own firewall may drop it: WALinuxAgent lets only root through"},
			ClassOther:       network,
		},
		Documents: map[azprov.Kind]Rule{
			azprov.KindMalformed: {Kind: azprov.KindMalformed, Retry: true, Limit: 6, Hint: hintHost},
			// A goal state without RoleInstance: six reads, half a second apart, as
			// WALinuxAgent does.
			azprov.KindNotReady: {Kind: azprov.KindNotReady, Retry: true, Limit: 6, Delay: 500 * time.Millisecond, Hint: hintHost},
		},
	}
}

// GoalState is for the goal state itself, for which 410 can only mean "in a
// moment".
func GoalState() *Profile {
	p := WireServer()
	p.Name = "wireserver-goalstate"
	p.Statuses[410] = Rule{Kind: azprov.KindStale, Retry: true, Hint: hintHost}
	return p
}

// Health is for a report: 501 is the definite answer that this way of reporting is
// not there.
func Health() *Profile {
	p := WireServer()
	p.Name = "wireserver-health"
	delete(p.Statuses, 205) // a report has no document that could be missing or partial
	delete(p.Statuses, 206)
	p.Statuses[501] = badRequest
	return p
}

// perCipher is how often the wire server may fail with one cipher before it is the turn
// of another: it may be its way to say that it does not know that cipher.
const perCipher = 2

// Certificates is for the certificates in one of several ciphers.
func Certificates() *Profile {
	p := WireServer()
	p.Name = "wireserver-certificates"
	for _, status := range []int{500, 501, 502, 504, 507} {
		rule := p.Statuses[status]
		rule.Limit = perCipher
		p.Statuses[status] = rule
	}
	p.Statuses[400] = Rule{Kind: azprov.KindMalformed, Hint: hintCipher}
	damaged := p.Documents[azprov.KindMalformed]
	damaged.Limit = perCipher
	p.Documents[azprov.KindMalformed] = damaged
	return p
}

// HostGA is for the HostGAPlugin on port 32526. 403 AccessDenied and 502 are its
// way to report passing trouble of its own.
func HostGA() *Profile {
	p := WireServer()
	p.Name = "hostga"
	p.Bodies = []BodyRule{
		{400, []string{"InvalidContainerConfiguration", "RequestRoleConfigFileNotFound"}, stale},
		{403, []string{"AccessDenied"}, busy},
	}
	return p
}
