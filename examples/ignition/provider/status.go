package provider

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/wireserver"
)

// status tells the platform what came of a stage: Started after the first that had the
// network, Failed after any that failed, Ready after the last. A failed stage is the last one
// of its boot, so that nothing contradicts it.
func (p *platform) status(stage string, _ Fetcher, failed error) error {
	health, ok := p.health(stage, failed)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.o.ReportTimeout) // Ignition has none.
	defer cancel()
	_, err := p.o.WireServer.ReportHealth(ctx, health, nil)
	return err
}

func (p *platform) health(stage string, failed error) (health wireserver.HealthReport, ok bool) {
	switch {
	case failed != nil:
		return wireserver.HealthReport{
			State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioningFailed,
			Description: p.record(stage, failed),
		}, true
	case stage == p.o.ReadyAfter:
		return wireserver.HealthReport{State: goalstate.HealthStateReady}, true
	case stage == StageFetch:
		return wireserver.HealthReport{
			State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioning,
			Description: "Ignition has started",
		}, true
	}
	return wireserver.HealthReport{}, false
}

// record is the failure as the platform and Azure's support read it. An error of the SDK has a
// reason of its own; of all others the stage is to blame, by the name of its unit.
func (p *platform) record(stage string, failed error) string {
	var known *azprov.Error
	if !errors.As(failed, &known) {
		failed = &azprov.Error{
			Op: "ignition " + stage, Kind: azprov.KindInternal, Reason: "provisioning program ignition-" + stage + ".service failed",
			Details: []azprov.Detail{{Key: "error", Value: redact(failed.Error())}},
		}
	}
	_, record := report.For(failed)
	record.Supporting = slices.Insert(record.Supporting, 0, azprov.Detail{Key: "stage", Value: stage})
	record.Agent, record.VMID, record.Timestamp = p.o.AgentName, "unknown", time.Now()
	if id := p.vmID(); !id.IsZero() {
		record.VMID = id.String()
	}
	return record.Encode(report.DialectCloudInit)
}

// secrets are what the errors of Ignition's stages may quote, with what stays of it: commands
// with the hash of a password, URLs with a token in them, files that are in a data URL.
var secrets = []struct {
	pattern *regexp.Regexp
	stays   string
}{
	{regexp.MustCompile(`\$[0-9a-z]+\$[^\s"',;]+`), "[redacted]"},
	{regexp.MustCompile(`(--password"? "?)[^\s"]+`), "${1}[redacted]"},
	{regexp.MustCompile(`(://)[^\s"'/@]+@`), "${1}[redacted]@"},
	{regexp.MustCompile(`(://[^\s"'?#]+\?)[^\s"']+`), "${1}[redacted]"},
	{regexp.MustCompile(`\bdata:[^\s"']+`), "data:[redacted]"},
}

func redact(text string) string {
	for _, secret := range secrets {
		text = secret.pattern.ReplaceAllString(text, secret.stays)
	}
	return text
}
