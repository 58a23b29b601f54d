package kvp

import (
	"context"

	"github.com/azprov/azprov/internal/record"
)

// ReportKey is the key under which the host looks for the provisioning report.
const ReportKey = "PROVISIONING_REPORT"

// ReportChannel writes provisioning reports into a pool. It has the method of
// provision.HostChannel.
type ReportChannel struct{ pool *Pool }

// Channel returns the channel for provision.Options.Host.
func Channel(pool *Pool) *ReportChannel { return &ReportChannel{pool} }

// WriteReport makes a record the only report in the pool, and brings it to the disk. A
// record of more than [MaxValue] bytes is shortened: supporting data first, so that
// result, reason, ids and time reach the host.
//
// Errors: those of [Pool.Upsert].
func (c *ReportChannel) WriteReport(ctx context.Context, text string) error {
	text = record.Shorten(text, func(candidate string) int { return len(candidate) }, MaxValue)
	if err := c.pool.Upsert(ctx, ReportKey, text); err != nil {
		return err
	}
	return c.pool.Flush(ctx)
}
