package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf/media"
)

// openedDisc is a disc that a verb works on.
type openedDisc struct {
	media.Volume
	// path is the device, the image, or the directory where the disc is mounted.
	path  string
	close func()
}

// openDisc opens the disc that the user has named, or the one that is found. A named one
// may be any disc: it is waited for only if it cannot be read now.
func (a *app) openDisc(ctx context.Context, args []string, f *mediaFlags) (*openedDisc, error) {
	if len(args) > 0 {
		disc, err := a.openDevice(args[0])
		if err == nil || f.wait == 0 {
			return disc, err
		}
	}
	m, err := a.findMedium(ctx, args, f)
	switch {
	case err != nil:
		return nil, err
	case m.Source == media.SourceMount:
		return openMounted(m)
	case m.Source == media.SourceKernel:
		return nil, &azprov.Error{
			Op: "media.OpenDisc", Target: m.Path, Kind: azprov.KindMalformed, Message: strings.Join(m.Warnings, "; "),
			Hint: "mount it, and name the directory: azprov ovf show, azprov provision --ovf",
		}
	}
	return a.openDevice(m.Device)
}

// openMounted does not leave the disc: a link on it may lead to anything of the user's.
func openMounted(m *media.Medium) (*openedDisc, error) {
	root, err := os.OpenRoot(m.Path)
	if err != nil {
		return nil, fileError("media.OpenDisc", m.Path, err)
	}
	return &openedDisc{
		Volume: media.Volume{FS: root.FS(), Warnings: m.Warnings}, path: m.Path, close: func() { _ = root.Close() },
	}, nil
}

func (a *app) openDevice(path string) (*openedDisc, error) {
	disc, err := media.OpenDisc(path, &media.OpenDiscOptions{System: a.system})
	if err != nil {
		return nil, err
	}
	return &openedDisc{Volume: disc.Volume, path: path, close: func() { _ = disc.Close() }}, nil
}

// findMedium looks for the medium, and shows what it has looked at if there is none.
func (a *app) findMedium(ctx context.Context, args []string, f *mediaFlags) (*media.Medium, error) {
	options := &media.Options{System: a.system, Wait: f.wait}
	if f.wait == 0 {
		options.Wait = media.NoWait
	}
	if len(args) > 0 {
		options.Device = args[0]
	}
	var seen []media.Sighting
	options.OnLook = func(sightings []media.Sighting) { seen = sightings }
	options.OnMissed = func() { a.remark("no disc yet; waiting %s at most", short(f.wait)) }
	ctx, cancel := a.context(ctx)
	defer cancel()
	m, err := media.Open(ctx, options)
	if err != nil {
		for _, s := range seen {
			_, _ = fmt.Fprintln(a.err, s)
		}
	}
	return m, err
}

func (a *app) runMediaEject(ctx context.Context, args []string, f *mediaFlags) error {
	device := ""
	if len(args) > 0 {
		device = args[0]
	} else {
		m, err := a.findMedium(ctx, args, f)
		if err != nil {
			return err
		}
		device = m.Device
	}
	ctx, cancel := a.context(ctx)
	defer cancel()
	if err := media.Eject(ctx, device, &media.EjectOptions{System: a.system}); err != nil {
		return err
	}
	return a.print(object{{"ejected", device}}, func(w io.Writer) { printFacts(w, "", []fact{{name: "ejected", value: device}}) })
}
