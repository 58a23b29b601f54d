package media_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discimage"
	"github.com/azprov/azprov/internal/programtest"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
)

func TestEject(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*fakeDisc)
		kind   azprov.Kind
		want   string
		after  time.Duration
	}{
		"a drive":                {func(*fakeDisc) {}, "", "", 0},
		"one that refuses":       {func(d *fakeDisc) { d.ejectErr = syscall.EIO }, azprov.KindInternal, "media.Eject (/dev/sr0)", 0},
		"one that is forbidden":  {func(d *fakeDisc) { d.openErr = fs.ErrPermission }, azprov.KindDenied, "run as root", 0},
		"one that never answers": {func(d *fakeDisc) { d.ejectTakes = time.Hour }, azprov.KindTimeout, "no answer within 10s", 10 * second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				d := holding(image(t, discimage.FormatUDF)).with(row.change)
				w.drive("sr0", d)
				start := time.Now()
				err := media.Eject(t.Context(), "/dev/sr0", &media.EjectOptions{System: w})
				if took := time.Since(start); took != row.after {
					t.Errorf("took %v", took)
				}
				if row.want == "" {
					if err != nil || d.ejected != 1 || d.open != 0 {
						t.Errorf("%v, ejected %d times, open %d times", err, d.ejected, d.open)
					}
					return
				}
				if azprov.KindOf(err) != row.kind || !strings.Contains(err.Error(), row.want) {
					t.Error(err)
				}
				time.Sleep(time.Hour) // what was left behind ends
			})
		})
	}
}

// Whoever has the disc mounted must not lose it.
func TestEjectAMountedDisc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := holding(image(t, discimage.FormatUDF))
		w.drive("sr0", d)
		w.drives["/dev/cdrom"] = d
		w.link("dev/cdrom", "sr0")
		w.file("proc/self/mountinfo", "31 1 11:0 / /mnt ro - udf /dev/sr0 ro\n")
		for _, device := range []string{"/dev/sr0", "/dev/cdrom"} {
			err := media.Eject(t.Context(), device, &media.EjectOptions{System: w})
			if azprov.KindOf(err) != azprov.KindNotReady || !strings.Contains(err.Error(), "the disc is mounted at /mnt") || d.ejected > 0 {
				t.Errorf("%s: %v, ejected %d times", device, err, d.ejected)
			}
		}
	})
}

// A medium ejects the drive that it was read from, and nothing if it is in none.
func TestMediumEject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := holding(image(t, discimage.FormatUDF))
		w.drive("sr0", d)
		m, err := media.Open(t.Context(), &media.Options{System: w})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Eject(t.Context()); err != nil || d.ejected != 1 {
			t.Errorf("%v, ejected %d times", err, d.ejected)
		}
		for name, file := range files(t) {
			w.file("seed/"+name, string(file.Data))
		}
		if m, err = media.Open(t.Context(), &media.Options{System: w, SeedDirs: []string{"/seed"}}); err != nil {
			t.Fatal(err)
		}
		if err := m.Eject(t.Context()); err != nil || d.ejected != 1 {
			t.Errorf("a seed: %v, ejected %d times", err, d.ejected)
		}
	})
}

// What is no drive is told so by the real system.
func TestEjectAnImage(t *testing.T) {
	t.Parallel()
	path := programtest.Write(t, t.TempDir(), "disc.img", image(t, discimage.FormatUDF))
	err := media.Eject(t.Context(), path, nil)
	want := "it is no drive that can be opened"
	if runtime.GOOS != "linux" {
		want = "on Linux only"
	}
	if azprov.KindOf(err) != azprov.KindInternal || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	if err := media.Eject(t.Context(), filepath.Join(t.TempDir(), "absent"), nil); azprov.KindOf(err) != azprov.KindNotFound {
		t.Error(err)
	}
}

// The caller's end of patience ends the search at once, and is told from a medium that is
// not there.
func TestOpenEndsWithItsContext(t *testing.T) {
	for name, row := range map[string]struct {
		prepare func(*world)
		cancel  bool
		kind    azprov.Kind
	}{
		"deadline in the wait":       {func(*world) {}, false, azprov.KindTimeout},
		"canceled in the wait":       {func(*world) {}, true, azprov.KindCanceled},
		"deadline in the first look": {func(w *world) { w.drive("sr0", holding(nil).with(func(d *fakeDisc) { d.hangs = -1 })) }, false, azprov.KindTimeout},
		"canceled in the first look": {func(w *world) { w.drive("sr0", holding(nil).with(func(d *fakeDisc) { d.hangs = -1 })) }, true, azprov.KindCanceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				row.prepare(w)
				w.drive("sr9", &fakeDisc{status: media.DriveStatusNoDisc})
				hangs, missed := w.drives["/dev/sr0"] != nil, 0
				ctx, cancel := context.WithTimeout(t.Context(), 3*second)
				if row.cancel {
					ctx, cancel = context.WithCancel(t.Context())
					time.AfterFunc(3*second, cancel)
				}
				defer cancel()
				start := time.Now()
				_, err := media.Open(ctx, &media.Options{System: w, OnMissed: func() { missed++ }})
				synctest.Wait()
				if opened := w.looks["/dev/sr9"] > 0; opened == hangs || (missed == 0) != hangs {
					t.Errorf("the next drive was looked at: %t; missed %d times", opened, missed)
				}
				if azprov.KindOf(err) != row.kind || !errors.Is(err, ctx.Err()) || time.Since(start) != 3*second {
					t.Errorf("%v after %v", err, time.Since(start))
				}
			})
		})
	}
}

// However many events there are, a drive is looked at 20 times a second at most.
func TestLooksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.drive("sr0", &fakeDisc{status: media.DriveStatusNoDisc})
		for i := range 2000 {
			w.later(time.Duration(i)*time.Millisecond, true, func() {})
		}
		if _, err := media.Open(t.Context(), &media.Options{System: w, Wait: 2 * second}); err == nil {
			t.Error("found")
		}
		if looks := w.looks["/dev/sr0"]; looks < 30 || looks > 41 {
			t.Errorf("%d looks", looks)
		}
	})
}

// What was left behind does nothing more to the machine when the search is over.
func TestNoMountAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := holding(make([]byte, 1<<20)).with(func(d *fakeDisc) { d.hangs = 3 * second })
		w.drive("sr0", d)
		w.drive("sr1", d)
		w.drive("sr2", d)
		w.mounted = files(t)
		if _, err := media.Open(t.Context(), &media.Options{System: w, Wait: 12 * second}); azprov.KindOf(err) != azprov.KindNotReady {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if w.mounts > 0 || d.open > 0 {
			t.Errorf("mounted %d times, open %d times", w.mounts, d.open)
		}
	})
}

// However a medium is printed, its password and its custom data are not.
func TestMediumKeepsItsSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		secret := &ovf.Environment{HostName: "jetty-07", UserPassword: azprov.NewSecret([]byte("Belay!that-0"))}
		b, err := secret.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.drive("sr0", holding(discOf(t, replaced(string(b)))))
		m, err := media.Open(t.Context(), &media.Options{System: w})
		if err != nil {
			t.Fatal(err)
		}
		if m.Type != media.FileSystemUDF || m.Label != "CARGO" || m.Device != "/dev/sr0" {
			t.Errorf("%+v", m)
		}
		if env, err := m.Environment(); err != nil || env.UserPassword.Len() == 0 || env.CustomData.Len() == 0 {
			t.Fatalf("%+v, %v", env, err)
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []string{string(text), fmt.Sprintf("%v %+v %#v", m, m, m), fmt.Sprintf("%v %+v %#v", *m, *m, *m)} {
			if strings.Contains(got, "Belay") || strings.Contains(got, "cloud-config") || strings.Contains(got, "66 101 108 97 121") {
				t.Errorf("a secret got out: %s", got)
			}
		}
	})
}
