package report_test

import (
	"fmt"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report"
)

// Make the record of a failure, within the 1,022 bytes of a Hyper-V pool's value.
func ExampleReport_EncodeWithin() {
	failure := &azprov.Error{
		Op: "apply", Kind: azprov.KindInternal, Reason: "failure to obtain DHCP lease",
		Details: []azprov.Detail{{Key: "interface", Value: "eth0"}},
	}
	_, r := report.For(failure)
	r.Agent = "pilot/1.0"
	r.VMID = "7e90b3d1-2a64-4c8f-b1e5-93d0f4a6c712"
	r.Timestamp = time.Date(2026, time.November, 23, 6, 38, 18, 0, time.UTC) // time.Now()
	text, err := r.EncodeWithin(report.DialectCloudInit, 1022)
	fmt.Println(text, err)
	// Output: result=error|reason=failure to obtain DHCP lease|agent=pilot/1.0|interface=eth0|vm_id=7e90b3d1-2a64-4c8f-b1e5-93d0f4a6c712|timestamp=2026-11-23T06:38:18+00:00|documentation_url=https://aka.ms/linuxprovisioningerror <nil>
}

// Say what to do about a message that was copied out of the portal.
func ExampleParse() {
	const pasted = `Provisioning of jetty-07 failed: result=error|reason=http error 403
querying IMDS|agent=Cloud-Init/26.1|'exception=UrlError(''denied'')'|vm_id=None
|timestamp=2026-11-23T06:38:18+00:00|documentation_url=https://aka.ms/linuxprovisioningerror. Try again.`
	r, warnings, err := report.Parse(pasted)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, warning := range warnings {
		fmt.Println("warning:", warning)
	}
	fmt.Println(r.Reason, r.Supporting)
	if entry, ok := report.Lookup(r.Reason); ok {
		fmt.Println(entry.ID, "of", entry.Source)
		fmt.Println(entry.NextStep)
	}
	// Output:
	// warning: text before the record was left out
	// warning: broken lines were joined
	// warning: text behind the record was left out
	// http error 403 querying IMDS [{exception UrlError('denied')}]
	// imds-http-error of cloud-init
	// For 401 and 403 see the Metadata Security Protocol's rules of the VM; for 429 look for programs in the image that read IMDS too often; else deploy again.
}

// The entry of an error without a reason is that of its kind.
func ExampleFor() {
	entry, r := report.For(&azprov.Error{Op: "wireserver.Client.GetGoalState", Kind: azprov.KindThrottled})
	fmt.Println(r.Reason, r.Supporting)
	fmt.Println(entry.Cause)
	// Output:
	// requests throttled by platform service [{exception wireserver.Client.GetGoalState: Throttled}]
	// Too many requests came from this VM.
}
