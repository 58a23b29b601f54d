package render

import (
	"fmt"
	"slices"
	"strings"
)

// Spec is a version of Ignition's config, "3.3.0".
type Spec string

// DefaultSpec is read by every Ignition of version 2. Everything that is rendered is in it.
const DefaultSpec Spec = "3.0.0"

// Specs returns the stable versions that Ignition 2.27 reads, the oldest first.
func Specs() []Spec {
	return []Spec{"3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0", "3.6.0"}
}

// ParseSpec finds a version by its name; "3.3" will do.
func ParseSpec(name string) (Spec, error) {
	spec := Spec(name)
	if strings.Count(name, ".") == 1 {
		spec += ".0"
	}
	if !slices.Contains(Specs(), spec) {
		known := Specs()
		return "", fmt.Errorf("no spec %q: the stable ones are %s to %s", name, known[0], known[len(known)-1])
	}
	return spec, nil
}
