package emulator

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/azprov/azprov/goalstate"
)

// Match is what a request must be like. What is left out matches every request; what is
// there must hold together.
type Match struct {
	// Service is who was asked.
	Service Service `json:"service,omitempty"`
	// Method is the request's, in upper case.
	Method string `json:"method,omitempty"`
	// Path must be part of the request's path and query, as it was sent or with its
	// percent signs undone: "comp=goalstate".
	Path string `json:"path,omitempty"`
	// APIVersion is the api-version of the query, or the header x-ms-version.
	APIVersion string `json:"apiVersion,omitempty"`
	// Headers must be there, and each have its text as a part of its value; an empty text
	// is part of every value. In the journal are those that [Entry] tells of.
	Headers map[string]string `json:"headers,omitempty"`
	// Status is that of the answer; 0 matches every one. A request without an answer has
	// none.
	Status int `json:"status,omitempty"`
}

// asked is a request as a [Match] sees it.
type asked struct {
	service Service
	method  string
	uri     string
	header  http.Header
	status  int
}

func (e *Entry) asked() asked {
	header := http.Header{}
	for name, value := range e.Headers {
		header.Set(name, value)
	}
	return asked{e.Service, e.Method, e.Path, header, e.Status}
}

func (m Match) matches(a asked) bool {
	switch {
	case m.Service != "" && m.Service != a.service,
		m.Service == "" && a.service == ServiceKVP, // It is no request.
		m.Method != "" && m.Method != a.method,
		m.Status != 0 && m.Status != a.status,
		!strings.Contains(a.uri, m.Path) && !strings.Contains(unescape(a.uri, false), m.Path),
		m.APIVersion != "" && m.APIVersion != a.apiVersion():
		return false
	}
	for name, want := range m.Headers {
		values := a.header.Values(name)
		if len(values) == 0 || !strings.Contains(strings.Join(values, ", "), want) {
			return false
		}
	}
	return true
}

// apiVersion is the version that a request asks for, in the way of its service.
func (a asked) apiVersion() string {
	if u, err := url.Parse(a.uri); err == nil {
		if version := u.Query().Get("api-version"); version != "" {
			return version
		}
	}
	return a.header.Get(goalstate.HeaderVersion)
}

// String names what is matched, for people.
func (m Match) String() string {
	var words []string
	for _, word := range []string{string(m.Service), m.Method, m.Path} {
		if word != "" {
			words = append(words, word)
		}
	}
	if m.APIVersion != "" {
		words = append(words, "of version "+m.APIVersion)
	}
	for _, name := range sortedKeys(m.Headers) {
		words = append(words, "with "+name+": "+m.Headers[name])
	}
	if m.Status != 0 {
		words = append(words, "answered "+strconv.Itoa(m.Status))
	}
	if len(words) == 0 {
		return "any request"
	}
	return strings.Join(words, " ")
}

// validate returns what is wrong with the match, which is called path, "" if nothing is.
func (m Match) validate(path string) string {
	switch {
	case m.Service != "" && !oneOf(m.Service, PossibleServiceValues()):
		return path + ".service is " + notOneOf(m.Service, PossibleServiceValues())
	case m.Method != strings.ToUpper(m.Method):
		return path + ".method is not in upper case"
	case m.Status != 0 && (m.Status < 200 || m.Status > 599):
		return path + ".status is not between 200 and 599"
	}
	return ""
}
