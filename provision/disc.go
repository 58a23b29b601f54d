package provision

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
)

// Disc returns the provisioning disc of the machine as a Medium, as [media.Open] finds it;
// nil options are its defaults. Options.OnMissed is the Medium's own.
//
// Read: a disc that is not there, or cannot be read to the end of the wait, is an error of
// NotFound: the machine may do without. One whose document is no good is not.
//
// Keep, which [Run] calls when everything is applied, saves the document in options.Cache,
// if there is one; Eject opens the drive.
func Disc(options *media.Options) Medium {
	d := &disc{}
	if options != nil {
		d.options = *options
	}
	return d
}

type disc struct {
	options media.Options
	mu      sync.Mutex
	medium  *media.Medium // the one that was read last
}

func (d *disc) Read(ctx context.Context, missed func()) (*ovf.Environment, error) {
	options := d.options
	options.OnMissed = missed
	medium, err := media.Open(ctx, &options)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, err
	case err != nil:
		return nil, notRead(err)
	}
	d.mu.Lock()
	d.medium = medium
	d.mu.Unlock()
	env, err := medium.Environment()
	if err != nil {
		return nil, err
	}
	// The caller's own copy: the medium keeps its.
	warned := *env
	warned.Warnings = slices.Concat(medium.Warnings, env.Warnings)
	return &warned, nil
}

// notRead takes any failure for absence. What is in Last is worth a warning: something was
// there, or another machine's copy was refused.
func notRead(err error) error {
	e := &azprov.Error{Op: "provision.Medium.Read", Kind: azprov.KindNotFound, Message: err.Error()}
	if azprov.KindOf(err) != azprov.KindNotFound || errors.Is(err, media.ErrForeignCache) {
		e.Message, e.Last = "the medium cannot be read", err
	}
	return e
}

func (d *disc) Eject(ctx context.Context) error {
	d.mu.Lock()
	medium := d.medium
	d.mu.Unlock()
	if medium == nil {
		return nil
	}
	err := medium.Eject(ctx)
	if err == nil { // once: a pool's VM ejects it before it has an owner
		d.mu.Lock()
		d.medium = nil
		d.mu.Unlock()
	}
	return err
}

func (d *disc) Keep(_ context.Context, id azprov.VMID, env *ovf.Environment) error {
	if d.options.Cache == nil {
		return nil
	}
	cache := *d.options.Cache
	if !id.IsZero() {
		cache.VMID = id
	}
	return cache.Save(env)
}
