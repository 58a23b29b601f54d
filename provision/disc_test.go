package provision_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/mediatest"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/provision"
)

func newCDROM(t *testing.T, f *emulator.Fabric) *mediatest.CDROM {
	t.Helper()
	var b bytes.Buffer
	if err := f.WriteMediumImage(&b, emulator.ImageFormatUDF); err != nil {
		t.Fatal(err)
	}
	return &mediatest.CDROM{Image: b.Bytes()}
}

// The disc is ejected when its data is applied and before the platform is told: the host
// may take the machine over then.
func TestDisc(t *testing.T) {
	cache := &media.Cache{Path: filepath.Join(t.TempDir(), "medium.json")}
	for name, late := range map[string]time.Duration{"there": 0, "late": 7 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, "custom-data"))
				drive := newCDROM(t, r.fabric)
				drive.At = time.Now().Add(late)
				cache.VMID = r.fabric.VM().ID
				r.options.Medium = provision.Disc(&media.Options{System: drive, Cache: cache})
				var order []string
				r.options.Apply = func(_ context.Context, m *provision.Machine) error {
					order = append(order, "apply "+m.HostName)
					if m.CustomData.Len() == 0 {
						t.Error("no custom data")
					}
					return nil
				}
				drive.OnEject = func() {
					order = append(order, "eject")
					if _, err := os.Stat(cache.Path); err != nil || string(r.fabric.State()) == string(provision.ReportReady) {
						t.Errorf("ejected before the copy (%v), or after the report (%s)", err, r.fabric.State())
					}
				}
				start := time.Now()
				result, err := provision.Run(t.Context(), r.options)
				if err != nil || result.Report.State != provision.ReportReady || !slices.Equal(order, []string{"apply jetty-07", "eject"}) {
					t.Errorf("%v, %+v, %q", err, result.Report, order)
				}
				if took := time.Since(start); took != late {
					t.Errorf("took %v", took)
				}
				// The next boot has the copy, and nothing to eject.
				r.options.Medium = provision.Disc(&media.Options{System: &mediatest.CDROM{At: time.Now().Add(time.Hour)}, Cache: cache})
				order = nil
				r.options.Apply = nil
				result, err = provision.Run(t.Context(), r.options)
				if err != nil || result.Machine.HostName != "jetty-07" || !strings.Contains(strings.Join(result.Machine.Warnings, "\n"), "copy of an earlier boot") {
					t.Errorf("the next boot: %v, %+v", err, result.Machine)
				}
				if drive.Ejected() != 1 {
					t.Errorf("ejected %d times", drive.Ejected())
				}
				if err := os.Remove(cache.Path); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A disc that cannot be read is a warning where IMDS has all, and a failure where it does
// not; one whose document is no good is always a failure, told to the platform.
func TestDiscThatCannotBeRead(t *testing.T) {
	for name, row := range map[string]struct {
		scenario string
		spoil    func(*mediatest.CDROM)
		kind     azprov.Kind
		warning  string
		after    time.Duration
	}{
		"unreadable, and IMDS has all": {"linux-vm", func(c *mediatest.CDROM) { c.ReadErr = syscall.EIO }, "", "no medium was read: media.Open: there is no provisioning medium; looked at /dev/sr0: unreadable", 30 * time.Second},
		"absent, and IMDS has all":     {"linux-vm", func(c *mediatest.CDROM) { c.At = time.Now().Add(time.Hour) }, "", "", 30 * time.Second},
		"unreadable, and it is needed": {"custom-data", func(c *mediatest.CDROM) { c.ReadErr = syscall.EIO }, azprov.KindNotFound, "", 30 * time.Second},
		"no document":                  {"bad-ovf", func(*mediatest.CDROM) {}, azprov.KindMalformed, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, row.scenario))
				drive := newCDROM(t, r.fabric)
				row.spoil(drive)
				r.options.Medium = provision.Disc(&media.Options{System: drive})
				start := time.Now()
				result, err := provision.Run(t.Context(), r.options)
				if took := time.Since(start); took != row.after {
					t.Errorf("took %v", took)
				}
				state := provision.ReportReady
				if row.kind != "" {
					state = provision.ReportFailed
				}
				if azprov.KindOf(err) != row.kind || result.Report.State != state {
					t.Fatalf("%v, %+v", err, result.Report)
				}
				if row.kind == "" {
					got := strings.Join(result.Machine.Warnings, "\n")
					if !strings.Contains(got, row.warning) || row.warning == "" && strings.Contains(got, "medium") {
						t.Errorf("warnings %q", got)
					}
				}
				if drive.Ejected() != 0 {
					t.Error("ejected")
				}
			})
		})
	}
}

// The caller's end is not taken for a medium that is not there.
func TestDiscAndTheEndOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		missed := 0
		_, err := provision.Disc(&media.Options{System: &mediatest.CDROM{At: time.Now().Add(time.Hour)}}).Read(ctx, func() { missed++ })
		if azprov.KindOf(err) != azprov.KindTimeout || missed != 1 {
			t.Errorf("%v, missed %d times", err, missed)
		}
	})
}

// What was kept is what a later boot reads, with a warning; a Disc without a Cache keeps
// nothing.
func TestDiscWithACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRig(t, lookup(t, "custom-data")).fabric
		drive := newCDROM(t, f)
		cache := &media.Cache{Path: filepath.Join(t.TempDir(), "medium.json"), VMID: f.VM().ID}
		d := provision.Disc(&media.Options{System: drive, Cache: cache, Wait: media.NoWait})
		env, err := d.Read(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, keeper := range []provision.Medium{provision.Disc(nil), d} {
			if _, err := os.Stat(cache.Path); err == nil {
				t.Error("a copy without a Cache")
			}
			if err := keeper.(provision.MediumKeeper).Keep(t.Context(), azprov.VMID{}, env); err != nil {
				t.Error(err)
			}
		}
		for range 2 { // the second time there is nothing to eject any more
			if err := d.Eject(t.Context()); err != nil || drive.Ejected() != 1 {
				t.Fatalf("%v, ejected %d times", err, drive.Ejected())
			}
		}
		again, err := d.Read(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(again.Warnings, "\n"); again.HostName != env.HostName || !strings.Contains(got, "copy of an earlier boot") || !strings.Contains(got, "CustomData was redacted") {
			t.Errorf("%s, %q", again.HostName, got)
		}
		// Another id for the copy is the caller's to give: a reuse may change it.
		if err := d.(provision.MediumKeeper).Keep(t.Context(), azprov.VMID{1}, env); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Read(t.Context(), nil); !errors.Is(err, media.ErrForeignCache) || azprov.KindOf(err) != azprov.KindNotFound {
			t.Errorf("the copy of another VM: %v", err)
		}
	})
}
