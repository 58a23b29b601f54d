package emulator

import (
	"context"
	"errors"
	"io"
	"log" //nolint:depguard // The type of http.Server.ErrorLog; nothing is logged.
	"net"
	"net/http"
	"sync"
)

// ReplayServer is a replay that listens. [ReplayServer.Close] must be called.
type ReplayServer struct {
	replay  *Replay
	urls    map[Service]string
	cancel  context.CancelFunc
	servers []*http.Server
	serving sync.WaitGroup // Goroutines that accept.
	serves  sync.WaitGroup // Connections.
	mu      sync.Mutex
	err     error
}

// Listen serves each of the services at its TCP address, "127.0.0.1:0" for a free port, with
// or without a recording of it. The server ends with [ReplayServer.Close]; the end of ctx ends
// the requests that are waiting. An address that cannot be had is an error of
// azprov.KindNetwork.
func (r *Replay) Listen(ctx context.Context, addresses map[Service]string) (*ReplayServer, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &ReplayServer{replay: r, urls: map[Service]string{}, cancel: cancel}
	listeners := map[Service]net.Listener{}
	for service, address := range addresses {
		listener, err := listenTCP(ctx, address)
		if err != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
			cancel()
			return nil, listenError(address, err)
		}
		listeners[service] = listener
		s.urls[service] = "http://" + listener.Addr().String()
	}
	for service, listener := range listeners {
		server := &http.Server{
			Handler:           r.Handler(service),
			ReadHeaderTimeout: headerTimeout,
			BaseContext:       func(net.Listener) context.Context { return ctx },
			ErrorLog:          log.New(io.Discard, "", 0), // See Server.serve.
			ConnState: func(_ net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew:
					s.serves.Add(1)
				case http.StateClosed, http.StateHijacked:
					s.serves.Done()
				default:
				}
			},
		}
		s.servers = append(s.servers, server)
		s.serving.Go(func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				s.mu.Lock()
				s.err = errors.Join(s.err, err)
				s.mu.Unlock()
			}
		})
	}
	return s, nil
}

// URL returns the base URL of a service, without a slash at its end; empty if it is not
// served.
func (s *ReplayServer) URL(service Service) string { return s.urls[service] }

// Close stops the server and ends the requests that are waiting. Its error is the first
// trouble in listening or in writing the journal.
func (s *ReplayServer) Close() error {
	s.cancel()
	for _, server := range s.servers {
		_ = server.Close()
	}
	s.serving.Wait()
	s.serves.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.err, s.replay.journal.failure())
}
