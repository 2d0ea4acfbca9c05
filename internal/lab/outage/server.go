package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// every is the time between two events.
const every = 5 * time.Millisecond

// server is a Crisp that can be killed and comes back at the same address. It
// sends an event all the while, which tells when it was sent.
type server struct {
	crisp *crisptest.Server
	rest  *http.Server // that tells where RTM is, behind its gate
	gates []*gate      // of REST and RTM
	task  task
	stop  context.CancelFunc
	ended sync.WaitGroup
}

func startServer() (*server, error) {
	fake, err := crisptest.Start()
	if err != nil {
		return nil, err
	}
	s := &server{crisp: fake}
	if err := s.open(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *server) open() error {
	endpoints, err := s.crisp.Client().ConnectEndpoints(context.Background())
	if err != nil {
		return err
	}
	app, err := url.Parse(endpoints.Socket.App)
	if err != nil {
		return err
	}
	rtm, err := s.gate(app.Host)
	if err != nil {
		return err
	}
	app.Host = rtm.address

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.rest = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"error": false, "reason": "resolved", "data": map[string]any{"socket": map[string]string{"app": app.String()}},
		})
	})}
	s.ended.Go(func() { _ = s.rest.Serve(listener) })
	rest, err := s.gate(listener.Addr().String())
	if err != nil {
		return err
	}

	token := s.crisp.Token()
	s.task = task{REST: "http://" + rest.address + "/v1/", RTM: app.String(), Identifier: token.Identifier, Key: token.Key}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.ended.Go(func() { s.send(ctx) })
	return nil
}

func (s *server) gate(target string) (*gate, error) {
	g := &gate{target: target, address: "127.0.0.1:0", conns: make(map[net.Conn]bool)}
	s.gates = append(s.gates, g)
	return g, g.open()
}

// send sends events until its context ends.
func (s *server) send(ctx context.Context) {
	for wait(ctx, every) == nil {
		now := time.Now().UnixNano()
		s.crisp.EmitRaw((*crisp.MessageSend)(nil).EventName(), fmt.Appendf(nil,
			`{"website_id":%q,"session_id":"session_outage","type":"text","from":"user","origin":"chat","content":"%d","fingerprint":%d,"timestamp":%d}`,
			crisptest.WebsiteID, now, now/1000, now/1_000_000))
	}
}

func (s *server) kill() {
	for _, g := range s.gates {
		g.close()
	}
}

func (s *server) restart() error {
	for _, g := range s.gates {
		if err := g.open(); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) close() {
	if s.stop != nil {
		s.stop()
	}
	if s.rest != nil {
		_ = s.rest.Close()
	}
	s.kill()
	s.ended.Wait()
	s.crisp.Close()
}

// gate lets connections through to a server, as long as it is open. Closed, it
// is a port that nobody listens at.
type gate struct {
	target  string
	address string // the same each time, once it has been open

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
}

func (g *gate) open() error {
	listener, err := net.Listen("tcp", g.address)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.listener, g.address = listener, listener.Addr().String()
	g.mu.Unlock()
	go g.serve(listener)
	return nil
}

func (g *gate) serve(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", g.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		g.mu.Lock()
		g.conns[near], g.conns[far] = true, true
		g.mu.Unlock()
		go g.carry(near, far)
		go g.carry(far, near)
	}
}

func (g *gate) carry(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = from.Close(), to.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, from)
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		_ = g.listener.Close()
	}
	for conn := range g.conns {
		_ = conn.Close()
	}
}
