package media_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov/ovf/media"
)

// world is a machine made of a table: its /sys, /dev and /proc, and what its drives do.
// It is used inside a bubble of virtual time.
type world struct {
	t      *testing.T
	mu     sync.Mutex
	files  fstest.MapFS
	drives map[string]*fakeDisc
	events chan struct{}
	// mounted is what the kernel's readers give; nil cannot be mounted.
	mounted fs.FS
	// mounts counts how often the kernel was asked to mount.
	mounts int
	// hangsAt is a file whose opening never ends.
	hangsAt string
	// watched are the contexts of the watches for events.
	watched []context.Context
	// noEvents: the system has no netlink.
	noEvents bool
	// over is closed when the test is: what hangs ends then.
	over chan struct{}
	// looks counts how often a drive was opened.
	looks map[string]int
	// seen is what the last look has shown.
	seen []media.Sighting
}

// strangeMounts is a mount table that nothing is to be taken from.
const strangeMounts = `22 27 0:21 / /proc rw - proc proc rw
nonsense
30 1 11:0 / /mnt ro - udf
31 1 11:0 - udf /dev/sr0 ro
32 1 8:1 / /mnt\04 rw - ext4 /dev/sda1 rw
33 1 8:1 / /mnt\
`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t:      t,
		files:  fstest.MapFS{"proc/self/mountinfo": {Data: []byte(strangeMounts)}},
		drives: map[string]*fakeDisc{}, events: make(chan struct{}, 1), over: make(chan struct{}), looks: map[string]int{},
	}
	t.Cleanup(func() { close(w.over) })
	return w
}

// fakeDisc is a drive and what is in it.
type fakeDisc struct {
	image  io.ReaderAt
	size   int64
	status media.DriveStatus
	// openErr, readErr: every open fails, and every read after the first good ones of an
	// open disc.
	openErr, readErr error
	good             int
	// hangs: reads take so long; for ever if negative.
	hangs time.Duration
	// ejectErr is the drive's answer to a request to open.
	ejectErr   error
	ejectTakes time.Duration

	ejected, open int
}

func holding(image []byte) *fakeDisc {
	return &fakeDisc{image: bytes.NewReader(image), size: int64(len(image)), status: media.DriveStatusDisc}
}

// with changes a disc.
func (d *fakeDisc) with(change func(*fakeDisc)) *fakeDisc {
	change(d)
	return d
}

// put sets a file, or a drive with its sysfs directory, or removes it.
func (w *world) file(name, content string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[name] = &fstest.MapFile{Data: []byte(content)}
}

func (w *world) link(name, target string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink}
}

// device adds a block device: attributes are "name=value", in its sysfs directory.
func (w *world) device(name string, d *fakeDisc, attributes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	dir := "sys/class/block/" + name + "/"
	w.files["dev/"+name] = &fstest.MapFile{Mode: fs.ModeDevice}
	w.files[dir+"dev"] = &fstest.MapFile{Data: []byte("11:" + strconv.Itoa(len(w.drives)) + "\n")}
	w.files[dir+"size"] = &fstest.MapFile{Data: []byte(strconv.FormatInt(d.size/512, 10) + "\n")}
	w.files[dir+"ro"] = &fstest.MapFile{Data: []byte("0\n")}
	w.files[dir+"removable"] = &fstest.MapFile{Data: []byte("0\n")}
	w.files[dir+"device/type"] = &fstest.MapFile{Data: []byte("0\n")}
	for _, attribute := range attributes {
		key, value, _ := strings.Cut(attribute, "=")
		w.files[dir+key] = &fstest.MapFile{Data: []byte(value + "\n")}
		if value == "absent" {
			delete(w.files, dir+key)
		}
	}
	w.drives["/dev/"+name] = d
}

// drive adds an optical drive.
func (w *world) drive(name string, d *fakeDisc) { w.device(name, d, "removable=1", "device/type=5") }

// gone removes a device.
func (w *world) gone(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.files, func(path string, _ *fstest.MapFile) bool {
		return path == "dev/"+name || strings.HasPrefix(path, "sys/class/block/"+name+"/")
	})
	delete(w.drives, "/dev/"+name)
}

func (w *world) setStatus(d *fakeDisc, status media.DriveStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d.status = status
}

// withoutSysfs leaves the nodes in /dev.
func (w *world) withoutSysfs() {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.files, func(path string, _ *fstest.MapFile) bool { return strings.HasPrefix(path, "sys/") })
}

// later does something, with an event if the world has them.
func (w *world) later(d time.Duration, event bool, do func()) {
	time.AfterFunc(d, func() {
		do()
		if event {
			select {
			case w.events <- struct{}{}:
			default:
			}
		}
	})
}

func (w *world) FS() fs.FS {
	w.mu.Lock()
	defer w.mu.Unlock()
	files := maps.Clone(w.files)
	if w.hangsAt != "" {
		return hanging{files, w}
	}
	return files
}

// hanging is a machine's files with one that never opens.
type hanging struct {
	fs.ReadLinkFS
	w *world
}

func (h hanging) Open(name string) (fs.File, error) {
	if name == h.w.hangsAt {
		<-h.w.over
	}
	return h.ReadLinkFS.Open(name)
}

func (w *world) Watch(ctx context.Context) (<-chan struct{}, error) {
	w.watched = append(w.watched, ctx)
	if w.noEvents {
		return nil, errors.ErrUnsupported
	}
	return w.events, nil
}

func (w *world) ReadMounted(_ context.Context, _ string, read func(fs.FS) error) error {
	w.mu.Lock()
	w.mounts++
	w.mu.Unlock()
	if w.mounted == nil {
		return syscall.ENODEV
	}
	return read(w.mounted)
}

func (w *world) OpenDrive(path string) (media.Drive, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks[path]++
	d := w.drives[path]
	if d == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if d.openErr != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: d.openErr}
	}
	d.open++
	return &openDisc{w: w, d: d}, nil
}

// openDisc is a disc that was opened once.
type openDisc struct {
	w     *world
	d     *fakeDisc
	reads int
}

func (o *openDisc) ReadAt(b []byte, at int64) (int, error) {
	o.w.mu.Lock()
	hangs, err := o.d.hangs, o.d.readErr
	if o.reads++; o.reads <= o.d.good {
		err = nil
	}
	o.w.mu.Unlock()
	if hangs < 0 {
		<-o.w.over
		return 0, syscall.EIO
	}
	time.Sleep(hangs)
	if err != nil {
		return 0, err
	}
	return o.d.image.ReadAt(b, at)
}

func (o *openDisc) Size() (int64, error) { return o.d.size, nil }

func (o *openDisc) Status() media.DriveStatus {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	return o.d.status
}

func (o *openDisc) Eject() error {
	time.Sleep(o.d.ejectTakes)
	o.d.ejected++
	return o.d.ejectErr
}

func (o *openDisc) Close() error {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	o.d.open--
	return nil
}

// sparse is an image with nothing behind its end.
type sparse struct{ io.ReaderAt }

func (s sparse) ReadAt(b []byte, at int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		clear(b[n:])
		return len(b), nil
	}
	return n, err
}
