package transport

import (
	"context"
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

// newTransporter returns the HTTP client to use: our own; a copy of the caller's
// with its redirects and cookies off; or the caller's transporter as it is.
func newTransporter(op string, given policy.Transporter, ifname string) (policy.Transporter, error) {
	if given != nil && ifname != "" {
		return nil, &azprov.Error{
			Op: op, Kind: azprov.KindInternal,
			Message: "Interface and Transport exclude each other",
			Hint:    "bind the transport's own dialer to the interface",
		}
	}
	switch client := given.(type) {
	case nil:
		control, err := bindControl(op, ifname)
		if err != nil {
			return nil, err
		}
		dialer := &net.Dialer{Timeout: dialTimeout, Control: control}
		return linkLocal(&http.Client{Transport: &http.Transport{
			// No Proxy: the services answer only what comes from the VM itself.
			DialContext: dialer.DialContext,
			// NICs come, go and change owner while a VM is provisioned; a kept
			// connection would be dead or, worse, another tenant's.
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeaders,
		}}), nil
	case *http.Client:
		return linkLocal(client), nil
	default:
		return given, nil
	}
}

// linkLocal copies the client and refuses what neither service ever does.
func linkLocal(client *http.Client) *http.Client {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	return &c
}

type maxBodyKey struct{}

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
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// The rest of an error page is of no use, and no reason to fail in another way.
		resp.Body = readCloser{io.LimitReader(resp.Body, maxErrorBody), resp.Body}
		return resp, nil
	}
	limit := maxBodyOf(req.Context())
	if resp.ContentLength > limit {
		_ = resp.Body.Close()
		return nil, tooLarge(limit)
	}
	resp.Body = readCloser{&cappedReader{resp.Body, limit, limit}, resp.Body}
	return resp, nil
}

func maxBodyOf(ctx context.Context) int64 {
	if n, ok := ctx.Value(maxBodyKey{}).(int64); ok {
		return n
	}
	return maxErrorBody
}

type readCloser struct {
	io.Reader
	io.Closer
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
