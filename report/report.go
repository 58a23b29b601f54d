package report

import (
	"time"

	"github.com/azprov/azprov"
)

// Result is how provisioning went.
type Result string

// The results.
const (
	ResultSuccess Result = "success"
	ResultError   Result = "error"
)

// PossibleResultValues returns both results.
func PossibleResultValues() []Result { return []Result{ResultSuccess, ResultError} }

// Dialect is the form of a record: its quote, and the order of its fields.
type Dialect string

// The dialects.
const (
	// DialectCloudInit quotes with ' (cloudinit/sources/azure/errors.py). It is what
	// Azure's support sees most, and the default.
	DialectCloudInit Dialect = "cloud-init"
	// DialectAzureInit quotes with " and always names a pre-provisioning type
	// (libazureinit/src/error.rs, libazureinit-kvp).
	DialectAzureInit Dialect = "azure-init"
)

// PossibleDialectValues returns both dialects.
func PossibleDialectValues() []Dialect { return []Dialect{DialectCloudInit, DialectAzureInit} }

// Report is one outcome. The zero value of a field is what the agent does not know.
type Report struct {
	// Result is kept if it is none of ours; empty counts as [ResultError], so that
	// nobody reports a success by leaving something out.
	Result Result
	// Reason of a failure, one of the [Catalogue]'s or the agent's own. A failure
	// without one is reported as "unhandled exception".
	Reason string
	// Agent is a name and version, like "azprov/0.1.0".
	Agent string
	// VMID is the VM's id as text, because agents also write words there, "unknown" for
	// example; azprov.SameVM compares.
	VMID string
	// PPSType is the kind of pool that the VM was in, "None" for none.
	PPSType string
	// Timestamp is written in UTC, with microseconds in cloud-init's dialect.
	Timestamp time.Time
	// Supporting is what helps to find the cause, in this order. A Detail without a key
	// is a bare value.
	Supporting []azprov.Detail
	// DocumentationURL of a failure is azprov.DocumentationURL if empty.
	DocumentationURL string
}
