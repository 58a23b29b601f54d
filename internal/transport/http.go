package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azprov/azprov"
)

const (
	// dialTimeout is cloud-init's for the wire server. Both services are one hop
	// away: who does not answer by then has no route.
	dialTimeout = 5 * time.Second
	// maxErrorBody is kept of an answer that is no success: enough for the error
	// documents of both services (hundreds of bytes) and IIS's pages.
	maxErrorBody = 64 << 10
	// maxHeaders bounds the answer's header block; real ones stay below 1 KiB.
	maxHeaders = 64 << 10
)

// errNoOperation is for requests that did not come through Operation.Do.
var errNoOperation = errors.New("transport: request without an operation")

// newTransporter returns the HTTP client to use: our own; a copy of the caller's with
// its redirects, cookies, proxy and kept connections off; or the caller's transporter
// as it is.
func newTransporter(op string, given policy.Transporter, ifname string) (policy.Transporter, error) {
	if given != nil && ifname != "" {
		return nil, &azprov.Error{
			Op: op, Kind: azprov.KindInternal,
			Message: "Interface and Transport exclude each other",
			Hint:    "bind the transport's own dialer to the interface",
		}
	}
	client, isClient := given.(*http.Client)
	if given != nil && !isClient {
		return given, nil
	}
	own := &http.Client{}
	if client != nil {
		*own = *client
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Jar = nil
	switch t := own.Transport.(type) {
	case nil:
		control, err := bindControl(op, ifname)
		if err != nil {
			return nil, err
		}
		dialer := &net.Dialer{Timeout: dialTimeout, Control: control}
		own.Transport = linkLocal(&http.Transport{
			DialContext: dialer.DialContext, DisableCompression: true, MaxResponseHeaderBytes: maxHeaders,
		})
	case *http.Transport:
		own.Transport = linkLocal(t.Clone())
	}
	return own, nil
}

// linkLocal refuses what neither service ever needs.
func linkLocal(t *http.Transport) *http.Transport {
	// The services answer only what comes from the VM itself.
	t.Proxy = nil
	// NICs come, go and change owner while a VM is provisioned; a kept connection
	// would be dead or, worse, another tenant's.
	t.DisableKeepAlives = true
	return t
}

// limited caps the body of every answer, below azcore's policy that reads it whole.
type limited struct {
	next policy.Transporter
}

// Do sends the request.
func (l limited) Do(req *http.Request) (*http.Response, error) {
	resp, err := l.next.Do(req)
	if err != nil || resp == nil || resp.Body == nil {
		return resp, err
	}
	rec, ok := req.Context().Value(recordKey{}).(*record)
	if !ok {
		_ = resp.Body.Close()
		return nil, errNoOperation
	}
	rec.op.answered = true
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// What there is of an error page will do: the status says it all.
		resp.Body = readCloser{lenientReader{io.LimitReader(resp.Body, maxErrorBody)}, resp.Body}
		return resp, nil
	}
	if rec.call.StatusOnly {
		_ = resp.Body.Close()
		resp.Body, resp.ContentLength = http.NoBody, 0
		return resp, nil
	}
	limit := rec.call.MaxBody
	if resp.ContentLength > limit {
		_ = resp.Body.Close()
		return nil, tooLarge(limit)
	}
	resp.Body = readCloser{&cappedReader{resp.Body, limit, limit}, resp.Body}
	return resp, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// lenientReader ends where its reader fails.
type lenientReader struct{ io.Reader }

func (l lenientReader) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// cappedReader fails once more than limit bytes came.
type cappedReader struct {
	r     io.Reader
	left  int64
	limit int64
}

func (c *cappedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if c.left < 0 {
		return 0, tooLarge(c.limit)
	}
	return n, err
}

func tooLarge(limit int64) error {
	return &azprov.Error{
		Op: "transport.Read", Kind: azprov.KindTooLarge,
		Message: fmt.Sprintf("the answer has more than %d bytes", limit),
		Hint:    "no document of this service is that large: look for something else that answers on its address",
	}
}
