package emulator

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// A pattern is something in a text that differs from run to run.
type pattern struct {
	expression string
	// replace makes the new text of what the expression's groups matched.
	replace func(n *namer, groups []string) string
}

// constant replaces by the same text always. In it $1 is the first group.
func constant(text string) func(*namer, []string) string {
	return func(_ *namer, groups []string) string {
		if len(groups) > 1 {
			return strings.ReplaceAll(text, "$1", groups[1])
		}
		return text
	}
}

// numbered replaces by the name of kind, whose number is the group's own.
func numbered(kind string, group int) func(*namer, []string) string {
	return func(n *namer, groups []string) string {
		before, after, _ := strings.Cut(groups[0], groups[group])
		return before + n.name(kind, groups[group]) + after
	}
}

const uuidExpression = `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`

// textPatterns returns what is replaced in texts, in that order: what is part of another
// comes later.
func textPatterns() []pattern {
	return []pattern{
		{`/machine/([^/?\s"&<>]+)/([^/?\s"&<>]+)`, func(n *namer, groups []string) string {
			return "/machine/" + n.segment("container", groups[1]) + "/" + n.segment("instance", groups[2])
		}},
		{`<ContainerId>\s*([^<\s]+)\s*</ContainerId>`, numbered("container", 1)},
		{`<InstanceId>\s*([^<\s]+)\s*</InstanceId>`, numbered("instance", 1)},
		{`<ConfigName>\s*([^<\s]+)\s*</ConfigName>`, numbered("config", 1)},
		{`(?i:(incarnation(?:=|="|>)))(\d+)`, func(n *namer, groups []string) string {
			return groups[1] + n.incarnation(groups[2])
		}},
		{`(traceback_base64=)[A-Za-z0-9+/=]+`, constant("$1{traceback}")},
		{`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?`, constant("{time}")},
		{uuidExpression, func(n *namer, groups []string) string { return n.name("uuid", groups[0]) }},
		{`(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}`, func(n *namer, groups []string) string { return n.name("mac", groups[0]) }},
		{`"macAddress":\s*"([0-9a-fA-F]{12})"`, numbered("mac", 1)},
		{`(?:\d{1,3}\.){3}\d{1,3}:\d+|\blocalhost:\d+|\[[0-9a-fA-F:.]+\]:\d+`, constant("{address}")},
		{`\b(?:169\.254\.169\.254|168\.63\.129\.16|127\.0\.0\.1)\b`, constant("{address}")},
		{`(\bagent=[^|/]+/)[^|'"\s]+`, constant("$1{version}")},
		{`(\b[A-Za-z][\w.-]*/)v?\d+\.[\w.+~:-]*\w`, constant("$1{version}")},
		{`(\b[A-Za-z]+(?:-v?| v))\d+(?:\.\d+){2,}[\w+~-]*`, constant("$1{version}")},
		{`(\bduration=)[\d.]+`, constant("$1{duration}")},
		{`\b\d+(?:\.\d+)? ?seconds?\b`, constant("{duration}")},
		{`\b(?:\d+(?:\.\d+)?(?:h|m|s|ms|µs|ns))+\b`, constant("{duration}")},
		{`\b0x[0-9a-f]{6,}\b`, constant("{pointer}")},
	}
}

// A namer replaces what differs from run to run, in the order in which it is met. Its
// patterns are its own, and not the package's, so that a program that makes no transcript
// has none of them, nor package regexp.
type namer struct {
	patterns []pattern
	compiled []*regexp.Regexp
	uuid     *regexp.Regexp
	// tellsApart numbers all names; else only those that say which goal state a request
	// is about.
	tellsApart bool
	names      map[string]string
	count      map[string]int
	first      int // incarnation
	begun      bool
}

func newNamer(tellsApart bool) *namer {
	n := &namer{
		patterns: textPatterns(), uuid: regexp.MustCompile(`^` + uuidExpression + `$`), tellsApart: tellsApart,
		names: map[string]string{}, count: map[string]int{},
	}
	for _, p := range n.patterns {
		n.compiled = append(n.compiled, regexp.MustCompile(p.expression))
	}
	return n
}

// name is what value is called: what it was called before, whatever it was then.
func (n *namer) name(kind, value string) string {
	value = strings.ToLower(value)
	if known, ok := n.names[value]; ok {
		return known
	}
	n.count[kind]++
	name := "{" + kind + "}"
	if n.tellsApart || kind == "container" || kind == "instance" {
		name = "{" + kind + "-" + strconv.Itoa(n.count[kind]) + "}"
	}
	n.names[value] = name
	return name
}

// incarnation counts from the first one.
func (n *namer) incarnation(digits string) string {
	number, err := strconv.Atoi(digits)
	if err != nil {
		return digits
	}
	if !n.begun {
		n.first, n.begun = number, true
	}
	switch d := number - n.first; {
	case d == 0:
		return "{incarnation}"
	case d > 0:
		return "{incarnation+" + strconv.Itoa(d) + "}"
	default:
		return "{incarnation" + strconv.Itoa(d) + "}"
	}
}

// text replaces every pattern in s.
func (n *namer) text(s string) string {
	for i, expression := range n.compiled {
		s = replaceGroups(expression, s, func(groups []string) string { return n.patterns[i].replace(n, groups) })
	}
	return s
}

// replaceGroups is ReplaceAllStringFunc with the groups of each match.
func replaceGroups(expression *regexp.Regexp, s string, replace func(groups []string) string) string {
	var b strings.Builder
	end := 0
	for _, at := range expression.FindAllStringSubmatchIndex(s, -1) {
		groups := make([]string, len(at)/2)
		for i := range groups {
			if at[2*i] >= 0 {
				groups[i] = s[at[2*i]:at[2*i+1]]
			}
		}
		b.WriteString(s[end:at[0]])
		b.WriteString(replace(groups))
		end = at[1]
	}
	return b.String() + s[end:]
}

// segment names a segment of a path as it was sent.
func (n *namer) segment(kind, raw string) string { return n.name(kind, unescape(raw, false)) }

// path is path and query without needless escapes, with names for ids.
func (n *namer) path(uri string) string {
	path, query, hasQuery := strings.Cut(uri, "?")
	segments := strings.Split(path, "/")
	ids := len(segments) == 4 && segments[1] == "machine" && segments[2] != "" && segments[3] != ""
	for i, raw := range segments {
		switch {
		case ids && i == 2:
			segments[i] = n.segment("container", raw)
		case ids && i == 3:
			segments[i] = n.segment("instance", raw)
		default:
			segments[i] = n.part(raw)
		}
	}
	path = strings.Join(segments, "/")
	if !hasQuery {
		return path
	}
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		name, value, hasValue := strings.Cut(parameter, "=")
		parameters[i] = n.part(name)
		switch {
		case !hasValue:
		case name == "incarnation":
			parameters[i] += "=" + n.incarnation(value)
		default:
			parameters[i] += "=" + n.part(value)
		}
	}
	return path + "?" + strings.Join(parameters, "&")
}

// part is one part of a path or a query; an id is all of it or none.
func (n *namer) part(raw string) string {
	plain := canonicalEscapes(raw)
	if n.uuid.MatchString(plain) {
		return n.name("uuid", plain)
	}
	return plain
}

// canonicalEscapes undoes the escapes of unreserved characters (RFC 3986, section 6.2.2.2)
// and writes the digits of the others large. Signs that some clients escape and others do
// not, and that mean nothing inside a part, count as unreserved.
func canonicalEscapes(raw string) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' || i+2 >= len(raw) {
			b.WriteByte(raw[i])
			continue
		}
		c, err := strconv.ParseUint(raw[i+1:i+3], 16, 8)
		switch {
		case err != nil:
			b.WriteByte('%')
			continue
		case strings.ContainsRune("-_.~:;,@!$*()'{}", rune(c)), c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
			b.WriteByte(byte(c))
		default:
			b.WriteString("%" + strings.ToUpper(raw[i+1:i+3]))
		}
		i += 2
	}
	return b.String()
}

// headerNames says what the whole value of a header is called.
var headerNames = map[string]string{
	"X-Ms-Containerid":      "container",
	"X-Ms-Host-Config-Name": "config",
	"If-None-Match":         "etag",
	"Etag":                  "etag",
}

// header is the value of a header without what differs from run to run.
func (n *namer) header(name, value string) string {
	kind, named := headerNames[http.CanonicalHeaderKey(name)]
	switch {
	case named && value != "":
		return n.name(kind, value)
	case name == certificateName:
		return "{certificate}"
	case strings.HasSuffix(name, "-Id"), strings.HasSuffix(name, "-Correlationid"):
		// A request's own id is another one each time; polls could not be folded.
		if n.uuid.MatchString(value) {
			return "{uuid}"
		}
	case name == "User-Agent":
		return products(value)
	}
	return n.text(value)
}

// products are the names in a User-Agent, without versions and comments. What follows a
// plus sign in letters is a part of the program: WALinuxAgent/2.7.3.0+health.
func products(agent string) string {
	for {
		before, after, found := strings.Cut(agent, "(")
		_, rest, closed := strings.Cut(after, ")")
		if !found || !closed {
			break
		}
		agent = before + rest
	}
	words := strings.Fields(agent)
	for i, word := range words {
		name, version, _ := strings.Cut(word, "/")
		if _, part, ok := strings.Cut(version, "+"); ok && part != "" && strings.Trim(part, "abcdefghijklmnopqrstuvwxyz") == "" {
			name += "+" + part
		}
		words[i] = name
	}
	return strings.Join(words, " ")
}
