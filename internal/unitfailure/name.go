package unitfailure

import (
	"slices"
	"strings"

	"github.com/azprov/azprov"
)

// maxName is systemd's UNIT_NAME_MAX without the terminating zero.
const maxName = 255

// suffixes are the types of units (systemd.unit(5)).
var suffixes = []string{
	".service", ".socket", ".device", ".mount", ".automount", ".swap", ".target", ".path", ".timer", ".slice", ".scope",
}

// fullName checks a unit's name, which becomes an argument of programs: no pattern and no
// option. Without a suffix it is a service's.
func fullName(unit string) (string, error) {
	name := unit
	if !slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(name, suffix) }) {
		name += ".service"
	}
	unfit := func(r rune) bool {
		return !strings.ContainsRune(`abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\@`, r)
	}
	if name[0] == '.' || len(name) > maxName || strings.ContainsFunc(name, unfit) {
		return "", &azprov.Error{
			Op: "unitfailure.Read", Kind: azprov.KindMalformed, Message: "no unit can have the name " + word(`"`+unit+`"`),
			Hint: "name one unit, like ignition-fetch.service",
		}
	}
	return name, nil
}
