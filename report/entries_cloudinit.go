package report

import "github.com/azprov/azprov"

// reasonUnknown is cloud-init's reason for a failure that has none of its own.
const reasonUnknown = "unhandled exception"

// Where several reasons have one remedy.
const (
	openIMDS     = "Let the VM reach 169.254.169.254 through its primary network interface: see the guest's firewall, its routes and its proxy."
	mendMedium   = "Create the VM anew; if it happens again, open a case with Azure's support and attach the record."
	readBoot     = "Read the supporting data, and the log of the boot on the serial console."
	retryDeploy  = "Deploy again; if it happens again, open a case with Azure's support and give the VM id and the timestamp of the record."
	mendNetwork  = "See in the serial console whether the driver of the network interface was loaded, and that DHCP is not blocked in the guest."
	fixProxy     = "Read the guest proxy agent's log in the VM's disk, and update the agent in the image."
	checkTheDisc = "Boot an image that can read the disc of the provisioning data (UDF, ISO 9660), and let nothing in the image eject it."
)

// cloudInitEntries are the texts of cloudinit/sources/azure/errors.py, which Azure's
// support pages know.
var cloudInitEntries = []Entry{
	{
		ID: "dhcp-no-interface", Text: "failure to find DHCP interface", Source: SourceCloudInit,
		Cause:    "The VM shows no network interface that DHCP could be tried on.",
		NextStep: mendNetwork,
		Kinds:    []azprov.Kind{azprov.KindNotFound, azprov.KindTimeout},
	},
	{
		ID: "dhcp-no-lease", Text: "failure to obtain DHCP lease", Source: SourceCloudInit,
		Cause:    "No DHCP server has given the VM an address.",
		NextStep: mendNetwork,
		Kinds:    []azprov.Kind{azprov.KindNetwork, azprov.KindTimeout, azprov.KindDenied, azprov.KindNotReady, azprov.KindMalformed, azprov.KindNotFound, azprov.KindCanceled},
	},
	{
		ID: "dhcp-not-primary", Text: "failure to find primary DHCP interface", Source: SourceCloudInit,
		Cause:    "The lease came on an interface that has no route to the platform's services.",
		NextStep: "See which interface the supporting data names: provisioning needs the VM's primary one.",
		Kinds:    []azprov.Kind{azprov.KindNotFound, azprov.KindTimeout},
	},
	{
		ID: "imds-connect-timeout", Text: "connection timeout querying IMDS", Source: SourceCloudInit,
		Cause:    "Nothing answered when a connection to the Instance Metadata Service was opened.",
		NextStep: openIMDS,
		Kinds:    []azprov.Kind{azprov.KindTimeout, azprov.KindNetwork},
	},
	{
		ID: "imds-connect", Text: "connection error querying IMDS", Source: SourceCloudInit,
		Cause:    "A connection to the Instance Metadata Service was refused, had no route or broke.",
		NextStep: openIMDS,
		Kinds:    []azprov.Kind{azprov.KindNetwork, azprov.KindTimeout},
	},
	{
		ID: "imds-read-timeout", Text: "read timeout querying IMDS", Source: SourceCloudInit,
		Cause:    "The Instance Metadata Service took the request and did not answer in time.",
		NextStep: retryDeploy,
		Kinds:    []azprov.Kind{azprov.KindTimeout, azprov.KindNetwork},
	},
	{
		ID: "imds-http-error", Text: "http error <code> querying IMDS", Source: SourceCloudInit,
		Cause:    "The Instance Metadata Service answered with an error until time ran out, or with one that is final.",
		NextStep: "For 401 and 403 see the Metadata Security Protocol's rules of the VM; for 429 look for programs in the image that read IMDS too often; else deploy again.",
		Kinds: []azprov.Kind{
			azprov.KindNotFound, azprov.KindNotReady, azprov.KindThrottled, azprov.KindUnauthenticated, azprov.KindDenied,
			azprov.KindUnsupportedVersion, azprov.KindMalformed, azprov.KindNotAzure, azprov.KindTimeout,
		},
	},
	{
		ID: "imds-unexpected", Text: "unexpected error querying IMDS", Source: SourceCloudInit,
		Cause:    "The request to the Instance Metadata Service failed in a way that none of the other reasons covers.",
		NextStep: "Read the exception in the supporting data; the wording is the failing library's.",
		Kinds:    []azprov.Kind{azprov.KindInternal, azprov.KindTimeout, azprov.KindNetwork, azprov.KindCanceled},
	},
	{
		ID: "imds-parse", Text: "error parsing IMDS metadata", Source: SourceCloudInit,
		Cause:    "What the Instance Metadata Service sent cannot be read; user data that is not base64 counts too.",
		NextStep: "If the exception is about user data, set it in base64; else deploy again, and look for something in the guest that answers in IMDS's place.",
		Kinds:    []azprov.Kind{azprov.KindMalformed, azprov.KindTooLarge, azprov.KindTimeout},
	},
	{
		ID: "imds-invalid", Text: "invalid IMDS metadata for key=<key>", Source: SourceCloudInit,
		Cause:    "A value that IMDS gave is missing, out of date or contradicts the VM's state.",
		NextStep: retryDeploy,
		Kinds:    []azprov.Kind{azprov.KindNotReady, azprov.KindStale, azprov.KindMalformed, azprov.KindTimeout},
	},
	{
		ID: "custom-data-missing", Text: "failure to read customData while hasCustomData=true", Source: SourceCloudInit,
		Cause:    "The VM was created with custom data, and the provisioning medium, where alone it is, gave none.",
		NextStep: checkTheDisc,
		Kinds:    []azprov.Kind{azprov.KindNotFound},
	},
	{
		ID: "import-library", Text: "error importing <name> library", Source: SourceCloudInit,
		Cause:    "A Python library is missing in the image, most often the one that hashes passwords.",
		NextStep: "Install the library in the image, or create the VM with SSH keys and without a password.",
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
	{
		ID: "os-disk-pool", Text: "error waiting for host shutdown", Source: SourceCloudInit,
		Cause:    "A VM prepared in a pool, of which only the disk is kept, was not shut down by its host.",
		NextStep: retryDeploy,
		Kinds:    []azprov.Kind{azprov.KindTimeout},
	},
	{
		ID: "ovf-invalid", Text: "unexpected metadata parsing ovf-env.xml: <detail>", Source: SourceCloudInit,
		Cause:    "The provisioning data lacks an element that it must have, or has one twice.",
		NextStep: mendMedium,
		Kinds:    []azprov.Kind{azprov.KindMalformed},
	},
	{
		ID: "ovf-parse", Text: "error parsing ovf-env.xml: <detail>", Source: SourceCloudInit,
		Cause:    "The provisioning data is no well-formed XML, or no OVF environment.",
		NextStep: mendMedium,
		Kinds:    []azprov.Kind{azprov.KindMalformed, azprov.KindTooLarge},
	},
	{
		ID: "password-too-long", Text: "unsupported password length=<length> max=<max>", Source: SourceCloudInit,
		Cause:    "The administrator's password is longer than any that Azure allows; it may be encrypted.",
		NextStep: "Set a password of 72 characters at most, or use SSH keys.",
		Kinds:    []azprov.Kind{azprov.KindMalformed},
	},
	{
		ID: "proxy-agent-missing", Text: "azure-proxy-agent not found", Source: SourceCloudInit,
		Cause:    "The VM was created with the Metadata Security Protocol, and its image has no guest proxy agent.",
		NextStep: "Install the guest proxy agent in the image, or create the VM without the protocol.",
		Kinds:    []azprov.Kind{azprov.KindNotFound},
	},
	{
		ID: "proxy-agent-status", Text: "azure-proxy-agent status failure", Source: SourceCloudInit,
		Cause:    "The guest proxy agent is there and did not become ready.",
		NextStep: fixProxy,
		Kinds:    []azprov.Kind{azprov.KindNotReady, azprov.KindTimeout},
	},
	{
		ID: "vm-id", Text: "failure to identify Azure VM ID", Source: SourceCloudInit,
		Cause:    "The firmware's tables give no id of the VM, or none that is a UUID.",
		NextStep: "See that the kernel has DMI (sysfs, class/dmi/id/product_uuid) and that the agent runs as root.",
		Kinds:    []azprov.Kind{azprov.KindMalformed, azprov.KindNotFound, azprov.KindDenied, azprov.KindInternal},
	},
	{
		ID: "unhandled", Text: reasonUnknown, Source: SourceCloudInit,
		Cause:    "A step failed that has no reason of its own: the agent's own, or what the image does with the provisioning data.",
		NextStep: readBoot,
		Kinds:    []azprov.Kind{azprov.KindInternal},
	},
}
