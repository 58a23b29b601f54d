package ovf

import (
	"slices"
	"strings"

	"github.com/beevik/etree"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/xmldoc"
)

// Redacted returns a copy of an ovf-env.xml, in UTF-8, that may be kept: every
// password, custom data, user data and private key is replaced by "REDACTED".
// Unknown elements, prefixes and the order are kept, and an element that was
// empty stays empty, so that a machine without a password does not look as if it
// had had one. Comments and processing instructions are left out, since nobody
// can say what they hold.
//
// Elements and attributes are recognised by local name in any case and in any
// namespace. The document need not be complete; a pool VM's or a Windows one
// will do. For input that cannot be parsed it returns an error as [Parse] does
// and no bytes at all: never the original.
func Redacted(b []byte) ([]byte, error) {
	const op = "ovf.Redacted"
	doc, err := xmldoc.ParseDocument(op, b, documentOptions())
	if err != nil {
		return nil, err
	}
	redactTree(&doc.Element)
	out, err := doc.WriteToBytes()
	if err != nil {
		return nil, &azprov.Error{Op: op, Kind: azprov.KindInternal, Message: "the document cannot be written", Last: err}
	}
	return out, nil
}

// Redacted returns the document that e was parsed from as the function
// [Redacted] gives it, or [Environment.Encode]'s if e was not parsed.
func (e *Environment) Redacted() ([]byte, error) {
	b := e.raw.Reveal()
	if e.raw.IsZero() {
		var err error
		if b, err = e.Encode(); err != nil {
			return nil, err
		}
	}
	return Redacted(b)
}

// redactTree goes through the tokens of el; the recursion is as deep as xmldoc
// lets a document be.
func redactTree(el *etree.Element) {
	redactAttrs(el, isSecretName)
	kept := make([]etree.Token, 0, len(el.Child))
	hasElements := false
	for _, token := range el.Child {
		switch t := token.(type) {
		case *etree.Element:
			hasElements = true
			if isSecretElement(t) {
				redactElement(t)
			} else {
				redactTree(t)
			}
		case *etree.CharData:
		case *etree.ProcInst:
			if el.Parent() != nil || t.Target != "xml" {
				continue
			}
			// Whatever the original was encoded in, the copy is UTF-8.
			t.Inst = declaration
		default:
			continue
		}
		kept = append(kept, token)
	}
	el.Child = kept
	el.ReindexChildren()
	if text := xmldoc.Text(el); (hasElements && !isBlank(text)) || embedsSecret(text) {
		redactText(el)
	}
}

// redactElement replaces everything that a secret element holds.
func redactElement(el *etree.Element) {
	redactAttrs(el, func(string) bool { return true })
	empty := true
	for _, token := range el.Child {
		switch t := token.(type) {
		case *etree.Element:
			empty = false
		case *etree.CharData:
			empty = empty && isBlank(t.Data)
		}
	}
	el.Child = nil
	if !empty {
		el.SetText(RedactedText)
	}
}

// redactAttrs replaces the values of the attributes whose local name match
// picks, but for namespace declarations, which the names need, and xsi:nil.
func redactAttrs(el *etree.Element, match func(name string) bool) {
	for i := range el.Attr {
		a := &el.Attr[i]
		if xmldoc.IsNamespaceDeclaration(a) || a.Value == "" {
			continue
		}
		if _, known := parseSwitch(a.Value); known && a.Key == "nil" {
			continue
		}
		if match(a.Key) || embedsSecret(a.Value) {
			a.Value = RedactedText
		}
	}
}

// redactText replaces the text directly in el, each run of it as one, however
// many sections it came in: a reader of the copy sees one run. Blank runs are
// indentation and stay.
func redactText(el *etree.Element) {
	kept := make([]etree.Token, 0, len(el.Child))
	var run []*etree.CharData
	flush := func() {
		if slices.ContainsFunc(run, func(t *etree.CharData) bool { return !isBlank(t.Data) }) {
			run[0].SetData(RedactedText)
			run = run[:1]
		}
		for _, t := range run {
			kept = append(kept, t)
		}
		run = nil
	}
	for _, token := range el.Child {
		if t, ok := token.(*etree.CharData); ok {
			run = append(run, t)
			continue
		}
		flush()
		kept = append(kept, token)
	}
	flush()
	el.Child = kept
	el.ReindexChildren()
}

// isSecretElement reports whether el is one whose content must not be kept. In a
// key pair that is all but what names it.
func isSecretElement(el *etree.Element) bool {
	if isSecretName(el.Tag) {
		return true
	}
	parent := el.Parent()
	return parent != nil && strings.EqualFold(parent.Tag, "KeyPair") &&
		!strings.EqualFold(el.Tag, "Fingerprint") && !strings.EqualFold(el.Tag, "Path")
}

// isSecretName goes by parts of the name. UserPassword, AdminPassword,
// CustomData and UserData are the ones in use; that the platform may add another
// is why it is not a list of them.
func isSecretName(name string) bool {
	return mentionsSecret(name) && !strings.EqualFold(name, "DisableSshPasswordAuthentication")
}

// embedsSecret reports whether a text is a document of its own, XML or JSON, with
// a secret in it, as the unattend content of a Windows configuration set is.
func embedsSecret(text string) bool {
	return strings.ContainsAny(text, "<{") && mentionsSecret(text)
}

func mentionsSecret(text string) bool {
	text = strings.ToLower(text)
	for _, stem := range [...]string{"password", "customdata", "userdata", "privatekey", "secret", "unattendcontent"} {
		if strings.Contains(text, stem) {
			return true
		}
	}
	return false
}

func isBlank(text string) bool { return strings.TrimSpace(text) == "" }
