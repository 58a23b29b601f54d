package lint

import (
	v3_0 "github.com/coreos/ignition/v2/config/v3_0"
	v3_1 "github.com/coreos/ignition/v2/config/v3_1"
	v3_2 "github.com/coreos/ignition/v2/config/v3_2"
	v3_3 "github.com/coreos/ignition/v2/config/v3_3"
	v3_4 "github.com/coreos/ignition/v2/config/v3_4"
	v3_5 "github.com/coreos/ignition/v2/config/v3_5"
	v3_6 "github.com/coreos/ignition/v2/config/v3_6"
	latest "github.com/coreos/ignition/v2/config/v3_7_experimental"
	"github.com/coreos/ignition/v2/config/v3_7_experimental/types"
	"github.com/coreos/vcontext/report"

	"github.com/azprov/azprov/examples/ignition/render"
)

// parser reads a config of a version or of one before it.
type parser func([]byte) (types.Config, report.Report, error)

// parsers are those of the Ignitions that know a version at most.
var parsers = map[render.Spec]parser{
	"3.0.0": upTo(v3_0.ParseCompatibleVersion),
	"3.1.0": upTo(v3_1.ParseCompatibleVersion),
	"3.2.0": upTo(v3_2.ParseCompatibleVersion),
	"3.3.0": upTo(v3_3.ParseCompatibleVersion),
	"3.4.0": upTo(v3_4.ParseCompatibleVersion),
	"3.5.0": upTo(v3_5.ParseCompatibleVersion),
	"3.6.0": upTo(v3_6.ParseCompatibleVersion),
}

// upTo parses with the old parser, whose verdict counts, and then with the newest one, so
// that configs of all versions can be merged.
func upTo[C any](old func([]byte) (C, report.Report, error)) parser {
	return func(raw []byte) (types.Config, report.Report, error) {
		if _, r, err := old(raw); err != nil {
			return types.Config{}, r, err
		}
		return latest.ParseCompatibleVersion(raw)
	}
}
