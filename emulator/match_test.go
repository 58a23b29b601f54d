package emulator_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
)

// statuses asks IMDS so many times, a quarter of a second apart, and lists the statuses, 0
// for no answer.
func statuses(b *bubble, n int) (list []int) {
	for range n {
		resp, err := fetchInstance(b.t, b.server)
		if err != nil {
			resp.status = 0
		}
		list = append(list, resp.status)
		time.Sleep(250 * time.Millisecond)
	}
	return list
}

func TestFaultMatches(t *testing.T) {
	t.Parallel()
	const other = "/metadata/instance?api-version=2019-06-01"
	for _, row := range []struct {
		name  string
		fault emulator.Fault
		want  []int // of instance2023, of it by an agent of the name, of the other version, of the load balancer
	}{
		{"everything", emulator.Fault{Status: 500, Always: true}, []int{500, 500, 500, 500}},
		{"a path", emulator.Fault{Path: "extended=false", Status: 500, Always: true}, []int{200, 200, 200, 404}},
		{"a method", emulator.Fault{Method: "GET", Status: 500, Always: true}, []int{500, 500, 500, 500}},
		{"another method", emulator.Fault{Method: "POST", Status: 500, Always: true}, []int{200, 200, 200, 404}},
		{"an api-version", emulator.Fault{APIVersion: "2019-06-01", Status: 500, Always: true}, []int{200, 200, 500, 404}},
		{"a header", emulator.Fault{RequestHeaders: map[string]string{"user-agent": "pilot"}, Status: 500, Always: true}, []int{200, 500, 200, 404}},
		{"a header with any value", emulator.Fault{RequestHeaders: map[string]string{"X-Ms-Client-Request-Id": ""}, Status: 500, Always: true}, []int{200, 200, 500, 404}},
		{"two of them", emulator.Fault{Method: "GET", APIVersion: "2019-06-01", Status: 500, Always: true}, []int{200, 200, 500, 404}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := fabric(t, imdsFaults(row.fault))
			var got []int
			for _, request := range []struct{ method, target, header string }{
				{http.MethodGet, instance2023, "User-Agent: Go"},
				{http.MethodGet, instance2023, "User-Agent: the pilot/1"},
				{http.MethodGet, other, "x-ms-client-request-id: 1"},
				{http.MethodGet, "/metadata/loadbalancer?api-version=2020-10-01", "User-Agent: Go"},
			} {
				status, _, _ := ask(t, f.IMDS(), request.method, request.target, "", "Metadata: true", request.header)
				got = append(got, status)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("statuses %v, want %v", got, row.want)
			}
		})
	}
}

// The version of a request for the wire server is a header.
func TestFaultMatchesWireVersion(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{{APIVersion: "2015-04-05", Status: 500, Always: true}}
	})
	for version, want := range map[string]int{"2012-11-30": 200, "2015-04-05": 500} {
		if status, _, _ := ask(t, f.WireServer(), http.MethodGet, "/machine?comp=goalstate", "", "x-ms-version: "+version); status != want {
			t.Errorf("%s: status %d, want %d", version, status, want)
		}
	}
}

func TestFaultNth(t *testing.T) {
	t.Parallel()
	inMemory(t, imdsFaults(
		emulator.Fault{Status: 410, Nth: 3, Times: 2},
		emulator.Fault{Status: 503, Nth: 4}, // It counts what the other step takes.
	), func(b *bubble) {
		if got, want := statuses(b, 6), []int{200, 200, 410, 410, 503, 200}; !slices.Equal(got, want) {
			b.t.Errorf("statuses %v, want %v", got, want)
		}
	})
}

// The same seed gives the same faults, whatever another step does; another seed others.
func TestFaultProbability(t *testing.T) {
	t.Parallel()
	const n = 60
	run := func(seed uint64, before ...emulator.Fault) (list []int) {
		inMemory(t, func(s *emulator.Scenario) {
			s.Seed = seed
			s.IMDS.Faults = append([]emulator.Fault{{Status: 500, Probability: 0.5, Always: true}}, before...)
		}, func(b *bubble) { list = statuses(b, n) })
		return list
	}
	first := run(1)
	failed := 0
	for _, status := range first {
		if status == http.StatusInternalServerError {
			failed++
		}
	}
	if failed < n/4 || failed > 3*n/4 {
		t.Errorf("%d of %d requests failed", failed, n)
	}
	if !slices.Equal(first, run(1)) {
		t.Error("the same seed gave other faults")
	}
	if slices.Equal(first, run(2)) {
		t.Error("another seed gave the same faults")
	}
	beside := run(1, emulator.Fault{Status: 410, Probability: 1, Always: true})
	for i := range beside {
		if (beside[i] == 500) != (first[i] == 500) {
			t.Errorf("request %d: %d beside another step, %d without", i+1, beside[i], first[i])
		}
	}
}

func TestFaultWrongLength(t *testing.T) {
	t.Parallel()
	inMemory(t, imdsFaults(emulator.Fault{Kind: emulator.FaultLonger}, emulator.Fault{Kind: emulator.FaultShorter}), func(b *bubble) {
		t, s := b.t, b.server
		longer, err := fetchInstance(t, s)
		if !errors.Is(err, io.ErrUnexpectedEOF) || longer.declared != int64(len(longer.body))+10 || !strings.HasSuffix(longer.body, "}") {
			t.Errorf("longer: %v, %d of %d bytes", err, len(longer.body), longer.declared)
		}
		shorter, err := fetchInstance(t, s)
		if err != nil || shorter.status != 200 || shorter.declared != int64(len(longer.body)/2) || !strings.HasPrefix(longer.body, shorter.body) {
			t.Errorf("shorter: %v, %d of %d bytes", err, len(shorter.body), shorter.declared)
		}
		if shorter.header.Get("Content-Type") != longer.header.Get("Content-Type") {
			t.Errorf("headers %v", shorter.header)
		}
		for i, want := range []string{"longer", "shorter"} {
			if entry := b.fabric.Journal()[i]; entry.Fault != want || entry.Status != 200 {
				t.Errorf("journal: %+v", entry)
			}
		}
		if resp, err := fetchInstance(t, s); err != nil || resp.status != http.StatusOK {
			t.Errorf("the next: %v", err)
		}
	})
}

// Without a connection to take over the excess cannot be sent, and is not.
func TestFaultShorterWithoutAConnection(t *testing.T) {
	t.Parallel()
	f := fabric(t, imdsFaults(emulator.Fault{Kind: emulator.FaultShorter}))
	status, body, header := ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true")
	if status != http.StatusOK || strings.HasSuffix(body, "}}") || header.Get("Content-Length") == "" {
		t.Errorf("status %d, %d bytes, %v", status, len(body), header)
	}
}

func TestFaultLoseTakesTheReport(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{{Path: "health", Method: "POST", Kind: emulator.FaultLose}}
	}, func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		if _, err := postReady(t, f, s); err == nil || f.State() != emulator.StateReady {
			t.Errorf("error %v, state %s", err, f.State())
		}
		entry := f.Journal()[1]
		if entry.Fault != "lose" || entry.Status != 0 || entry.Report == nil || entry.Report.State != emulator.StateReady {
			t.Errorf("journal: %+v", entry)
		}
		if resp, err := postReady(t, f, s); err != nil || resp.status != http.StatusOK {
			t.Errorf("again: %v", err)
		}
	})
}
