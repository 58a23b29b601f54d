package wireserver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/scripttest"
)

func TestReportHealth(t *testing.T) {
	ready := HealthReport{State: goalstate.HealthStateReady}
	failed := HealthReport{
		State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioningFailed, Description: "result=error|reason=x",
	}
	gs, fine, stale := stateAnswer("c1", "1"), answer{}, answer{Status: 410, Body: staleXML}
	viaJSON := &ReportHealthOptions{Format: HealthFormatJSON}
	for _, row := range []struct {
		name    string
		report  HealthReport
		options *ReportHealthOptions
		answers []answer
		want    []string // nil is "not compared"
		kind    azprov.Kind
		under   time.Duration
		body    string // in the last request
	}{
		{"ready", ready, nil, []answer{gs, fine}, []string{goalStateTarget, healthTarget}, "", time.Millisecond, "<State>Ready</State>"},
		{"204 is success", ready, nil, []answer{gs, {Status: 204}}, []string{goalStateTarget, healthTarget}, "", time.Millisecond, ""},
		{
			"failed", failed, nil,
			[]answer{gs, fine},
			[]string{goalStateTarget, healthTarget},
			"", time.Millisecond,
			"<Details><SubStatus>ProvisioningFailed</SubStatus><Description>result=error|reason=x</Description></Details>",
		},
		{
			"a stale report is built anew", ready, nil,
			[]answer{gs, stale, stateAnswer("c2", "1"), fine},
			[]string{goalStateTarget, healthTarget, goalStateTarget, healthTarget},
			"", 2 * time.Second, "<ContainerId>c2</ContainerId>",
		},
		{
			"an invalid container too", ready, nil,
			[]answer{gs, {Status: 400, Body: "InvalidContainerConfiguration"}, stateAnswer("c2", "1"), fine},
			[]string{goalStateTarget, healthTarget, goalStateTarget, healthTarget},
			"", 2 * time.Second, "<ContainerId>c2</ContainerId>",
		},
		{"stale for ever ends with the budget", ready, nil, []answer{gs, stale, gs, stale, gs, stale, gs, stale, gs, stale, gs, {Status: 410}}, nil, azprov.KindTimeout, reportBudget, ""},
		{"205 is success", ready, nil, []answer{gs, {Status: 205}}, []string{goalStateTarget, healthTarget}, "", time.Millisecond, ""},
		{"an answer that is cut is an answer", ready, nil, []answer{gs, {Body: "x", Truncate: true}, fine}, []string{goalStateTarget, healthTarget}, "", time.Millisecond, ""},
		{"503 is waited out", ready, nil, []answer{gs, {Status: 503}, {Status: 503}, fine}, []string{goalStateTarget, healthTarget, healthTarget, healthTarget}, "", 5 * time.Second, ""},
		{"a broken connection is tried again", ready, nil, []answer{gs, {Drop: true}, fine}, []string{goalStateTarget, healthTarget, healthTarget}, "", 2 * time.Second, ""},
		{"400 turns to JSON", ready, nil, []answer{gs, {Status: 400}, {Status: 201}}, []string{goalStateTarget, healthTarget, jsonTarget}, "", time.Millisecond, `{"state":"Ready"}`},
		{"404 turns to JSON", ready, nil, []answer{gs, {Status: 404}, fine}, []string{goalStateTarget, healthTarget, jsonTarget}, "", time.Millisecond, ""},
		{"405 turns to JSON", ready, nil, []answer{gs, {Status: 405}, fine}, []string{goalStateTarget, healthTarget, jsonTarget}, "", time.Millisecond, ""},
		{"501 turns to JSON", ready, nil, []answer{gs, {Status: 501}, fine}, []string{goalStateTarget, healthTarget, jsonTarget}, "", time.Millisecond, ""},
		{"no goal state turns to JSON", ready, nil, []answer{{Status: 404}, fine}, []string{goalStateTarget, jsonTarget}, "", time.Millisecond, ""},
		{"403 does not", ready, nil, []answer{gs, {Status: 403}, fine}, []string{goalStateTarget, healthTarget}, azprov.KindDenied, time.Millisecond, ""},
		{"JSON first", failed, viaJSON, []answer{{Status: 201}}, []string{jsonTarget}, "", time.Millisecond, `{"state":"NotReady","details":{"subStatus":"ProvisioningFailed","description":"result=error|reason=x"}}`},
		{"an answer to JSON that is cut is an answer", ready, viaJSON, []answer{{Body: "x", Truncate: true}, {}}, []string{jsonTarget}, "", time.Millisecond, ""},
		{"JSON turns to XML", ready, viaJSON, []answer{{Status: 404}, gs, fine}, []string{jsonTarget, goalStateTarget, healthTarget}, "", time.Millisecond, ""},
		{"neither", ready, nil, []answer{gs, {Status: 404}, {Status: 404}}, []string{goalStateTarget, healthTarget, jsonTarget}, azprov.KindNotFound, time.Millisecond, ""},
		{"a report that contradicts itself", HealthReport{State: goalstate.HealthStateReady, SubStatus: goalstate.HealthSubStatusProvisioning}, nil, []answer{gs}, []string{goalStateTarget}, azprov.KindInternal, time.Millisecond, ""},
		{"an unknown format", ready, &ReportHealthOptions{Format: "yaml"}, []answer{gs}, []string{}, azprov.KindInternal, time.Millisecond, ""},
		{"ready has twenty minutes", ready, nil, []answer{gs, {Status: 500}}, nil, azprov.KindTimeout, reportBudget, ""},
		{"a failure has two", failed, nil, []answer{gs, {Status: 500}}, nil, azprov.KindTimeout, failureBudget, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				start := time.Now()
				resp, err := testClient(t, transport).ReportHealth(t.Context(), row.report, row.options)
				took := time.Since(start)
				if err != nil && resp != (ReportHealthResponse{}) {
					t.Errorf("%+v came with an error", resp)
				}
				if took > row.under || (row.kind == azprov.KindTimeout && took < row.under*9/10) {
					t.Errorf("took %v, want %v", took, row.under)
				}
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				if got := trace(server); row.want != nil && !slices.Equal(got, row.want) {
					t.Errorf("requests %q, want %q", got, row.want)
				}
				if list := trace(server); err == nil {
					want := ReportHealthResponse{Format: HealthFormatXML, Incarnation: "1"}
					if list[len(list)-1] == jsonTarget {
						want = ReportHealthResponse{Format: HealthFormatJSON}
					}
					if resp != want {
						t.Errorf("answer %+v, want %+v", resp, want)
					}
				}
				if requests := server.Requests(); row.body != "" && !strings.Contains(requests[len(requests)-1].Body, row.body) {
					t.Errorf("body %q lacks %q", requests[len(requests)-1].Body, row.body)
				}
			})
		})
	}
}

func TestBeforePostIsCalledOnceAndAfterTheGoalState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, stateAnswer("c1", "1"), answer{Status: 410}, stateAnswer("c2", "1"), answer{Status: 400}, answer{})
		var at []int
		_, err := testClient(t, transport).ReportHealth(t.Context(), HealthReport{State: goalstate.HealthStateReady}, &ReportHealthOptions{
			BeforePost: func(context.Context) { at = append(at, server.Attempts()) },
		})
		if err != nil || !slices.Equal(at, []int{1}) {
			t.Errorf("%v, called after %v requests, want once after 1", err, at)
		}
	})
}

func TestDescriptionIsShortened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, stateAnswer("c1", "1"), answer{})
		description := "result=error|reason=no luck|agent=a/1|trace=" + strings.Repeat("<&é", 3000) + "|vm_id=id|timestamp=now|documentation_url=u"
		_, err := testClient(t, transport).ReportHealth(t.Context(), HealthReport{
			State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioningFailed, Description: description,
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		body := server.Requests()[1].Body
		if len(body) > goalstate.MaxHealthBody || !strings.Contains(body, "reason=no luck") || !strings.Contains(body, "documentation_url=u") {
			t.Errorf("%d bytes: %s", len(body), body)
		}
	})
}

func TestReportThatContradictsItself(t *testing.T) {
	for _, format := range PossibleHealthFormatValues() {
		synctest.Test(t, func(t *testing.T) {
			_, transport := scripttest.Start(t, stateAnswer("c1", "1"))
			report := HealthReport{State: goalstate.HealthStateReady, SubStatus: goalstate.HealthSubStatusProvisioning}
			_, err := testClient(t, transport).ReportHealth(t.Context(), report, &ReportHealthOptions{Format: format})
			var e *azprov.Error
			if !errors.As(err, &e) || e.Kind != azprov.KindInternal || e.Op != "wireserver.Client.ReportHealth" || e.Last == nil {
				t.Errorf("%s: %v, caused by %v", format, err, errors.Unwrap(err))
			}
		})
	}
}

func TestJSONReportNamesItsAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, answer{Status: 201})
		report, options := HealthReport{State: goalstate.HealthStateReady}, &ReportHealthOptions{Format: "json"}
		if _, err := testClient(t, transport).ReportHealth(t.Context(), report, options); err != nil {
			t.Fatal(err)
		}
		if h := server.Requests()[0].Header; h.Get(goalstate.HeaderGuestAgentName) != "test-agent" || h.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", h)
		}
	})
}
