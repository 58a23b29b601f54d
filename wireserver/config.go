package wireserver

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

const (
	// maxRefetch is how many goal states one operation tries, because a URL from
	// the one before was refused as stale.
	maxRefetch = 3
	// refetchPause lets the fabric finish what made the goal state stale.
	refetchPause = time.Second
	// maxRefetchPause ends its doubling where a report is tried again until its budget
	// is over.
	maxRefetchPause = 8 * time.Second
)

// config describes a document that the goal state points to.
type config struct {
	name  string
	url   func(goalstate.GoalState) string
	parse func([]byte) error
	// profile is [retry.WireServer] if nil.
	profile *retry.Profile
	// header is sent beside what every request has.
	header http.Header
	// optional: a goal state without the URL means that there is no such document.
	optional bool
}

// read fetches a configuration. A URL that has gone stale is looked up in a new goal
// state; asking the old one again would be useless.
func (c *Client) read(ctx context.Context, op *transport.Operation, given *goalstate.GoalState, cfg config) error {
	var stale error
	for range maxRefetch {
		if stale != nil {
			if err := op.Pause(ctx, refetchPause, stale); err != nil {
				return err
			}
		}
		gs, err := c.goalStateOr(ctx, op, given)
		if err != nil {
			return err
		}
		given = nil
		target := cfg.url(gs)
		if target == "" && cfg.optional {
			return nil
		}
		if err := checkConfigURL(op, cfg.name, target); err != nil {
			return err
		}
		call := c.get(cfg.profileOrDefault(), target)
		maps.Copy(call.Header, cfg.header)
		call.Check = func(r *transport.Response) error { return cfg.parse(r.Body) }
		if _, err = op.Do(ctx, call); !isStale(err) {
			return err
		}
		stale = err
	}
	return stale
}

func (cfg *config) profileOrDefault() *retry.Profile {
	if cfg.profile != nil {
		return cfg.profile
	}
	return retry.WireServer()
}

func (c *Client) goalStateOr(ctx context.Context, op *transport.Operation, given *goalstate.GoalState) (goalstate.GoalState, error) {
	if given != nil {
		return *given, nil
	}
	return c.goalState(ctx, op)
}

// isStale reports whether a new goal state may help. After a migration the old URL
// answers 410, on some fabrics 404.
func isStale(err error) bool {
	return errors.Is(err, azprov.ErrStale) || errors.Is(err, azprov.ErrNotFound)
}

func checkConfigURL(op *transport.Operation, name, target string) error {
	if target == "" {
		return op.Fail(azprov.Error{Kind: azprov.KindNotFound, Message: "the goal state has no " + name + " URL"})
	}
	u, err := url.Parse(target)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return op.Fail(azprov.Error{Kind: azprov.KindMalformed, Message: "the goal state's " + name + " URL is not absolute"})
	}
	return nil
}
