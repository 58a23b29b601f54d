package kvp_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/azprov/azprov/report/kvp"
)

// An agent shares the pool with others: it removes what an image has brought along, writes
// its events when there is time, and has one report.
func Example() {
	dir, err := os.MkdirTemp("", "hyperv")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()

	// An agent has kvp.Open(nil), the pool of hv_kvp_daemon.
	pool := kvp.Open(&kvp.Options{Path: filepath.Join(dir, ".kvp_pool_1"), Create: true})
	boot := time.Unix(1795415957, 0) // kvp.BootTime(nil)
	if _, err := pool.ClearStale(ctx, boot); err != nil {
		fmt.Println(err)
	}

	events := kvp.NewQueue(pool, &kvp.QueueOptions{Source: kvp.Source{Prefix: "PILOT", Boot: boot}})
	events.Add(kvp.Event{Type: kvp.EventFinish, Name: "pilot/apply", Result: kvp.ResultSuccess, Duration: time.Second, Message: "moored"})
	if err := events.Flush(ctx); err != nil {
		fmt.Println(err)
	}

	host := kvp.Channel(pool, nil) // for provision.Options.Host
	for _, report := range []string{"result=success|agent=pilot/1", "result=error|reason=fog|agent=pilot/1"} {
		if err := host.WriteReport(ctx, report); err != nil {
			fmt.Println(err)
		}
	}

	records, err := pool.List(ctx)
	fmt.Println(len(records), err)
	fmt.Println(pool.Get(ctx, kvp.ReportKey))
	// Output:
	// 2 <nil>
	// result=error|reason=fog|agent=pilot/1 <nil>
}
