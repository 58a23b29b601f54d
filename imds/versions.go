package imds

import (
	"strings"

	"github.com/azprov/azprov"
)

// KnownVersions returns the api-versions of /metadata/instance whose documents
// this package's models cover, oldest first: the documented ones (Microsoft,
// "Azure Instance Metadata Service", supported versions) and three that hosts
// were seen to answer (Azure/azure-container-networking asks for 2025-07-24,
// kubernetes-sigs/dranet for 2025-11-11, cloud-provider-azure PR 11021 for
// 2025-11-15). The preview 2017-03-01 is left out: its documents have other names.
//
// Versions are dates, so they compare as strings.
func KnownVersions() []string {
	return []string{
		"2017-04-02", "2017-08-01", "2017-10-01", "2017-12-01",
		"2018-02-01", "2018-04-02", "2018-10-01",
		"2019-02-01", "2019-03-11", "2019-04-30", "2019-06-01", "2019-06-04",
		"2019-08-01", "2019-08-15", "2019-11-01",
		"2020-06-01", "2020-07-15", "2020-09-01", "2020-10-01", "2020-12-01",
		"2021-01-01", "2021-02-01", "2021-03-01", "2021-05-01", "2021-08-01",
		"2021-10-01", "2021-11-01", "2021-11-15", "2021-12-13",
		"2023-07-01", "2023-11-15",
		"2024-03-15", "2024-07-17",
		"2025-04-07", "2025-07-24", "2025-11-11", "2025-11-15",
	}
}

// ParseVersions reads the answer of /metadata/versions, {"apiVersions":[…]}, and
// returns the versions in the order sent, which is oldest first. Hosts also answer
// versions that they do not list. A document over [MaxDocument] is an error of
// [azprov.KindTooLarge]; one that is no JSON object, or has no list with at least
// one version, of [azprov.KindMalformed].
func ParseVersions(b []byte) ([]string, error) {
	const op = "imds.ParseVersions"
	var document struct {
		APIVersions []string `json:"apiVersions"`
	}
	if _, err := parseDocument(op, b, '{', &document); err != nil {
		return nil, err
	}
	versions := trimmed(document.APIVersions)
	if len(versions) == 0 {
		return nil, documentError(op, azprov.KindMalformed, "the document has no apiVersions")
	}
	return versions, nil
}

// ServiceError is the body of an IMDS error.
type ServiceError struct {
	// Message is what the service says. Its wording changes between hosts;
	// decide by the HTTP status and NewestVersions, never by it.
	Message string `json:"error"`
	// NewestVersions are the newest api-versions the host speaks, newest first.
	// They come only with the 400 for a missing or unknown api-version, and are
	// not all that the host speaks.
	NewestVersions []string `json:"newest-versions"`
	// Description is a longer text, from the identity endpoints alone.
	Description string `json:"error_description"`
}

// ParseServiceError reads the body of an answer that is not 200. ok is false for
// a body that is no IMDS error: empty, HTML, or JSON of another kind, as some
// layers between the host and the VM send.
func ParseServiceError(b []byte) (e ServiceError, ok bool) {
	if _, err := parseDocument("imds.ParseServiceError", b, '{', &e); err != nil {
		return ServiceError{}, false
	}
	e.NewestVersions = trimmed(e.NewestVersions)
	return e, e.Message != "" || len(e.NewestVersions) > 0
}

// trimmed returns the texts without blanks around them, and without empty ones;
// nil if none is left.
func trimmed(texts []string) []string {
	var kept []string
	for _, text := range texts {
		if text = strings.TrimSpace(text); text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}
