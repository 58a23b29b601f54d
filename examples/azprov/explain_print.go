package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report"
)

func printExplanation(w io.Writer, x *explanation) {
	switch {
	case x.Entry != nil:
		printFacts(w, "", []fact{
			{name: "reason", value: x.Reason},
			{name: "id", value: x.Entry.ID},
			{name: "written by", value: string(x.Entry.Source)},
			{name: "cause", value: x.Entry.Cause},
			{name: "next step", value: x.Entry.NextStep},
		})
	case x.Report.Result == report.ResultSuccess:
		_, _ = fmt.Fprintln(w, "Nothing failed: the agent has reported that the VM is provisioned. There is nothing to do.")
	default:
		printFacts(w, "", []fact{{name: "reason", value: x.Reason}})
	}
	if x.Report != nil {
		printOutcome(w, x.Report)
	}
	printWarnings(w, x.Warnings)
}

func printOutcome(w io.Writer, r *outcomeDocument) {
	_, _ = fmt.Fprintln(w, "\nReport")
	facts := []fact{
		{name: "result", value: string(r.Result)},
		{name: "agent", value: r.Agent},
		{name: "VM id", value: r.VMID},
		{name: "time", value: r.Timestamp},
	}
	if r.Result == report.ResultSuccess && r.Reason != "" { // which nobody writes; else it is above
		facts = append(facts, fact{name: "reason", value: r.Reason})
	}
	if r.PPSType != "" {
		facts = append(facts, fact{name: "pre-provisioning", value: r.PPSType})
	}
	if r.DocumentationURL != "" {
		facts = append(facts, fact{name: "documentation", value: r.DocumentationURL})
	}
	printFacts(w, "  ", facts)
	var details []fact
	for _, d := range r.Supporting {
		if d.Key == tracebackKey && r.Traceback != "" {
			d.Value = "decoded below"
		}
		details = append(details, fact{name: azprov.OneLine(d.Key), value: d.Value})
	}
	if len(details) > 0 {
		_, _ = fmt.Fprintln(w, "\nSupporting data")
		printFacts(w, "  ", details)
	}
	if r.Traceback != "" {
		_, _ = fmt.Fprintln(w, "\nTraceback")
		for line := range strings.SplitSeq(r.Traceback, "\n") {
			_, _ = fmt.Fprintln(w, strings.TrimRight("  "+strings.Map(steady, line), " "))
		}
	}
}
