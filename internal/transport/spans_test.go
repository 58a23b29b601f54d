package transport

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/tracing"

	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/scripttest"
)

// spans is a tracing provider that keeps the names of spans and what was said of
// their failures.
type spans struct {
	mu    sync.Mutex
	names []string
	said  []string
}

func (s *spans) provider() tracing.Provider {
	return tracing.NewProvider(func(string, string) tracing.Tracer {
		return tracing.NewTracer(func(ctx context.Context, name string, o *tracing.SpanOptions) (context.Context, tracing.Span) {
			s.add(&s.names, name)
			for _, attribute := range o.Attributes {
				if text, ok := attribute.Value.(string); ok {
					s.add(&s.said, text)
				}
			}
			return ctx, tracing.NewSpan(tracing.SpanImpl{
				SetStatus: func(_ tracing.SpanStatus, text string) { s.add(&s.said, text) },
			})
		}, nil)
	}, nil)
}

func (s *spans) add(list *[]string, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, text)
}

func TestOneSpanPerMethodAndOnePerAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, scripttest.Answer{Status: 500}, scripttest.Answer{Status: 403, Body: "a body with hunter2"})
		recorded := &spans{}
		c := newClient(t, Config{Options: azcore.ClientOptions{Transport: transport, TracingProvider: recorded.provider()}})
		if _, err := do(t.Context(), c, time.Minute, get(retry.IMDSPlain())); err == nil {
			t.Fatal("no error")
		}
		if want := []string{"test.Client.GetThing", "HTTP GET", "HTTP GET"}; !slices.Equal(recorded.names, want) {
			t.Errorf("spans %q, want %q", recorded.names, want)
		}
		if text := strings.Join(recorded.said, " "); strings.Contains(text, "hunter2") || strings.Contains(text, "topsecret") || !strings.Contains(text, "comp=goalstate") {
			t.Errorf("the spans show %q", text)
		}
	})
}
