package goalstate

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/xmldoc"
)

// Codes that a [ServiceError] may have. Others occur.
const (
	// ErrorCodeResourceNotAvailable comes with status 410: the URL is of an old
	// goal state.
	ErrorCodeResourceNotAvailable = "ResourceNotAvailable"
	// ErrorCodeRequestRateLimitExceeded comes with status 429 or 403.
	ErrorCodeRequestRateLimitExceeded = "RequestRateLimitExceeded"
	// ErrorCodeInvalidContainerConfiguration comes with status 400 from the
	// HostGAPlugin: container id or role configuration name are out of date.
	ErrorCodeInvalidContainerConfiguration = "InvalidContainerConfiguration"
	// ErrorCodeRequestRoleConfigFileNotFound means the same, with status 400 or
	// 410 (WALinuxAgent issue 781).
	ErrorCodeRequestRoleConfigFileNotFound = "RequestRoleConfigFileNotFound"
)

// ServiceError is the body of an answer that refuses a request: XML from the wire
// server, JSON from the HostGAPlugin. Both also answer with the HTML of their web
// server, which is none.
type ServiceError struct {
	// Code is one of the ErrorCode constants, or another.
	Code    string
	Message string
	Details string
}

// ParseServiceError reads the body of an error in either form. A body that is
// neither, or that has no code, is an error of [azprov.KindMalformed]; one over
// 1 MiB of [azprov.KindTooLarge].
func ParseServiceError(b []byte) (ServiceError, error) {
	const op = "goalstate.ParseServiceError"
	var e ServiceError
	var err error
	if isJSONObject(b) {
		e, err = parseJSONError(op, b)
	} else {
		e, err = parseXMLError(op, b)
	}
	if err != nil {
		return ServiceError{}, err
	}
	if e.Code == "" {
		return ServiceError{}, malformed(op, "no code in the error document")
	}
	return e, nil
}

func parseXMLError(op string, b []byte) (ServiceError, error) {
	root, err := parseXML(op, "Error", b)
	if err != nil {
		return ServiceError{}, err
	}
	return ServiceError{Code: root.text("Code"), Message: root.text("Message"), Details: root.text("Details")}, nil
}

func parseJSONError(op string, b []byte) (ServiceError, error) {
	var doc struct {
		Code    string          `json:"errorCode"`
		Message string          `json:"message"`
		Details json.RawMessage `json:"details"`
	}
	if err := parseJSON(op, b, &doc); err != nil {
		return ServiceError{}, err
	}
	return ServiceError{Code: doc.Code, Message: doc.Message, Details: looseText(doc.Details)}, nil
}

// looseText returns a JSON string's text, and anything but null as it stands:
// details are for people to read.
func looseText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// EncodeXML returns the document as the wire server writes it. All three elements
// are there, even if empty.
func (e ServiceError) EncodeXML() []byte {
	w := newWriter()
	w.start("Error", attr{"xmlns:xsi", xsiNamespace}, attr{"xmlns:xsd", xsdNamespace})
	w.textOrEmpty("Code", e.Code)
	w.textOrEmpty("Message", e.Message)
	w.textOrEmpty("Details", e.Details)
	w.end()
	return w.bytes()
}

// EncodeJSON returns the document as the HostGAPlugin writes it, in one line.
func (e ServiceError) EncodeJSON() []byte {
	return encodeJSON(struct {
		Code    string `json:"errorCode"`
		Message string `json:"message"`
		Details string `json:"details"`
	}{e.Code, e.Message, e.Details})
}

// isJSONObject tells JSON from XML by the first character.
func isJSONObject(b []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{"))
}

// parseJSON reads one JSON object under the limits of the XML documents;
// encoding/json bounds the nesting by itself (at 10,000 levels).
func parseJSON(op string, b []byte, into any) error {
	switch {
	case len(b) > xmldoc.DefaultMaxBytes:
		return &azprov.Error{Op: op, Kind: azprov.KindTooLarge, Message: "the document is larger than 1 MiB"}
	case !utf8.Valid(b):
		return malformed(op, "the document is not valid UTF-8")
	case !isJSONObject(b):
		return malformed(op, "the document is not a JSON object")
	case json.Unmarshal(b, into) != nil:
		// The decoder's own text would quote the document.
		return malformed(op, "the document is not valid JSON, or a member has the wrong type")
	default:
		return nil
	}
}

// encodeJSON writes v in one line, & < and > as they are: Rust's serde_json, which
// azure-init sends with, does not escape them either. v holds only text.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
