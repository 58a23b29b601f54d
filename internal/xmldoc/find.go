package xmldoc

import (
	"strings"

	"github.com/beevik/etree"
)

// xsiNamespace is where the attribute nil lives (XML Schema part 1, section 2.6.2).
const xsiNamespace = "http://www.w3.org/2001/XMLSchema-instance"

// Children returns the child elements of that namespace URI and local name, in
// order. An empty ns means elements in no namespace. A nil el has none.
func Children(el *etree.Element, ns, local string) []*etree.Element {
	return ChildrenFunc(el, ns, func(name string) bool { return name == local })
}

// ChildrenFunc is [Children] for names that match decides on, such as one that
// occurs in more than one spelling.
func ChildrenFunc(el *etree.Element, ns string, match func(local string) bool) []*etree.Element {
	if el == nil {
		return nil
	}
	var found []*etree.Element
	for _, token := range el.Child {
		child, ok := token.(*etree.Element)
		if ok && match(child.Tag) && child.NamespaceURI() == ns {
			found = append(found, child)
		}
	}
	return found
}

// Child returns the first of [Children], nil if there is none.
func Child(el *etree.Element, ns, local string) *etree.Element {
	if el == nil {
		return nil
	}
	for _, token := range el.Child {
		child, ok := token.(*etree.Element)
		if ok && child.Tag == local && child.NamespaceURI() == ns {
			return child
		}
	}
	return nil
}

// Find follows the path of local names from el, all in one namespace, taking the
// first [Child] at each step. It returns nil where the path ends, and el for an
// empty path.
func Find(el *etree.Element, ns string, path ...string) *etree.Element {
	for _, local := range path {
		el = Child(el, ns, local)
	}
	return el
}

// Text returns the character data directly in el, CDATA sections included and
// joined over comments and child elements. White space is kept. It is "" for nil.
func Text(el *etree.Element) string {
	if el == nil {
		return ""
	}
	var b strings.Builder
	for _, token := range el.Child {
		if data, ok := token.(*etree.CharData); ok {
			b.WriteString(data.Data)
		}
	}
	return b.String()
}

// Attr returns the value of the first attribute of that local name, whatever its
// namespace, and whether there is one. Namespace declarations are no attributes.
func Attr(el *etree.Element, local string) (string, bool) {
	if el == nil {
		return "", false
	}
	for i := range el.Attr {
		if a := &el.Attr[i]; a.Key == local && !IsNamespaceDeclaration(a) {
			return a.Value, true
		}
	}
	return "", false
}

// IsNamespaceDeclaration reports whether a is xmlns or xmlns:prefix.
func IsNamespaceDeclaration(a *etree.Attr) bool {
	return a.Space == "xmlns" || (a.Space == "" && a.Key == "xmlns")
}

// IsNil reports whether el says xsi:nil="true" (or "1"), under any prefix.
func IsNil(el *etree.Element) bool {
	if el == nil {
		return false
	}
	for i := range el.Attr {
		a := &el.Attr[i]
		if a.Key != "nil" || a.NamespaceURI() != xsiNamespace {
			continue
		}
		value := strings.TrimSpace(a.Value)
		return value == "true" || value == "1"
	}
	return false
}
