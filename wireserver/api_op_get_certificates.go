package wireserver

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/goalstate/certs"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

// GetCertificatesOptions holds the optional parameters of [Client.GetCertificates].
type GetCertificatesOptions struct {
	// GoalState saves a request if a fresh one is at hand. If its URL is refused as
	// stale, a new goal state is read all the same.
	GoalState *goalstate.GoalState
	// Ciphers to ask for, in order; empty stands for [certs.PossibleCipherValues].
	Ciphers []certs.Cipher
}

// GetCertificatesResponse is the answer to [Client.GetCertificates].
type GetCertificatesResponse struct {
	certs.Bundle
	// Cipher is the one that was asked for with success, empty if the VM has no
	// certificates.
	Cipher certs.Cipher
}

// GetCertificates reads the VM's certificates and private keys and decrypts them with
// key: GET of the URL in the goal state, byte for byte, with the key's certificate and a
// cipher in the headers. A goal state without that URL, and a document without data,
// mean that there are none. A document in a format that is not known is passed over
// with a warning.
//
// Without a deadline in ctx the budget is 5 minutes for everything, 30 s for one
// attempt. Retried: what [Client.GetGoalState] retries. A cipher that is refused gives way
// to the next one at once, and one whose answer cannot be opened after two attempts;
// after two of the statuses 500, 501, 502, 504 and 507 they take turns. After 410, 404,
// or 400 InvalidContainerConfiguration the goal state is read again: 3 attempts in all.
// The document has at most 1 MiB.
//
// Errors, that of the last cipher: Malformed (refused, or it does not decrypt),
// Protected (it is for another key, or in an algorithm that is not known or not allowed),
// Internal (options that cannot be used; 505 and the like), Stale, and those of
// GetGoalState.
func (c *Client) GetCertificates(ctx context.Context, key *certs.TransportKey, options *GetCertificatesOptions) (resp GetCertificatesResponse, err error) {
	if options == nil {
		options = &GetCertificatesOptions{}
	}
	ctx, op := c.t.Start(ctx, "GetCertificates", readBudget)
	defer func() { op.End(err) }()
	if key.Certificate() == nil {
		return GetCertificatesResponse{}, op.Fail(azprov.Error{
			Kind: azprov.KindInternal, Message: "a transport key with its certificate is needed",
			Hint: "make one with certs.GenerateTransportKey",
		})
	}
	ciphers := slices.Clone(options.Ciphers)
	if len(ciphers) == 0 {
		ciphers = certs.PossibleCipherValues()
	}
	for _, cipher := range ciphers {
		if cipher == "" || !printable(string(cipher)) {
			return GetCertificatesResponse{}, op.Fail(azprov.Error{
				Kind: azprov.KindInternal, Message: "the name of a cipher goes into a header and must be printable ASCII",
			})
		}
	}
	gs, err := c.goalStateOr(ctx, op, options.GoalState)
	if err != nil {
		return GetCertificatesResponse{}, err
	}
	return c.certificates(ctx, op, &gs, key, ciphers)
}

// certificates asks in one cipher after the other, until one works, all are refused, or
// time is up. gs becomes the newest goal state that was read.
func (c *Client) certificates(ctx context.Context, op *transport.Operation, gs *goalstate.GoalState, key *certs.TransportKey, ciphers []certs.Cipher) (GetCertificatesResponse, error) {
	var last error
	for pause := refetchPause; ; pause = min(2*pause, maxRefetchPause) {
		var unwell []certs.Cipher
		for _, cipher := range ciphers {
			resp, err := c.certificatesIn(ctx, op, gs, key, cipher)
			if err == nil || !concernsCipher(err) {
				return resp, err
			}
			c.t.Logger().Warn("certificates", zap.String("cipher", string(cipher)), zap.Error(err))
			if last = err; errors.Is(err, azprov.ErrNotReady) {
				unwell = append(unwell, cipher)
			}
		}
		if ciphers = unwell; len(ciphers) == 0 {
			return GetCertificatesResponse{}, last
		}
		if err := op.Pause(ctx, pause, last); err != nil {
			return GetCertificatesResponse{}, err
		}
	}
}

// concernsCipher reports whether a failure may be other with another cipher.
func concernsCipher(err error) bool {
	switch azprov.KindOf(err) {
	case azprov.KindMalformed, azprov.KindProtected, azprov.KindNotReady, azprov.KindInternal:
		return true
	default:
		return false
	}
}

func (c *Client) certificatesIn(ctx context.Context, op *transport.Operation, gs *goalstate.GoalState, key *certs.TransportKey, cipher certs.Cipher) (resp GetCertificatesResponse, err error) {
	header := http.Header{}
	header.Set(goalstate.HeaderGuestAgentCertificate, key.HeaderValue())
	header.Set(goalstate.HeaderCipherName, string(cipher))
	err = c.read(ctx, op, gs, config{
		name: "Certificates",
		url: func(read goalstate.GoalState) string {
			*gs = read
			return read.CertificatesURL
		},
		profile:  retry.Certificates(),
		header:   header,
		optional: true,
		parse: func(b []byte) error {
			bundle, err := certs.DecodeFile(b, key)
			if resp.Bundle = bundle; len(bundle.Certificates) > 0 {
				resp.Cipher = cipher
			}
			return err
		},
	})
	if err != nil {
		return GetCertificatesResponse{}, err
	}
	return resp, nil
}
