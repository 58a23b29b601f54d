package emulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
)

// Pool makes the VM of a scenario one that waits in a pre-provisioning pool: it reports
// Ready once without being anybody's, its network changes under it, and the owner's
// ovf-env.xml appears as IMDS's reprovisiondata (cloud-init, DataSourceAzure.py, PPS).
// All durations count from the acceptance of that first Ready.
type Pool struct {
	// Type says how the VM gets its owner; empty: the VM is in no pool. It stands in
	// IMDS and on the medium.
	Type ovf.PreprovisionedVMType `json:"type,omitempty"`
	// Owner is the VM that it becomes. What the platform had decided before, and is
	// empty here, is taken over: id, generation, location, zone, size, environment,
	// image, subscription, resource group and interfaces.
	Owner VM `json:"owner,omitzero"`
	// Switched: the VM was rebooted while it waited. Its first Ready and the change of
	// its network are history; the durations count from the start.
	Switched bool `json:"switched,omitempty"`
	// SwitchAfter is how long after the first Ready the network goes away, or the VM is
	// shut down.
	SwitchAfter Duration `json:"switchAfter,omitempty"`
	// Outage is how long the network is away.
	Outage Duration `json:"outage,omitempty"`
	// DataAfter is how long after the first Ready the owner's data is there; never before
	// the network is back.
	DataAfter Duration `json:"dataAfter,omitempty"`
	// NotYet is the status of reprovisiondata until then; 0 stands for 404. With 200 the
	// body is empty.
	NotYet int `json:"notYet,omitempty"`
	// StaleReads is how many answers to /metadata/instance still show the VM of the
	// pool once the owner's data is there (canonical/cloud-init pull request 4596).
	StaleReads int `json:"staleReads,omitempty"`
	// Document replaces the owner's ovf-env.xml, byte for byte.
	Document azprov.Secret `json:"document,omitzero"`
	// Instance is a JSON merge patch over the owner's instance document, as
	// IMDS.Instance is one over that of the pool.
	Instance json.RawMessage `json:"instance,omitempty"`
}

// isPool reports whether the VM waits in a pool.
func (s Scenario) isPool() bool { return s.Pool.Type != "" }

// isSwitched reports whether a VM of the type gets its owner while it runs, by a change
// of its network.
func (p Pool) isSwitched() bool { return p.Type != ovf.PreprovisionedVMTypeOSDisk }

// withDefaults fills in what the owner takes over from the VM of the pool.
func (p Pool) withDefaults(vm VM) Pool {
	if p.Type == "" {
		return p
	}
	p.NotYet = cmp.Or(p.NotYet, http.StatusNotFound)
	owner := &p.Owner
	if owner.ID.IsZero() {
		owner.ID = vm.ID
	}
	owner.Generation = cmp.Or(owner.Generation, vm.Generation)
	owner.Location = cmp.Or(owner.Location, vm.Location)
	owner.Zone = cmp.Or(owner.Zone, vm.Zone)
	owner.Size = cmp.Or(owner.Size, vm.Size)
	owner.Environment = cmp.Or(owner.Environment, vm.Environment)
	owner.SubscriptionID = cmp.Or(owner.SubscriptionID, vm.SubscriptionID)
	owner.ResourceGroup = cmp.Or(owner.ResourceGroup, vm.ResourceGroup)
	owner.Image = cmp.Or(owner.Image, vm.Image)
	if owner.Interfaces == nil {
		owner.Interfaces = vm.Interfaces
	}
	p.Owner = owner.withDefaults()
	return p
}

// validate returns what is wrong with the pool, "" if nothing is. rateLimit is the
// scenario's.
func (p Pool) validate(rateLimit azprov.Switch) string {
	if p.Type == "" {
		if !reflect.ValueOf(p).IsZero() {
			return "pool has no type, want Running, Savable or PreprovisionedOSDisk"
		}
		return ""
	}
	switch {
	case !slices.Contains(ovf.PossiblePreprovisionedVMTypeValues(), p.Type):
		return fmt.Sprintf("pool.type is %q, want Running, Savable or PreprovisionedOSDisk", p.Type)
	case p.Switched && !p.isSwitched():
		return "pool.switched: a VM whose disk is taken is not switched"
	case p.SwitchAfter < 0 || p.Outage < 0 || p.DataAfter < 0:
		return "pool: a duration is negative"
	case p.NotYet < http.StatusOK || p.NotYet > 599:
		return "pool.notYet is not between 200 and 599"
	case p.StaleReads < 0:
		return "pool.staleReads is negative"
	case rateLimit == azprov.SwitchOff:
		// The poll for the owner's data is what the limit is there for.
		return "imds.rateLimit is off, and Azure limits every VM that waits in a pool"
	}
	return p.Owner.validate("pool.owner")
}

// ownerDocument is what IMDS gives as reprovisiondata.
func (s Scenario) ownerDocument() ([]byte, error) {
	if !s.Pool.Document.IsZero() {
		return s.Pool.Document.Reveal(), nil
	}
	return ovfDocument(s.Pool.Owner, "")
}
