package media_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discimage"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
)

const (
	thisVM  = "4c2a4a9e-8f0c-4a57-9d4e-2f3b6c1d7e80"
	otherVM = "0b1d0f3e-2b8a-4a44-8c6f-9a7e5d3c2b10"
)

func vmID(t *testing.T, s string) azprov.VMID {
	t.Helper()
	id, err := azprov.ParseVMID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// newCopy saves a copy of a medium with secrets for the VM.
func newCopy(t *testing.T, vm string) *media.Cache {
	t.Helper()
	env := &ovf.Environment{
		HostName: "jetty-07", UserName: "pilot",
		UserPassword: azprov.NewSecret([]byte("Belay!that-0")), CustomData: azprov.NewSecret([]byte("#bosun")),
	}
	document, err := env.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if env, err = ovf.Parse(document); err != nil {
		t.Fatal(err)
	}
	cache := &media.Cache{Path: filepath.Join(t.TempDir(), "medium.json"), VMID: vmID(t, vm)}
	if err := cache.Save(env); err != nil {
		t.Fatal(err)
	}
	return cache
}

func TestCache(t *testing.T) {
	t.Parallel()
	cache := newCopy(t, thisVM)
	b, err := os.ReadFile(cache.Path)
	info, statErr := os.Stat(cache.Path)
	if err != nil || statErr != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v, %v", err, statErr, info.Mode())
	}
	for _, secret := range []string{"Belay", "bosun", "I2Jvc3Vu"} {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%q is in the copy", secret)
		}
	}
	// A generation 1 VM may show its id in either byte order.
	for name, id := range map[string]azprov.VMID{"as saved": cache.VMID, "swapped": cache.VMID.Swapped()} {
		env, err := (&media.Cache{Path: cache.Path, VMID: id}).Load()
		if err != nil || env.HostName != "jetty-07" || !env.UserPasswordRedacted || !env.CustomDataRedacted || env.UserPassword.Len()+env.CustomData.Len() > 0 {
			t.Errorf("%s: %+v, %v", name, env, err)
		}
	}
}

// Custom data that came in a file of its own has left no trace in the document.
func TestCacheRemembersCustomData(t *testing.T) {
	t.Parallel()
	env, err := ovf.ReadFS(files(t))
	if err != nil {
		t.Fatal(err)
	}
	cache := &media.Cache{Path: filepath.Join(t.TempDir(), "medium.json"), VMID: vmID(t, thisVM)}
	for range 2 { // of a copy's copy too
		if err := cache.Save(env); err != nil {
			t.Fatal(err)
		}
		if env, err = cache.Load(); err != nil || !env.CustomDataRedacted || env.UserPasswordRedacted {
			t.Fatalf("%+v, %v", env, err)
		}
	}
}

// The largest document can be loaded again, whatever JSON makes of it.
func TestCacheOfALargeDocument(t *testing.T) {
	t.Parallel()
	env := &ovf.Environment{HostName: "jetty-07", UserName: strings.Repeat("<", 250_000)}
	cache := &media.Cache{Path: filepath.Join(t.TempDir(), "medium.json"), VMID: vmID(t, thisVM)}
	if err := cache.Save(env); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(cache.Path)
	if err != nil || info.Size() < 2<<20 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	if got, err := cache.Load(); err != nil || got.UserName != env.UserName {
		t.Error(err)
	}
}

func TestCacheThatIsNoGood(t *testing.T) {
	t.Parallel()
	foreign := newCopy(t, otherVM)
	foreign.VMID = vmID(t, thisVM)
	nobodys := newCopy(t, thisVM)
	nobodys.VMID = azprov.VMID{}
	write := func(content string) *media.Cache {
		path := filepath.Join(t.TempDir(), "medium.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return &media.Cache{Path: path, VMID: vmID(t, thisVM)}
	}
	ownerless := write(`{"ovfEnv":"<a/>"}`)
	ownerless.VMID = azprov.VMID{}
	for name, row := range map[string]struct {
		cache *media.Cache
		kind  azprov.Kind
		want  string
	}{
		"absent":            {&media.Cache{Path: filepath.Join(t.TempDir(), "x")}, azprov.KindNotFound, "media.Cache.Load"},
		"another machine's": {foreign, azprov.KindInternal, "refused: the copy is VM " + otherVM + "'s and this is " + thisVM},
		"without an id":     {nobodys, azprov.KindInternal, "and this is of unknown id"},
		"nobody's":          {ownerless, azprov.KindInternal, "and this is of unknown id"},
		"damaged":           {write(`{"vmId":`), azprov.KindMalformed, "the copy is damaged"},
		"of no document":    {write(`{"vmId":"` + thisVM + `","ovfEnv":"<a/>"}`), azprov.KindMalformed, "ovf"},
		"too large":         {write(strings.Repeat(" ", 6<<20+4<<10+1)), azprov.KindTooLarge, "larger"},
	} {
		env, err := row.cache.Load()
		if env != nil || azprov.KindOf(err) != row.kind || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %+v, %v", name, env, err)
		}
		if foreign := errors.Is(err, media.ErrForeignCache); foreign != strings.Contains(row.want, "and this is") {
			t.Errorf("%s: foreign is %t", name, foreign)
		}
	}
	if err := nobodys.Save(&ovf.Environment{}); err == nil || !strings.Contains(err.Error(), "whose copy") {
		t.Error(err)
	}
	if err := (&media.Cache{Path: filepath.Join(t.TempDir(), "a", "b"), VMID: vmID(t, thisVM)}).Save(&ovf.Environment{HostName: "x"}); azprov.KindOf(err) != azprov.KindNotFound {
		t.Error(err)
	}
}

// What an earlier boot has kept is used without a wait, but never another machine's.
func TestOpenWithACache(t *testing.T) {
	foreign := newCopy(t, otherVM)
	foreign.VMID = vmID(t, thisVM)
	damaged := newCopy(t, thisVM)
	if err := os.WriteFile(damaged.Path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		cache *media.Cache
		disc  time.Duration // when the disc comes; 0 never
		want  media.Source
		after time.Duration
		text  string
	}{
		"the copy":                          {newCopy(t, thisVM), 0, media.SourceCache, 0, "the redacted copy of an earlier boot was used"},
		"no copy":                           {&media.Cache{Path: filepath.Join(t.TempDir(), "x"), VMID: vmID(t, thisVM)}, 3*second + second/2, media.SourceDevice, 3*second + second/2 + settle, ""},
		"another machine's, and no disc":    {foreign, 0, "", 30 * second, "refused: the copy is VM " + otherVM},
		"another machine's, and a disc":     {foreign, 3*second + second/2, media.SourceDevice, 3*second + second/2 + settle, "refused: the copy is VM " + otherVM},
		"a damaged copy, and a late medium": {damaged, 3*second + second/2, media.SourceDevice, 3*second + second/2 + settle, "the copy is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if row.disc > 0 {
					d := holding(image(t, discimage.FormatUDF))
					w.later(row.disc, true, func() { w.drive("sr0", d) })
				}
				start := time.Now()
				m, err := media.Open(t.Context(), &media.Options{System: w, Cache: row.cache})
				if took := time.Since(start); took != row.after {
					t.Errorf("took %v", took)
				}
				if row.want == "" {
					if !errors.Is(err, azprov.ErrNotFound) || !errors.Is(err, media.ErrForeignCache) || !strings.Contains(err.Error(), row.text) {
						t.Error(err)
					}
					return
				}
				if err != nil || m.Source != row.want || !strings.Contains(strings.Join(m.Warnings, " "), row.text) {
					t.Fatalf("%+v, %v", m, err)
				}
				if row.text == "" && len(m.Warnings) > 0 || m.Source == media.SourceCache && m.Path != row.cache.Path {
					t.Errorf("%+v", m)
				}
				if err := m.Eject(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The caller's end is not taken for a medium that is not there.
func TestOpenWithACacheAndNoTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := media.Open(ctx, &media.Options{System: newWorld(t), Cache: newCopy(t, thisVM)})
	if m != nil || azprov.KindOf(err) != azprov.KindCanceled {
		t.Errorf("%+v, %v", m, err)
	}
}
