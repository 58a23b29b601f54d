package provider

import (
	"context"
	"errors"
	"time"

	"github.com/coreos/ignition/v2/config"
	"github.com/coreos/ignition/v2/config/v3_7_experimental/types"
	"github.com/coreos/vcontext/report"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
)

// fetch asks the sources in their order. A source that fails ends it: to go on to the next
// might boot the machine with a config that was not meant. Without any config the parser says
// so (ErrEmpty).
func (p *platform) fetch(f *Fetcher) (types.Config, report.Report, error) {
	ctx := context.Background() // Ignition has none.
	if p.o.FetchTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.o.FetchTimeout)
		defer cancel()
	}
	get := map[Source]func(context.Context, *Fetcher) (azprov.Secret, error){UserData: p.userData, CustomData: p.customData}
	for _, source := range p.o.Sources {
		raw, err := get[source](ctx, f)
		if err != nil {
			return types.Config{}, report.Report{}, err
		}
		if raw.Len() > 0 {
			f.Logger.Info("config has been read from %s", source)
			return config.Parse(raw.Reveal())
		}
		f.Logger.Debug("there is no %s", source)
	}
	return config.Parse(nil)
}

func (p *platform) userData(ctx context.Context, f *Fetcher) (azprov.Secret, error) {
	if f.Offline {
		return azprov.Secret{}, ErrNeedNet
	}
	resp, err := p.o.IMDS.GetUserData(ctx, nil)
	if errors.Is(err, azprov.ErrUnsupportedVersion) { // an Azure Stack Hub has none
		return azprov.Secret{}, nil
	}
	return resp.UserData, err
}

// customData is what the document has, not the file CustomData.bin beside it, which Azure
// Stack and other readers of the disc do not know. A medium that does not come is fine if IMDS
// says that there is no custom data.
func (p *platform) customData(ctx context.Context, f *Fetcher) (azprov.Secret, error) {
	env, err := p.o.Medium(ctx)
	switch {
	case err != nil && f.Offline:
		return azprov.Secret{}, ErrNeedNet // the device may come while the network does
	case errors.Is(err, azprov.ErrNotFound) && p.promisedNone(ctx):
		return azprov.Secret{}, nil
	case err != nil:
		return azprov.Secret{}, err
	case ovf.IsProtected(env.CustomData.Reveal()):
		return azprov.Secret{}, &azprov.Error{
			Op: "ignition fetch", Kind: azprov.KindProtected, Message: "the custom data is encrypted for somebody else",
			Hint: "give the config as user data", Reason: "unsupported protected custom data",
		}
	case env.CustomData.Len() == 0:
		return env.CustomDataText, nil
	}
	return env.CustomData, nil
}

// promiseTimeout bounds the question whether a medium is to be expected at all, which was
// waited for already.
const promiseTimeout = 10 * time.Second

// promisedNone reports whether IMDS knows that there is no custom data.
func (p *platform) promisedNone(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, promiseTimeout)
	defer cancel()
	resp, err := p.o.IMDS.GetInstance(ctx, nil)
	promised, known := resp.Extended.Compute.HasCustomData.Value()
	return err == nil && known && !promised
}
