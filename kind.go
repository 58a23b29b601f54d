package azprov

// Kind classifies an [Error] by what its caller can do about it. Values unknown
// to a program are to be treated like [KindInternal].
type Kind string

// The kinds. Each has a sentinel of the same name, for errors.Is.
const (
	// KindNotFound: the thing does not exist, and waiting will not make it.
	KindNotFound Kind = "NotFound"
	// KindNotReady: the service is there and has not got the thing yet.
	KindNotReady Kind = "NotReady"
	// KindStale: the goal state, or an identifier from it, is out of date; read
	// the goal state again.
	KindStale Kind = "Stale"
	// KindThrottled: too many requests.
	KindThrottled Kind = "Throttled"
	// KindUnauthenticated: the host wants signed requests (Metadata Security
	// Protocol in enforce mode) and got none.
	KindUnauthenticated Kind = "Unauthenticated"
	// KindDenied: a rule, of the host or of the guest proxy agent, forbids it.
	KindDenied Kind = "Denied"
	// KindUnsupportedVersion: the service does not speak any version asked for.
	KindUnsupportedVersion Kind = "UnsupportedVersion"
	// KindMalformed: a document is not what it must be, or the service calls the
	// request so.
	KindMalformed Kind = "Malformed"
	// KindTooLarge: a document is over its limit.
	KindTooLarge Kind = "TooLarge"
	// KindNetwork: no answer came: refused, reset, unreachable.
	KindNetwork Kind = "Network"
	// KindTimeout: the time for the whole operation ran out.
	KindTimeout Kind = "Timeout"
	// KindCanceled: the caller gave up.
	KindCanceled Kind = "Canceled"
	// KindProtected: the value is encrypted for somebody else (a protected
	// secret), or in a way that cannot be opened here.
	KindProtected Kind = "Protected"
	// KindNotAzure: this machine, or the service that answered, is not Azure's.
	KindNotAzure Kind = "NotAzure"
	// KindInternal: a step of the caller's own failed, or azprov is at fault.
	KindInternal Kind = "Internal"
)

// PossibleKindValues returns every kind, in the order of their declaration.
func PossibleKindValues() []Kind {
	return []Kind{
		KindNotFound, KindNotReady, KindStale, KindThrottled, KindUnauthenticated,
		KindDenied, KindUnsupportedVersion, KindMalformed, KindTooLarge, KindNetwork,
		KindTimeout, KindCanceled, KindProtected, KindNotAzure, KindInternal,
	}
}

// A sentinel stands for all errors of one kind.
type sentinel Kind

func (s sentinel) Error() string { return "azprov: " + string(s) }

// The sentinels: errors.Is(err, azprov.ErrNotFound) holds for an [Error] of that
// kind, and for one whose last failure was of that kind. So an error that ran out
// of time while it was throttled is both ErrTimeout and ErrThrottled.
var (
	ErrNotFound           error = sentinel(KindNotFound)
	ErrNotReady           error = sentinel(KindNotReady)
	ErrStale              error = sentinel(KindStale)
	ErrThrottled          error = sentinel(KindThrottled)
	ErrUnauthenticated    error = sentinel(KindUnauthenticated)
	ErrDenied             error = sentinel(KindDenied)
	ErrUnsupportedVersion error = sentinel(KindUnsupportedVersion)
	ErrMalformed          error = sentinel(KindMalformed)
	ErrTooLarge           error = sentinel(KindTooLarge)
	ErrNetwork            error = sentinel(KindNetwork)
	ErrTimeout            error = sentinel(KindTimeout)
	ErrCanceled           error = sentinel(KindCanceled)
	ErrProtected          error = sentinel(KindProtected)
	ErrNotAzure           error = sentinel(KindNotAzure)
	ErrInternal           error = sentinel(KindInternal)
)

// Err returns the kind's sentinel.
func (k Kind) Err() error { return sentinel(k) }
