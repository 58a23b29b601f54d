// The minimal importer of package report: a program that explains a record, and makes one
// of its own failure.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/azprov/azprov/report"
)

func main() {
	r, warnings, err := report.Parse(os.Args[1])
	if err != nil {
		_, own := report.For(err)
		own.Timestamp = time.Now()
		text, err := own.EncodeWithin(report.DialectCloudInit, 1022)
		fmt.Println(text, err)
		return
	}
	entry, found := report.Lookup(r.Reason)
	fmt.Println(r.Encode(report.DialectAzureInit), warnings, entry.NextStep, found)
}
