package ephemeral

import (
	"time"

	"go.uber.org/zap"
)

const (
	// FirstTimeout bounds the first [Network.Up] and every [Network.UpOn]: the fabric may
	// still be plugging the network together. It is cloud-init's for a first boot.
	FirstTimeout = 20 * time.Minute
	// NextTimeout bounds further Ups, in whose place something else can be tried. It is
	// cloud-init's for each try while a pool VM polls.
	NextTimeout = 5 * time.Minute
)

const (
	// tryPause is the time between two attempts, cloud-init's.
	tryPause = time.Second
	// tryTimeout bounds the DHCP exchange of one attempt. Azure's host answers within
	// milliseconds or not at all.
	tryTimeout = 10 * time.Second
	// carrierTries and carrierPause bound the wait for a link to come up (cloud-init's
	// numbers for a hot-attached NIC). After that DHCP is tried regardless: not every
	// driver reports its carrier.
	carrierTries = 100
	carrierPause = 100 * time.Millisecond
	// patientRounds is how often all candidates are tried before a NIC whose lease only
	// has a default route is taken although another candidate does not answer.
	patientRounds = 3
)

// Options configures a [Network]. The zero value is for a VM on Azure.
type Options struct {
	// Usable, if set, is asked about every candidate and may refuse it: by its driver, for
	// example.
	Usable func(Link) bool
	// Driver, if set, tells a link's driver from its name; nil asks /sys. An empty answer
	// is fine.
	Driver func(name string) string
	// OnAttempt, if set, is called after every attempt, the successful ones and those that
	// renew a lease included, one call at a time. It must not call Up, UpOn or Down.
	OnAttempt func(Attempt)
	// Logger is silent if nil.
	Logger *zap.Logger
}

// Attempt is one attempt to get a lease, or to renew it.
type Attempt struct {
	// Op names the operation, as in the error.
	Op string
	// Number counts the operation's attempts, from 1.
	Number int
	// Link is the one that was tried. Its index is 0 if there was no candidate.
	Link Link
	// Lease is what the attempt got; its address is not valid if it got none.
	Lease Lease
	// Renewal is true if a lease was to be renewed in the background.
	Renewal bool
	// Elapsed is the time the attempt took.
	Elapsed time.Duration
	// Err is nil for success, else an *azprov.Error with the reason and the details for
	// the platform. A lease that does not lead to the platform is such an error in Up,
	// and none in UpOn, whose caller asks for just that.
	Err error
}
