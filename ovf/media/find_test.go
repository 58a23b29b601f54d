package media_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discimage"
	"github.com/azprov/azprov/ovf/media"
)

const (
	second = time.Second
	// settle is what an event costs.
	settle = 50 * time.Millisecond
)

// discOf makes an image with the files of the table, over those of a real medium.
func discOf(t *testing.T, change func(fstest.MapFS)) []byte {
	t.Helper()
	content := files(t)
	change(content)
	var b bytes.Buffer
	if err := discimage.Write(&b, content, discimage.Options{Format: discimage.FormatUDF, Label: "CARGO"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func without(names ...string) func(fstest.MapFS) {
	return func(m fstest.MapFS) {
		for _, name := range names {
			delete(m, name)
		}
	}
}

// replaced gives the document another content.
func replaced(content string) func(fstest.MapFS) {
	return func(m fstest.MapFS) { m[document] = &fstest.MapFile{Data: []byte(content)} }
}

// looped is a disc with a directory whose extent is the root's.
func looped(t *testing.T) []byte {
	t.Helper()
	content := files(t)
	content["deck/x"] = &fstest.MapFile{}
	var b bytes.Buffer
	if err := discimage.Write(&b, content, discimage.Options{Format: discimage.FormatISO9660}); err != nil {
		t.Fatal(err)
	}
	disc := b.Bytes()
	// A directory record (ECMA-119, 9.1) has its extent's place and length from byte 2 on,
	// and its name's length at 32. The root's is in the volume descriptor, at 156.
	record := bytes.Index(disc, []byte("\x04DECK")) - 32
	root := disc[16*sector+156:]
	copy(disc[record+2:record+18], root[2:18])
	return disc
}

// The reads from opening the disc of files to its document, and to all of it.
const (
	udfReadsToDocument = 13
	udfReads           = 23
)

// vmware is an environment of another platform.
const vmware = `<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"><PropertySection/></Environment>`

// situation is a machine, what Open makes of it, and when.
type situation struct {
	name    string
	prepare func(w *world, o *media.Options)
	// path and source of the medium; empty if there is none.
	path   string
	source media.Source
	// kind and text of the error, or text of the medium's warnings.
	kind azprov.Kind
	text string
	// after is when Open returns.
	after time.Duration
}

func TestSituations(t *testing.T) {
	for _, row := range slices.Concat(drivesThatAreThere(), drivesThatAreLate(), drivesThatFail(), otherDevices(), directories(), namedDevices()) {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { row.run(t) })
		})
	}
}

func (row situation) run(t *testing.T) {
	t.Helper()
	w := newWorld(t)
	missed, looks := 0, 0
	o := &media.Options{System: w, OnMissed: func() { missed++ }, OnLook: func(seen []media.Sighting) { w.seen = seen; looks++ }}
	row.prepare(w, o)
	start := time.Now()
	m, err := media.Open(t.Context(), o)
	if took := time.Since(start); took != row.after {
		t.Errorf("took %v, want %v", took, row.after)
	}
	if (row.source == "") != (m == nil) || (err == nil) != (m != nil) {
		t.Fatalf("%+v, %v", m, err)
	}
	if missed > 1 || err != nil && row.after > 0 && missed != 1 {
		t.Errorf("missed %d times", missed)
	}
	if looks == 0 {
		t.Error("no look was told of")
	}
	synctest.Wait() // for a look that the deadline has cut short
	for path, d := range w.drives {
		if d.open > 0 && d.hangs >= 0 {
			t.Errorf("%s was left open", path)
		}
	}
	if err != nil {
		var e *azprov.Error
		if !errors.As(err, &e) || e.Op != "media.Open" || e.Kind != row.kind || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%v", err)
		}
		return
	}
	if m.Source != row.source || m.Path != row.path {
		t.Errorf("%s at %s, want %s at %s", m.Source, m.Path, row.source, row.path)
	}
	if warnings := strings.Join(m.Warnings, "\n"); !strings.Contains(warnings, row.text) || row.text == "" && warnings != "" {
		t.Errorf("warnings %q, want %q", warnings, row.text)
	}
	env, err := m.Environment()
	if row.kind != "" {
		if !errors.Is(err, row.kind.Err()) {
			t.Errorf("the document: %v, want %s", err, row.kind)
		}
	} else if err != nil || env.CustomData.Len() == 0 && m.Source != media.SourceCache {
		t.Errorf("the document: %+v, %v", env, err)
	}
}

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
				w.file("proc/sys/dev/cdrom/info", "CD-ROM information\n\ndrive name:\t\tvcd0\ndrive speed:\t\t0\n")
			},
			path: "/dev/vcd0", source: media.SourceDevice,
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
