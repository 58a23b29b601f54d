package report

import "github.com/azprov/azprov"

// reasonTimedOut is azure-init's text for a budget that is spent.
const reasonTimedOut = "operation timed out"

// azureInitEntries are the texts of libazureinit/src/error.rs.
var azureInitEntries = []Entry{
	{
		ID: "json", Text: "JSON error", Source: SourceAzureInit,
		Cause:    "A document in JSON, most often the instance metadata, cannot be read.",
		NextStep: retryDeploy,
		Kinds:    []azprov.Kind{azprov.KindMalformed},
	},
	{
		ID: "xml", Text: "XML error", Source: SourceAzureInit,
		Cause:    "A document in XML, most often ovf-env.xml, cannot be read.",
		NextStep: mendMedium,
		Kinds:    []azprov.Kind{azprov.KindMalformed},
	},
	{
		ID: "http", Text: "HTTP error", Source: SourceAzureInit,
		Cause:    "A request to one of the platform's services got no answer.",
		NextStep: "Let the VM reach 169.254.169.254 and 168.63.129.16: see the guest's firewall, its routes and its proxy.",
		Kinds:    []azprov.Kind{azprov.KindNetwork},
	},
	{
		ID: "io", Text: "I/O error", Source: SourceAzureInit,
		Cause:    "A file or device cannot be read or written.",
		NextStep: readBoot,
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "http-status", Text: "http status error", Source: SourceAzureInit,
		Cause:    "One of the platform's services answered with an error; the supporting data has its address and the status.",
		NextStep: "For 401 and 403 see the Metadata Security Protocol's rules of the VM; else deploy again.",
		Kinds:    []azprov.Kind{azprov.KindDenied, azprov.KindUnauthenticated, azprov.KindThrottled, azprov.KindNotFound, azprov.KindMalformed},
	},
	{
		ID: "subprocess", Text: "subprocess failed", Source: SourceAzureInit,
		Cause:    "A program of the image that azure-init runs has failed; the supporting data names it.",
		NextStep: "Run the command in the image by hand.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "nul-byte", Text: "C string nul byte", Source: SourceAzureInit,
		Cause:    "A name holds a NUL, which the system's library cannot take.",
		NextStep: "Choose a user name and a computer name without control characters.",
		Kinds:    []azprov.Kind{azprov.KindMalformed},
	},
	{
		ID: "rustix", Text: "rustix error", Source: SourceAzureInit,
		Cause:    "A call to the kernel was refused.",
		NextStep: readBoot,
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "user-not-found", Text: "user not found", Source: SourceAzureInit,
		Cause:    "The user was made, or should have been there, and the system does not know it.",
		NextStep: "See that useradd in the image works, and which database of users it writes.",
		Kinds:    []azprov.Kind{azprov.KindNotFound},
	},
	{
		ID: "no-username", Text: "failed to determine username", Source: SourceAzureInit,
		Cause:    "Neither the instance metadata nor the provisioning medium names a user.",
		NextStep: "Create the VM with an administrator's name.",
		Kinds:    []azprov.Kind{azprov.KindNotFound},
	},
	{
		ID: "no-metadata", Text: "failed to retrieve instance metadata", Source: SourceAzureInit,
		Cause:    "The Instance Metadata Service did not give the instance document in the time that is set for it.",
		NextStep: openIMDS,
		Kinds:    []azprov.Kind{azprov.KindTimeout, azprov.KindNetwork},
	},
	{
		ID: "password-unsupported", Text: "provisioning with non-empty password is unsupported", Source: SourceAzureInit,
		Cause:    "The VM was created with a password, and the agent is set up not to take any.",
		NextStep: "Create the VM with SSH keys.",
		Kinds:    []azprov.Kind{azprov.KindProtected},
	},
	{
		ID: "block-device", Text: "block device error", Source: SourceAzureInit,
		Cause:    "The devices of the VM could not be searched for the provisioning medium.",
		NextStep: "See that the image has blkid, and the driver of the virtual optical drive.",
		Kinds:    []azprov.Kind{azprov.KindNotFound},
	},
	{
		ID: "hostname", Text: "failed to provision hostname", Source: SourceAzureInit,
		Cause:    "The host name could not be set.",
		NextStep: "See that one of the programs that azure-init knows for it is in the image.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "user", Text: "failed to provision user", Source: SourceAzureInit,
		Cause:    "The user could not be made.",
		NextStep: "See that one of the programs that azure-init knows for it is in the image.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "password", Text: "failed to provision password", Source: SourceAzureInit,
		Cause:    "The user's password could not be set or locked.",
		NextStep: "See that one of the programs that azure-init knows for it is in the image.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "timeout", Text: reasonTimedOut, Source: SourceAzureInit,
		Cause:    "The time that an operation had is over; the supporting data says which, and what failed last.",
		NextStep: "Remove what failed last; a slow disk or network may need a longer budget in the agent.",
		Kinds:    []azprov.Kind{azprov.KindTimeout},
	},
	{
		ID: "sshd-update", Text: "failed to update sshd config", Source: SourceAzureInit,
		Cause:    "The SSH server's configuration could not be written.",
		NextStep: "See that the image lets sshd_config be changed.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "sshd-load", Text: "failed to load sshd config", Source: SourceAzureInit,
		Cause:    "The SSH server does not tell its configuration.",
		NextStep: "Run sshd -G in the image.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "unhandled-azure-init", Text: "unhandled error", Source: SourceAzureInit,
		Cause:    "A step of azure-init failed that has no reason of its own.",
		NextStep: readBoot,
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
}
