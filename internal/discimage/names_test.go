package discimage

import (
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestNames(t *testing.T) {
	t.Parallel()
	all := PossibleFormatValues()
	udf, iso := all[:1], all[1:]
	long := func(n int) string { return strings.Repeat("n", n) }
	levels := func(n int) string { return strings.Repeat("d/", n-1) + "f" }
	for name, row := range map[string]struct {
		path    string
		formats []Format
		want    string
	}{
		"64 characters":               {long(64), all, ""},
		"65 characters":               {long(65), iso, "too long for Joliet"},
		"254 characters":              {long(254), udf, ""},
		"254 Latin characters":        {strings.Repeat("é", 254), udf, ""},
		"255 characters":              {long(255), udf, "too long for UDF"},
		"127 wide characters":         {strings.Repeat("日", 127), udf, ""},
		"128 wide characters":         {strings.Repeat("日", 128), udf, "too long for UDF"},
		"a path of 240 octets":        {long(60) + "/" + long(50) + "/" + long(9), iso, ""},
		"a path of 242 octets":        {long(60) + "/" + long(50) + "/" + long(10), iso, "path is too long for Joliet"},
		"a path of 1023 octets":       {long(254) + "/" + long(254) + "/" + long(254) + "/" + long(254), udf, ""},
		"a path of 1024 octets":       {long(254) + "/" + long(254) + "/" + long(254) + "/" + long(252) + "/n", udf, "path is too long for UDF"},
		"a character over 16 bits":    {"😀", all, "16 bits"},
		"a byte-order mark":           {"a\uFEFF", all, "U+FEFF"},
		"a byte-order mark swapped":   {"a\uFFFE", all, "U+FFFE"},
		"not UTF-8":                   {"a\xff", all, "not UTF-8"},
		"NUL":                         {"a\x00", all, "no name for a file"},
		"a control character":         {"a\nb", iso, "control character"},
		"a control character, UDF":    {"a\nb", udf, ""},
		"a colon":                     {"a:b", iso, "':' is not allowed in Joliet"},
		"an asterisk":                 {"*", iso, "'*' is not allowed in Joliet"},
		"a semicolon":                 {"a;1", iso, "';' is not allowed in Joliet"},
		"a question mark":             {"a?", iso, "'?' is not allowed in Joliet"},
		"a backslash":                 {`a\b`, iso, `'\\' is not allowed in Joliet`},
		"all of these, UDF":           {`*:;?\`, udf, ""},
		"a full stop at the end":      {"a.", iso, "full stop"},
		"a full stop at the end, UDF": {"a.", udf, ""},
		"8 levels":                    {levels(8), all, ""},
		"9 levels":                    {levels(9), iso, "too many levels"},
		"32 levels":                   {levels(32), udf, ""},
		"33 levels":                   {levels(33), udf, "too many levels"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, format := range row.formats {
				checkError(t, Write(io.Discard, paths(row.path), Options{Format: format}), row.want)
			}
		})
	}
}

// paths is a file system with one file, whose name need not be possible.
func paths(path string) fs.FS {
	if !strings.Contains(path, "/") {
		return single{name: path}
	}
	return fstest.MapFS{path: file("content")}
}

func TestShortNames(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		names []string // In the order in which they come from a directory; with a slash, directories.
		want  []string // In the order on the disc.
	}{
		"provisioning":            {[]string{"CustomData.bin", "ovf-env.xml"}, []string{"CUSTOMDA.BIN;1", "OVF_ENV.XML;1"}},
		"no extension":            {[]string{"README"}, []string{"README.;1"}},
		"a long extension":        {[]string{"a.config"}, []string{"A.CON;1"}},
		"two extensions":          {[]string{"archive.tar.gz"}, []string{"ARCHIVE_.GZ;1"}},
		"a dot first":             {[]string{".profile"}, []string{"_PROFILE.;1"}},
		"a dot last":              {[]string{"a."}, []string{"A.;1"}},
		"a directory with a dot":  {[]string{"conf.d/"}, []string{"CONF_D"}},
		"one _ for a character":   {[]string{"日本.é"}, []string{"__._;1"}},
		"case":                    {[]string{"A", "a"}, []string{"A.;1", "A1.;1"}},
		"a file like a directory": {[]string{"A", "a/"}, []string{"A.;1", "A1"}},
		"the number is taken":     {[]string{"A", "A1", "a", "a1"}, []string{"A.;1", "A1.;1", "A11.;1", "A2.;1"}},
		"the number replaces":     {[]string{"longname1", "longname2", "longname3"}, []string{"LONGNAM1.;1", "LONGNAM2.;1", "LONGNAME.;1"}},
		"extensions differ":       {[]string{"a.a", "a.b"}, []string{"A.A;1", "A.B;1"}},
		"no extension comes first": {
			[]string{"a.0", "a", "aa"}, []string{"A.;1", "A.0;1", "AA.;1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var children []*node
			for _, name := range row.names {
				children = append(children, &node{name: strings.TrimSuffix(name, "/"), dir: strings.HasSuffix(name, "/")})
			}
			var got []string
			for _, entry := range shortNames(children) {
				got = append(got, string(entry.identifier))
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// The whole of the limit with the same beginning takes numbers of four digits.
func TestShortNamesMany(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	var children []*node
	for range maxEntries {
		children = append(children, &node{name: "the same.text"})
	}
	for _, entry := range shortNames(children) {
		if len(entry.identifier) > len("THE_0000.TEX;1") || seen[string(entry.identifier)] {
			t.Fatalf("%s is too long or there twice", entry.identifier)
		}
		seen[string(entry.identifier)] = true
	}
}
