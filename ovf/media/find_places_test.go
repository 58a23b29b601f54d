package media_test

import (
	"io/fs"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discimage"
	"github.com/azprov/azprov/ovf/media"
)

// mountedAt has a disc in its drive, its files in a directory, and a line of the mount table.
func mountedAt(dir, line string) func(*world, *media.Options) {
	return func(w *world, _ *media.Options) {
		w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
		for name, file := range files(w.t) {
			w.file(dir+"/"+name, string(file.Data))
		}
		w.file("proc/self/mountinfo", "30 1 8:1 / /other rw - ext4 /dev/sda1 rw\n"+line+"\n")
	}
}

func directories() []situation {
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
			name:    "a disc that is mounted, and another disk after it",
			prepare: mountedAt("mnt", "31 1 11:0 / /mnt ro - udf /dev/sr0 ro\n32 1 8:32 / /data rw - ext4 /dev/sdc rw"),
			path:    "/mnt", source: media.SourceMount,
		},
		{
			name: "a mounted disc with the names of ISO 9660", prepare: func(w *world, o *media.Options) {
				mountedAt("mnt", "31 1 11:0 / /mnt ro - iso9660 /dev/sr0 ro")(w, o)
				w.files["mnt/OVF_ENV.XML;1"] = w.files["mnt/"+document]
				delete(w.files, "mnt/"+document)
				delete(w.files, "mnt/"+customData)
				w.file("mnt/CUSTOMDA.BIN;1", "#bosun")
			},
			path: "/mnt", source: media.SourceMount,
		},
		{
			name: "UDF mounted on a machine without sysfs", prepare: func(w *world, o *media.Options) {
				mountedAt("mnt", "31 1 11:0 / /mnt ro - udf /dev/sr0 ro\n32 1 11:1 / /deck ro - udf /dev/sr1 ro")(w, o)
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
			name: "a user's disk is mounted over the disc", prepare: mountedAt("mnt", "31 1 11:0 / /mnt ro - udf /dev/sr0 ro\n32 31 8:32 / /mnt rw - ext4 /dev/sdc rw"),
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "the disc is mounted over a user's disk", prepare: mountedAt("mnt", "31 1 8:32 / /mnt rw - ext4 /dev/sdc rw\n32 31 11:0 / /mnt ro - udf /dev/sr0 ro"),
			path: "/mnt", source: media.SourceMount,
		},
		{
			name: "a file system that a user calls so", prepare: mountedAt("mnt", "31 1 0:55 / /mnt ro - fuse /dev/sr0 ro"),
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "and on a machine without sysfs", prepare: func(w *world, o *media.Options) {
				mountedAt("mnt", "31 1 0:55 / /mnt ro - fuse /dev/sr0 ro")(w, o)
				w.withoutSysfs()
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "a mounted disc whose document is a link to a user's", prepare: func(w *world, o *media.Options) {
				mountedAt("mnt", "31 1 11:0 / /mnt ro - iso9660 /dev/sr0 ro")(w, o)
				w.file("data/ovf-env.xml", string(files(w.t)[document].Data))
				w.link("mnt/ovf-env.xml", "../data/ovf-env.xml")
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "a mounted disc whose document is a pipe", prepare: func(w *world, o *media.Options) {
				mountedAt("mnt", "31 1 11:0 / /mnt ro - iso9660 /dev/sr0 ro")(w, o)
				w.files["mnt/ovf-env.xml"].Mode = fs.ModeNamedPipe
			},
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
			name: "a seed that hangs, and a device", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
				o.SeedDirs, w.hangsAt = []string{"/seed"}, "seed/"+document
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 5 * second,
		},
		{
			name: "a seed that hangs", prepare: func(w *world, o *media.Options) {
				o.SeedDirs, w.hangsAt, o.Wait = []string{"/seed"}, "seed/"+document, media.NoWait
			},
			kind: azprov.KindNotReady, text: "/seed: it does not answer", after: 5 * second,
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
			name: "a named image with the name of a drive, which is mounted", prepare: func(w *world, o *media.Options) {
				w.drive("sr0", &fakeDisc{status: media.DriveStatusNoDisc})
				w.drives["sr0"] = holding(image(w.t, discimage.FormatUDF))
				w.file("proc/self/mountinfo", "31 1 11:0 / /mnt ro - udf /dev/sr0 ro\n")
				for name, file := range files(w.t) {
					w.file("mnt/"+name, string(file.Data))
				}
				o.Device = "sr0"
			},
			path: "sr0", source: media.SourceDevice,
		},
		{
			name: "a named device with a slash in its name, which is mounted", prepare: func(w *world, o *media.Options) {
				w.device("cciss!c0d0", &fakeDisc{}, "dev=104:0")
				w.file("proc/self/mountinfo", "31 1 104:0 / /mnt ro - udf /dev/root ro\n")
				for name, file := range files(w.t) {
					w.file("mnt/"+name, string(file.Data))
				}
				o.Device = "/dev/cciss/c0d0"
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
			name: "a link to an image with the name of a drive, which is mounted", prepare: func(w *world, o *media.Options) {
				mountedAt("mnt", "31 1 11:0 / /mnt ro - udf /dev/sr0 ro")(w, o)
				w.link("images/link", "sr0")
				w.drives["/images/link"] = holding(image(w.t, discimage.FormatUDF))
				o.Device = "/images/link"
			},
			path: "/images/link", source: media.SourceDevice,
		},
		{
			name: "and no image", prepare: func(w *world, o *media.Options) {
				w.file("images/medium.img", "")
				w.drives["/images/medium.img"] = holding(make([]byte, 1<<20))
				w.mounted, o.Device, o.Wait = files(w.t), "/images/medium.img", media.NoWait
			},
			kind: azprov.KindNotFound, text: "no UDF",
		},
	}
}
