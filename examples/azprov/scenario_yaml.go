package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlError is what is wrong with a document in YAML.
type yamlError struct{ message, hint string }

func (e *yamlError) Error() string { return e.message }

// jsonOfYAML makes JSON of a document in YAML. Every key and value stands in the line that it
// had, so that whoever finds something wrong in the JSON names the line of the YAML.
func jsonOfYAML(b []byte) ([]byte, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	var document, more yaml.Node
	err := decoder.Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		return nil, &yamlError{"there is nothing in it", ""}
	case err != nil && tabbedLine(b) > 0:
		return nil, &yamlError{fmt.Sprintf("not YAML: line %d: a tab stands before the text", tabbedLine(b)), "indent with blanks"}
	case err != nil:
		return nil, &yamlError{"not YAML: " + strings.TrimPrefix(err.Error(), "yaml: "), ""}
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &yamlError{"there is more than one document in it", "a file has one scenario"}
	}
	w := yamlWriter{line: 1}
	if err := w.value(&document); err != nil {
		return nil, err
	}
	return w.out.Bytes(), nil
}

// tabbedLine is the first line that is indented with a tab, 0 if none is: YAML has blanks
// there, and what its parser says of tabs names none.
func tabbedLine(b []byte) int {
	number := 0
	for line := range bytes.Lines(b) {
		number++
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if bytes.ContainsRune(indent, '\t') {
			return number
		}
	}
	return 0
}

// A yamlWriter writes JSON, line by line beside the YAML.
type yamlWriter struct {
	out  bytes.Buffer
	line int
}

// text writes in the line, or in the present one if that is over: a text of several lines
// is one in JSON.
func (w *yamlWriter) text(line int, text string) {
	for ; w.line < line; w.line++ {
		w.out.WriteByte('\n')
	}
	w.out.WriteString(text)
}

func (w *yamlWriter) value(n *yaml.Node) error {
	switch n.Kind {
	case yaml.DocumentNode:
		return w.value(n.Content[0])
	case yaml.MappingNode:
		return w.mapping(n)
	case yaml.SequenceNode:
		w.text(n.Line, "[")
		for i, item := range n.Content {
			if i > 0 {
				w.out.WriteByte(',')
			}
			if err := w.value(item); err != nil {
				return err
			}
		}
		w.out.WriteByte(']')
		return nil
	case yaml.ScalarNode:
		return w.scalar(n)
	default:
		return wrongYAML(n, "a reference is not taken here", "write it out, or let both scenarios extend a third")
	}
}

func (w *yamlWriter) mapping(n *yaml.Node) error {
	w.text(n.Line, "{")
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return wrongYAML(key, "a key is no text", "to take over from elsewhere there is extends")
		}
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.text(key.Line, quoted(key.Value)+":")
		if err := w.value(n.Content[i+1]); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

func (w *yamlWriter) scalar(n *yaml.Node) error {
	switch tag := n.ShortTag(); tag {
	case "!!null":
		w.text(n.Line, "null")
	case "!!str", "!!timestamp": // An api-version looks like a date.
		w.text(n.Line, quoted(n.Value))
	case "!!bool", "!!int", "!!float":
		var value any
		err := n.Decode(&value)
		var b []byte
		if err == nil {
			b, err = json.Marshal(value)
		}
		if err != nil {
			return wrongYAML(n, "a number is none of JSON's", "")
		}
		w.text(n.Line, string(b))
	default:
		return wrongYAML(n, "the tag "+tag+" is not known here", "")
	}
	return nil
}

func wrongYAML(n *yaml.Node, message, hint string) error {
	return &yamlError{fmt.Sprintf("line %d: %s", n.Line, message), hint}
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // A string has no error.
	return string(b)
}
