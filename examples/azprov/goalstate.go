package main

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"io"
	"strings"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
)

func (a *app) goalStateCommand() *cobra.Command {
	var name agentName
	show := &cobra.Command{
		Use: "show", Short: "Read the goal state",
		Long: `Reads the goal state of this VM from the wire server: the ids that a report must carry,
and where the configurations are. All of it may change while the VM runs.`,
		Example: `  azprov goalstate show
  azprov goalstate show --wireserver http://127.0.0.1:8002 --output json`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "read the goal state"},
		RunE: func(command *cobra.Command, _ []string) error { return a.runGoalState(command, name.value) },
	}
	a.agentNameFlag(show.Flags(), &name)
	parse := &cobra.Command{
		Use: "parse FILE", Short: "Parse a document of the wire server",
		Long: `Parses one document of the wire server and shows what it says; FILE may be - for
standard input. Its root element decides what it is: GoalState, Versions,
HostingEnvironmentConfig, SharedConfig, CertificateFile (the data is not shown),
Error, or Health; the JSON forms of the last two are known too.`,
		Example: `  azprov goalstate parse goal-state.xml
  curl -s -H 'x-ms-version: 2012-11-30' 'http://168.63.129.16/?comp=versions' | azprov goalstate parse -`,
		Args: oneArgument("FILE"), Annotations: map[string]string{annotationAction: "parse the document"},
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.readFile(args[0])
			if err != nil {
				return err
			}
			kind, document, err := parseWireDocument(b)
			if err != nil {
				return err
			}
			return a.printDocument(kind, document)
		},
	}
	return groupCommand("goalstate", "Read the goal state, or a document of the wire server",
		"Reads the wire server's documents, from the service or from files.", show, parse)
}

func (a *app) runGoalState(command *cobra.Command, agentName string) error {
	ctx, cancel := a.context(command.Context())
	defer cancel()
	if err := a.requireAzure(a.global.wireServer); err != nil {
		return err
	}
	client, err := a.wireServerClient(a.logger(a.err), agentName, a.tellRetry)
	if err != nil {
		return err
	}
	resp, err := client.GetGoalState(ctx, nil)
	if err != nil {
		return err
	}
	return a.printDocument("GoalState", resp.GoalState)
}

// printDocument shows a parsed document: in JSON under the name of its kind's fields,
// with the kind beside them.
func (a *app) printDocument(kind string, document any) error {
	tree, _ := view(document, a.global.reveal).(object)
	return a.print(append(object{{"document", kind}}, tree...), func(w io.Writer) { printTree(w, "", tree) })
}

// parseWireDocument finds out what a document is and parses it. What cannot be told
// is handed to the parser of goal states, for its error.
func parseWireDocument(b []byte) (kind string, document any, err error) {
	if text := bytes.TrimLeft(b, " \t\r\n\ufeff"); len(text) > 0 && text[0] == '{' {
		return parseWireJSON(b)
	}
	switch kind = rootElement(b); kind {
	case "Versions":
		document, err = goalstate.ParseVersions(b)
	case "HostingEnvironmentConfig":
		document, err = goalstate.ParseHostingEnvironmentConfig(b)
	case "SharedConfig":
		document, err = goalstate.ParseSharedConfig(b)
	case "CertificateFile":
		document, err = goalstate.ParseCertificateFile(b)
	case "Error":
		document, err = goalstate.ParseServiceError(b)
	case "Health":
		document, err = goalstate.ParseHealthXML(b)
	case "GoalState", "":
		kind = "GoalState"
		document, err = goalstate.ParseGoalState(b)
	default:
		return "", nil, &azprov.Error{
			Op: "goalstate parse", Kind: azprov.KindMalformed,
			Message: "the root element is <" + azprov.OneLine(kind) + ">, which is no document of the wire server that this verb knows",
			Hint:    "an ovf-env.xml is shown by azprov ovf show",
		}
	}
	return kind, document, err
}

// parseWireJSON tells the two documents that also come in JSON apart by their one
// required member.
func parseWireJSON(b []byte) (string, any, error) {
	health, healthErr := goalstate.ParseHealthJSON(b)
	if healthErr == nil {
		return "Health", health, nil
	}
	document, err := goalstate.ParseServiceError(b)
	return "Error", document, err
}

// rootElement returns the local name of the document's root, "" if there is none to
// be found. It only looks; whether the document is sound is the parsers' to say.
func rootElement(b []byte) string {
	decoder := xml.NewDecoder(bytes.NewReader(utf8Text(b)))
	decoder.Strict = false
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		if start, ok := token.(xml.StartElement); ok {
			return start.Name.Local
		}
	}
}

// utf8Text turns UTF-16 with a byte order mark into UTF-8 and takes the mark away.
func utf8Text(b []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return bytes.TrimPrefix(b, []byte("\ufeff"))
	}
	units := make([]uint16, 0, len(b)/2)
	for b = b[2:]; len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	return []byte(strings.ToValidUTF8(string(utf16.Decode(units)), "\ufffd"))
}
