// The minimal importer of package kvp: an agent that tells the host what came of it.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/report/kvp"
)

func main() {
	ctx := context.Background()
	pool := kvp.Open(nil)
	boot, err := kvp.BootTime(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pool.ClearStale(ctx, boot))
	events := kvp.NewQueue(pool, &kvp.QueueOptions{Source: kvp.Source{Boot: boot}})
	events.Add(kvp.Event{Type: kvp.EventStart, Name: "provision"})
	fmt.Println(events.Flush(ctx), kvp.Channel(pool, nil).WriteReport(ctx, "result=success"))
	fmt.Println(pool.List(ctx))
}
