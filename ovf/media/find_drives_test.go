package media_test

import (
	"strings"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discimage"
	"github.com/azprov/azprov/ovf/media"
)

func drivesThatAreThere() []situation {
	disc := func(format discimage.Format) func(*world, *media.Options) {
		return func(w *world, _ *media.Options) { w.drive("sr0", holding(image(w.t, format))) }
	}
	return []situation{
		{name: "UDF", prepare: disc(discimage.FormatUDF), path: "/dev/sr0", source: media.SourceDevice},
		{name: "ISO 9660", prepare: disc(discimage.FormatISO9660), path: "/dev/sr0", source: media.SourceDevice},
		{name: "a bridge", prepare: disc(discimage.FormatBridge), path: "/dev/sr0", source: media.SourceDevice},
		{
			name: "the first drive is empty",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", &fakeDisc{status: media.DriveStatusNoDisc})
				w.drive("sr1", holding(image(w.t, discimage.FormatUDF)))
			},
			path: "/dev/sr1", source: media.SourceDevice,
		},
		{
			name: "two media: the lower number, not the first in the alphabet",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr10", holding(image(w.t, discimage.FormatUDF)))
				w.drive("sr2", holding(image(w.t, discimage.FormatUDF)))
			},
			path: "/dev/sr2", source: media.SourceDevice,
		},
		{
			name: "another platform's environment before ours",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(discOf(w.t, replaced(vmware))))
				w.drive("sr1", holding(image(w.t, discimage.FormatUDF)))
			},
			path: "/dev/sr1", source: media.SourceDevice,
		},
		{
			name: "a disc of the user's before ours",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(discOf(w.t, func(m fstest.MapFS) {
					clear(m)
					m["deck/ovf-env.xml"] = &fstest.MapFile{Data: []byte("not at the root")}
				})))
				w.drive("sr1", holding(image(w.t, discimage.FormatUDF)))
			},
			path: "/dev/sr1", source: media.SourceDevice,
		},
		{
			name: "custom data alone, and a document after it",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(discOf(w.t, without(document))))
				w.drive("sr1", holding(image(w.t, discimage.FormatUDF)))
			},
			path: "/dev/sr1", source: media.SourceDevice,
		},
		{
			name: "custom data alone",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(discOf(w.t, without(document))))
				w.drive("sr1", &fakeDisc{status: media.DriveStatusNoDisc})
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "custom data alone, twice",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(discOf(w.t, without(document))))
				w.drive("sr1", holding(discOf(w.t, without(document))))
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "another platform's environment alone",
			prepare: func(w *world, o *media.Options) {
				w.drive("sr0", holding(discOf(w.t, replaced(vmware))))
				o.Wait = media.NoWait
			},
			kind: azprov.KindNotFound, text: "/dev/sr0: its ovf-env.xml is another platform's",
		},
		{
			name: "a bridge with a damaged side",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(withoutAnchors(image(w.t, discimage.FormatBridge))))
			},
			path: "/dev/sr0", source: media.SourceDevice, text: "the UDF side of the disc was passed over",
		},
		{
			name: "a document that is none",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(discOf(w.t, replaced("<!!!!>"))))
			},
			path: "/dev/sr0", source: media.SourceDevice, kind: azprov.KindMalformed,
		},
		{
			name: "a document that is too large",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(discOf(w.t, replaced(strings.Repeat(" ", 1<<20+1)))))
			},
			path: "/dev/sr0", source: media.SourceDevice, kind: azprov.KindTooLarge,
		},
		{
			name: "names in UTF-16 beside the document",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(discOf(w.t, func(m fstest.MapFS) { m["каюта-船.txt"] = &fstest.MapFile{Data: []byte("x")} })))
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "a directory that holds itself",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(looped(w.t)))
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "10 GiB with a medium at the beginning",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(func(d *fakeDisc) {
					d.image, d.size = sparse{d.image}, 10<<30
				}))
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "a drive that cannot tell what is in it",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(func(d *fakeDisc) { d.status = media.DriveStatusUnknown }))
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "a drive with a name of its own, by its SCSI type",
			prepare: func(w *world, _ *media.Options) {
				w.device("scd0", holding(image(w.t, discimage.FormatUDF)), "device/type=5")
			},
			path: "/dev/scd0", source: media.SourceDevice,
		},
		{
			name: "a drive with a name of its own, by the kernel's list",
			prepare: func(w *world, _ *media.Options) {
				w.device("vcd0", holding(image(w.t, discimage.FormatUDF)))
				w.file("proc/sys/dev/cdrom/info", "CD-ROM information\n"+strings.Repeat("\n", 2<<10)+"drive name:\t\tvcd0\ndrive speed:\t\t0\n")
			},
			path: "/dev/vcd0", source: media.SourceDevice,
		},
		{
			name: "no more of the kernel's list is read than it can have",
			prepare: func(w *world, o *media.Options) {
				w.device("vcd0", holding(image(w.t, discimage.FormatUDF)))
				w.file("proc/sys/dev/cdrom/info", strings.Repeat("\n", 4<<10)+"drive name:\t\tvcd0\n")
				o.Wait = media.NoWait
			},
			kind: azprov.KindNotFound, text: "no drive was found",
		},
		{
			name: "no /sys: the nodes of /dev",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
				w.withoutSysfs()
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
		{
			name: "no /sys, nothing listed in /dev: udev's labels",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)))
				w.withoutSysfs()
				delete(w.files, "dev/sr0")
				w.link("dev/disk/by-label/PROVISIONING", "../../sr0")
			},
			path: "/dev/sr0", source: media.SourceDevice,
		},
	}
}

func drivesThatAreLate() []situation {
	return []situation{
		{
			name: "no drive at all", prepare: func(*world, *media.Options) {},
			kind: azprov.KindNotFound, text: "no drive was found", after: 30 * second,
		},
		{
			name: "one look is asked for",
			prepare: func(w *world, o *media.Options) {
				o.Wait = media.NoWait
				w.drive("sr0", &fakeDisc{status: media.DriveStatusNoDisc})
			},
			kind: azprov.KindNotFound, text: "/dev/sr0: no disc in the drive",
		},
		{
			name: "an empty drive", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", &fakeDisc{status: media.DriveStatusNoDisc})
			},
			kind: azprov.KindNotFound, text: "/dev/sr0: no disc in the drive", after: 30 * second,
		},
		{
			name: "an open tray, closed with an event",
			prepare: func(w *world, _ *media.Options) {
				d := holding(image(w.t, discimage.FormatUDF))
				d.status = media.DriveStatusTrayOpen
				w.drive("sr0", d)
				w.later(3300*time.Millisecond, true, func() { w.setStatus(d, media.DriveStatusDisc) })
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 3300*time.Millisecond + settle,
		},
		{
			name: "an open tray that stays open", prepare: func(w *world, o *media.Options) {
				o.Wait = 5 * second
				w.drive("sr0", &fakeDisc{status: media.DriveStatusTrayOpen})
			},
			kind: azprov.KindNotFound, text: "the tray is open", after: 5 * second,
		},
		{
			name: "a drive that gets ready without an event",
			prepare: func(w *world, _ *media.Options) {
				d := holding(image(w.t, discimage.FormatUDF))
				d.status = media.DriveStatusNotReady
				w.drive("sr0", d)
				w.later(3500*time.Millisecond, false, func() { w.setStatus(d, media.DriveStatusDisc) })
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 4 * second,
		},
		{
			name: "a drive that turns out to be empty", prepare: func(w *world, _ *media.Options) {
				d := &fakeDisc{status: media.DriveStatusNotReady}
				w.drive("sr0", d)
				w.later(2500*time.Millisecond, false, func() { w.setStatus(d, media.DriveStatusNoDisc) })
			},
			kind: azprov.KindNotFound, text: "/dev/sr0: no disc in the drive", after: 30 * second,
		},
		{
			name: "a slow drive whose disc is another by then", prepare: func(w *world, _ *media.Options) {
				blank := holding(make([]byte, 1<<20)).with(func(d *fakeDisc) { d.hangs = 4 * second })
				w.drive("sr0", blank)
				w.later(6*second, false, func() { w.heal(blank) })
				d := holding(image(w.t, discimage.FormatUDF))
				w.later(20*second+second/4, true, func() { w.drive("sr0", d) })
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 20*second + second/4 + settle,
		},
		{
			name: "a slow drive that answers while another is looked at", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(func(d *fakeDisc) { d.hangs = 300 * time.Millisecond }))
				w.drive("sr1", holding(nil).with(func(d *fakeDisc) { d.hangs, d.image, d.size = -1, sparse{d.image}, 1<<20 }))
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 10 * second,
		},
		{
			name: "a drive that never gets ready", prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", &fakeDisc{status: media.DriveStatusNotReady})
			},
			kind: azprov.KindNotReady, text: "the drive is not ready", after: 30 * second,
		},
		{
			name: "a drive that comes with an event",
			prepare: func(w *world, _ *media.Options) {
				d := holding(image(w.t, discimage.FormatUDF))
				w.later(7300*time.Millisecond, true, func() { w.drive("sr0", d) })
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 7300*time.Millisecond + settle,
		},
		{
			name: "a drive that comes on a system without events",
			prepare: func(w *world, _ *media.Options) {
				w.noEvents = true
				d := holding(image(w.t, discimage.FormatUDF))
				w.later(7300*time.Millisecond, true, func() { w.drive("sr0", d) })
			},
			path: "/dev/sr0", source: media.SourceDevice, text: "no events of block devices", after: 8 * second,
		},
		{
			name: "a disc that takes the place of another",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(discOf(w.t, without(document, customData))))
				d := holding(image(w.t, discimage.FormatUDF))
				w.later(2100*time.Millisecond, true, func() { w.drive("sr0", d) })
			},
			path: "/dev/sr0", source: media.SourceDevice, after: 2100*time.Millisecond + settle,
		},
		{
			name: "a drive that hangs before the one with the medium",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(func(d *fakeDisc) { d.hangs = -1 }))
				w.drive("sr1", holding(image(w.t, discimage.FormatUDF)))
			},
			path: "/dev/sr1", source: media.SourceDevice, after: 5 * second,
		},
		{
			name: "a drive that hangs for ever",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(func(d *fakeDisc) { d.hangs = -1 }))
			},
			kind: azprov.KindNotReady, text: "it does not answer", after: 30 * second,
		},
		{
			name: "a drive that is slow",
			prepare: func(w *world, _ *media.Options) {
				w.drive("sr0", holding(image(w.t, discimage.FormatUDF)).with(func(d *fakeDisc) { d.hangs = 700 * time.Millisecond }))
				w.drive("sr1", &fakeDisc{status: media.DriveStatusNoDisc})
			},
			path: "/dev/sr0", source: media.SourceDevice, after: udfReads * 700 * time.Millisecond,
		},
		{
			name: "more events than one can look at",
			prepare: func(w *world, o *media.Options) {
				o.Wait = 2 * second
				w.drive("sr0", &fakeDisc{status: media.DriveStatusNoDisc})
				for i := range 2000 {
					w.later(time.Duration(i)*time.Millisecond, true, func() {})
				}
			},
			kind: azprov.KindNotFound, text: "no disc in the drive", after: 2 * second,
		},
	}
}
