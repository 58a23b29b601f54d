// Package report has the outcome of a provisioning as the platform and Azure's support
// read it: a record in one line, and the reasons that stand in it.
//
// A [Report] is written in the dialect of either agent that has one, by [Report.Encode],
// and within a number of bytes by [Report.EncodeWithin]. [Parse] reads both dialects,
// and finds the record in what somebody has copied out of the portal.
//
// The [Catalogue] says of every reason what it means and what to do next, whoever wrote
// it; [Lookup] finds the one that a text stands for, and [For] makes the report of an
// error. docs/reasons.md is the catalogue as a page.
//
// Nothing here does I/O, and nothing reads the clock: the timestamp is the caller's.
package report
