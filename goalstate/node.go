package goalstate

import (
	"strings"

	"github.com/beevik/etree"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/xmldoc"
)

// node is an element of a document that is read, or none. All names are looked
// up in the namespace of the element itself, which is that of the root.
type node struct {
	el *etree.Element
}

// parseXML returns the root element, which must have the given local name.
func parseXML(op, root string, b []byte) (node, error) {
	el, err := xmldoc.Parse(op, b, xmldoc.Options{Root: root})
	return node{el}, err
}

// at follows the path to the first such element.
func (n node) at(path ...string) node {
	if n.el == nil {
		return n
	}
	return node{xmldoc.Find(n.el, n.el.NamespaceURI(), path...)}
}

// all returns the children of that name.
func (n node) all(name string) []node {
	if n.el == nil {
		return nil
	}
	children := xmldoc.Children(n.el, n.el.NamespaceURI(), name)
	nodes := make([]node, 0, len(children))
	for _, el := range children {
		nodes = append(nodes, node{el})
	}
	return nodes
}

// text returns the text of the element that the path leads to, "" for none.
// White space around it is never meant: a captured goal state has a line feed
// and blanks inside an element that holds a URL.
func (n node) text(path ...string) string {
	return strings.TrimSpace(xmldoc.Text(n.at(path...).el))
}

// texts returns the texts of the children of that name that have one.
func (n node) texts(name string) []string {
	var texts []string
	for _, child := range n.all(name) {
		if text := child.text(); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// attr returns the value of an attribute, "" for none.
func (n node) attr(name string) string {
	value, _ := xmldoc.Attr(n.el, name)
	return value
}

// readSwitch reads the platform's "true", "TRUE" or "True"; anything that is
// neither true nor false is not set.
func readSwitch(text string) azprov.Switch {
	switch {
	case strings.EqualFold(text, "true"):
		return azprov.SwitchOn
	case strings.EqualFold(text, "false"):
		return azprov.SwitchOff
	default:
		return azprov.SwitchUnset
	}
}

func malformed(op, message string) error {
	return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: message}
}
