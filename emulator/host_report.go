package emulator

import (
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/report/kvp"
)

// The verdicts on what the guest tells the host, and on what it tells each of the two.
const (
	verdictHostUnread = "KVP pool cannot be read"
	verdictHostLeak   = "secret in the KVP report"
	verdictEventLeak  = "secret in a KVP event"
	verdictHostBroken = "KVP report cannot be decoded"
	verdictHostResult = "KVP report is neither success nor error"
	verdictHostStale  = "KVP report from before the boot"
	verdictHostVM     = "KVP report names another VM"
	// The failure was final: a deployment that has failed does not come back.
	verdictHostRecovered = "KVP success after KVP error"
	verdictHostEarly     = "KVP success before the owner's data"
	verdictHostAfterFail = "KVP success after Failed"
	verdictHostAfterGood = "KVP error after Ready"
	verdictGoodHostError = "Ready while the KVP report says error"
	verdictFailHostGood  = "Failed while the KVP report says success"
	verdictHostReason    = "KVP report and Failed have different reasons"
	// Linux's driver drops what is longer, and fails the whole exchange for what is no
	// text (azure-init, doc/kvp.md).
	verdictHostLong = "KVP report over 1022 characters"
	verdictHostText = "KVP report is not UTF-8"
)

// staleAfter is how much older than the fabric a record may be, for clocks that differ.
const staleAfter = 5 * time.Minute

// hearReports judges the reports that were not in the pool before. Agents replace theirs,
// or append another one (cloud-init): the last counts.
func (f *Fabric) hearReports(records []kvp.Record, at time.Time, watching bool) {
	h := f.host
	var values []string
	for _, record := range records {
		if record.Key != kvp.ReportKey {
			continue
		}
		switch parsed, _, err := report.Parse(record.Value); {
		case err != nil || !h.beforeBoot(parsed):
			values = append(values, record.Value)
		case !watching && !h.stale[record.Value] && len(h.stale) < maxHostReports:
			h.stale[record.Value] = true
			f.hear(f.decodeReport(record.Value, at))
		}
	}
	for _, value := range fresh(h.values, values) {
		f.hear(f.decodeReport(value, at))
	}
	h.values = values
}

// beforeBoot reports whether a record is older than the VM.
func (h *hostChannel) beforeBoot(r report.Report) bool {
	return !r.Timestamp.IsZero() && r.Timestamp.Before(h.created.Add(-staleAfter))
}

// fresh returns the values that are new among now, where before is what there was: those
// behind the common beginning, or behind what is left if the beginning was removed.
func fresh(before, now []string) []string {
	n := 0
	for n < min(len(before), len(now)) && before[n] == now[n] {
		n++
	}
	if n > 0 {
		return now[n:]
	}
	for kept := min(len(before), len(now)); kept > 0; kept-- {
		if slices.Equal(before[len(before)-kept:], now[:kept]) {
			return now[kept:]
		}
	}
	return now
}

// decodedReport is a report with what only its text can tell.
type decodedReport struct {
	HostReport

	broken, leaks, long, text bool
}

func (f *Fabric) decodeReport(value string, at time.Time) decodedReport {
	parsed, warnings, err := report.Parse(value)
	d := decodedReport{
		HostReport: HostReport{Raw: f.journal.redactText(value), Time: at.UTC(), Warnings: warnings},
		broken:     err != nil,
		long:       len(utf16.Encode([]rune(value))) > kvp.MaxValue,
		text:       utf8.ValidString(value),
	}
	if err == nil {
		d.Report, d.leaks = f.journal.redactReport(parsed)
		d.Stale = f.host.beforeBoot(parsed)
	}
	d.leaks = d.leaks || d.Raw != value
	// What only decoding brings to light is in the text still.
	if again, _, err := report.Parse(d.Raw); err == nil {
		if _, leaks := f.journal.redactReport(again); leaks {
			d.Raw = azprov.Redacted
		}
	}
	return d
}

// redactReport replaces the secrets in every part of a record.
func (j *journal) redactReport(r report.Report) (clean report.Report, leaks bool) {
	redact := func(text string) string {
		clean := j.redactText(text)
		leaks = leaks || clean != text
		return clean
	}
	r.Result = report.Result(redact(string(r.Result)))
	for _, text := range []*string{&r.Reason, &r.Agent, &r.VMID, &r.PPSType, &r.DocumentationURL} {
		*text = redact(*text)
	}
	r.Supporting = slices.Clone(r.Supporting)
	for i, detail := range r.Supporting {
		r.Supporting[i] = azprov.Detail{Key: redact(detail.Key), Value: redact(detail.Value)}
	}
	return r, leaks
}

// judgement is a verdict, and whether it holds.
type judgement struct {
	verdict string
	holds   bool
}

func holding(all []judgement) []string {
	var verdicts []string
	for _, j := range all {
		if j.holds {
			verdicts = append(verdicts, j.verdict)
		}
	}
	return verdicts
}

// hear keeps a report that the host has not seen before, and writes down what it thinks
// of it.
func (f *Fabric) hear(d decodedReport) {
	f.mu.Lock()
	f.advance(d.Time)
	d.Pool = f.vm.pooled && !f.vm.reused
	verdicts := f.judgeHost(d)
	f.vm.hostReports = append(f.vm.hostReports, d.HostReport)
	if len(f.vm.hostReports) > maxHostReports {
		f.vm.hostReports = slices.Clone(f.vm.hostReports[1:])
	}
	if d.outcome() {
		f.vm.told = &d.HostReport
	}
	f.mu.Unlock()
	f.tellHost(kvp.ReportKey, &d.HostReport, d.Time, verdicts...)
}

// judgeHost compares a new report with what was told before. Fabric.mu is held.
func (f *Fabric) judgeHost(d decodedReport) []string {
	before, wire := f.vm.told, f.vm.outcome()
	outcome := d.outcome()
	success, failure := outcome && d.Report.Result == report.ResultSuccess, outcome && d.Report.Result == report.ResultError
	return holding([]judgement{
		{verdictHostLeak, d.leaks},
		{verdictHostText, !d.text},
		{verdictHostLong, d.long},
		{verdictHostBroken, d.broken},
		{verdictHostStale, d.Stale},
		{verdictHostResult, !d.broken && !d.Stale && !outcome},
		{verdictHostVM, outcome && !f.namesVM(d.Report.VMID)},
		{verdictHostRecovered, success && before != nil && before.Report.Result == report.ResultError},
		{verdictHostEarly, success && d.Pool},
		{verdictHostAfterFail, success && wire.State == StateFailed},
		{verdictHostAfterGood, failure && wire.State == StateReady},
		// What follows the first is for nobody: the host has taken what there was.
		{verdictHostReason, failure && f.vm.heard() == nil && wire.State == StateFailed && differ(wire.Description, d.Report)},
	})
}

// judgeWire compares an accepted health report with what the host was told. Fabric.mu is
// held.
func (v *vmState) judgeWire(wire Report) []string {
	told := v.heard()
	if told == nil {
		return nil
	}
	success, failure := told.Report.Result == report.ResultSuccess, told.Report.Result == report.ResultError
	return holding([]judgement{
		{verdictGoodHostError, wire.State == StateReady && failure},
		{verdictFailHostGood, wire.State == StateFailed && success},
		{verdictHostReason, wire.State == StateFailed && failure && differ(wire.Description, told.Report)},
	})
}

// outcome is the last report by the wire that says how the VM's provisioning went, the zero
// Report if there is none. A pool's Ready does not.
func (v *vmState) outcome() Report {
	for _, wire := range slices.Backward(v.reports[v.before:]) {
		if wire.State == StateFailed || wire.State == StateReady && !wire.Pool {
			return wire
		}
	}
	return Report{}
}

// heard is what the host was last told of this VM, nil for nothing: what the VM said in the
// pool does not count for its owner.
func (v *vmState) heard() *HostReport {
	if v.told != nil && v.told.Pool != (v.pooled && !v.reused) {
		return nil
	}
	return v.told
}

// namesVM reports whether a record may have that VM id: none, or the VM's in either byte
// order. A VM of a pool reads its own in DMI, and its owner's in IMDS. Fabric.mu is held.
func (f *Fabric) namesVM(id string) bool {
	return id == "" || azprov.SameVM(id, f.scenario.VM.ID.String()) || azprov.SameVM(id, f.vm.spec.ID.String())
}

// differ reports whether the description of a failure gives another reason than a record.
// A description that is no record, as WALinuxAgent's, gives none to compare. One that was
// cut inside the reason, behind which the agent would stand, is compared as far as it goes.
func differ(description string, told report.Report) bool {
	wire, _, err := report.Parse(description)
	if err != nil || wire.Reason == "" || told.Reason == "" {
		return false
	}
	a, b := azprov.OneLine(wire.Reason), azprov.OneLine(told.Reason)
	switch {
	case wire.Agent == "" && strings.HasPrefix(b, a), told.Agent == "" && strings.HasPrefix(a, b):
		return false
	default:
		return a != b
	}
}
