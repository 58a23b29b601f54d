package report

import (
	"slices"
	"strings"

	"github.com/azprov/azprov"
)

// Source is who writes a reason.
type Source string

// The sources.
const (
	SourceCloudInit Source = "cloud-init"
	SourceAzureInit Source = "azure-init"
	// SourceAzprov: no other agent has a text for that cause.
	SourceAzprov Source = "azprov"
)

// PossibleSourceValues returns all sources.
func PossibleSourceValues() []Source {
	return []Source{SourceCloudInit, SourceAzureInit, SourceAzprov}
}

// Entry is what the catalogue says of one reason.
type Entry struct {
	// ID names the entry for links and programs; it stays the same when words change.
	ID string
	// Text is the reason as it stands in a record. A part that differs from failure to
	// failure is a name in angle brackets: "http error <code> querying IMDS".
	Text string
	// Source is the agent whose text it is; others use it too.
	Source Source
	// Cause says what has happened, in a sentence.
	Cause string
	// NextStep says what the VM's user, or the image's author, does about it.
	NextStep string
	// Kinds are those that an azprov.Error with this reason has; those of other agents'
	// reasons are what the cause would be here.
	Kinds []azprov.Kind
}

// Pattern reports whether Text has parts that differ, and is no reason as it stands.
func (e Entry) Pattern() bool { return strings.Contains(e.Text, "<") }

// tables are all entries, by source.
func tables() [][]Entry {
	return [][]Entry{cloudInitEntries, azureInitEntries, azprovEntries}
}

// Catalogue returns every entry, in the order of [PossibleSourceValues]. The slices are
// the caller's.
func Catalogue() []Entry {
	var all []Entry
	for _, table := range tables() {
		for _, entry := range table {
			all = append(all, entry.copied())
		}
	}
	return all
}

func (e Entry) copied() Entry {
	e.Kinds = slices.Clone(e.Kinds)
	return e
}

// Lookup returns the entry whose text or pattern fits a reason, whatever the case and the
// white space. A reason that was cut where its details begin, behind a colon, is found
// too.
func Lookup(reason string) (Entry, bool) {
	reason = strings.ToLower(azprov.OneLine(reason))
	for _, fits := range []func(pattern, reason string) bool{matches, beheaded} {
		for _, table := range tables() {
			for _, entry := range table {
				if fits(strings.ToLower(entry.Text), reason) {
					return entry.copied(), true
				}
			}
		}
	}
	return Entry{}, false
}

// ForKind returns the entry for errors of a kind that have no reason of their own. Its
// text is no pattern. An unknown kind counts as [azprov.KindInternal].
func ForKind(kind azprov.Kind) Entry {
	id, ok := defaults[kind]
	if !ok {
		id = defaults[azprov.KindInternal]
	}
	for _, table := range tables() {
		if i := slices.IndexFunc(table, func(e Entry) bool { return e.ID == id }); i >= 0 {
			return table[i].copied()
		}
	}
	return Entry{}
}

// For returns what the catalogue says of a failure, and its report: result, reason,
// supporting data and URL. Agent, VM id, pre-provisioning type and timestamp are for the
// caller to set.
//
// The first reason in err's tree goes into the report as it is, with its details; if the
// catalogue does not know it, the entry is that of the error's kind. An error without a
// reason is reported with the text of its kind, and its own text as "exception", before
// the details that it has. A nil error is an unhandled exception without a cause.
func For(err error) (Entry, Report) {
	report := Report{Result: ResultError, DocumentationURL: azprov.DocumentationURL}
	entry := ForKind(azprov.KindOf(err))
	reason, details := azprov.ReasonOf(err)
	if reason == "" {
		report.Reason = entry.Text
		report.Supporting = oneLine(unexplained(err))
		return entry, report
	}
	report.Reason = azprov.OneLine(reason)
	report.Supporting = oneLine(details)
	if known, ok := Lookup(reason); ok {
		entry = known
	}
	return entry, report
}
