package xmldoc

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"

	"github.com/azprov/azprov"
)

const (
	// DefaultMaxBytes is the limit of a document when [Options] names none.
	// Custom data, the largest thing in an ovf-env.xml, is 64 KiB before base64;
	// the largest goal-state documents are some 100 KiB.
	DefaultMaxBytes = 1 << 20

	// maxDepth bounds the nesting; the platform's documents have fewer than 12
	// levels. etree walks its tree by recursion.
	maxDepth = 256

	// maxAttrs bounds the attributes of one element; the platform writes at most
	// a dozen. A namespace is looked up by a scan over the attributes of every
	// ancestor, so without a bound 1 MiB of input can cost seconds.
	maxAttrs = 256

	// space is what XML 1.0 calls white space.
	space = " \t\r\n"

	// maxNameInMessage keeps an error a line that can be read.
	maxNameInMessage = 64
)

// Options says what a document must be.
type Options struct {
	// Root is the local name of the root element, which must be the only one.
	Root string
	// Namespace is the namespace URI of the root element; empty is not checked.
	Namespace string
	// MaxBytes is the limit of the input; 0 is [DefaultMaxBytes].
	MaxBytes int
	// Reason, if set, is what an error's Reason starts with, for example "error
	// parsing ovf-env.xml"; a colon and the message follow. The platform's
	// support pages know failures by these texts.
	Reason string
}

// Parse reads a document of at most o.MaxBytes bytes and returns its root
// element. op names the operation in an error.
//
// The input is UTF-8 or, with a byte-order mark or a declaration in UTF-16
// bytes, UTF-16; a declared charset is otherwise ignored. White space before the
// XML declaration is allowed. All failures are [azprov.Error]: of
// [azprov.KindTooLarge] for the limit, else of [azprov.KindMalformed]: nothing
// there, not UTF-8, not well-formed, an entity definition, too deep, text or a
// second element beside the root, another root than asked for.
func Parse(op string, b []byte, o Options) (*etree.Element, error) {
	doc, err := ParseDocument(op, b, o)
	if err != nil {
		return nil, err
	}
	return doc.Root(), nil
}

// ParseDocument is [Parse] for callers that write the document again: what
// stands beside the root, CDATA sections and prefixes are kept.
func ParseDocument(op string, b []byte, o Options) (*etree.Document, error) {
	text, err := decode(b, o.MaxBytes)
	if err != nil {
		return nil, o.failure(op, err)
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{PreserveCData: true, MaxDepth: maxDepth}
	// Canonical escaping is the one that survives being read again: carriage
	// returns, and line breaks in attributes, become references.
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	if err := doc.ReadFromBytes(text); err != nil {
		return nil, o.failure(op, syntaxProblem(err))
	}
	if err := checkTop(doc, o); err != nil {
		return nil, o.failure(op, err)
	}
	if err := checkAttrs(doc.Root()); err != nil {
		return nil, o.failure(op, err)
	}
	return doc, nil
}

// A problem is why a document is refused, in words of our own.
type problem struct {
	kind    azprov.Kind
	message string
}

func (p *problem) Error() string { return p.message }

func malformed(message string) *problem {
	return &problem{kind: azprov.KindMalformed, message: message}
}

// failure gives a problem the operation's name and the platform's reason.
func (o Options) failure(op string, err error) error {
	e := &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: err.Error()}
	var p *problem
	if errors.As(err, &p) {
		e.Kind = p.kind
	}
	if o.Reason != "" {
		e.Reason = o.Reason + ": " + azprov.OneLine(e.Message)
	}
	return e
}

// decode gives the document as UTF-8 without a byte-order mark.
func decode(b []byte, limit int) ([]byte, error) {
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	if len(b) > limit {
		return nil, &problem{
			kind:    azprov.KindTooLarge,
			message: "the document has " + strconv.Itoa(len(b)) + " bytes, more than the limit of " + strconv.Itoa(limit),
		}
	}
	text, err := toUTF8(b)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, malformed("the document is not valid UTF-8")
	}
	text = bytes.TrimLeft(text, space)
	if len(text) == 0 {
		return nil, malformed("no element found: the document is empty")
	}
	return text, nil
}

// syntaxProblem puts an error of etree into words that quote nothing. It tells
// those errors of encoding/xml apart that are worth it; their own texts end in
// pieces of the document.
func syntaxProblem(err error) *problem {
	classes := [...]struct{ prefix, message string }{
		{"unexpected EOF", "the document ends inside an element, tag or comment"},
		{"invalid character entity", "an entity that is not defined, or an & that is not escaped"},
		{"illegal character code", "a character that XML does not allow"},
	}
	if errors.Is(err, etree.ErrMaxDepth) {
		return malformed("more than " + strconv.Itoa(maxDepth) + " levels of elements")
	}
	var syntax *xml.SyntaxError
	if !errors.As(err, &syntax) {
		return malformed("not well-formed: an element is not closed, or closed by another name, or the XML version is not 1.0")
	}
	message := "a syntax error"
	for _, c := range classes {
		if strings.HasPrefix(syntax.Msg, c.prefix) {
			message = c.message
			break
		}
	}
	return malformed("not well-formed (line " + strconv.Itoa(syntax.Line) + "): " + message)
}

// checkTop looks at what stands at the top level: exactly the root element that
// is wanted, no text, and no DTD that defines anything.
func checkTop(doc *etree.Document, o Options) error {
	roots := 0
	for _, token := range doc.Child {
		switch t := token.(type) {
		case *etree.Element:
			roots++
		case *etree.CharData:
			if t.IsCData() || strings.Trim(t.Data, space) != "" {
				return malformed("junk outside of the root element")
			}
		case *etree.Directive:
			// Nothing would expand the entities; a document that needs them
			// cannot be read right, and the platform sends none.
			if strings.Contains(t.Data, "[") {
				return malformed("a document type with definitions of its own")
			}
		}
	}
	if roots == 0 {
		return malformed("no element found")
	}
	if roots > 1 {
		return malformed("junk after the root element: " + strconv.Itoa(roots) + " root elements, want 1")
	}
	return checkRoot(doc.Root(), o)
}

func checkRoot(root *etree.Element, o Options) error {
	if root.Tag != o.Root {
		return malformed("root element is <" + shortName(root.Tag) + ">, want <" + o.Root + ">")
	}
	if o.Namespace != "" && root.NamespaceURI() != o.Namespace {
		return malformed("root element <" + o.Root + "> is not in the namespace " + o.Namespace)
	}
	return nil
}

// checkAttrs refuses an element with too many attributes. The recursion is as
// deep as maxDepth.
func checkAttrs(el *etree.Element) error {
	if len(el.Attr) > maxAttrs {
		return malformed("an element with more than " + strconv.Itoa(maxAttrs) + " attributes")
	}
	for _, token := range el.Child {
		child, ok := token.(*etree.Element)
		if !ok {
			continue
		}
		if err := checkAttrs(child); err != nil {
			return err
		}
	}
	return nil
}

func shortName(name string) string {
	if r := []rune(name); len(r) > maxNameInMessage {
		return string(r[:maxNameInMessage]) + "…"
	}
	return name
}
