package goalstate

import (
	"encoding/base64"
	"strings"
	"unicode"
)

// FormatPkcs7BlobWithPfxContents is the one known format of a [CertificateFile]: a
// CMS envelope around a PFX. It is meant where no format is given, too.
const FormatPkcs7BlobWithPfxContents = "Pkcs7BlobWithPfxContents"

// dataColumns is where the platform breaks the lines of the base64 data.
const dataColumns = 64

// CertificateFile is what is behind a goal state's CertificatesURL: a container
// for the VM's certificates and their keys, encrypted for the transport key that
// was sent with the request. This package does not open it.
type CertificateFile struct {
	// Version is that of the protocol.
	Version string
	// Incarnation is 1 in every known document, whatever the goal state's is.
	Incarnation string
	// Format is as the platform gave it, empty if it gave none; see
	// HasPkcs7Blob.
	Format string
	// Data is decoded from base64, nil if there are no certificates.
	Data []byte
}

// ParseCertificateFile reads a CertificateFile document. White space anywhere in
// the data is ignored; absent or empty data means that the VM has no certificates
// and is no error. Data that is no base64 is an error of [azprov.KindMalformed],
// except in an unknown format, of which nothing is known: Data is then nil.
func ParseCertificateFile(b []byte) (CertificateFile, error) {
	const op = "goalstate.ParseCertificateFile"
	root, err := parseXML(op, "CertificateFile", b)
	if err != nil {
		return CertificateFile{}, err
	}
	c := CertificateFile{
		Version:     root.text("Version"),
		Incarnation: root.text("Incarnation"),
		Format:      root.text("Format"),
	}
	compact := strings.Join(strings.FieldsFunc(root.text("Data"), unicode.IsSpace), "")
	if compact == "" {
		return c, nil
	}
	data, err := base64.StdEncoding.DecodeString(compact)
	switch {
	case err == nil:
		c.Data = data
	case c.HasPkcs7Blob():
		return CertificateFile{}, malformed(op, "Data is not base64")
	}
	return c, nil
}

// HasPkcs7Blob reports whether Format is [FormatPkcs7BlobWithPfxContents] or not
// given. WALinuxAgent passes over a file in any other format without a word.
func (c CertificateFile) HasPkcs7Blob() bool {
	return c.Format == "" || c.Format == FormatPkcs7BlobWithPfxContents
}

// Encode returns the document as the wire server writes it, the data in lines of
// 64 columns. What is empty is left out.
func (c CertificateFile) Encode() []byte {
	w := newWriter()
	w.startSchema("CertificateFile", "certificates10.xsd")
	w.text("Version", c.Version)
	w.text("Incarnation", c.Incarnation)
	w.text("Format", c.Format)
	w.text("Data", wrapBase64(c.Data))
	w.end()
	return w.bytes()
}

// wrapBase64 ends every line, the last included, with a line feed.
func wrapBase64(data []byte) string {
	text := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for text != "" {
		n := min(dataColumns, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return b.String()
}
