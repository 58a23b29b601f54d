package imds

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

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
		{"1 MiB of nesting", answer{Body: nested}, azprov.KindTooLarge, azprov.ErrTooLarge, "error parsing IMDS metadata"},
		{"a 100 MiB body", answer{Body: strings.Repeat(" ", 100<<20)}, azprov.KindTooLarge, azprov.ErrTooLarge, "unexpected error querying IMDS"},
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
				if e.Reason != row.reason {
					t.Errorf("reason %q, want %q", e.Reason, row.reason)
				}
			})
		})
	}
}

// TestFailedReadTellsThePlatform asserts the supporting data that cloud-init's
// report has.
func TestFailedReadTellsThePlatform(t *testing.T) {
	const target = "GET http://169.254.169.254/metadata/instance?api-version=2023-11-15&extended=true"
	for _, row := range []struct {
		name   string
		answer answer
		want   []azprov.Detail
	}{
		{"an answer", answer{Status: 403, Delay: 1500 * time.Millisecond}, []azprov.Detail{
			{Key: "http_code", Value: "403"},
			{Key: "duration", Value: "1.500"},
			{Key: "exception", Value: "HTTP status 403 Forbidden"},
			{Key: "url", Value: target},
		}},
		{"a redirect", answer{Status: 300}, []azprov.Detail{
			{Key: "http_code", Value: "300"},
			{Key: "duration", Value: "0.000"},
			{Key: "exception", Value: "HTTP status 300 Multiple Choices"},
			{Key: "url", Value: target},
		}},
		{"no answer", answer{Refuse: true}, []azprov.Detail{
			{Key: "duration", Value: "0.000"},
			{Key: "exception", Value: "dial tcp 169.254.169.254:80: connect: connection refused"},
			{Key: "url", Value: target},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, transport := scripttest.Start(t, row.answer)
				_, err := testClient(t, transport, nil).GetInstance(t.Context(), &GetInstanceOptions{SilentAttempts: 1})
				var e *azprov.Error
				if !errors.As(err, &e) || !slices.Equal(e.Details, row.want) {
					t.Errorf("%v with details %q, want %q", err, e.Details, row.want)
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
