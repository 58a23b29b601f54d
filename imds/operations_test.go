package imds

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/scripttest"
)

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

// Who polls paces every request itself, and must know what the service asks for.
func TestGetReprovisionDataInOneAttempt(t *testing.T) {
	after := func(status int, seconds string) answer {
		return answer{Status: status, Header: map[string]string{"Retry-After": seconds}}
	}
	for _, row := range []struct {
		name   string
		answer answer
		kind   azprov.Kind
		after  time.Duration
	}{
		{"the owner has come", answer{Body: "<Environment/>"}, "", 0},
		{"not yet", answer{Status: 404}, azprov.KindNotReady, 0},
		{"not yet, and not before", after(404, "3"), azprov.KindNotReady, 3 * time.Second},
		{"throttled", answer{Status: 429}, azprov.KindThrottled, 0},
		{"throttled for a while", after(429, "7"), azprov.KindThrottled, 7 * time.Second},
		{"throttled for longer than anybody waits", after(429, "3600"), azprov.KindThrottled, time.Minute},
		{"unwell for a while", after(503, "5"), azprov.KindNotReady, 5 * time.Second},
		{"refused", answer{Refuse: true}, azprov.KindNetwork, 0},
		{"dropped", answer{Drop: true}, azprov.KindNetwork, 0},
		{"misdirected", answer{Status: 421}, azprov.KindDenied, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answer)
				_, err := testClient(t, transport, nil).GetReprovisionData(t.Context(), &GetReprovisionDataOptions{SingleAttempt: true})
				if azprov.KindOf(err) != row.kind || server.Attempts() != 1 {
					t.Fatalf("error %v after %d attempts, want kind %q after one", err, server.Attempts(), row.kind)
				}
				var e *azprov.Error
				if errors.As(err, &e) && e.RetryAfter != row.after {
					t.Errorf("to wait for %v, want %v", e.RetryAfter, row.after)
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
		{"dot segments at the end", "instance/..", nil, answer{}, "", azprov.KindMalformed},
		{"a single dot", "/metadata/./instance", nil, answer{}, "", azprov.KindMalformed},
		{"a backslash", "instance\\compute", nil, answer{}, "", azprov.KindMalformed},
		{"a blank", "instance/a b", nil, answer{}, "", azprov.KindMalformed},
		{"a fragment", "instance#x", nil, answer{}, "", azprov.KindMalformed},
		{"a name that begins like the prefix", "metadatax", nil, answer{Status: 404}, "/metadata/metadatax?api-version=2023-11-15", azprov.KindNotFound},
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
