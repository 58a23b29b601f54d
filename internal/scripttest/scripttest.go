// Package scripttest plays a service that answers from a list, for tests in virtual
// time. It records what it was asked.
package scripttest

import (
	"context"
	"io"
	"log" //nolint:depguard // To silence net/http, which logs the failures played here.
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/azprov/azprov/internal/memnet"
)

// Answer is what one request gets.
type Answer struct {
	// Status is 200 if zero.
	Status int
	Header map[string]string
	Body   string
	// Delay before the answer.
	Delay time.Duration
	// Refuse the connection, as a closed port does; Unreachable, as a missing route.
	Refuse, Unreachable bool
	// Drop the connection after the request was read.
	Drop bool
	// Hang until the request's context ends.
	Hang bool
	// Truncate announces ten bytes more than the body has.
	Truncate bool
}

// Request is what came in.
type Request struct {
	At     time.Duration // since the start
	Method string
	Target string // path and query, as sent
	Host   string
	Header http.Header
	Body   string
}

// Server is a playing service.
type Server struct {
	answers []Answer
	start   time.Time

	mu       sync.Mutex
	next     int
	attempts int
	requests []Request
}

// Start plays the answers, the last one for ever. It must be called inside a
// synctest bubble; the client it returns reaches the service at every address.
func Start(t *testing.T, answers ...Answer) (*Server, *http.Client) {
	t.Helper()
	s := &Server{answers: answers, start: time.Now()}
	listener := memnet.NewListener("192.0.2.1:80", time.Time{})
	ctx, cancel := context.WithCancel(t.Context())
	server := &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		cancel()
		_ = server.Close()
		<-served
	})
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		switch a := s.peek(); {
		case a.Refuse:
			s.advance()
			return nil, memnet.Refused(network, address)
		case a.Unreachable:
			s.advance()
			return nil, memnet.Unreachable(network, address)
		}
		return listener.Dial(ctx, network)
	}
	return s, &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// Requests returns what came in so far. Connections that were refused are not in it.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request{}, s.requests...)
}

// Attempts counts requests and refused connections.
func (s *Server) Attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts
}

func (s *Server) peek() Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers[s.next]
}

func (s *Server) advance() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	if s.next < len(s.answers)-1 {
		s.next++
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a := s.peek()
	s.advance()
	s.mu.Lock()
	s.requests = append(s.requests, Request{
		At: time.Since(s.start), Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header.Clone(), Body: string(body),
	})
	s.mu.Unlock()
	if a.Delay > 0 {
		select {
		case <-time.After(a.Delay):
		case <-r.Context().Done():
		}
	}
	if a.Hang {
		<-r.Context().Done()
	}
	if a.Hang || a.Drop {
		panic(http.ErrAbortHandler) //nolint:forbidigo // The documented way to drop a connection.
	}
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	if a.Truncate {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)+10))
	}
	status := a.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, a.Body)
}
