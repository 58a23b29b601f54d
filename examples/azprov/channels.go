package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/report/kvp"
)

// channelFlags say how reports reach the platform.
type channelFlags struct {
	pool    string
	channel choice
}

func newChannelFlags() channelFlags {
	known := []string{string(provision.ChannelWireServer), string(provision.ChannelKVP), string(provision.ChannelBoth)}
	return channelFlags{channel: choice{value: string(provision.ChannelBoth), name: "CHANNEL", known: known}}
}

func (c *channelFlags) register(flags *pflag.FlagSet) {
	flags.Var(&c.channel, "channel", "how the platform is told: wireserver, kvp (Hyper-V; needs no network) or both")
	flags.StringVar(&c.pool, "kvp-pool", "", "`FILE` that hv_kvp_daemon hands to the host (default on a VM "+kvp.DefaultPath+"; none with --wireserver)")
}

// host is the host channel. A file that was named is made if it is not there. named: the
// platform is none of this machine's own.
func (c *channelFlags) host(named bool) provision.HostChannel {
	switch {
	case c.pool != "":
		return kvp.Channel(kvp.Open(&kvp.Options{Path: c.pool, Create: true}), nil)
	case named:
		return provision.NoHost()
	default:
		return provision.DefaultHost()
	}
}

// check looks for flags that exclude each other.
func (c *channelFlags) check(named bool) error {
	if c.channel.value == string(provision.ChannelKVP) && c.host(named) == provision.NoHost() {
		return usagef("name the file with --kvp-pool", "--channel kvp: another platform's host reads no file of this machine")
	}
	return nil
}

// emulatedPool is a pool file for a platform in this process, in a directory of its own.
func emulatedPool() (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "azprov-kvp-")
	if err != nil {
		return "", nil, fileError("emulate", os.TempDir(), err)
	}
	return filepath.Join(dir, filepath.Base(kvp.DefaultPath)), func() { _ = os.RemoveAll(dir) }, nil
}

// watch has a crash of this program reported by a process of its own. report is called
// there. The run of a platform in this process needs none.
func (a *app) watch(report func() (*provision.Reporter, error)) (done func()) {
	if a.watchCrash == nil {
		return func() {}
	}
	done, err := a.watchCrash(func(ctx context.Context, crash error) error {
		reporter, err := report()
		if err != nil {
			return err
		}
		return reporter.ReportFailure(ctx, crash)
	})
	if err != nil {
		_, _ = fmt.Fprintln(a.err, "azprov: going on, though", err)
	}
	return done
}

// printHost says what the host was told beside the wire server.
func printHost(w io.Writer, result provision.ReportResult) {
	if result.HostAt.IsZero() || result.AcceptedAt.IsZero() {
		return
	}
	_, _ = fmt.Fprintf(w, "KVP: the host's record was written at %s.\n", result.HostAt.UTC().Format(time.RFC3339))
}
