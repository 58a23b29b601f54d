package wireserver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/scripttest"
)

func TestGetVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := goalstate.Versions{Preferred: "2015-04-05", Supported: []string{"2012-11-30"}}.Encode()
		server, transport := scripttest.Start(t, answer{Body: string(body)})
		resp, err := testClient(t, transport).GetVersions(t.Context(), nil)
		if err != nil || !resp.Supports("2012-11-30") || !slices.Equal(trace(server), []string{"GET /?comp=versions"}) {
			t.Errorf("%+v, %v, %q", resp, err, trace(server))
		}
	})
}

func TestGetVersionsHasThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, answer{Status: 500, Delay: 2 * time.Second}, answer{Hang: true})
		start := time.Now()
		_, err := testClient(t, transport).GetVersions(t.Context(), nil)
		if took := time.Since(start); azprov.KindOf(err) != azprov.KindTimeout || took != 30*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// TestConfigurationsInTrouble: what goes wrong is told with the operation's name.
func TestConfigurationsInTrouble(t *testing.T) {
	given := state("c1", "1")
	for _, row := range []struct {
		name     string
		given    *goalstate.GoalState
		answers  []answer
		kind     azprov.Kind
		is       error
		attempts int
		under    time.Duration
	}{
		{"no URL", &goalstate.GoalState{}, []answer{{}}, azprov.KindNotFound, nil, 0, time.Millisecond},
		{"a damaged document", &given, []answer{{Body: "<html>sign in</html>"}}, azprov.KindMalformed, nil, 6, time.Minute},
		{"a server that is not well", &given, []answer{{Status: 500, Delay: 20 * time.Second}, {Hang: true}}, azprov.KindTimeout, azprov.ErrNotReady, 0, readBudget},
		{"no goal state", nil, []answer{{Status: 403}}, azprov.KindDenied, nil, 1, time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			for name, read := range map[string]func(context.Context, *Client) (bool, error){
				"HostingEnvironmentConfig": func(ctx context.Context, c *Client) (bool, error) {
					resp, err := c.GetHostingEnvironmentConfig(ctx, &GetHostingEnvironmentConfigOptions{GoalState: row.given})
					return cmp.Equal(resp, GetHostingEnvironmentConfigResponse{}), err
				},
				"SharedConfig": func(ctx context.Context, c *Client) (bool, error) {
					resp, err := c.GetSharedConfig(ctx, &GetSharedConfigOptions{GoalState: row.given})
					return cmp.Equal(resp, GetSharedConfigResponse{}), err
				},
			} {
				synctest.Test(t, func(t *testing.T) {
					server, transport := scripttest.Start(t, row.answers...)
					start := time.Now()
					zero, err := read(t.Context(), testClient(t, transport))
					var e *azprov.Error
					if !errors.As(err, &e) || e.Kind != row.kind || e.Op != "wireserver.Client.Get"+name || !zero {
						t.Fatalf("%s: error %v, zero %v, want kind %s", name, err, zero, row.kind)
					}
					if row.attempts != 0 && server.Attempts() != row.attempts {
						t.Errorf("%s: %d attempts, want %d", name, server.Attempts(), row.attempts)
					}
					if row.kind == azprov.KindNotFound && !strings.Contains(err.Error(), "has no "+name+" URL") {
						t.Errorf("%q does not name the %s", err, name)
					}
					if took := time.Since(start); took > row.under || row.kind == azprov.KindTimeout && took < row.under*9/10 {
						t.Errorf("%s: took %v, want %v", name, took, row.under)
					}
				})
			}
		})
	}
}

func TestConfigurationsWithoutOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, answer{Status: 403})
		c := testClient(t, transport)
		if _, err := c.GetSharedConfig(t.Context(), nil); azprov.KindOf(err) != azprov.KindDenied {
			t.Errorf("shared config: %v", err)
		}
		if _, err := c.GetHostingEnvironmentConfig(t.Context(), nil); azprov.KindOf(err) != azprov.KindDenied {
			t.Errorf("hosting environment: %v", err)
		}
	})
}

// TestTimeThatEndsBeforeANewGoalState: the error still tells what was stale.
func TestTimeThatEndsBeforeANewGoalState(t *testing.T) {
	stale := answer{Status: 410, Body: staleXML}
	given := state("c1", "1")
	for _, row := range []struct {
		name    string
		answers []answer
		call    func(context.Context, *Client) error
	}{
		{"a configuration", []answer{stale, stateAnswer("c2", "1"), stale, stateAnswer("c2", "1"), stale}, func(ctx context.Context, c *Client) error {
			_, err := c.GetSharedConfig(ctx, &GetSharedConfigOptions{GoalState: &given})
			return err
		}},
		{"a report", []answer{stateAnswer("c1", "1"), stale, stateAnswer("c2", "1"), stale, stateAnswer("c2", "1"), stale}, func(ctx context.Context, c *Client) error {
			_, err := c.ReportHealth(ctx, HealthReport{State: goalstate.HealthStateReady}, nil)
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				err := row.call(ctx, testClient(t, transport))
				if azprov.KindOf(err) != azprov.KindTimeout || !errors.Is(err, azprov.ErrStale) {
					t.Errorf("%v after %q", err, trace(server))
				}
			})
		})
	}
}

// TestConfigurations asserts which requests follow a stale URL.
func TestConfigurations(t *testing.T) {
	const (
		shared1 = "GET /machine/c1/bc8b9d47%2Db5ed.%5Fvm?comp=config&incarnation=1&type=sharedConfig"
		shared2 = "GET /machine/c2/bc8b9d47%2Db5ed.%5Fvm?comp=config&incarnation=1&type=sharedConfig"
	)
	fine := answer{Body: string(goalstate.SharedConfig{Instances: []goalstate.Instance{{ID: "vm", Address: "10.0.0.4"}}}.Encode())}
	stale := answer{Status: 410, Body: staleXML}
	given := state("c1", "1")
	for _, row := range []struct {
		name    string
		given   *goalstate.GoalState
		answers []answer
		want    []string
		kind    azprov.Kind
	}{
		{"from a new goal state", nil, []answer{stateAnswer("c1", "1"), fine}, []string{goalStateTarget, shared1}, ""},
		{"from the caller's", &given, []answer{fine}, []string{shared1}, ""},
		{"the caller's is stale", &given, []answer{stale, stateAnswer("c2", "1"), fine}, []string{shared1, goalStateTarget, shared2}, ""},
		{"gone with 404", &given, []answer{{Status: 404}, stateAnswer("c2", "1"), fine}, []string{shared1, goalStateTarget, shared2}, ""},
		{
			"an invalid container", &given,
			[]answer{{Status: 400, Body: `{"errorCode":"InvalidContainerConfiguration"}`}, stateAnswer("c2", "1"), fine},
			[]string{shared1, goalStateTarget, shared2},
			"",
		},
		{
			"stale for ever", &given,
			[]answer{stale, stateAnswer("c2", "1"), stale, stateAnswer("c2", "1"), stale},
			[]string{shared1, goalStateTarget, shared2, goalStateTarget, shared2},
			azprov.KindStale,
		},
		{"no URL", &goalstate.GoalState{}, []answer{{}}, nil, azprov.KindNotFound},
		{"an unreadable URL", &goalstate.GoalState{SharedConfigURL: "http://192.0.2.1/%zz"}, []answer{{}}, nil, azprov.KindMalformed},
		{"a URL of another scheme", &goalstate.GoalState{SharedConfigURL: "ftp://192.0.2.1/machine"}, []answer{{}}, nil, azprov.KindMalformed},
		{"a URL without host", &goalstate.GoalState{SharedConfigURL: "http:///machine"}, []answer{{}}, nil, azprov.KindMalformed},
		{"no absolute URL", &goalstate.GoalState{SharedConfigURL: "/machine"}, []answer{{}}, nil, azprov.KindMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				resp, err := testClient(t, transport).GetSharedConfig(t.Context(), &GetSharedConfigOptions{GoalState: row.given})
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				if got := trace(server); !slices.Equal(got, row.want) {
					t.Errorf("requests %q, want %q", got, row.want)
				}
				if row.kind == azprov.KindMalformed && !strings.Contains(err.Error(), "SharedConfig URL is not absolute") {
					t.Errorf("error %v", err)
				}
				if err == nil && resp.Instances[0].Address != "10.0.0.4" {
					t.Errorf("%+v", resp)
				}
			})
		})
	}
}

func TestGetHostingEnvironmentConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := goalstate.HostingEnvironmentConfig{
			StoredCertificates: []goalstate.StoredCertificate{{Name: "TenantEncryptionCert", CertificateID: "sha1:ab"}},
		}.Encode()
		server, transport := scripttest.Start(t, stateAnswer("c1", "1"), answer{Body: string(body)})
		resp, err := testClient(t, transport).GetHostingEnvironmentConfig(t.Context(), nil)
		if err != nil || len(resp.StoredCertificates) != 1 || resp.StoredCertificates[0].Thumbprint() != "AB" {
			t.Errorf("%+v, %v", resp, err)
		}
		if want := "GET /machine/c1/bc8b9d47%2Db5ed.%5Fvm?comp=config&incarnation=1&type=hostingEnvironmentConfig"; trace(server)[1] != want {
			t.Errorf("asked for %q, want %q", trace(server)[1], want)
		}
	})
}
