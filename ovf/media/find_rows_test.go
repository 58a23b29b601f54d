package media_test

import (
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discimage"
	"github.com/azprov/azprov/ovf/media"
)

// failing fails to read after the first good reads.
func failing(good int, err error) func(*fakeDisc) {
	return func(d *fakeDisc) { d.good, d.readErr = good, err }
}

func drivesThatFail() []situation {
	return []situation{
		{
			name: "no sector can be read", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(failing(0, syscall.EIO)))
			},
			kind: azprov.KindInternal, text: "/dev/sr0: unreadable: ", after: 30 * second,
		},
		{
			name: "the document's sectors cannot be read", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(failing(udfReadsToDocument-1, syscall.EIO)))
			},
			kind: azprov.KindInternal, text: "/dev/sr0: unreadable: ovf.ReadFS", after: 30 * second,
		},
		{
			name: "sectors that can be read in the end", prepare: func(w *world, _ *media.Options) {
				d := holding(image(w.t, discimage.FormatUDF)).with(failing(5, syscall.EIO))
				w.drive("sr0", d)
				w.later(2500*time.Millisecond, false, func() { w.heal(d) })
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 3 * second,
		},
		{
			name: "a truncated image", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)[:258*sector]))
			},
			kind: azprov.KindMalformed, text: "/dev/sr0: damaged: ", after: 30 * second,
		},
		{
			name: "a blank disc", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(make([]byte, 1<<20)))
			},
			kind: azprov.KindNotFound, text: "no UDF and no ISO 9660 volume", after: 30 * second,
		},
		{
			name: "10 GiB of nothing", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(nil).with(func(d *fakeDisc) { d.image, d.size = sparse{d.image}, 10<<30 }))
			},
			kind: azprov.KindNotFound, text: "no UDF and no ISO 9660 volume", after: 30 * second,
		},
		{
			name: "a disc that is unplugged in mid-read, and comes back", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(failing(6, syscall.ENXIO)))
				d := holding(image(w.t, discimage.FormatUDF))
				w.later(second, true, func() { w.gone("sr0") })
				w.later(4*second, true, func() { w.drive("sr0", d) })
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 4*second + settle,
		},
		{
			name: "a drive that must not be opened", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(func(d *fakeDisc) { d.openErr = fs.ErrPermission }))
			},
			kind: azprov.KindDenied, text: "run as root", after: 30 * second,
		},
		{
			name: "the worst of two drives is told", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)[:258*sector]))
				w.drive("sr1", &fakeDisc{status: media.DriveStatusNotReady})
			},
			kind: azprov.KindMalformed, text: ", /dev/sr1: the drive is not ready", after: 30 * second,
		},
		worse("damaged and unreadable", azprov.KindMalformed, truncated, failing(0, syscall.EIO)),
		worse("unreadable and forbidden", azprov.KindInternal, failing(0, syscall.EIO), forbidden),
		worse("forbidden and not ready", azprov.KindDenied, forbidden, notReady),
		worse("not ready and empty", azprov.KindNotReady, notReady, func(d *fakeDisc) { d.status = media.DriveStatusNoDisc }),
		{
			name: "a damaged disc that the kernel cannot read either", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)[:258*sector]))
				o.Wait = media.NoWait
			},
			kind: azprov.KindMalformed, text: "; the kernel cannot read it either: ",
		},
		{
			name: "a damaged disc that the kernel can read", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)[:258*sector]))
				w.mounted = files(w.t)
			},
			path: "/dev/sr0", source: media.SourceKernel, text: "only the kernel could read the disc: damaged: ",
		},
		{
			name: "a file system that only the kernel knows", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(make([]byte, 1<<20)))
				w.mounted = files(w.t)
			},
			path: "/dev/sr0", source: media.SourceKernel, text: "only the kernel could read the disc: no UDF",
		},
		{
			name: "the kernel finds no document either", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(make([]byte, 1<<20)))
				w.mounted = fstest.MapFS{}
			},
			kind: azprov.KindNotFound, text: "read by the kernel: no ovf-env.xml", after: 30 * second,
		},
		{
			name: "what the kernel finds is a link", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(make([]byte, 1<<20)))
				w.mounted = fstest.MapFS{document: {Data: []byte("x"), Mode: fs.ModeSymlink}, "x": {Data: files(w.t)[document].Data}}
				o.Wait = media.NoWait
			},
			kind: azprov.KindNotFound, text: "not a regular file",
		},
		{
			name: "the kernel is not to read discs", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(make([]byte, 1<<20)))
				w.mounted, o.NoMount = files(w.t), true
			},
			kind: azprov.KindNotFound, text: "no UDF", after: 30 * second,
		},
		{
			name: "more drives than are looked at", prepare: func(w *world, _ *media.Options) {
				for i := range 80 {
					w.drive("sr"+strconv.Itoa(i), &fakeDisc{status: media.DriveStatusNoDisc})
				}
				w.t.Cleanup(func() {
					if len(w.looks) != 64 || !strings.HasPrefix(w.seen[0].String(), "/dev/sr64: passed over, and all that follow") {
						w.t.Errorf("%d drives were opened; %v", len(w.looks), w.seen[0])
					}
				})
			},
			kind: azprov.KindNotFound, text: "/dev/sr63: no disc in the drive", after: 30 * second,
		},
	}
}

func truncated(d *fakeDisc) { d.size = 258 * sector }

func forbidden(d *fakeDisc) { d.openErr = fs.ErrPermission }

func notReady(d *fakeDisc) { d.status = media.DriveStatusNotReady }

// worse has a drive that decides the error's kind before and after another that does not.
func worse(name string, kind azprov.Kind, a, b func(*fakeDisc)) situation {
	return situation{
		name: name, prepare: func(w *world, o *media.Options) {
			o.Wait = media.NoWait
			for i, change := range []func(*fakeDisc){b, a, b} {
				w.drive("sr"+strconv.Itoa(i), holding(image(w.t, discimage.FormatUDF)).with(change))
			}
		}, kind: kind, text: "looked at /dev/sr0: ",
	}
}

func otherDevices() []situation {
	// other is a device that is not optical, with a medium on it.
	other := func(name string, attributes ...string) func(*world, *media.Options) {
		return func(w *world, _ *media.Options) {
			w.device(name, holding(image(w.t, discimage.FormatUDF)), attributes...)
		}
	}
	passed := func(name, why string, prepare func(*world, *media.Options)) situation {
		return situation{name: name, prepare: func(w *world, o *media.Options) {
			prepare(w, o)
			w.t.Cleanup(func() { w.wasPassedOver(why) })
		}, kind: azprov.KindNotFound, text: "no drive was found", after: 30 * second}
	}
	return []situation{
		{name: "a small disk that is read-only", prepare: other("vdb", "ro=1"), path: "/dev/vdb", source: media.SourceDevice},
		{name: "a small disk that is removable", prepare: other("sdb", "removable=1"), path: "/dev/sdb", source: media.SourceDevice},
		{
			name: "a partition of such a disk", prepare: func(w *world, _ *media.Options) {
				w.device("vdb", holding(make([]byte, 1<<20)), "ro=1", "vdb2/partition=2", "vdb10/partition=10", "vdb2/start=1")
				w.device("vdb2", holding(image(w.t, discimage.FormatUDF)), "partition=2", "device/type=absent")
				w.device("vdb10", holding(image(w.t, discimage.FormatUDF)), "partition=10", "device/type=absent")
			},
			path: "/dev/vdb2", source: media.SourceDevice,
		},
		{
			name: "of two such disks the one with a label", prepare: func(w *world, _ *media.Options) {
				w.device("vdb", holding(image(w.t, discimage.FormatUDF)), "ro=1")
				w.device("vdc", holding(image(w.t, discimage.FormatUDF)), "ro=1")
				w.link("dev/disk/by-label/PROVISIONING", "../../vdc")
			},
			path: "/dev/vdc", source: media.SourceDevice,
		},
		{
			name: "an optical drive goes before such a disk", prepare: func(w *world, o *media.Options) {
				other("aaa", "ro=1")(w, o)
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "a disk of 64 MiB", prepare: other("sdb", "removable=1", "size=131072"), path: "/dev/sdb", source: media.SourceDevice,
		},
		{
			name: "a device with a slash in its name", prepare: func(w *world, o *media.Options) {
				other("cciss!c0d0", "ro=1")(w, o)
				w.drives["/dev/cciss/c0d0"] = w.drives["/dev/cciss!c0d0"]
			},
			path: "/dev/cciss/c0d0", source: media.SourceDevice,
		},
		{
			name: "the kernel is not asked to read a disk", prepare: func(w *world, o *media.Options) {
				w.device("vdb", holding(make([]byte, 1<<20)), "ro=1")
				w.mounted, o.Wait = files(w.t), media.NoWait
			},
			kind: azprov.KindNotFound, text: "/dev/vdb: no UDF",
		},
		passed("a user's disk with a partition", "neither read-only nor removable", func(w *world, o *media.Options) {
			other("sdc", "sdc1/partition=1")(w, o)
			other("sdc1", "partition=1", "device/type=absent")(w, o)
			w.file("proc/self/mountinfo", "30 1 8:49 / /data rw - ext4 /dev/sdd1 rw\n")
		}),
		{
			name: "directories of a disk that are no partitions", prepare: func(w *world, o *media.Options) {
				w.device("vdb", holding(make([]byte, 1<<20)), "ro=1", "vdb9x/start=1", "sdz1/partition=1")
				o.Wait = media.NoWait
				w.t.Cleanup(func() {
					if len(w.looks) != 1 {
						w.t.Errorf("opened: %v", w.looks)
					}
				})
			},
			kind: azprov.KindNotFound, text: "looked at /dev/vdb: no UDF",
		},
		passed("a name that begins like a drive's", "neither read-only nor removable", other("srx")),
		passed("a user's data disk with a medium on it", "neither read-only nor removable", func(w *world, o *media.Options) {
			other("sdc", "size=67108864")(w, o)
		}),
		passed("a small data disk of a user's", "neither read-only nor removable", other("sdc")),
		passed("a mounted data disk of a user's", "neither read-only nor removable", func(w *world, o *media.Options) {
			other("sdc", "dev=8:32")(w, o)
			w.file("proc/self/mountinfo", "30 1 8:32 / /data rw - udf /dev/sdc rw\n")
			w.file("data/ovf-env.xml", "<a/>")
		}),
		passed("a removable disk that is too large", "larger than 64 MiB", other("sdb", "removable=1", "size=131073")),
		passed("a loop device", "it is virtual", other("loop0", "ro=1", "device/type=absent")),
		passed("a floppy drive", "a floppy drive", other("fd0", "removable=1")),
		passed("a hidden device", "it is hidden", other("vdb", "ro=1", "hidden=1")),
		passed("a part of a RAID", "it is part of md0", other("vdb", "ro=1", "holders/md0=x")),
		passed("a device that sysfs knows nothing of", "nothing is known", other("vdb", "ro=1", "size=absent")),
		passed("a label on a machine without sysfs", "nothing is known", func(w *world, o *media.Options) {
			other("vdb", "ro=1")(w, o)
			w.withoutSysfs()
			w.link("dev/disk/by-label/CARGO", "../../vdb")
		}),
		passed("a mounted disc image on a machine without sysfs", "nothing is known", func(w *world, o *media.Options) {
			other("loop0")(w, o)
			w.withoutSysfs()
			w.file("proc/self/mountinfo", "30 1 7:0 / /data rw - iso9660 /dev/loop0 rw\n")
		}),
	}
}

// heal ends the failures of a disc.
func (w *world) heal(d *fakeDisc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d.readErr, d.hangs = nil, 0
}

// wasPassedOver holds the last look, and that no drive was opened.
func (w *world) wasPassedOver(why string) {
	w.t.Helper()
	if len(w.seen) != 1 || w.seen[0].Outcome != media.OutcomePassedOver || !strings.Contains(w.seen[0].Detail, why) {
		w.t.Errorf("%v, want %q", w.seen, why)
	}
	if len(w.looks) > 0 {
		w.t.Errorf("opened: %v", w.looks)
	}
}
