package pps_test

import (
	"context"
	"fmt"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/pps"
)

// harbour is a platform in memory: it has an owner for the VM as soon as the VM has
// reported. On Azure these are pps.IMDSMetadata and a report to the wire server.
type harbour struct{ reported bool }

func (h *harbour) ReportPoolReady(context.Context) error {
	h.reported = true
	return nil
}

func (h *harbour) ReprovisionData(context.Context) (azprov.Secret, error) {
	if !h.reported {
		return azprov.Secret{}, &azprov.Error{Op: "harbour", Kind: azprov.KindNotReady, Message: "not yet"}
	}
	return azprov.NewSecret([]byte(ownersDoc)), nil
}

// Wait in a pool until the VM has an owner. A state directory that outlives a reboot lets
// the next boot go on where this one ended.
func Example() {
	ctx := context.Background()
	kind, warnings := pps.Determine(pps.Evidence{IMDS: imds.PPSTypeRunning})
	fmt.Println(kind, warnings)

	platform := &harbour{}
	machine, err := pps.New(&pps.Options{
		Type: kind, Metadata: platform, Reporter: platform,
		OnState: func(step pps.Transition) { fmt.Println(step.From, "->", step.To) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := machine.Run(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Environment.HostName, result.Environment.UserName, result.Environment.UserPassword)
	// Apply the owner's data here, report Ready, and then:
	fmt.Println(machine.Forget(ctx))
	// Output:
	// Running []
	// Start -> Report
	// Report -> WaitSwitch
	// WaitSwitch -> Done
	// jetty-07 pilot [redacted]
	// <nil>
}
