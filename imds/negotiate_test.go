package imds

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/scripttest"
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
		message string // in the error
	}{
		{"a document that says little", "", []answer{{Body: sparse}}, []string{first}, "2023-11-15", "", ""},
		{"the wanted version", "", []answer{ok}, []string{first}, "2023-11-15", "", ""},
		{
			"the highest common one", "",
			[]answer{badVersion("2021-12-13", "2021-11-15", "2021-11-01"), ok},
			[]string{first, "/metadata/instance?api-version=2021-12-13&extended=true"},
			"2021-12-13", "", "",
		},
		{
			"a newer one than wanted, if that is what there is", "",
			[]answer{badVersion("2025-04-07"), ok},
			[]string{first, "/metadata/instance?api-version=2025-04-07&extended=true"},
			"2025-04-07", "", "",
		},
		{
			"an old Azure Stack Hub has no extended", "",
			[]answer{badVersion("2021-05-01", "2021-03-01", "2021-02-01"), ok},
			[]string{first, "/metadata/instance?api-version=2021-05-01"},
			"2021-05-01", "", "",
		},
		{
			"advertised versions that nobody knows", "",
			[]answer{badVersion("2031-01-01"), badVersion("2031-01-01"), ok},
			[]string{first, second, last},
			"2019-06-01", "", "",
		},
		{
			"an advertised version that is refused all the same", "",
			[]answer{badVersion("2021-12-13"), badVersion("2021-12-13"), ok},
			[]string{first, "/metadata/instance?api-version=2021-12-13&extended=true", second},
			"2021-08-01", "", "",
		},
		{"a 400 that advertises nothing", "", []answer{{Status: 400, Body: headerNo}, ok}, []string{first, second}, "2021-08-01", "", ""},
		{"a 400 without a body", "", []answer{{Status: 400}, {Status: 400}, ok}, []string{first, second, last}, "2019-06-01", "", ""},
		{"nothing helps", "", []answer{{Status: 400, Body: headerNo}}, []string{first, second, last}, "", azprov.KindMalformed, "the service answers: Bad request. Required metadata header not specified"},
		{
			"no common version", "",
			[]answer{badVersion("2031-01-01", "2030-01-01")},
			[]string{first, second, last},
			"", azprov.KindUnsupportedVersion,
			"tried 2023-11-15, 2021-08-01, 2019-06-01; the service's newest are 2031-01-01, 2030-01-01",
		},
		{
			"a pinned version is not negotiated", "2021-02-01",
			[]answer{badVersion("2025-04-07")},
			[]string{"/metadata/instance?api-version=2021-02-01"},
			"", azprov.KindUnsupportedVersion,
			"tried 2021-02-01; the service's newest are 2025-04-07",
		},
		{
			"a pinned version that knows extended", "2024-03-15",
			[]answer{ok},
			[]string{"/metadata/instance?api-version=2024-03-15&extended=true"},
			"2024-03-15", "", "",
		},
		{
			"trouble in the middle is waited out", "",
			[]answer{{Status: 410}, badVersion("2021-12-13"), {Status: 429}, ok},
			[]string{
				first, first, "/metadata/instance?api-version=2021-12-13&extended=true", "/metadata/instance?api-version=2021-12-13&extended=true",
			},
			"2021-12-13", "", "",
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
				if err != nil && !strings.Contains(err.Error(), row.message) {
					t.Errorf("%v, want %q in it", err, row.message)
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

func TestRefusalThatSaysNothing(t *testing.T) {
	for _, body := range []string{"", "{}", `{"error":""}`} {
		synctest.Test(t, func(t *testing.T) {
			_, transport := scripttest.Start(t, answer{Status: 400, Body: body})
			_, err := testClient(t, transport, nil).Get(t.Context(), "instance", nil)
			if err == nil || !strings.Contains(err.Error(), "HTTP status 400 Bad Request") || strings.Contains(err.Error(), "the service answers") {
				t.Errorf("body %q: %v", body, err)
			}
		})
	}
	if doc, ok := serviceError(errors.New("no answer")); ok {
		t.Errorf("a document %+v without an answer", doc)
	}
}
