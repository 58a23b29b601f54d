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
	for _, row := range slices.Concat(drivesThatAreThere(), drivesThatAreLate(), drivesThatFail(), drivesOfLinux(), otherDevices(), directories(), namedDevices()) {
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
	if once := o.Wait >= 0; missed > 1 || !once && missed > 0 || once && err != nil && missed != 1 {
		t.Errorf("missed %d times", missed)
	}
	if looks == 0 {
		t.Error("no look was told of")
	}
	if o.Wait < 0 && len(w.watched) > 0 {
		t.Error("events are watched that nobody waits for")
	}
	for _, ctx := range w.watched {
		if ctx.Err() == nil {
			t.Error("the watch goes on")
		}
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
