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

func drivesThatFail() []situation {
	failing := func(good int, err error) func(*fakeDisc) {
		return func(d *fakeDisc) { d.good, d.readErr = good, err }
	}
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
			name: "a device that vanishes in mid-read", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(failing(udfReadsToDocument-1, syscall.ENODEV)))
			},
			kind: azprov.KindNotFound, text: "/dev/sr0: it has gone", after: 30 * second,
		},
		{
			name: "a disc that is taken out in mid-read", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(failing(6, syscall.ENOMEDIUM)))
			},
			kind: azprov.KindNotFound, text: "/dev/sr0: no disc in the drive", after: 30 * second,
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
			},
			kind: azprov.KindNotFound, text: "/dev/sr63: no disc in the drive", after: 30 * second,
		},
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

func directories() []situation {
	mountedAt := func(dir, line string) func(*world, *media.Options) {
		return func(w *world, _ *media.Options) {
			w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
			for name, file := range files(w.t) {
				w.file(dir+"/"+name, string(file.Data))
			}
			w.file("proc/self/mountinfo", "30 1 8:1 / /other rw - ext4 /dev/sda1 rw\n"+line+"\n")
		}
	}
	return []situation{
		{
			name: "a disc that is mounted", prepare: mountedAt("mnt", "31 1 11:0 / /mnt ro,relatime shared:1 - udf /dev/sr0 ro"),
			path: "/mnt", source: media.SourceMount,
		},
		{
			name:    "mounted by another name, where a blank is in the path",
			prepare: mountedAt("mnt/a b", `31 1 11:0 / /mnt/a\040b ro - udf /dev/cdrom ro`), path: "/mnt/a b", source: media.SourceMount,
		},
		{
			name: "mounted on a machine without sysfs", prepare: func(w *world, o *media.Options) {
				mountedAt("mnt", "31 1 11:0 / /mnt ro - iso9660 /dev/sr0 ro")(w, o)
				w.withoutSysfs()
				delete(w.files, "dev/sr0")
			},
			path: "/mnt", source: media.SourceMount,
		},
		{
			name: "only a directory of the disc is mounted", prepare: mountedAt("mnt", "31 1 11:0 /deck /mnt ro - udf /dev/sr0 ro"),
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "another mount hides the disc's", prepare: func(w *world, o *media.Options) {
				mountedAt("elsewhere", "31 1 11:0 / /mnt ro - udf /dev/sr0 ro")(w, o)
				w.file("mnt/other", "")
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "a mounted disc that cannot be opened", prepare: func(w *world, o *media.Options) {
				mountedAt("mnt", "31 1 11:0 / /mnt ro - udf /dev/sr0 ro")(w, o)
				w.drives["/dev/sr0"].openErr = fs.ErrPermission
			},
			path: "/mnt", source: media.SourceMount,
		},
		{
			name: "a seed before any device", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(func(d *fakeDisc) { d.hangs = -1 }))
				o.SeedDirs = []string{"/absent", media.CloudInitSeedDir}
				for name, file := range files(w.t) {
					w.file("var/lib/cloud/seed/azure/"+name, string(file.Data))
				}
			},
			path: media.CloudInitSeedDir, source: media.SourceSeed,
		},
		{
			name: "a seed without a document", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
				o.SeedDirs = []string{"/seed"}
				w.file("seed/meta-data", "")
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
	}
}

func namedDevices() []situation {
	return []situation{
		{
			name: "a named disk may be anything", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
				w.device("sdc", holding(image(w.t, discimage.FormatUDF)))
				o.Device = "/dev/sdc"
			},
			path: "/dev/sdc", source: media.SourceDevice,
		},
		{
			name: "a named image", prepare: func(w *world, o *media.Options) {
				w.drives["/images/medium.img"] = holding(image(w.t, discimage.FormatUDF))
				o.Device = "/images/medium.img"
			},
			path: "/images/medium.img", source: media.SourceDevice,
		},
		{
			name: "a named device that comes", prepare: func(w *world, o *media.Options) {
				d := holding(image(w.t, discimage.FormatUDF))
				o.Device = "/dev/sr0"
				w.later(2*second+second/2, true, func() { w.drive("sr0", d) })
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 2*second + second/2 + settle,
		},
		{
			name: "a named device that does not come", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
				o.Device = "/dev/sr1"
			},
			kind: azprov.KindNotFound, text: "looked at /dev/sr1: it is not there", after: 30 * second,
		},
		{
			name: "a link to a drive, which is mounted", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
				w.drives["/dev/cdrom"] = w.drives["/dev/sr0"]
				w.link("dev/cdrom", "sr0")
				w.file("proc/self/mountinfo", "31 1 11:0 / /mnt ro - udf /dev/sr0 ro\n")
				for name, file := range files(w.t) {
					w.file("mnt/"+name, string(file.Data))
				}
				o.Device = "/dev/cdrom"
			},
			path: "/mnt", source: media.SourceMount,
		},
		{
			name: "the kernel reads a named device, if it must", prepare: func(w *world, o *media.Options) {
				w.device("sdc", holding(make([]byte, 1<<20)))
				w.mounted, o.Device = files(w.t), "/dev/sdc"
			},
			path: "/dev/sdc", source: media.SourceKernel, text: "only the kernel",
		},
		{
			name: "and no image", prepare: func(w *world, o *media.Options) {
				w.drives["/images/medium.img"] = holding(make([]byte, 1<<20))
				w.mounted, o.Device, o.Wait = files(w.t), "/images/medium.img", media.NoWait
			},
			kind: azprov.KindNotFound, text: "no UDF",
		},
	}
}

// heal ends the failures of a disc.
func (w *world) heal(d *fakeDisc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d.readErr = nil
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
