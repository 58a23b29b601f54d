package ovf

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/xmldoc"
)

const (
	readFSOp = "ovf.ReadFS"

	customDataFile = "CustomData.bin"
	// customDataLimit is far above the 64 KiB (before base64) that Azure takes;
	// it stops a wrong medium from being read whole.
	customDataLimit = 1 << 20
)

// ReadFS reads ovf-env.xml at the root of a provisioning medium, and
// CustomData.bin beside it, where some media have the decoded custom data. The
// file counts if the element is absent, empty or unusable; if both are there and
// differ, the element counts, with a warning. Names are found in any case and in
// the forms that an ISO 9660 volume without extensions gives them. Of a medium with
// CustomData.bin alone the environment has nothing but the custom data and a
// warning; its Raw is zero.
//
// Errors are those of [Parse], and [azprov.KindNotFound] for a file system
// with neither file, [azprov.KindDenied] for one that may not be read,
// [azprov.KindTooLarge] for a file of more than 1 MiB and [azprov.KindInternal]
// for one that cannot be read.
func ReadFS(fsys fs.FS) (*Environment, error) {
	document, found, err := readFile(fsys, []string{fileName, "OVF_ENV.XML"}, xmldoc.DefaultMaxBytes)
	if err != nil {
		return nil, err
	}
	env := &Environment{}
	if found {
		if env, err = parse(readFSOp, document); err != nil {
			return nil, withTarget(err)
		}
	}
	data, hasData, err := readFile(fsys, []string{customDataFile, "CUSTOMDA.BIN"}, customDataLimit)
	switch {
	case err != nil:
		return nil, err
	case !found && !hasData:
		return nil, &azprov.Error{
			Op: readFSOp, Target: fileName, Kind: azprov.KindNotFound,
			Message: "no such file at the root of the medium",
		}
	case !found:
		env.warn("there is no " + fileName + "; " + customDataFile + " is all that the medium has")
	}
	env.addCustomDataFile(data)
	return env, nil
}

// withTarget adds the document's name to an error of the parser.
func withTarget(err error) error {
	var e *azprov.Error
	if errors.As(err, &e) {
		e.Target = fileName
	}
	return err
}

// addCustomDataFile merges CustomData.bin.
func (e *Environment) addCustomDataFile(data []byte) {
	switch file := azprov.NewSecret(data); {
	case len(data) == 0:
	case e.CustomData.Len() == 0:
		e.CustomData, e.CustomDataText, e.CustomDataRedacted = file, azprov.Secret{}, false
	case !e.CustomData.Equal(file):
		e.warn(customDataFile + " differs from the element CustomData, which is used")
	}
}

// readFile reads the file of the first name, or one whose name equals any of them
// but for case and an ISO 9660 version number. found is false if there is none.
func readFile(fsys fs.FS, names []string, limit int64) (content []byte, found bool, err error) {
	f, err := fsys.Open(names[0])
	if errors.Is(err, fs.ErrNotExist) {
		other := otherName(fsys, names)
		if other == "" {
			return nil, false, nil
		}
		f, err = fsys.Open(other)
	}
	if err != nil {
		return nil, false, fileError(names[0], err)
	}
	defer func() { _ = f.Close() }()
	content, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, false, fileError(names[0], err)
	}
	if int64(len(content)) > limit {
		return nil, false, &azprov.Error{
			Op: readFSOp, Target: names[0], Kind: azprov.KindTooLarge,
			Message: "the file is larger than 1 MiB",
		}
	}
	return content, true, nil
}

// otherName looks for a file under another spelling of names; "" without one. A
// directory that cannot be listed has none.
func otherName(fsys fs.FS, names []string) string {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return ""
	}
	for _, entry := range entries {
		base, _, _ := strings.Cut(entry.Name(), ";")
		same := func(name string) bool { return strings.EqualFold(base, name) }
		if !entry.IsDir() && slices.ContainsFunc(names, same) {
			return entry.Name()
		}
	}
	return ""
}

func fileError(name string, err error) error {
	kind := azprov.KindInternal
	if errors.Is(err, fs.ErrPermission) {
		kind = azprov.KindDenied
	}
	return &azprov.Error{Op: readFSOp, Target: name, Kind: kind, Message: "cannot be read", Last: err}
}
