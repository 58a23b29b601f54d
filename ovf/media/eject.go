package media

import (
	"cmp"
	"context"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

// ejectTimeout bounds the drive's answer where ctx does not: a real tray takes seconds.
const ejectTimeout = 10 * time.Second

// EjectOptions holds the optional parameters of [Eject].
type EjectOptions struct {
	// System has the device: [Local] if nil.
	System System
}

// Eject unlocks the drive at the path device and opens it, so that nobody finds the
// password that may be on its disc. It needs no program, and only the permission to open
// the device. It takes at most 10 s.
//
// Errors: NotFound (there is no such device), Denied, NotReady (the disc is mounted, in
// whichever mount namespace, or the drive does not let go of it), Timeout and Canceled,
// Internal (it is no optical drive; the drive refuses; not on Linux).
func Eject(ctx context.Context, device string, options *EjectOptions) error {
	const op = "media.Eject"
	system := Local()
	if options != nil && options.System != nil {
		system = options.System
	}
	err := wait.Within(ctx, op, ejectTimeout, func(context.Context) error {
		// The kernel lets root take a mounted disc away from those who read it.
		if mounts := readDevices(system.FS()).named(device).mounts; len(mounts) > 0 {
			return &azprov.Error{
				Kind: azprov.KindNotReady, Message: "the disc is mounted at " + azprov.OneLine(mounts[0]), Hint: "unmount it first",
			}
		}
		drive, err := system.OpenDrive(device)
		if err != nil {
			return err
		}
		return cmp.Or(drive.Eject(), drive.Close())
	})
	if err != nil {
		return fileError(op, device, "the drive cannot be opened", err)
	}
	return nil
}
