package scripttest

import (
	"context"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/tracing"
)

// Spans records the spans of a client.
type Spans struct {
	mu    sync.Mutex
	names []string
	said  []string
	ended int
}

// Provider is for azcore.ClientOptions.TracingProvider.
func (s *Spans) Provider() tracing.Provider {
	return tracing.NewProvider(func(string, string) tracing.Tracer {
		return tracing.NewTracer(s.start, nil)
	}, nil)
}

func (s *Spans) start(ctx context.Context, name string, o *tracing.SpanOptions) (context.Context, tracing.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, name)
	for _, attribute := range o.Attributes {
		if text, ok := attribute.Value.(string); ok {
			s.said = append(s.said, text)
		}
	}
	return ctx, tracing.NewSpan(tracing.SpanImpl{
		SetStatus: func(_ tracing.SpanStatus, text string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.said = append(s.said, text)
		},
		End: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ended++
		},
	})
}

// Names lists the spans in the order in which they began.
func (s *Spans) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.names...)
}

// Said lists the texts of attributes and statuses.
func (s *Spans) Said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.said...)
}

// Open counts the spans that have not ended.
func (s *Spans) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.names) - s.ended
}
