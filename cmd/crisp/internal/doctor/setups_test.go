package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// counter counts how often handlers have run.
type counter struct{ n atomic.Int64 }

func (c *counter) count() { c.n.Add(1) }

func (c *counter) effect(context.Context) (string, error) { return fmt.Sprint(c.n.Load()), nil }

// webhook is a program's web hook that does all as it should.
func webhook(t *testing.T, secret string, handle func(), opts ...crisp.WebhookOption) http.Handler {
	t.Helper()
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.MessageSend) error {
		handle()
		return nil
	})
	hook, err := crisp.NewWebhook(router, append([]crisp.WebhookOption{crisp.WithSigningSecrets(secret)}, opts...)...)
	require.NoError(t, err)
	return hook
}

// reencoding verifies JSON that was parsed and encoded anew, as programs do whose
// framework has the body parsed.
func reencoding(next http.Handler, encode func(any) ([]byte, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var parsed any
		decoder := json.NewDecoder(r.Body)
		decoder.UseNumber()
		if decoder.Decode(&parsed) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body, err := encode(parsed)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		next.ServeHTTP(w, r)
	})
}

// reverseProxy passes requests on to a server, WebSockets as change leaves them.
func reverseProxy(t *testing.T, to string, change func(*http.Request)) (address string) {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
			change(r.Out)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// middlebox passes bytes on between clients and a server. A connection without traffic for as long
// as idle is ended, or, if it swallows, passes on nothing any more.
func middlebox(t *testing.T, to string, idle time.Duration, swallows bool) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var work sync.WaitGroup
	closed, closeAll := context.WithCancel(context.Background())
	work.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			box := &box{client: client, server: server, idle: idle, swallows: swallows}
			box.timer = time.AfterFunc(idle, box.idled)
			work.Go(func() { box.pass(client, server) })
			work.Go(func() { box.pass(server, client) })
			context.AfterFunc(closed, box.end)
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		closeAll()
		work.Wait()
	})
	return listener.Addr().String()
}

type box struct {
	client, server net.Conn
	idle           time.Duration
	swallows       bool
	timer          *time.Timer
	deaf           atomic.Bool
}

func (b *box) idled() {
	if b.swallows {
		b.deaf.Store(true)
		return
	}
	b.end()
}

func (b *box) end() {
	_ = b.client.Close()
	_ = b.server.Close()
}

func (b *box) pass(from, to net.Conn) {
	defer b.end()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if b.deaf.Load() {
			continue
		}
		b.timer.Reset(b.idle)
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// forwardProxy is an HTTP proxy that answers CONNECT with a status, and connects if
// that is 200.
func forwardProxy(t *testing.T, status int, to func(host string) string) *url.URL {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		target, err := net.Dial("tcp", to(r.Host))
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(target, client); _ = target.Close() }()
		_, _ = io.Copy(client, target)
		_ = client.Close()
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	return u
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// hostOfURL returns host and port of a URL.
func hostOfURL(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Host
}

// mentions reports whether a text has all words in it, whatever their case.
func mentions(text string, words ...string) bool {
	for _, word := range words {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
			return false
		}
	}
	return true
}
