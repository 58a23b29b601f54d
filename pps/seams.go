package pps

import (
	"context"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
)

// Metadata is IMDS.
type Metadata interface {
	// ReprovisionData makes one request for the owner's ovf-env.xml, and retries nothing:
	// the [Machine] paces the requests.
	//
	// "Not yet" is an error of [azprov.KindNotReady] or [azprov.KindNotFound], or an empty
	// document; [azprov.KindThrottled] slows down; [azprov.KindNetwork] and
	// [azprov.KindTimeout] mean that the network may have changed. RetryAfter of an
	// *azprov.Error is obeyed. Any other kind is a refusal.
	ReprovisionData(ctx context.Context) (azprov.Secret, error)
}

// IMDSMetadata is Metadata of an IMDS client.
func IMDSMetadata(client *imds.Client) Metadata { return imdsMetadata{client} }

type imdsMetadata struct{ client *imds.Client }

func (m imdsMetadata) ReprovisionData(ctx context.Context) (azprov.Secret, error) {
	resp, err := m.client.GetReprovisionData(ctx, &imds.GetReprovisionDataOptions{SingleAttempt: true})
	return resp.Document, err
}

// Reporter tells the platform.
type Reporter interface {
	// ReportPoolReady reports Ready for the pool, without keys. It is called at most once,
	// with the network up. Errors are *azprov.Error: a Savable VM may be suspended before
	// the answer arrives, so that [azprov.KindNetwork] and [azprov.KindTimeout] are none
	// for it.
	ReportPoolReady(ctx context.Context) error
}

// Ejector releases the medium.
type Ejector interface {
	// Eject is called before the report to the pool: the host puts another medium in for
	// the owner.
	Eject(ctx context.Context) error
}

// Network is the interface that reaches the platform, where the operating system has not
// brought one up. It is up when [Machine.Run] begins. Its methods are called one at a
// time, Index at any time, and end soon after their context.
type Network interface {
	// Up gets an address on the interface that it chooses.
	Up(ctx context.Context) error
	// UpOn gets an address on one interface, and says whether its routes lead to the
	// platform.
	UpOn(ctx context.Context, index int) (primary bool, err error)
	// Down undoes either, also where the interface is gone or nothing was done.
	Down(ctx context.Context) error
	// Index is that of the interface in use, 0 if there is none or it is not known.
	Index() int
}

// Store keeps the [Marker] where a reboot finds it.
type Store interface {
	// Load returns the marker; ok is false if there is none. One that cannot be read as a
	// marker is an error of [azprov.KindMalformed].
	Load(ctx context.Context) (marker Marker, ok bool, err error)
	// Save replaces the marker. It has reached the disk when Save returns.
	Save(ctx context.Context, marker Marker) error
	// Clear removes the marker. That there is none is no error.
	Clear(ctx context.Context) error
}
