package transport

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/scripttest"
)

// TestDamagedAnswers: what can be told from an answer whose body did not come whole.
func TestDamagedAnswers(t *testing.T) {
	for _, row := range []struct {
		name       string
		answers    []scripttest.Answer
		statusOnly bool
		kind       azprov.Kind
		status     int
		attempts   int
		silent     bool
	}{
		{"an error page that is cut is that error", []scripttest.Answer{{Status: 403, Body: "x", Truncate: true}}, false, azprov.KindDenied, 403, 1, false},
		{"a document that is cut is asked for again", []scripttest.Answer{{Body: "x", Truncate: true}, {}}, false, "", 0, 2, false},
		{"where the status decides it is not", []scripttest.Answer{{Body: "x", Truncate: true}, {}}, true, "", 0, 1, false},
		{"a cut document is an answer", []scripttest.Answer{{Body: "x", Truncate: true}}, false, azprov.KindTimeout, 0, 0, false},
		{"refused is none", []scripttest.Answer{{Refuse: true}}, false, azprov.KindTimeout, 0, 0, true},
		{"an answer in between counts", []scripttest.Answer{{Refuse: true}, {Status: 410}, {Refuse: true}}, false, azprov.KindTimeout, 0, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				c := newClient(t, Config{Options: azcore.ClientOptions{Transport: transport}})
				call := get(retry.IMDSProvisioning())
				call.StatusOnly = row.statusOnly
				_, err := do(t.Context(), c, time.Minute, call)
				var e *azprov.Error
				if azprov.KindOf(err) != row.kind || (errors.As(err, &e) && e.Status != row.status) {
					t.Errorf("error %v, want kind %q, status %d", err, row.kind, row.status)
				}
				if row.attempts != 0 && server.Attempts() != row.attempts {
					t.Errorf("%d attempts, want %d", server.Attempts(), row.attempts)
				}
				if errors.Is(err, azprov.ErrNoAnswer) != row.silent {
					t.Errorf("errors.Is(%v, ErrNoAnswer) is not %v", err, row.silent)
				}
			})
		})
	}
}

func TestNonRetriablePolicyEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, scripttest.Answer{})
		c := newClient(t, Config{Options: azcore.ClientOptions{
			Transport:        transport,
			PerRetryPolicies: []policy.Policy{policyFunc(func(*policy.Request) (*http.Response, error) { return nil, final{errors.New("no token")} })},
		}})
		_, err := do(t.Context(), c, time.Minute, get(retry.IMDSPlain()))
		var e *azprov.Error
		if !errors.As(err, &e) || e.Kind != azprov.KindInternal || e.Attempts != 1 {
			t.Errorf("error %v", err)
		}
	})
}

type final struct{ error }

func (final) NonRetriable() {}
