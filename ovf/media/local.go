package media

import (
	"context"
	"io/fs"
	"os"
)

// local is the machine itself. What needs the kernel's help is in local_linux.go.
type local struct{}

// Local returns the machine that runs the program. Away from Linux it has files and
// images, and neither devices, events nor mounts.
func Local() System { return local{} }

func (local) FS() fs.FS { return os.DirFS("/") }

func (local) OpenDrive(path string) (Drive, error) { return openDrive(path) }

func (local) Watch(ctx context.Context) (<-chan struct{}, error) { return watchBlockDevices(ctx) }

func (local) ReadMounted(ctx context.Context, device string, read func(fs.FS) error) error {
	return readMounted(ctx, device, kernelFileSystems(), read)
}

// kernelFileSystems are the kernel's readers of discs, the likelier first.
func kernelFileSystems() []string { return []string{"udf", "iso9660"} }
