package imds

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/azprov/azprov"
)

// Versions that the SDK itself asks for.
const (
	// provisioningVersion has every field a boot agent needs (physicalZone is the
	// newest); azure-init uses it.
	provisioningVersion = "2023-11-15"
	// extendedSince is the first version that knows extended=true.
	extendedSince = "2021-08-01"
	// oldestVersion is what every Azure Stack Hub knows, and the fallback of
	// cloud-init and Talos.
	oldestVersion = "2019-06-01"
)

// negotiation picks the next api-version after a refusal. It forgets nothing within
// one operation and everything after it.
type negotiation struct {
	tried  []string
	newest []string
}

// next returns the version to try, "" when none is left: the wanted one; the
// highest that the service advertised and the SDK knows; then the fixed fallbacks.
func (n *negotiation) next() string {
	candidates := []string{provisioningVersion}
	if len(n.tried) > 0 {
		candidates = append(n.common(), extendedSince, oldestVersion)
	}
	for _, version := range candidates {
		if !slices.Contains(n.tried, version) {
			n.tried = append(n.tried, version)
			return version
		}
	}
	return ""
}

// common is the highest version both sides know, as a list of none or one: the
// advertised list holds only the newest three, so a second try of it is not worth
// more than the fixed fallbacks.
func (n *negotiation) common() []string {
	known := KnownVersions()
	best := ""
	for _, version := range n.newest {
		if version > best && version >= oldestVersion && slices.Contains(known, version) {
			best = version
		}
	}
	if best == "" {
		return nil
	}
	return []string{best}
}

// refused reports whether err is a 400, and keeps what the service advertised.
func (n *negotiation) refused(err error) bool {
	var e *azprov.Error
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest {
		return false
	}
	if doc, ok := serviceError(err); ok && len(doc.NewestVersions) > 0 {
		n.newest = doc.NewestVersions
	}
	return true
}

// pinned gives the error of a version that was not negotiated its kind.
func pinned(version string, err error) error {
	n := negotiation{tried: []string{version}}
	if n.refused(err) {
		return n.unsupported(err)
	}
	return err
}

// unsupported is the final error after the last candidate.
func (n *negotiation) unsupported(err error) error {
	var e *azprov.Error
	if !errors.As(err, &e) {
		return err
	}
	if len(n.newest) == 0 {
		if doc, ok := serviceError(err); ok && doc.Message != "" {
			e.Message = "the service answers: " + quoted(doc.Message)
		}
		return err
	}
	e.Kind = azprov.KindUnsupportedVersion
	e.Message = "no common api-version: tried " + strings.Join(n.tried, ", ") +
		"; the service's newest are " + quoted(strings.Join(n.newest, ", "))
	e.Hint = "name an api-version that the service knows, and that has what is asked for"
	return err
}

// maxQuoted bounds what an error repeats of the service's own words, which are short.
const maxQuoted = 200

// quoted is a text of the service's, fit for an error.
func quoted(text string) string {
	runes := []rune(azprov.OneLine(text))
	if len(runes) > maxQuoted {
		return string(runes[:maxQuoted]) + "…"
	}
	return string(runes)
}
