package goalstate

import "slices"

// Versions is the answer to "?comp=versions": the protocol versions that the wire
// server speaks. They look like dates but are opaque; Azure lists "2010-28-10".
type Versions struct {
	// Preferred is the version that the server would rather speak. It may be
	// missing from Supported.
	Preferred string
	// Supported are all others, in the server's order.
	Supported []string
}

// ParseVersions reads a Versions document. One without any version is an error of
// [azprov.KindMalformed]; for the rest see the package documentation.
func ParseVersions(b []byte) (Versions, error) {
	const op = "goalstate.ParseVersions"
	root, err := parseXML(op, "Versions", b)
	if err != nil {
		return Versions{}, err
	}
	v := Versions{
		Preferred: root.text("Preferred", "Version"),
		Supported: root.at("Supported").texts("Version"),
	}
	if v.Preferred == "" && len(v.Supported) == 0 {
		return Versions{}, malformed(op, "no Version in Versions XML")
	}
	return v, nil
}

// Supports reports whether the server speaks version: it is preferred or listed.
func (v Versions) Supports(version string) bool {
	return version != "" && (version == v.Preferred || slices.Contains(v.Supported, version))
}

// Encode returns the document as the wire server writes it.
func (v Versions) Encode() []byte {
	w := newWriter()
	w.start("Versions")
	w.start("Preferred")
	w.text("Version", v.Preferred)
	w.end()
	w.start("Supported")
	for _, version := range v.Supported {
		w.text("Version", version)
	}
	w.end()
	w.end()
	return w.bytes()
}
