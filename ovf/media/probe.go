package media

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discfs"
	"github.com/azprov/azprov/ovf"
)

// finding is what was found in one place: a medium, or why there is none.
type finding struct {
	medium  *Medium
	outcome Outcome
	detail  string
}

// partial: custom data without a document is taken if there is nothing better.
func (f finding) partial() bool {
	return f.medium != nil && f.medium.env != nil && f.medium.env.Raw().IsZero()
}

// probeDevice looks at a device: where it is mounted, then itself, then by the kernel.
func probeDevice(ctx context.Context, system System, c candidate, noMount bool) finding {
	for _, point := range c.mounts {
		if f := probeDir(plainFiles{system.FS()}, point, &Medium{Source: SourceMount, Path: point, Device: c.path}); f.medium != nil {
			return f
		}
	}
	f := probeDrive(system, c.path)
	if !c.kernel || noMount || ctx.Err() != nil || (f.outcome != OutcomeDamaged && f.outcome != OutcomeNoVolume) {
		return f
	}
	var mounted finding
	err := system.ReadMounted(ctx, c.path, func(fsys fs.FS) error {
		mounted = decide(&Medium{Source: SourceKernel, Path: c.path, Device: c.path}, plainFiles{fsys})
		return nil
	})
	switch {
	case err != nil:
		f.detail += "; the kernel cannot read it either: " + azprov.OneLine(err.Error())
	case mounted.medium != nil:
		mounted.medium.Warnings = append(mounted.medium.Warnings, "only the kernel could read the disc: "+f.detail)
		return mounted
	default:
		f.detail += "; read by the kernel: " + mounted.detail
	}
	return f
}

// plainFiles is what a mounted disc has but for links, which may lead to a user's file,
// and pipes, which would be waited for without end. The readers of this package give
// neither.
type plainFiles struct{ fs.FS }

func (p plainFiles) Open(name string) (fs.File, error) {
	info, err := fs.Lstat(p.FS, name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	return p.FS.Open(name)
}

// probeDir looks at a directory of the machine.
func probeDir(root fs.FS, dir string, m *Medium) finding {
	fsys, err := fs.Sub(root, strings.TrimPrefix(path.Clean(dir), "/"))
	if err != nil {
		return finding{outcome: OutcomeAbsent, detail: "no directory"}
	}
	return decide(m, fsys)
}

// emptyFindings are the drives that need not be read.
var emptyFindings = map[DriveStatus]finding{
	DriveStatusNoDisc:   {outcome: OutcomeNoDisc, detail: "no disc in the drive"},
	DriveStatusTrayOpen: {outcome: OutcomeNoDisc, detail: "the tray is open"},
	DriveStatusNotReady: {outcome: OutcomeNotReady, detail: "the drive is not ready"},
}

func probeDrive(system System, device string) finding {
	drive, err := system.OpenDrive(device)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = drive.Close() }()
	if f, empty := emptyFindings[drive.Status()]; empty {
		return f
	}
	size, err := drive.Size()
	if err != nil {
		return failed(err)
	}
	volume, err := ReadVolume(drive, size)
	if errors.Is(err, azprov.ErrNotFound) {
		return finding{outcome: OutcomeNoVolume, detail: "no UDF and no ISO 9660 volume"}
	}
	if err != nil {
		return failed(err)
	}
	return decide(&Medium{
		Source: SourceDevice, Path: device, Device: device, Type: volume.Type, Label: volume.Label, Warnings: volume.Warnings,
	}, volume.FS)
}

// decide looks for the files that make a medium. One whose document cannot be used is the
// medium all the same.
func decide(m *Medium, fsys fs.FS) finding {
	m.env, m.err = ovf.ReadFS(fsys)
	if m.err == nil || isDocumentError(m.err) {
		return finding{medium: m, outcome: OutcomeMedium, detail: "the provisioning medium"}
	}
	switch azprov.KindOf(m.err) { //nolint:exhaustive // the others are failures to read
	case azprov.KindNotFound:
		return finding{outcome: OutcomeNoDocument, detail: "no ovf-env.xml at its root"}
	case azprov.KindNotAzure:
		return finding{outcome: OutcomeNotAzure, detail: "its ovf-env.xml is another platform's"}
	}
	return failed(m.err)
}

// isDocumentError: the document was read, and is no good.
func isDocumentError(err error) bool {
	kind := azprov.KindOf(err)
	return kind == azprov.KindMalformed || kind == azprov.KindTooLarge
}

// failures says what the errors of devices mean, the first that fits. Those that say it
// all need no text of the system's.
var failures = []struct {
	is      func(error) bool
	outcome Outcome
	detail  string
}{
	{isNoMedium, OutcomeNoDisc, "no disc in the drive"},
	{isGone, OutcomeAbsent, "it has gone"},
	{is(fs.ErrNotExist), OutcomeAbsent, "it is not there"},
	{is(fs.ErrPermission), OutcomeDenied, "this process may not read it"},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// failed is the finding of a device that could not be read.
func failed(err error) finding {
	for _, row := range failures {
		if row.is(err) {
			return finding{outcome: row.outcome, detail: row.detail}
		}
	}
	if errors.Is(err, discfs.ErrDamaged) {
		return finding{outcome: OutcomeDamaged, detail: "damaged: " + azprov.OneLine(err.Error())}
	}
	return finding{outcome: OutcomeUnreadable, detail: "unreadable: " + azprov.OneLine(err.Error())}
}
