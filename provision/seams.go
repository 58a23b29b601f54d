package provision

import (
	"context"
	"io/fs"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
)

// Medium is the provisioning medium.
type Medium interface {
	// Read returns the medium's document. If a first look finds none and it is worth
	// waiting, it calls missed (once, from any goroutine) so that IMDS is read
	// meanwhile. That there is none is an error of [azprov.KindNotFound].
	Read(ctx context.Context, missed func()) (*ovf.Environment, error)
	// Eject releases the medium, which may hold a password in clear text.
	Eject(ctx context.Context) error
}

// MediumKeeper is a Medium that can keep a document for later boots, when the medium is gone.
type MediumKeeper interface {
	// Keep keeps the document of the VM, without its secrets. It is called when
	// everything is applied; the document may be that of a pool VM's owner.
	Keep(ctx context.Context, id azprov.VMID, env *ovf.Environment) error
}

// MediumFS returns a Medium whose files are at the root of fsys: a mounted disc, a
// seed directory. Eject does nothing.
func MediumFS(fsys fs.FS) Medium { return mediumFS{fsys} }

type mediumFS struct{ fsys fs.FS }

func (m mediumFS) Read(context.Context, func()) (*ovf.Environment, error) { return ovf.ReadFS(m.fsys) }
func (m mediumFS) Eject(context.Context) error                            { return nil }

// NoMedium returns a Medium that is not there: the machine gets everything from IMDS.
func NoMedium() Medium { return noMedium{} }

// noMedium is for machines that get everything from IMDS.
type noMedium struct{}

func (noMedium) Read(context.Context, func()) (*ovf.Environment, error) {
	return nil, &azprov.Error{Op: "provision.Medium.Read", Kind: azprov.KindNotFound, Message: "no medium is configured"}
}
func (noMedium) Eject(context.Context) error { return nil }

// Network brings up the interface that reaches the platform, where the operating
// system has not done so.
type Network interface {
	// Up returns when the platform can be reached.
	Up(ctx context.Context) error
	// Down undoes Up.
	Down(ctx context.Context) error
}

// KeyResolver gets SSH keys that the medium names by fingerprint only.
type KeyResolver interface {
	// ResolveKeys looks for certificates by their thumbprints: SHA-1, in upper case. It is
	// called at most once a run.
	ResolveKeys(ctx context.Context, thumbprints []string) (ResolvedKeys, error)
}

// ResolvedKeys is what a [KeyResolver] has found.
type ResolvedKeys struct {
	// Keys maps thumbprints to OpenSSH public keys. One that was not found is absent.
	Keys map[string]string
	// Warnings is what was odd, for the Machine.
	Warnings []string
}

// KeyPreparer is a KeyResolver that has something to do which takes a while and needs no
// network.
type KeyPreparer interface {
	// PrepareKeys is called when the medium names a key by its fingerprint, before it is
	// known whether IMDS makes that unnecessary. It must not block.
	PrepareKeys()
}
