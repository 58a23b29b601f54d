package report

import "github.com/azprov/azprov"

// defaults name the entry for errors that have a kind and no reason.
var defaults = map[azprov.Kind]string{
	azprov.KindNotFound:           "not-found",
	azprov.KindNotReady:           "not-ready",
	azprov.KindStale:              "stale",
	azprov.KindThrottled:          "throttled",
	azprov.KindUnauthenticated:    "unauthenticated",
	azprov.KindDenied:             "denied",
	azprov.KindUnsupportedVersion: "unsupported-version",
	azprov.KindMalformed:          "malformed",
	azprov.KindTooLarge:           "too-large",
	azprov.KindNetwork:            "network",
	azprov.KindTimeout:            "timeout", // azure-init has a text for it
	azprov.KindCanceled:           "canceled",
	azprov.KindProtected:          "protected",
	azprov.KindNotAzure:           "not-azure",
	azprov.KindInternal:           "unhandled", // and cloud-init for this
}

// azprovEntries are for causes that no other agent has a text for.
var azprovEntries = []Entry{
	{
		ID: "protected-value", Text: "unsupported protected <value>", Source: SourceAzprov,
		Cause:    "A value was encrypted for a key that the agent does not have, as on confidential VMs.",
		NextStep: "Create the VM without protected settings, or from an image whose agent can open them.",
		Kinds:    []azprov.Kind{azprov.KindProtected},
	},
	{
		ID: "not-found", Text: "required data not found", Source: SourceAzprov,
		Cause:    "Something that provisioning cannot do without is not there: a medium, a document, a user to log in as.",
		NextStep: checkTheDisc,
		Kinds:    []azprov.Kind{azprov.KindNotFound},
	},
	{
		ID: "not-ready", Text: "platform service not ready", Source: SourceAzprov,
		Cause:    "One of the platform's services answers and does not have the VM's data yet.",
		NextStep: retryDeploy,
		Kinds:    []azprov.Kind{azprov.KindNotReady},
	},
	{
		ID: "stale", Text: "goal state out of date", Source: SourceAzprov,
		Cause:    "The VM was moved or changed while it was provisioned, and the wire server no longer knows what the agent names.",
		NextStep: retryDeploy,
		Kinds:    []azprov.Kind{azprov.KindStale},
	},
	{
		ID: "throttled", Text: "requests throttled by platform service", Source: SourceAzprov,
		Cause:    "Too many requests came from this VM.",
		NextStep: "Look for programs in the image that ask the platform's services in a loop.",
		Kinds:    []azprov.Kind{azprov.KindThrottled},
	},
	{
		ID: "unauthenticated", Text: "unsigned request refused", Source: SourceAzprov,
		Cause:    "The host enforces the Metadata Security Protocol, and no guest proxy agent signed the request.",
		NextStep: fixProxy,
		Kinds:    []azprov.Kind{azprov.KindUnauthenticated},
	},
	{
		ID: "denied", Text: "access denied", Source: SourceAzprov,
		Cause:    "A rule of the host or of the guest proxy agent forbids the request, or the agent lacks a privilege.",
		NextStep: "Run the agent as root, and let it through in the rules of the guest proxy agent.",
		Kinds:    []azprov.Kind{azprov.KindDenied},
	},
	{
		ID: "unsupported-version", Text: "unsupported protocol version", Source: SourceAzprov,
		Cause:    "The fabric speaks no version of the protocol that the agent does, as an old Azure Stack Hub may.",
		NextStep: "Update the fabric, or set the version that it has in the agent.",
		Kinds:    []azprov.Kind{azprov.KindUnsupportedVersion},
	},
	{
		ID: "malformed", Text: "malformed document", Source: SourceAzprov,
		Cause:    "A document of the platform is not what it must be, or a service says so of the agent's request.",
		NextStep: "Look for something in the guest or its network that answers in the platform's place; else deploy again.",
		Kinds:    []azprov.Kind{azprov.KindMalformed},
	},
	{
		ID: "too-large", Text: "document too large", Source: SourceAzprov,
		Cause:    "A document is over the size that the agent reads.",
		NextStep: "Make custom data and user data smaller: Azure takes 64 KiB of each.",
		Kinds:    []azprov.Kind{azprov.KindTooLarge},
	},
	{
		ID: "network", Text: "network error", Source: SourceAzprov,
		Cause:    "One of the platform's services gave no answer: refused, no route, or the connection broke.",
		NextStep: "Let the VM reach 169.254.169.254 and 168.63.129.16: see the guest's firewall, its routes and its proxy.",
		Kinds:    []azprov.Kind{azprov.KindNetwork},
	},
	{
		ID: "canceled", Text: "provisioning canceled", Source: SourceAzprov,
		Cause:    "The agent was told to stop before it was done, by a shutdown for example.",
		NextStep: "See in the log of the boot who has stopped the agent's service.",
		Kinds:    []azprov.Kind{azprov.KindCanceled},
	},
	{
		ID: "protected", Text: "unsupported encryption", Source: SourceAzprov,
		Cause:    "A value or container is encrypted in a way, or for a key, that cannot be opened here.",
		NextStep: "Create the VM without protected settings; in FIPS mode use a fabric that encrypts with AES.",
		Kinds:    []azprov.Kind{azprov.KindProtected},
	},
	{
		ID: "not-azure", Text: "not an Azure VM", Source: SourceAzprov,
		Cause:    "The machine, its medium or the service that answered is none of Azure's.",
		NextStep: "Boot an image for the platform that the machine is on.",
		Kinds:    []azprov.Kind{azprov.KindNotAzure},
	},
	{
		ID: "agent-crashed", Text: "provisioning agent crashed", Source: SourceAzprov,
		Cause:    "A program of the boot ended by its own mistake: a panic, a fault, or a watchdog that it no longer answered.",
		NextStep: "Send the supporting data to the authors of the program that it names; another version of the image may do.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "unit-out-of-memory", Text: "provisioning program <unit> ran out of memory", Source: SourceAzprov,
		Cause:    "The kernel ended a program of the boot because there was no memory left.",
		NextStep: "Choose a larger size of VM, or load less into the initramfs.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "unit-timed-out", Text: "provisioning program <unit> timed out", Source: SourceAzprov,
		Cause:    "A program of the boot took longer than its unit allows, and systemd ended it.",
		NextStep: "Read in the supporting data what it waited for.",
		Kinds:    []azprov.Kind{azprov.KindTimeout},
	},
	{
		ID: "unit-failed", Text: "provisioning program <unit> failed", Source: SourceAzprov,
		Cause:    "A program of the boot failed, like a stage of Ignition; its own error is in the supporting data.",
		NextStep: "Correct what the error names: most often the configuration that was given to the VM, or what it downloads.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
}
