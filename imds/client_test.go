package imds

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/scripttest"
)

type answer = scripttest.Answer

func testClient(t *testing.T, transport *http.Client, change func(*ClientOptions)) *Client {
	t.Helper()
	options := &ClientOptions{ClientOptions: azcore.ClientOptions{Transport: transport}}
	if change != nil {
		change(options)
	}
	c, err := NewClient(options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func targets(s *scripttest.Server) (list []string) {
	for _, r := range s.Requests() {
		list = append(list, r.Target)
	}
	return list
}

const (
	// What cloud-init reads of the document, and no more.
	sparse  = `{"compute":{"osProfile":{"computerName":"vm1"}}}`
	minimal = `{"compute":{"vmId":"0f4b2f5e-8f0e-4c55-b7f4-9f2f1d6f7a10"}}`
	newest  = `{"error":"Bad request. api-version is invalid","newest-versions":["%"]}`
)

func badVersion(versions ...string) answer {
	return answer{Status: 400, Body: strings.Replace(newest, "%", strings.Join(versions, `","`), 1)}
}

// TestNegotiation asserts the exact requests for each way a host may refuse.
func TestNegotiation(t *testing.T) {
	const (
		first    = "/metadata/instance?api-version=2023-11-15&extended=true"
		second   = "/metadata/instance?api-version=2021-08-01&extended=true"
		last     = "/metadata/instance?api-version=2019-06-01"
		fine     = minimal
		headerNo = `{"error":"Bad request. Required metadata header not specified"}`
	)
	ok := answer{Body: fine}
	for _, row := range []struct {
		name    string
		pinned  string
		answers []answer
		want    []string
		version string
		kind    azprov.Kind
	}{
		{"a document that says little", "", []answer{{Body: sparse}}, []string{first}, "2023-11-15", ""},
		{"the wanted version", "", []answer{ok}, []string{first}, "2023-11-15", ""},
		{
			"the highest common one", "",
			[]answer{badVersion("2021-12-13", "2021-11-15", "2021-11-01"), ok},
			[]string{first, "/metadata/instance?api-version=2021-12-13&extended=true"},
			"2021-12-13", "",
		},
		{
			"a newer one than wanted, if that is what there is", "",
			[]answer{badVersion("2025-04-07"), ok},
			[]string{first, "/metadata/instance?api-version=2025-04-07&extended=true"},
			"2025-04-07", "",
		},
		{
			"an old Azure Stack Hub has no extended", "",
			[]answer{badVersion("2021-05-01", "2021-03-01", "2021-02-01"), ok},
			[]string{first, "/metadata/instance?api-version=2021-05-01"},
			"2021-05-01", "",
		},
		{
			"advertised versions that nobody knows", "",
			[]answer{badVersion("2031-01-01"), badVersion("2031-01-01"), ok},
			[]string{first, second, last},
			"2019-06-01", "",
		},
		{
			"an advertised version that is refused all the same", "",
			[]answer{badVersion("2021-12-13"), badVersion("2021-12-13"), ok},
			[]string{first, "/metadata/instance?api-version=2021-12-13&extended=true", second},
			"2021-08-01", "",
		},
		{"a 400 that advertises nothing", "", []answer{{Status: 400, Body: headerNo}, ok}, []string{first, second}, "2021-08-01", ""},
		{"a 400 without a body", "", []answer{{Status: 400}, {Status: 400}, ok}, []string{first, second, last}, "2019-06-01", ""},
		{"nothing helps", "", []answer{{Status: 400, Body: headerNo}}, []string{first, second, last}, "", azprov.KindMalformed},
		{"no common version", "", []answer{badVersion("2031-01-01")}, []string{first, second, last}, "", azprov.KindUnsupportedVersion},
		{
			"a pinned version is not negotiated", "2021-02-01",
			[]answer{badVersion("2025-04-07")},
			[]string{"/metadata/instance?api-version=2021-02-01"},
			"", azprov.KindUnsupportedVersion,
		},
		{
			"a pinned version that knows extended", "2024-03-15",
			[]answer{ok},
			[]string{"/metadata/instance?api-version=2024-03-15&extended=true"},
			"2024-03-15", "",
		},
		{
			"trouble in the middle is waited out", "",
			[]answer{{Status: 410}, badVersion("2021-12-13"), {Status: 429}, ok},
			[]string{
				first, first, "/metadata/instance?api-version=2021-12-13&extended=true", "/metadata/instance?api-version=2021-12-13&extended=true",
			},
			"2021-12-13", "",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				c := testClient(t, transport, func(o *ClientOptions) { o.APIVersion = row.pinned })
				resp, err := c.GetInstance(t.Context(), nil)
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				if got := targets(server); !slices.Equal(got, row.want) {
					t.Errorf("requests %q, want %q", got, row.want)
				}
				if resp.APIVersion != row.version || resp.IsExtended != (row.version >= "2021-08-01") {
					t.Errorf("version %q, extended %v", resp.APIVersion, resp.IsExtended)
				}
			})
		})
	}
}

func TestRequestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, answer{Status: 500}, answer{Body: minimal})
		if _, err := testClient(t, transport, nil).GetInstance(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, r := range server.Requests() {
			ids[r.Header.Get("x-ms-client-request-id")] = true
			if r.Header.Get("Metadata") != "true" || r.Host != "169.254.169.254" || r.Method != http.MethodGet ||
				!strings.HasPrefix(r.Header.Get("User-Agent"), "azsdk-go-imds/v"+azprov.Version) {
				t.Errorf("%s %s %v", r.Method, r.Host, r.Header)
			}
		}
		if len(ids) != 2 || ids[""] {
			t.Errorf("request ids %v, want one per attempt", ids)
		}
	})
}

// TestBadInstance has a row for each kind of bad input: a typed error that names the
// operation, within the budget.
func TestBadInstance(t *testing.T) {
	nested := strings.Repeat(`{"compute":`, 1<<20/11)
	for _, row := range []struct {
		name   string
		answer answer
		kind   azprov.Kind
		is     error
		reason string
	}{
		{"empty", answer{}, azprov.KindTimeout, azprov.ErrMalformed, "error parsing IMDS metadata"},
		{"truncated JSON", answer{Body: `{"compute":{"vmId":"0f4b`}, azprov.KindTimeout, azprov.ErrMalformed, "error parsing IMDS metadata"},
		{"truncated body", answer{Body: minimal, Truncate: true}, azprov.KindTimeout, azprov.ErrNetwork, "connection error querying IMDS"},
		{"not UTF-8", answer{Body: "{\"compute\":{\"vmId\":\"\xff\xfe\"}}"}, azprov.KindTimeout, azprov.ErrMalformed, "error parsing IMDS metadata"},
		{"two roots", answer{Body: minimal + minimal}, azprov.KindTimeout, azprov.ErrMalformed, "error parsing IMDS metadata"},
		{"an array", answer{Body: "[]"}, azprov.KindTimeout, azprov.ErrMalformed, "error parsing IMDS metadata"},
		{"null", answer{Body: "null"}, azprov.KindTimeout, azprov.ErrMalformed, "error parsing IMDS metadata"},
		{"a string", answer{Body: `"x"`}, azprov.KindTimeout, azprov.ErrMalformed, "error parsing IMDS metadata"},
		{"an empty object", answer{Body: "{}"}, azprov.KindTimeout, azprov.ErrNotReady, "invalid IMDS metadata for key=compute"},
		{"a partial document", answer{Body: `{"network":{"interface":[]}}`}, azprov.KindTimeout, azprov.ErrNotReady, "invalid IMDS metadata for key=compute"},
		{"HTML with status 200", answer{Body: "<html>sign in</html>"}, azprov.KindTimeout, azprov.ErrMalformed, "error parsing IMDS metadata"},
		{"an entity bomb", answer{Body: `<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`}, azprov.KindTimeout, azprov.ErrMalformed, "error parsing IMDS metadata"},
		{"1 MiB of nesting", answer{Body: nested}, azprov.KindTooLarge, azprov.ErrTooLarge, ""},
		{"a 100 MiB body", answer{Body: strings.Repeat(" ", 100<<20)}, azprov.KindTooLarge, azprov.ErrTooLarge, ""},
		{"a redirect", answer{Status: 302, Header: map[string]string{"Location": "http://192.0.2.2/"}}, azprov.KindNotAzure, nil, "http error 302 querying IMDS"},
		{"denied", answer{Status: 403}, azprov.KindDenied, nil, "http error 403 querying IMDS"},
		{"unsigned", answer{Status: 401}, azprov.KindUnauthenticated, nil, "http error 401 querying IMDS"},
		{"never there", answer{Status: 404}, azprov.KindTimeout, azprov.ErrNotReady, "http error 404 querying IMDS"},
		{"throttled for ever", answer{Status: 429}, azprov.KindTimeout, azprov.ErrThrottled, "http error 429 querying IMDS"},
		{"refused for ever", answer{Refuse: true}, azprov.KindTimeout, azprov.ErrNetwork, "connection error querying IMDS"},
		{"no route for ever", answer{Unreachable: true}, azprov.KindTimeout, azprov.ErrNetwork, "connection error querying IMDS"},
		{"silent for ever", answer{Hang: true}, azprov.KindTimeout, azprov.ErrNetwork, "read timeout querying IMDS"},
		{"dropped for ever", answer{Drop: true}, azprov.KindTimeout, azprov.ErrNetwork, "connection error querying IMDS"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, transport := scripttest.Start(t, row.answer)
				start := time.Now()
				_, err := testClient(t, transport, nil).GetInstance(t.Context(), nil)
				if took := time.Since(start); took > provisioningBudget {
					t.Errorf("took %v, the budget is %v", took, provisioningBudget)
				}
				var e *azprov.Error
				if !errors.As(err, &e) || e.Op != "imds.Client.GetInstance" || e.Kind != row.kind {
					t.Fatalf("error %v, want kind %s", err, row.kind)
				}
				if row.is != nil && !errors.Is(err, row.is) {
					t.Errorf("%v is not %v", err, row.is)
				}
				if row.reason != "" && e.Reason != row.reason {
					t.Errorf("reason %q, want %q", e.Reason, row.reason)
				}
			})
		})
	}
}

func TestProxyInTheEnvironmentIsIgnored(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.7:3128")
	t.Setenv("http_proxy", "http://192.0.2.7:3128")
	// The endpoint is a closed port of this machine: a request that took the proxy
	// would fail in another way.
	c, err := NewClient(&ClientOptions{
		Endpoint:      "http://127.0.0.1:1",
		ClientOptions: azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = c.GetVersions(ctx, nil)
	if !errors.Is(err, azprov.ErrNetwork) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "192.0.2.7") {
		t.Errorf("error %v (proxy %q)", err, os.Getenv("http_proxy"))
	}
}

// TestBudgets holds the times that the comments of the methods promise.
func TestBudgets(t *testing.T) {
	for _, row := range []struct {
		name   string
		budget time.Duration
		call   func(context.Context, *Client) error
	}{
		{"GetInstance", 5 * time.Minute, func(ctx context.Context, c *Client) error { _, err := c.GetInstance(ctx, nil); return err }},
		{"GetUserData", 5 * time.Minute, func(ctx context.Context, c *Client) error { _, err := c.GetUserData(ctx, nil); return err }},
		{"GetReprovisionData", 30 * time.Second, func(ctx context.Context, c *Client) error { _, err := c.GetReprovisionData(ctx, nil); return err }},
		{"GetVersions", 30 * time.Second, func(ctx context.Context, c *Client) error { _, err := c.GetVersions(ctx, nil); return err }},
		{"Get", 30 * time.Second, func(ctx context.Context, c *Client) error { _, err := c.Get(ctx, "loadbalancer", nil); return err }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, transport := scripttest.Start(t, answer{Hang: true})
				start := time.Now()
				err := row.call(t.Context(), testClient(t, transport, nil))
				if took := time.Since(start); !errors.Is(err, azprov.ErrTimeout) || took > row.budget || took < row.budget-10*time.Second {
					t.Errorf("%v after %v, want the %v of its comment", err, took, row.budget)
				}
			})
		})
	}
}

func TestSilenceMayEndTheReadEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, answer{Refuse: true})
		start := time.Now()
		_, err := testClient(t, transport, nil).GetInstance(t.Context(), &GetInstanceOptions{SilentAttempts: 11, SilentTime: time.Hour})
		if azprov.KindOf(err) != azprov.KindNetwork || !errors.Is(err, azprov.ErrNoAnswer) || server.Attempts() != 11 || time.Since(start) > time.Minute {
			t.Errorf("%v after %d attempts in %v", err, server.Attempts(), time.Since(start))
		}
	})
}

func TestGetUserData(t *testing.T) {
	for _, row := range []struct {
		name     string
		answers  []answer
		want     string
		absent   bool
		kind     azprov.Kind
		attempts int
	}{
		{"there", []answer{{Body: "I2Nsb3VkLWNvbmZpZwo="}}, "#cloud-config\n", false, "", 1},
		{"in lines with blanks", []answer{{Body: " I2Nsb3Vk\r\n\tLWNvbmZpZwo=\n"}}, "#cloud-config\n", false, "", 1},
		{"none", []answer{{Body: ""}}, "", true, "", 1},
		{"blank", []answer{{Body: "\n"}}, "", true, "", 1},
		{"not there yet", []answer{{Status: 404}, {Status: 410}, {Body: "eA=="}}, "x", false, "", 3},
		{"damaged, then whole", []answer{{Body: "eA="}, {Body: "eA=="}}, "x", false, "", 2},
		{"a host without user data", []answer{badVersion("2019-06-01")}, "", true, azprov.KindUnsupportedVersion, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				resp, err := testClient(t, transport, nil).GetUserData(t.Context(), nil)
				if azprov.KindOf(err) != row.kind || resp.UserData.RevealString() != row.want || resp.UserData.IsZero() != row.absent {
					t.Errorf("%q, zero %v, %v", resp.UserData.RevealString(), resp.UserData.IsZero(), err)
				}
				for _, target := range targets(server) {
					if target != "/metadata/instance/compute/userData?api-version=2021-01-01&format=text" {
						t.Errorf("asked for %q", target)
					}
				}
				if server.Attempts() != row.attempts {
					t.Errorf("%d attempts, want %d", server.Attempts(), row.attempts)
				}
			})
		})
	}
}

func TestGetReprovisionData(t *testing.T) {
	const document = "\xef\xbb\xbf<Environment/>"
	for _, row := range []struct {
		name     string
		answers  []answer
		kind     azprov.Kind
		attempts int
	}{
		{"the owner has come", []answer{{Body: document}}, "", 1},
		{"not yet", []answer{{Status: 404}}, azprov.KindNotReady, 1},
		{"not available yet", []answer{{Status: 410}}, azprov.KindNotReady, 1},
		{"an empty 200 is not yet", []answer{{Body: ""}}, azprov.KindNotReady, 1},
		{"throttled, then there", []answer{{Status: 429}, {Body: document}}, "", 2},
		{"an error, then there", []answer{{Status: 500}, {Body: document}}, "", 2},
		{"503 for ever ends with the budget", []answer{{Status: 503}}, azprov.KindTimeout, 0},
		{"denied", []answer{{Status: 403}}, azprov.KindDenied, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				resp, err := testClient(t, transport, nil).GetReprovisionData(t.Context(), nil)
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				if err == nil && resp.Document.RevealString() != document {
					t.Errorf("document %q", resp.Document.RevealString())
				}
				if row.attempts != 0 && server.Attempts() != row.attempts {
					t.Errorf("%d attempts, want %d", server.Attempts(), row.attempts)
				}
				if got := targets(server)[0]; got != "/metadata/reprovisiondata?api-version=2019-06-01" {
					t.Errorf("asked for %q", got)
				}
			})
		})
	}
}

func TestGetVersions(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer answer
		want   []string
		kind   azprov.Kind
	}{
		{"a list", answer{Body: `{"apiVersions":["2017-03-01","2017-04-02"]}`}, []string{"2017-03-01", "2017-04-02"}, ""},
		{"HTML", answer{Body: "<html>"}, nil, azprov.KindMalformed},
		{"no such path", answer{Status: 404}, nil, azprov.KindNotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answer)
				resp, err := testClient(t, transport, nil).GetVersions(t.Context(), nil)
				if azprov.KindOf(err) != row.kind || !slices.Equal(resp.APIVersions, row.want) {
					t.Errorf("%q, %v", resp.APIVersions, err)
				}
				if got := targets(server)[0]; got != "/metadata/versions" {
					t.Errorf("asked for %q", got)
				}
			})
		})
	}
}

func TestGet(t *testing.T) {
	for _, row := range []struct {
		name    string
		path    string
		options *GetOptions
		answer  answer
		target  string // "" is "nothing sent"
		kind    azprov.Kind
	}{
		{"a leaf as text", "/metadata/instance/compute/location", &GetOptions{Format: "text"}, answer{Body: "westeurope"}, "/metadata/instance/compute/location?api-version=2023-11-15&format=text", ""},
		{"without the prefix", "instance/compute", nil, answer{Body: "{}"}, "/metadata/instance/compute?api-version=2023-11-15", ""},
		{"a trailing slash", "/metadata/instance/", nil, answer{Body: "{}"}, "/metadata/instance?api-version=2023-11-15", ""},
		{"versions have no version", "versions", nil, answer{Body: "{}"}, "/metadata/versions", ""},
		{"a version of its own", "loadbalancer", &GetOptions{APIVersion: "2020-10-01"}, answer{Body: "{}"}, "/metadata/loadbalancer?api-version=2020-10-01", ""},
		{"further parameters", "attested/document", &GetOptions{Query: url.Values{"nonce": {"1 2"}}}, answer{Body: "{}"}, "/metadata/attested/document?api-version=2023-11-15&nonce=1+2", ""},
		{"missing", "/metadata/instance/compute/none", nil, answer{Status: 404}, "/metadata/instance/compute/none?api-version=2023-11-15", azprov.KindNotFound},
		{"a leaf without text", "instance/compute/vmId", nil, answer{Status: 400, Body: `{"error":"Bad request"}`}, "/metadata/instance/compute/vmId?api-version=2023-11-15", azprov.KindMalformed},
		{"an unknown version", "instance", &GetOptions{APIVersion: "2099-01-01"}, badVersion("2025-04-07"), "/metadata/instance?api-version=2099-01-01", azprov.KindUnsupportedVersion},
		{"dot segments", "/metadata/../machine", nil, answer{}, "", azprov.KindMalformed},
		{"empty segments", "/metadata//instance", nil, answer{}, "", azprov.KindMalformed},
		{"a query in the path", "instance?x=1", nil, answer{}, "", azprov.KindMalformed},
		{"an escape", "instance/%2e%2e", nil, answer{}, "", azprov.KindMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answer)
				resp, err := testClient(t, transport, nil).Get(t.Context(), row.path, row.options)
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				if err == nil && resp.Raw().RevealString() != row.answer.Body {
					t.Errorf("body %q", resp.Raw().RevealString())
				}
				if got := strings.Join(targets(server), " "); got != row.target {
					t.Errorf("asked for %q, want %q", got, row.target)
				}
			})
		})
	}
}
