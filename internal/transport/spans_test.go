package transport

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/scripttest"
)

func TestOneSpanPerMethodAndOnePerAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, scripttest.Answer{Status: 500}, scripttest.Answer{Status: 403, Body: "a body with hunter2"})
		recorded := &scripttest.Spans{}
		c := newClient(t, Config{Options: azcore.ClientOptions{Transport: transport, TracingProvider: recorded.Provider()}})
		if _, err := do(t.Context(), c, time.Minute, get(retry.IMDSPlain())); err == nil {
			t.Fatal("no error")
		}
		if want := []string{"test.Client.GetThing", "HTTP GET", "HTTP GET"}; !slices.Equal(recorded.Names(), want) || recorded.Open() != 0 {
			t.Errorf("spans %q, want %q; %d are open", recorded.Names(), want, recorded.Open())
		}
		if text := strings.Join(recorded.Said(), " "); strings.Contains(text, "hunter2") || strings.Contains(text, "topsecret") || !strings.Contains(text, "comp=goalstate") {
			t.Errorf("the spans show %q", text)
		}
	})
}
