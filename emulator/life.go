package emulator

import (
	"net/http"
	"time"
)

// identity is all that the services tell of a VM: it changes as a whole when the VM
// becomes its owner's.
type identity struct {
	spec     *VM
	document func() object // Made anew for each request: it is larger than all the rest.
	bundle   *bundle
	wire     wireIDs
	ovf      func() []byte // what IMDS gives as reprovisiondata
	settings func() []byte // what the HostGAPlugin gives as vmSettings
}

// identities are the VM as it begins, and the owner's; outside of a pool they are one.
func (s *Scenario) identities(c *common) (first, owner identity) {
	first = s.identity(&s.VM, c, c.first, s.IMDS.PPSType)
	if !s.isPool() {
		return first, first
	}
	owner = s.identity(&s.Pool.Owner, c, c.owner, "None")
	owner.ovf = func() []byte {
		document, _ := s.ownerDocument() // NewFabric has called it once.
		return document
	}
	return first, owner
}

// identity is that of vm, the scenario's VM or the pool's owner.
func (s *Scenario) identity(vm *VM, c *common, h half, ppsType string) identity {
	return identity{
		spec: vm, wire: newWireIDs(*s, *vm), bundle: h.bundle,
		document: func() object { return instanceDocument(*s, *vm, ppsType, h.patch) },
		settings: func() []byte { return vmSettingsDocument(*s, *vm, c.settings) },
	}
}

// become gives the VM to its owner. The goal state is the owner's from here on: one that
// was read in the pool is stale. That Azure changes it at this moment is a guess; an
// agent that reads it again for the second report need not care.
func (v *vmState) become(owner identity) {
	v.stale = v.document
	owner.wire.containerID, owner.wire.incarnation, owner.wire.former = v.wire.containerID, v.wire.incarnation+1, v.wire.former
	v.identity, v.reused = owner, true
	v.before = len(v.reports)
}

// instanceDocument is the document that a read gets, and what is to be done once it is
// served.
func (v *vmState) instanceDocument() (document object, served func()) {
	if v.staleReads > 0 && v.reused {
		return v.stale(), func() { v.staleReads-- }
	}
	return v.document(), nil
}

// reprovisionData answers for the owner's ovf-env.xml.
func (v *vmState) reprovisionData(notYet int) response {
	switch {
	case v.reused:
		resp := imdsAnswer("text/xml; charset=utf-8", v.ovf())
		resp.served = func() { v.fetched = true }
		return resp
	case notYet == http.StatusOK:
		return imdsAnswer("text/xml; charset=utf-8", nil)
	case notYet != 0:
		return imdsFailure(notYet)
	}
	return imdsError(http.StatusNotFound, "Not found")
}

// The verdicts on reports at the wrong time. They are accepted nevertheless, as the
// platform knows a report by the phase alone.
const (
	verdictEarly   = "Ready before the owner's data"
	verdictUnread  = "Ready without the owner's data"
	verdictTooLate = "Ready after Failed"
)

// account makes of an accepted report what it means in the VM's phase, and returns what is
// wrong with it. lost says that the agent will not see the answer: it may ask again.
func (v *vmState) account(report *Report, now time.Time, lost bool) (verdict string) {
	phase := v.phase()
	report.Pool = v.pooled && !v.reused
	failed := v.failed
	v.failed = failed || report.State == StateFailed
	repeated := v.lost
	v.lost = lost
	switch {
	case report.State == StateFailed:
		v.enter(PhaseFailed, now)
		return ""
	case report.State != StateReady:
		return ""
	case failed:
		verdict = verdictTooLate
	}
	switch {
	case phase == PhasePooled:
		v.reported = now
		v.enter(PhaseReported, now)
	case report.Pool && phase != PhaseFailed && !repeated:
		verdict = verdictEarly
	case report.Pool:
	default:
		if v.pooled && !v.fetched {
			verdict = verdictUnread
		}
		v.enter(PhaseProvisioned, now)
	}
	return verdict
}
