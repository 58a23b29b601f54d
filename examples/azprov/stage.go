package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/memlinks"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/provision"
)

// loopback is where emulated services listen unless told otherwise.
const loopback = "127.0.0.1:0"

// maxFile is one byte more than any document may have, so that the parsers can say
// that a file is too large.
const maxFile = 1<<20 + 1

// stage is the surroundings of a run: the real platform, one that was named, or an
// emulated one.
type stage struct {
	sysfs  fs.FS
	medium provision.Medium
	pool   provision.PoolOptions
	host   provision.HostChannel
	// explicit: the user has named the platform.
	explicit bool
	// reporter is who is told, in words.
	reporter string
	fabric   *emulator.Fabric
	server   *emulator.Server
	// removePool removes the pool file of an emulated host.
	removePool func()
}

func (s *stage) close() {
	if s.removePool != nil {
		s.removePool()
	}
	if s.server != nil {
		_ = s.server.Close() // Its trouble was the run's trouble.
	}
}

// newStage checks the flags together and starts the emulator if it is wanted.
func (a *app) newStage(ctx context.Context, command *cobra.Command, f *provisionFlags) (*stage, error) {
	emulated := command.Flags().Changed("emulate")
	if emulated && (a.global.imds.value != "" || a.global.wireServer.value != "") {
		return nil, usagef("leave out --emulate, or --imds and --wireserver", "--emulate brings services of its own")
	}
	s := &stage{explicit: emulated || a.global.imds.value != "" || a.global.wireServer.value != ""}
	s.pool.Store = markerStore(f.marker)
	if !s.explicit {
		s.pool.Links = pps.SystemLinks()
	}
	if emulated && f.network.value != networkSystem {
		return nil, usagef("azprov emulate --lab has a network to bring up", "--emulate needs no --network: the platform is in this process")
	}
	if f.ovf != "" && f.media != "" {
		return nil, usagef("", "--ovf and --media are two media")
	}
	medium, err := a.disc(f, s.explicit)
	if err != nil {
		return nil, err
	}
	s.medium = medium
	if f.ovf != "" {
		files, err := a.openMedium(f.ovf)
		if err != nil {
			return nil, err
		}
		s.medium = provision.MediumFS(files)
	}
	s.host = f.channels.host(s.explicit)
	if emulated {
		if err := a.emulate(ctx, s, f); err != nil {
			s.close()
			return nil, err
		}
	}
	if s.sysfs == nil || command.Flags().Changed("dmi") {
		s.sysfs = a.sysfs()
	}
	s.reporter = "the wire server"
	if a.global.wireServer.value != "" {
		s.reporter += " at " + a.global.wireServer.value
	}
	if emulated {
		s.reporter = "the emulated wire server at " + a.global.wireServer.value
	}
	return s, nil
}

// emulate starts a scenario and points the clients at it.
func (a *app) emulate(ctx context.Context, s *stage, f *provisionFlags) error {
	scenario, err := a.scenario(f.emulate.value)
	if err != nil {
		return err
	}
	if f.channels.pool == "" {
		if f.channels.pool, s.removePool, err = emulatedPool(); err != nil {
			return err
		}
		s.host = f.channels.host(true)
	}
	links := emulator.NewMemoryLinks(scenario)
	if s.fabric, err = emulator.NewFabric(scenario, &emulator.Options{Links: links, KVPPool: f.channels.pool}); err != nil {
		return err
	}
	s.pool.Links = memlinks.Links(links)
	if scenario.Pool.Switched && s.pool.Store == nil { // it has reported before it was rebooted
		s.pool.Store = &markerInMemory{marker: pps.Marker{VMID: scenario.VM.ID, Phase: pps.PhaseReported}, there: true}
	}
	// The end of ctx must not end the services before the failure was reported.
	if s.server, err = s.fabric.Listen(context.WithoutCancel(ctx), emulator.Addresses{}); err != nil {
		return err
	}
	a.global.imds.value, a.global.wireServer.value = s.server.IMDSURL(), s.server.WireServerURL()
	s.sysfs = s.fabric.DMI()
	if f.ovf == "" && f.media == "" {
		if files, ok := s.fabric.Medium(); ok {
			s.medium = provision.MediumFS(files)
		}
	}
	return nil
}

// openMedium opens what --ovf names. It must be there: who names a medium means it.
func (a *app) openMedium(path string) (fs.FS, error) {
	if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
		return os.DirFS(path), nil
	}
	b, err := a.readFile(path)
	if err != nil {
		text, _ := describe(err)
		return nil, usagef("", "--ovf: %s", text)
	}
	return oneFileMedium(b), nil
}

// The words of --media that name no device.
const (
	mediaFind = "find"
	mediaNone = "none"
)

// disc is the medium that --media asks for. Without the flag it is looked for if the
// platform is this machine's.
func (a *app) disc(f *provisionFlags, explicit bool) (provision.Medium, error) {
	options := &media.Options{System: a.system}
	switch word := f.media; {
	case word == mediaNone, word == "" && explicit:
		return provision.NoMedium(), nil
	case word == mediaFind, word == "":
	case strings.HasPrefix(word, "/dev/"): // it may come yet
		options.Device = word
	default:
		if _, err := os.Stat(word); err != nil {
			text, _ := describe(fileError("read", word, err))
			return nil, usagef("", "--media: %s", text)
		}
		options.Device = word
	}
	medium := provision.Disc(options)
	if !f.eject {
		medium = keptMedium{medium}
	}
	return medium, nil
}

// markerInMemory is the marker of a VM whose earlier boot a scenario tells of.
type markerInMemory struct {
	marker pps.Marker
	there  bool
}

func (m *markerInMemory) Load(context.Context) (pps.Marker, bool, error) {
	return m.marker, m.there, nil
}

func (m *markerInMemory) Save(_ context.Context, marker pps.Marker) error {
	m.marker, m.there = marker, true
	return nil
}

func (m *markerInMemory) Clear(context.Context) error {
	m.there = false
	return nil
}

// keptMedium stays in its drive: to open a user's drive is not for a verb that changes
// nothing.
type keptMedium struct{ provision.Medium }

func (keptMedium) Eject(context.Context) error { return nil }

// oneFileMedium is a medium with nothing but ovf-env.xml on it.
func oneFileMedium(document []byte) fs.FS {
	return fstest.MapFS{"ovf-env.xml": {Data: document, Mode: 0o400}}
}

// readFile reads a document; "-" is standard input.
func (a *app) readFile(path string) ([]byte, error) {
	var b []byte
	var err error
	if path == "-" {
		b, err = io.ReadAll(io.LimitReader(a.in, maxFile))
	} else {
		b, err = readFile(path)
	}
	if err == nil {
		return bytes.Clone(b), nil
	}
	kind := azprov.KindInternal
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = azprov.KindNotFound
	case errors.Is(err, fs.ErrPermission):
		kind = azprov.KindDenied
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err // without the name, which the target repeats
	}
	return nil, &azprov.Error{Op: "read", Target: filepath.Clean(path), Kind: kind, Message: "the file cannot be read", Last: err}
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxFile))
}
