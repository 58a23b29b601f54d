package iso9660

import "strings"

// plainName is the name of a record without Rock Ridge and Joliet. A file identifier is
// "NAME.EXT;1" (ECMA-119, 7.5.1), with the dot even if the extension is empty; a directory
// identifier has neither dot nor version. Its case is left as it is.
func plainName(r record) string {
	name := strings.ToValidUTF8(string(r.identifier), "\ufffd")
	if r.directory() {
		return name
	}
	name, _ = cutVersion(name)
	return strings.TrimSuffix(name, ".")
}

// jolietName is the name of a record of Joliet. Most writers leave the version out and the
// dot in front of it, so that a dot at the end is the name's own.
func jolietName(r record) string {
	name := jolietText(r.identifier)
	if r.directory() {
		return name
	}
	name, versioned := cutVersion(name)
	if versioned {
		name = strings.TrimSuffix(name, ".")
	}
	return name
}

// cutVersion removes a version number and the semicolon before it.
func cutVersion(name string) (rest string, found bool) {
	i := strings.LastIndexByte(name, ';')
	if i < 0 || i == len(name)-1 || strings.Trim(name[i+1:], "0123456789") != "" {
		return name, false
	}
	return name[:i], true
}
