package report

import (
	"errors"
	"strings"

	"github.com/azprov/azprov"
)

// matches reports whether reason is pattern with something, a byte at least, in the place
// of each name in angle brackets.
func matches(pattern, reason string) bool {
	literal, rest, found := strings.Cut(pattern, "<")
	reason, ok := strings.CutPrefix(reason, literal)
	if !ok || !found {
		return ok && reason == ""
	}
	for {
		_, after, _ := strings.Cut(rest, ">")
		literal, rest, found = strings.Cut(after, "<")
		if reason == "" {
			return false
		}
		if !found {
			return strings.HasSuffix(reason[1:], literal)
		}
		at := strings.Index(reason[1:], literal)
		if at < 0 {
			return false
		}
		reason = reason[1+at+len(literal):]
	}
}

// beheaded reports whether reason is what stands before the colon of a pattern's details.
func beheaded(pattern, reason string) bool {
	head, details, found := strings.Cut(pattern, ": <")
	return found && strings.IndexByte(details, '>') == len(details)-1 && strings.TrimSuffix(reason, ":") == head
}

// unexplained is the supporting data of a failure without a reason.
func unexplained(err error) []azprov.Detail {
	if err == nil {
		return []azprov.Detail{{Key: "exception", Value: "no cause was given"}}
	}
	details := []azprov.Detail{{Key: "exception", Value: err.Error()}}
	var e *azprov.Error
	if errors.As(err, &e) {
		details = append(details, e.Details...)
	}
	return details
}

func oneLine(details []azprov.Detail) []azprov.Detail {
	clean := make([]azprov.Detail, 0, len(details))
	for _, d := range details {
		clean = append(clean, azprov.Detail{Key: azprov.OneLine(d.Key), Value: azprov.OneLine(d.Value)})
	}
	return clean
}
