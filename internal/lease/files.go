package lease

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/azprov/azprov"
)

// maxFiles bounds how many files are read: some of the directories have one for each
// interface there has ever been.
const maxFiles = 256

// A source is where a DHCP client keeps its leases.
type source struct {
	pattern string
	parse   func(file []byte) ([]Lease, error)
	// name says from the file's base name which interface it is of; what the lease itself
	// says goes first. It may be nil, and reports whether the file is a lease's at all.
	name func(l *Lease, base string) bool
	// dated: the lease was given when the file was written.
	dated bool
}

// sources are all that are known: the paths that WALinuxAgent and cloud-init read, and
// those of the clients' manuals. None is below /tmp, where dracut has its dhclient write:
// there, anybody could name a wire server. It calls no function, so that a program which looks
// for no leases does not link their parsers: 50 KB.
var sources = []source{
	{pattern: "run/systemd/netif/leases/*", parse: parseNetworkd, name: nameByIndex},
	{pattern: "run/NetworkManager/devices/*", parse: parseDevice, name: nameByIndex},
	{pattern: "var/lib/NetworkManager/internal-*.lease", parse: parseNetworkd, name: nameByConnection},
	{pattern: "var/lib/dhcpcd/*.lease", parse: parsePacket, name: nameByFile, dated: true},
	{pattern: "run/dhclient.lease", parse: ParseDhclient},
	{pattern: "var/lib/dhcp/dhclient*.leases", parse: ParseDhclient},
	{pattern: "var/lib/dhclient/dhclient*.lease", parse: ParseDhclient},
	{pattern: "var/lib/dhclient/dhclient*.leases", parse: ParseDhclient},
	{pattern: "var/lib/NetworkManager/dhclient-*.lease", parse: ParseDhclient},
	{pattern: "var/db/dhclient.leases.*", parse: ParseDhclient},
}

func parseNetworkd(file []byte) ([]Lease, error) { return one(ParseNetworkd(file)) }
func parsePacket(file []byte) ([]Lease, error)   { return one(ParsePacket(file)) }

func one(l Lease, err error) ([]Lease, error) {
	if err != nil {
		return nil, err
	}
	return []Lease{l}, nil
}

func parseDevice(file []byte) ([]Lease, error) {
	l, ok, err := ParseNetworkManager(file)
	if err != nil || !ok {
		return nil, err
	}
	return []Lease{l}, nil
}

// nameByIndex is for files named after an interface's number.
func nameByIndex(l *Lease, base string) (ok bool) {
	l.Index, ok = index(base)
	return ok
}

// nameByConnection is for internal-UUID-INTERFACE.lease.
func nameByConnection(l *Lease, base string) bool {
	const uuid = 36
	rest := strings.TrimSuffix(strings.TrimPrefix(base, "internal-"), ".lease")
	if len(rest) > uuid+1 && rest[uuid] == '-' {
		l.Interface = rest[uuid+1:]
	}
	return true
}

// nameByFile is for INTERFACE.lease.
func nameByFile(l *Lease, base string) bool {
	l.Interface = strings.TrimSuffix(base, ".lease")
	return true
}

// Read reads all leases that the DHCP clients of the system whose root directory is root
// have kept, those that have ended too: the one written last first, in a file with several
// the last first. A file that cannot be read or is none of a lease is passed over with a
// warning; one that is not there, without. Only regular files are opened.
//
// It returns the context's error if that ends between two files.
func Read(ctx context.Context, root fs.FS) (leases []Lease, warnings []string, err error) {
	files := 0
	for _, s := range sources {
		names, err := fs.Glob(root, s.pattern)
		if err != nil {
			continue // only a wrong pattern is an error
		}
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			if files++; files > maxFiles {
				sortNewestFirst(leases)
				return leases, addWarning(warnings, fmt.Sprintf("there are more than %d leases", maxFiles)), nil
			}
			found, err := s.read(root, name)
			if err != nil {
				warnings = addWarning(warnings, name+": "+reason(err))
			}
			slices.Reverse(found)
			leases = append(leases, found...)
		}
	}
	sortNewestFirst(leases)
	return leases, warnings, nil
}

// sortNewestFirst keeps the order of what was written at the same time.
func sortNewestFirst(leases []Lease) {
	slices.SortStableFunc(leases, func(a, b Lease) int { return b.Updated.Compare(a.Updated) })
}

// reason is an error without what its place in a warning repeats.
func reason(err error) string {
	var typed *azprov.Error
	var pathErr *fs.PathError
	switch {
	case errors.As(err, &typed):
		return typed.Message
	case errors.As(err, &pathErr):
		return pathErr.Err.Error()
	default:
		return err.Error()
	}
}

// read reads one file.
func (s *source) read(root fs.FS, name string) ([]Lease, error) {
	var named Lease
	if s.name != nil && !s.name(&named, path.Base(name)) {
		return nil, nil
	}
	b, updated, err := readFile(root, name)
	if err != nil || b == nil {
		return nil, err
	}
	leases, err := s.parse(b)
	for i := range leases {
		l := &leases[i]
		l.Source, l.Updated = name, updated
		if l.Interface == "" {
			l.Interface = named.Interface
		}
		l.Index = named.Index
		if s.dated && l.Lifetime > 0 && l.Lifetime < Forever && !updated.IsZero() {
			l.Expires = updated.Add(l.Lifetime)
		}
	}
	return leases, err
}

// readFile reads a file that may be too large for a lease, which the parser then says. It
// returns nil for what is no file: to open a pipe would wait for its writer.
func readFile(root fs.FS, name string) ([]byte, time.Time, error) {
	info, err := fs.Stat(root, name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, time.Time{}, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, time.Time{}, err
	}
	return b, info.ModTime(), nil
}
