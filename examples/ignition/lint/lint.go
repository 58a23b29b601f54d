// Package lint says what Ignition makes of the fragments of a platform: which it would drop
// without a word, and what of them the user's config overrides.
//
// It asks Ignition's own config packages. What it knows beside them is how Ignition 2.27 reads
// base configs (internal/providers/system): every entry of base.platform.d/PLATFORM, whatever
// its name; a single one that cannot be read drops them all, at log level info.
package lint

import (
	"fmt"
	"io/fs"
	"reflect"
	"slices"

	latest "github.com/coreos/ignition/v2/config/v3_7_experimental"
	"github.com/coreos/ignition/v2/config/v3_7_experimental/types"
	"github.com/coreos/vcontext/report"
	"github.com/coreos/vcontext/validate"

	"github.com/azprov/azprov/examples/ignition/render"
)

// Verdict is what a finding comes to.
type Verdict string

// The verdicts.
const (
	// Refused: Ignition would drop it, or fail with it.
	Refused Verdict = "refused"
	// Overridden: the user's config, or a later fragment, has another value, which wins.
	Overridden Verdict = "overridden"
	// Added: what the fragment says is added to what the user says.
	Added Verdict = "added"
)

// Finding is one thing that is to be known of a fragment.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	// File is the fragment's name, or [UserConfig].
	File string `json:"file"`
	// Path is the place in the config, "storage.files[/etc/hostname].contents.source";
	// empty for the whole of it.
	Path string `json:"path,omitempty"`
	// Reason is in words, and quotes no value.
	Reason string `json:"reason"`
}

// String is one line.
func (f Finding) String() string {
	at := f.File
	if f.Path != "" {
		at += ": " + f.Path
	}
	return fmt.Sprintf("%-10s %s: %s", f.Verdict, at, f.Reason)
}

// UserConfig is Finding.File of the user's own config.
const UserConfig = "the user's config"

// Options says what to hold the fragments against.
type Options struct {
	// Knows is the newest stable version of the spec that the image's Ignition reads: the
	// newest of all if empty.
	Knows render.Spec
	// User is the user's config; nil for none. What it refers to is not fetched.
	User []byte
}

// Dir looks at the fragments of a directory. Findings come in the order of the files, which
// is the one of Ignition.
func Dir(dir fs.FS, options *Options) ([]Finding, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	var files []File
	var findings []Finding
	for _, entry := range entries {
		content, err := fs.ReadFile(dir, entry.Name())
		if err != nil {
			findings = append(findings, refused(entry.Name(), "", "Ignition reads every entry of the directory, and cannot read this one"))
			continue
		}
		files = append(files, File{Name: entry.Name(), Content: content})
	}
	more, err := Files(files, options)
	return append(findings, more...), err
}

// File is a fragment by its name.
type File struct {
	Name    string
	Content []byte
}

// Of makes files of fragments that are not written yet.
func Of(fragments []render.Fragment) []File {
	files := make([]File, len(fragments))
	for i, f := range fragments {
		files[i] = File{Name: f.Name, Content: f.Content}
	}
	return files
}

// Files looks at fragments in the order in which they are merged. The error is one of the
// options; whatever is wrong with a config is a finding.
func Files(files []File, options *Options) ([]Finding, error) {
	var o Options
	if options != nil {
		o = *options
	}
	if o.Knows == "" {
		all := render.Specs()
		o.Knows = all[len(all)-1]
	}
	parse, ok := parsers[o.Knows]
	if !ok {
		return nil, fmt.Errorf("no spec %q", o.Knows)
	}
	var all []source
	var findings []Finding
	for _, file := range files {
		config, wrong := read(file, parse, o.Knows)
		findings = append(findings, wrong...)
		all = append(all, source{file.Name, config})
	}
	if o.User != nil {
		config, r, err := parse(o.User)
		findings = append(findings, parseFindings(UserConfig, r, err, false)...)
		all = append(all, source{UserConfig, config})
	}
	if slices.ContainsFunc(findings, func(f Finding) bool { return f.Verdict == Refused }) {
		return findings, nil // there is nothing that could be merged
	}
	return merged(all), nil
}

func refused(file, path, reason string) Finding {
	return Finding{Verdict: Refused, File: file, Path: path, Reason: reason}
}

// read parses a fragment as strictly as one must be that nobody will hear of.
func read(file File, parse parser, knows render.Spec) (types.Config, []Finding) {
	config, r, err := parse(file.Content)
	findings := parseFindings(file.Name, r, err, true)
	if err != nil {
		if newer, _, newErr := latest.ParseCompatibleVersion(file.Content); newErr == nil {
			findings = []Finding{refused(file.Name, "ignition.version", "an Ignition that knows "+string(knows)+" at most drops it, and all other fragments with it")}
			config = newer
		}
		return config, findings
	}
	for _, section := range ignored {
		if !section.of(&config).IsZero() {
			findings = append(findings, refused(file.Name, section.path, section.reason))
		}
	}
	return config, findings
}

// ignored are the sections that Ignition takes from the user's config alone.
var ignored = []struct {
	path, reason string
	of           func(*types.Config) reflect.Value
}{
	{"ignition.config", "Ignition does not fetch what a base config refers to", func(c *types.Config) reflect.Value { return reflect.ValueOf(c.Ignition.Config) }},
	{"ignition.proxy", "Ignition does not use the proxy of a base config", func(c *types.Config) reflect.Value { return reflect.ValueOf(c.Ignition.Proxy) }},
	{"ignition.security", "Ignition does not use the authorities of a base config", func(c *types.Config) reflect.Value { return reflect.ValueOf(c.Ignition.Security) }},
	{"ignition.timeouts", "Ignition does not use the timeouts of a base config", func(c *types.Config) reflect.Value { return reflect.ValueOf(c.Ignition.Timeouts) }},
}

// parseFindings tells what a parser said. strict: its warnings count, because nobody reads
// them.
func parseFindings(file string, r report.Report, err error, strict bool) []Finding {
	var findings []Finding
	for _, entry := range r.Entries {
		switch {
		case entry.Kind.IsFatal():
			findings = append(findings, refused(file, place(entry), entry.Message))
		case strict && entry.Kind == report.Warn:
			findings = append(findings, refused(file, place(entry), entry.Message+", which Ignition would ignore"))
		}
	}
	if err != nil && len(findings) == 0 {
		findings = append(findings, refused(file, "", err.Error()))
	}
	return findings
}

func place(entry report.Entry) string {
	if entry.Context.Len() > 0 {
		return entry.Context.String()
	}
	if at := entry.Marker.StartP; at != nil {
		return fmt.Sprintf("byte %d", at.Index)
	}
	return ""
}

// source is a config by the name of its file.
type source struct {
	name   string
	config types.Config
}

// merged merges the configs as Ignition does and tells what became of each one's values.
func merged(all []source) []Finding {
	var sum types.Config
	for _, s := range all {
		sum = latest.Merge(sum, s.config)
	}
	result := leaves(sum)
	var findings []Finding
	for i, s := range all {
		for _, leaf := range leaves(s.config) {
			winner := ""
			for _, later := range all[i+1:] {
				if touches(later.config, leaf) {
					winner = later.name
				}
			}
			if f, tell := fate(s.name, winner, leaf, result); tell {
				findings = append(findings, f)
			}
		}
	}
	if len(all) == 0 {
		return findings
	}
	for _, entry := range validate.Validate(sum, "json").Entries {
		if entry.Kind.IsFatal() {
			findings = append(findings, refused(all[len(all)-1].name, place(entry), "merged with the fragments: "+entry.Message))
		}
	}
	return findings
}

// fate says what became of a value.
func fate(file, winner string, l leaf, result []leaf) (Finding, bool) {
	i := slices.IndexFunc(result, func(r leaf) bool { return r.path == l.path })
	switch {
	case l.path == "ignition.version", winner == "":
		return Finding{}, false
	case i < 0 || result[i].value != l.value:
		return Finding{Verdict: Overridden, File: file, Path: l.path, Reason: "by " + winner}, true
	case l.element:
		return Finding{Verdict: Added, File: file, Path: l.path, Reason: "to those of " + winner}, true
	}
	return Finding{}, false
}
