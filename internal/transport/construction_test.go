package transport

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
)

func TestCallersClientIsCopied(t *testing.T) {
	t.Parallel()
	jar, _ := cookiejar.New(nil)
	proxy := func(*http.Request) (*url.URL, error) { return nil, errors.New("asked for a proxy") }
	transport := &http.Transport{Proxy: proxy}
	given := &http.Client{Jar: jar, Transport: transport}
	got, err := newTransporter("test", given, "")
	if err != nil {
		t.Fatal(err)
	}
	client := got.(*http.Client)
	if client == given || client.Jar != nil || client.CheckRedirect == nil {
		t.Errorf("copy %p of %p: %+v", client, given, client)
	}
	if copied := client.Transport.(*http.Transport); copied == transport || copied.Proxy != nil || !copied.DisableKeepAlives {
		t.Errorf("transport %+v", copied)
	}
	if given.Jar == nil || given.CheckRedirect != nil || transport.Proxy == nil || transport.DisableKeepAlives {
		t.Error("the caller's client was changed")
	}
}

func TestClientWithoutTransportGetsOurs(t *testing.T) {
	t.Parallel()
	for _, given := range []*http.Client{nil, {}} {
		got, err := newTransporter("test", given, "")
		if err != nil {
			t.Fatal(err)
		}
		if own, ok := got.(*http.Client).Transport.(*http.Transport); !ok || own.Proxy != nil || !own.DisableKeepAlives {
			t.Errorf("transport %T", got.(*http.Client).Transport)
		}
	}
}

func TestKnownInterfaceIsBound(t *testing.T) {
	t.Parallel()
	interfaces, err := net.Interfaces()
	if err != nil || len(interfaces) == 0 || runtime.GOOS != "linux" {
		t.Skip("no interface to bind to")
	}
	got, err := newTransporter("test", nil, interfaces[0].Name)
	if err != nil || got.(*http.Client).Transport == nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestOwnTransport(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.7:3128")
	t.Setenv("http_proxy", "http://192.0.2.7:3128")
	got, err := newTransporter("test", nil, "")
	if err != nil {
		t.Fatal(err)
	}
	transport := got.(*http.Client).Transport.(*http.Transport)
	if transport.Proxy != nil || !transport.DisableKeepAlives || !transport.DisableCompression {
		t.Errorf("proxy %v, keep-alives off %v, compression off %v", transport.Proxy != nil, transport.DisableKeepAlives, transport.DisableCompression)
	}
}

// given is a transporter of the caller's with one answer.
type given struct {
	declared int64
	body     io.Reader
}

func (g given) Do(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: req, ContentLength: g.declared, Body: io.NopCloser(g.body),
	}, nil
}

// endless is a body that does not end; counted, how much was read of it.
type endless struct{ counted int }

func (e *endless) Read(p []byte) (int, error) {
	e.counted += len(p)
	return len(p), nil
}

func TestBodyLimitHoldsForAnyTransporter(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		declared int64
		read     int
	}{
		{"not declared", -1, 1<<10 + 1},
		{"declared, and never read", 100 << 20, 0},
		{"declared too small", 10, 1<<10 + 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body := &endless{}
			c := newClient(t, Config{Options: azcore.ClientOptions{Transport: given{row.declared, body}}})
			_, err := do(t.Context(), c, time.Minute, get(retry.IMDSProvisioning()))
			if !errors.Is(err, azprov.ErrTooLarge) || body.counted > row.read {
				t.Errorf("%v after %d bytes, want %d at most", err, body.counted, row.read)
			}
		})
	}
}

func TestBodyAtTheLimitIsTaken(t *testing.T) {
	t.Parallel()
	for name, declared := range map[string]int64{"declared": 1 << 10, "not declared": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := strings.Repeat("x", 1<<10)
			c := newClient(t, Config{Options: azcore.ClientOptions{Transport: given{declared, strings.NewReader(body)}}})
			resp, err := do(t.Context(), c, time.Minute, get(retry.IMDSProvisioning()))
			if err != nil || string(resp.Body) != body {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestUUID(t *testing.T) {
	t.Parallel()
	random := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for range 100 {
		if id := newUUID(); !random.MatchString(id) {
			t.Errorf("%s is no random UUID", id)
		}
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	good := Config{Package: "test", Name: "Client", Endpoint: "http://192.0.2.1"}
	unbound := azprov.KindNotFound
	if runtime.GOOS != "linux" { // nothing can be bound there
		unbound = azprov.KindInternal
	}
	for _, row := range []struct {
		name   string
		change func(*Config)
		kind   azprov.Kind
	}{
		{"no endpoint", func(c *Config) { c.Endpoint = "" }, azprov.KindInternal},
		{"an address without scheme", func(c *Config) { c.Endpoint = "169.254.169.254" }, azprov.KindInternal},
		{"another scheme", func(c *Config) { c.Endpoint = "ftp://192.0.2.1" }, azprov.KindInternal},
		{"a path", func(c *Config) { c.Endpoint = "http://192.0.2.1/metadata" }, azprov.KindInternal},
		{"a fragment", func(c *Config) { c.Endpoint = "http://192.0.2.1#x" }, azprov.KindInternal},
		{"an empty query", func(c *Config) { c.Endpoint = "http://192.0.2.1?" }, azprov.KindInternal},
		{"user info", func(c *Config) { c.Endpoint = "http://a:hunter2@192.0.2.1" }, azprov.KindInternal},
		{"a control character", func(c *Config) { c.Endpoint = "http://192.0.2.1\x00" }, azprov.KindInternal},
		{"an application id that azcore would cut", func(c *Config) { c.Options.Telemetry.ApplicationID = strings.Repeat("x", 25) }, azprov.KindInternal},
		{"an application id with blanks", func(c *Config) { c.Options.Telemetry.ApplicationID = "my agent" }, azprov.KindInternal},
		{"an interface that is not there", func(c *Config) { c.Interface = "azprov-none" }, unbound},
		{"interface and transport", func(c *Config) { c.Interface, c.Options.Transport = "lo", http.DefaultClient }, azprov.KindInternal},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			row.change(&cfg)
			_, err := NewClient(cfg)
			if azprov.KindOf(err) != row.kind {
				t.Fatalf("error %v, want kind %s", err, row.kind)
			}
			if !strings.HasPrefix(err.Error(), "test.NewClient") {
				t.Errorf("%v names another operation", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// TestTimesAndSizes holds what is promised elsewhere in words.
func TestTimesAndSizes(t *testing.T) {
	t.Parallel()
	if AttemptTimeout != 30*time.Second || dialTimeout != 5*time.Second || maxErrorBody != 64<<10 {
		t.Errorf("attempt %v, dial %v, error body %d", AttemptTimeout, dialTimeout, maxErrorBody)
	}
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"<Error><Code> RequestRateLimitExceeded </Code></Error>": "RequestRateLimitExceeded",
		`{"errorCode":"InvalidContainerConfiguration"}`:          "InvalidContainerConfiguration",
		"<Error><Code>09.AZ_az-</Code></Error>":                  "09.AZ_az-",
		"<Code>" + strings.Repeat("x", 64) + "</Code>":           strings.Repeat("x", 64),
		"<Code>a/b</Code>":                "",
		"<Code>a:b</Code>":                "",
		"<Code>a@b</Code>":                "",
		"<Code>a[b</Code>":                "",
		"<Code>a`b</Code>":                "",
		"<Code>a{b</Code>":                "",
		"<Error><Code>a b</Code></Error>": "",
		"<Error><Code>" + strings.Repeat("x", 65) + "</Code>": "",
		"<html>Access is denied</html>":                       "",
		"":                                                    "",
	} {
		if got := errorCode(retry.Outcome{Body: []byte(body)}); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}

func TestSafeURL(t *testing.T) {
	t.Parallel()
	const shown = "api-version=1&comp=2&extended=3&format=4&incarnation=5&type=6"
	for raw, want := range map[string]string{
		"http://192.0.2.1/a%2Db?" + shown:                       "http://192.0.2.1/a%2Db?" + shown,
		"http://192.0.2.1/a?sig=topsecret&comp=2&token=hunter2": "http://192.0.2.1/a?comp=2",
		"http://192.0.2.1/a?comp":                               "http://192.0.2.1/a?comp",
		"http://a:hunter2@192.0.2.1/a#topsecret":                "http://192.0.2.1/a",
		"http://192.0.2.1/%zz?sig=topsecret":                    "(unreadable URL)",
	} {
		if got := safeURL(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestTransportTextNamesNoURL(t *testing.T) {
	t.Parallel()
	err := &url.Error{Op: "Get", URL: testURL, Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
	if text := transportText(err); strings.Contains(text, "topsecret") || !strings.Contains(text, "refused") {
		t.Errorf("text %q", text)
	}
}
