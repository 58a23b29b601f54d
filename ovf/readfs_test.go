package ovf

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/azprov/azprov"
)

// files makes a file system from names and contents.
func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func TestReadFS(t *testing.T) {
	t.Parallel()
	const hello = "<wa:CustomData>aGVsbG8=</wa:CustomData>"
	for name, row := range map[string]struct {
		fsys     fs.FS
		want     string
		warnings string
	}{
		"document only":                   {files("ovf-env.xml", withSet(hello)), "hello", ""},
		"no custom data":                  {files("ovf-env.xml", withSet("")), "", ""},
		"other files beside":              {files("a", "", "ovf-env.xml", withSet(hello), "z/ovf-env.xml", "x"), "hello", ""},
		"name in upper case":              {files("OVF-ENV.XML", withSet(hello)), "hello", ""},
		"ISO 9660 name":                   {files("OVF_ENV.XML;1", withSet(hello)), "hello", ""},
		"ISO 9660 names, both":            {files("OVF_ENV.XML;1", withSet(""), "CUSTOMDA.BIN;1", "bin"), "bin", ""},
		"file, element absent":            {files("ovf-env.xml", withSet(""), "CustomData.bin", "\x00bin"), "\x00bin", ""},
		"file, name in lower case":        {files("ovf-env.xml", withSet(""), "customdata.bin", "bin"), "bin", ""},
		"file, element empty":             {files("ovf-env.xml", withSet("<wa:CustomData/>"), "CustomData.bin", "bin"), "bin", ""},
		"file and element agree":          {files("ovf-env.xml", withSet(hello), "CustomData.bin", "hello"), "hello", ""},
		"file and element differ":         {files("ovf-env.xml", withSet(hello), "CustomData.bin", "bin"), "hello", "CustomData.bin differs from the element CustomData, which is used"},
		"file empty":                      {files("ovf-env.xml", withSet(hello), "CustomData.bin", ""), "hello", ""},
		"file, element redacted":          {files("ovf-env.xml", withSet("<wa:CustomData>REDACTED</wa:CustomData>"), "CustomData.bin", "bin"), "bin", "CustomData was redacted when the document was written"},
		"file, element no base64":         {files("ovf-env.xml", withSet("<wa:CustomData>CustomData</wa:CustomData>"), "CustomData.bin", "bin"), "bin", "CustomData is no base64 and is not decoded"},
		"the exact name before any other": {files("OVF-ENV.XML", "junk", "ovf-env.xml", withSet(hello)), "hello", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, err := ReadFS(row.fsys)
			if err != nil {
				t.Fatal(err)
			}
			if got := env.CustomData.RevealString(); got != row.want {
				t.Errorf("custom data = %q, want %q", got, row.want)
			}
			if !env.CustomDataText.IsZero() || env.CustomDataRedacted {
				t.Error("the undecoded element is still there")
			}
			if got := strings.Join(env.Warnings, "|"); got != row.warnings {
				t.Errorf("warnings = %q, want %q", got, row.warnings)
			}
		})
	}
}

// Who has custom data without a document gets it, and is told.
func TestReadFSOfCustomDataAlone(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{"CustomData.bin": "#bosun", "CUSTOMDA.BIN;1": "#bosun", "customdata.bin": ""} {
		env, err := ReadFS(files(name, data))
		if err != nil || env.CustomData.RevealString() != data || !env.Raw().IsZero() || env.HostName != "" {
			t.Fatalf("%s: %+v, %v", name, env, err)
		}
		if len(env.Warnings) != 1 || !strings.Contains(env.Warnings[0], "there is no ovf-env.xml") {
			t.Errorf("%s: warnings %q", name, env.Warnings)
		}
	}
}

func TestReadFSRefuses(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fsys   fs.FS
		kind   azprov.Kind
		target string
	}{
		"empty medium":               {files(), azprov.KindNotFound, "ovf-env.xml"},
		"only in a directory":        {files("a/ovf-env.xml", withSet("")), azprov.KindNotFound, "ovf-env.xml"},
		"a directory of that name":   {files("OVF-ENV.XML/x", ""), azprov.KindNotFound, "ovf-env.xml"},
		"a directory, exact name":    {files("ovf-env.xml/x", ""), azprov.KindInternal, "ovf-env.xml"},
		"no permission":              {brokenFS{files(), fs.ErrPermission}, azprov.KindDenied, "ovf-env.xml"},
		"medium gone":                {brokenFS{files(), errors.New("input/output error")}, azprov.KindInternal, "ovf-env.xml"},
		"cannot be listed":           {brokenFS{files(), fs.ErrNotExist}, azprov.KindNotFound, "ovf-env.xml"},
		"document too large":         {files("ovf-env.xml", strings.Repeat(" ", 1<<20+1)), azprov.KindTooLarge, "ovf-env.xml"},
		"custom data too large":      {files("ovf-env.xml", withSet(""), "CustomData.bin", strings.Repeat(" ", 1<<20+1)), azprov.KindTooLarge, "CustomData.bin"},
		"document malformed":         {files("ovf-env.xml", "<"), azprov.KindMalformed, "ovf-env.xml"},
		"not Azure's":                {files("ovf-env.xml", header+footer), azprov.KindNotAzure, "ovf-env.xml"},
		"custom data cannot be read": {files("ovf-env.xml", withSet(""), "CustomData.bin/x", ""), azprov.KindInternal, "CustomData.bin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, err := ReadFS(row.fsys)
			var e *azprov.Error
			if env != nil || !errors.As(err, &e) {
				t.Fatalf("ReadFS = %v, %v", env, err)
			}
			if e.Op != "ovf.ReadFS" || e.Kind != row.kind || e.Target != row.target {
				t.Errorf("op %q, kind %q, target %q: %v", e.Op, e.Kind, e.Target, e)
			}
		})
	}
}

// brokenFS fails to open anything.
type brokenFS struct {
	fs.FS
	err error
}

func (f brokenFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: f.err}
}
