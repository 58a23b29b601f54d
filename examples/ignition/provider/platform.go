package provider

import (
	"errors"

	"github.com/coreos/ignition/v2/config/v3_7_experimental/types"
	"github.com/coreos/vcontext/report"
)

// Name is what ignition.platform.id names.
const Name = "azure"

// ErrNeedNet says that the config cannot be had offline: Ignition's fetch-offline stage then
// asks for the network. In Ignition it is resource.ErrNeedNet.
var ErrNeedNet = errors.New("resource requires networking")

// Provider has the shape of Ignition's platform.Provider, as far as this one fills it.
type Provider struct {
	Name string
	// Fetch returns the user's config. [errors.ErrEmpty] of Ignition's config/shared/errors:
	// there is none, which is fine.
	Fetch func(f *Fetcher) (types.Config, report.Report, error)
	// Status is called after each stage with what came of it. Ignition logs its error and
	// goes on.
	Status func(stage string, f Fetcher, err error) error
}

// Fetcher is the part of Ignition's resource.Fetcher that the provider needs.
type Fetcher struct {
	Logger Logger
	// Offline: there may be no network yet, in the stage fetch-offline.
	Offline bool
}

// Logger is the part of Ignition's log.Logger that the provider needs.
type Logger interface {
	Info(format string, a ...any)
	Debug(format string, a ...any)
}

// The stages of Ignition, in their order.
const (
	StageFetchOffline = "fetch-offline"
	StageFetch        = "fetch"
	StageKargs        = "kargs"
	StageDisks        = "disks"
	StageMount        = "mount"
	StageFiles        = "files"
	StageUmount       = "umount"
)

// Stages returns the stages in the order in which the initramfs runs them.
func Stages() []string {
	return []string{StageFetchOffline, StageFetch, StageKargs, StageDisks, StageMount, StageFiles, StageUmount}
}
