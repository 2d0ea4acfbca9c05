package socketio

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDialURL(t *testing.T) {
	tests := []struct{ endpoint, want string }{
		{"https://relay.test/w/1f/", "https://relay.test/w/1f/?EIO=4&transport=websocket"},
		{"https://relay.test/w/1f", "https://relay.test/w/1f/?EIO=4&transport=websocket"},
		{"https://relay.test", "https://relay.test/?EIO=4&transport=websocket"},
		{"wss://relay.test:8443/w", "wss://relay.test:8443/w/?EIO=4&transport=websocket"},
		{"ws://127.0.0.1:1/", "ws://127.0.0.1:1/?EIO=4&transport=websocket"},
		{"http://[::1]:80/a%2Fb", "http://[::1]:80/a%2Fb/?EIO=4&transport=websocket"},
		{"https://relay.test/w/?token=a%26b&EIO=3#part", "https://relay.test/w/?EIO=4&token=a%26b&transport=websocket"},
	}
	for _, test := range tests {
		t.Run(test.endpoint, func(t *testing.T) {
			u, err := dialURL(test.endpoint, 4)
			require.NoError(t, err)
			assert.Equal(t, test.want, u.String())
		})
	}
}

func TestDialRefusesArguments(t *testing.T) {
	tests := []struct {
		endpoint string
		opt      Options
		want     string
	}{
		{"https://user:hunter2@relay.test:port/", Options{}, "not a valid URL"},
		{"https://relay.test/%zz?hunter2", Options{}, "not a valid URL"},
		{"ftp://hunter2@relay.test/", Options{}, `scheme is "ftp"`},
		{"relay.test/hunter2", Options{}, `scheme is ""`},
		{"https:///hunter2", Options{}, "has no host"},
		{"https://:443/hunter2", Options{}, "has no host"},
		{"https://relay.test/hunter2", Options{Version: 2}, "version 2 is not supported: use 4 or 3"},
	}
	for _, test := range tests {
		t.Run(test.endpoint, func(t *testing.T) {
			_, err := Dial(t.Context(), test.endpoint, test.opt)
			assert.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestDialTellsWhyThereIsNoWebSocket(t *testing.T) {
	secret := "http://user:hunter2@server.test/hunter2/?token=hunter2"

	t.Run("refused", func(t *testing.T) {
		client := startHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "17")
			http.Error(w, "hunter2", http.StatusServiceUnavailable)
		})
		_, err := Dial(t.Context(), secret, Options{HTTPClient: client})
		var refused *UpgradeError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, UpgradeError{StatusCode: 503, RetryAfter: "17"}, *refused)
		assert.ErrorContains(t, err, "HTTP 503 Service Unavailable")
		assert.NotContains(t, err.Error(), "hunter2")
	})
	t.Run("redirected", func(t *testing.T) {
		client := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			if !assert.NotEqual(t, "/elsewhere", r.URL.Path, "no redirect is followed") {
				http.NotFound(w, r)
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		})
		_, err := Dial(t.Context(), secret, Options{HTTPClient: client})
		var refused *UpgradeError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, 307, refused.StatusCode)
	})
	t.Run("no server", func(t *testing.T) {
		listener := newMemoryListener()
		require.NoError(t, listener.Close())
		client := &http.Client{Transport: &http.Transport{DialContext: listener.dial}}
		_, err := Dial(t.Context(), secret, Options{HTTPClient: client})
		assert.ErrorContains(t, err, "no WebSocket: use of closed network connection")
		assert.NotContains(t, err.Error(), "hunter2")
	})
	t.Run("out of time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := startHTTP(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := Dial(ctx, secret, Options{HTTPClient: client})
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	})
}

func TestHandshakeFailures(t *testing.T) {
	tests := []struct {
		name    string
		version int
		frames  []string
		want    string
		is      error
	}{
		{"no packet", 4, []string{""}, "not an Engine.IO open packet", ErrHandshake},
		{"another protocol", 4, []string{`{"hello":"world"}`}, "not an Engine.IO open packet", ErrHandshake},
		{"event first", 4, []string{`42["a"]`}, "not an Engine.IO open packet", ErrHandshake},
		{"open without JSON", 4, []string{`0`}, "not the JSON object", ErrHandshake},
		{"open with an array", 4, []string{`0[]`}, "not the JSON object", ErrHandshake},
		{"open with deep nesting", 4, []string{`0` + strings.Repeat("[", 1<<20)}, "not the JSON object", ErrHandshake},
		{"no interval", 4, []string{`0{"sid":"x","pingTimeout":1}`}, "pingInterval is 0 ms: want 1 ms to 24h0m0s", ErrHandshake},
		{"negative timeout", 4, []string{`0{"sid":"x","pingInterval":1,"pingTimeout":-1}`}, "pingTimeout is -1 ms", ErrHandshake},
		{"endless timeout", 4, []string{`0{"sid":"x","pingInterval":1,"pingTimeout":1e300}`}, "pingTimeout is 1e+300 ms", ErrHandshake},
		{"refused", 4, []string{openPacket, `44{"message":"not today","data":{}}`}, `refused the session: "not today"`, nil},
		{"refused without a reason", 4, []string{openPacket, `44`}, `refused the session: ""`, nil},
		{"refused by 2.x", 3, []string{openPacket, `44"not today"`}, `refused the session: "not today"`, nil},
		{"refused at length", 4, []string{openPacket, `44"` + strings.Repeat("x", 1<<16) + `"`}, `refused the session: "` + strings.Repeat("x", 200) + `"`, nil},
		{"disconnected", 4, []string{openPacket, `41`}, "ended the session", ErrServerDisconnect},
		{"closed", 4, []string{openPacket, `1`}, "ended the session", ErrServerDisconnect},
		{"2.x server", 4, []string{openPacket, `40`}, "asked for Engine.IO 4, but the server speaks 3", nil},
		{"4.x server that connects", 3, []string{openPacket, connectPacket}, "asked for Engine.IO 3, but the server speaks 4", nil},
		{"4.x server that pings", 3, []string{openPacket, `2`}, "asked for Engine.IO 3, but the server speaks 4", nil},
		{"gone after open", 4, []string{openPacket}, "the server closed the connection", nil},
		{"gone at once", 3, nil, "no Engine.IO open packet came (does the server speak Engine.IO 3?)", ErrHandshake},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client := startServer(t, func(p *peer) {
				go p.drain()
				p.send(test.frames...)
			})
			_, err := Dial(t.Context(), endpoint, Options{Version: test.version, HTTPClient: client})
			assert.ErrorContains(t, err, test.want)
			if test.is != nil {
				assert.ErrorIs(t, err, test.is)
			}
		})
	}
}

func TestHandshakeErrorsAreTyped(t *testing.T) {
	client := startServer(t, func(p *peer) {
		go p.drain()
		p.send(openPacket, `44{"message":"not today"}`)
	})
	_, err := Dial(t.Context(), endpoint, Options{HTTPClient: client})
	var refused *ConnectError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "not today", refused.Message)

	client = startServer(t, func(p *peer) {
		go p.drain()
		p.send(openPacket, `40`)
	})
	_, err = Dial(t.Context(), endpoint, Options{HTTPClient: client})
	var version *VersionError
	require.ErrorAs(t, err, &version)
	assert.Equal(t, VersionError{Wanted: 4, Got: 3}, *version)
}

func TestHandshakeTolerates(t *testing.T) {
	client := startServer(t, func(p *peer) {
		p.send(openPacket + "\r\n")
		p.expect(`40`)
		p.send(`6`, `3`, `40/admin,{"sid":"x"}`, `44/admin,{}`, `junk`, `2`)
		p.expect(`3`)
		p.send(connectPacket+"\n", `42["a"]`)
		p.drain()
	})
	var skipped skips
	c := open(t, client, Options{OnSkip: skipped.add})
	assert.Equal(t, "a", nextName(t, c))
	assert.Equal(t, skips{errNamespace, errNamespace, errUnknownPacket}, skipped)
}

// TestEngine3ClientWaits checks that the client sends no connect request in
// Engine.IO 3.
func TestEngine3ClientWaits(t *testing.T) {
	client := startServer(t, func(p *peer) {
		assert.Equal(t, "EIO=3&transport=websocket", p.request.URL.RawQuery)
		p.send(openPacket, `40`)
		p.expect(`42["first"]`)
		p.drain()
	})
	c := open(t, client, Options{Version: 3})
	assert.NoError(t, c.Emit(t.Context(), "first"))
}

// TestEarlyEvents sends events before the namespace is connected, as a server
// does when it recovers a connection.
func TestEarlyEvents(t *testing.T) {
	client := startServer(t, func(p *peer) {
		p.send(openPacket)
		p.expect("40")
		p.send(`42["one",1]`, `451-["two",{"_placeholder":true,"num":0}]`)
		p.sendBinary("2")
		p.send(`423["three"]`, connectPacket)
		p.expect(`433[]`)
		p.send(`42["four"]`)
		p.drain()
	})
	c := open(t, client, Options{})
	for _, want := range []string{`one 1`, `two "Mg=="`, `three `, `four `} {
		ev, err := c.Next()
		require.NoError(t, err)
		assert.Equal(t, want, fmt.Sprintf("%s %s", ev.Name, ev.Args))
	}
}

func TestEarlyEventsAreBounded(t *testing.T) {
	client := startServer(t, func(p *peer) {
		p.send(openPacket)
		p.expect("40")
		for range 1000 {
			p.send(`42["x"]`)
		}
		p.drain()
	})
	_, err := Dial(t.Context(), endpoint, Options{HTTPClient: client, ReadLimit: 10_000})
	assert.ErrorIs(t, err, ErrTooLarge)
	assert.ErrorContains(t, err, "more than 10000 bytes came before the session was connected")
}

func TestEarlyEventsAreNotDeliveredAfterClose(t *testing.T) {
	client := startServer(t, func(p *peer) {
		p.send(openPacket)
		p.expect("40")
		p.send(`42["early"]`, connectPacket)
		p.drain()
	})
	c := open(t, client, Options{})
	require.NoError(t, c.Close())
	_, err := c.Next()
	assert.ErrorIs(t, err, ErrClosed)
}

// TestDialIsBounded has the server fall silent at each step of the handshake.
func TestDialIsBounded(t *testing.T) {
	for _, frames := range [][]string{nil, {openPacket}, {openPacket, `42["early"]`}} {
		t.Run(fmt.Sprint(len(frames)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := startServer(t, func(p *peer) {
					p.send(frames...)
					p.drain()
				})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				_, err := Dial(ctx, endpoint, Options{HTTPClient: client})
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, "did not connect the session in time (does it speak Engine.IO 4?)")
				assert.Equal(t, 10*time.Second, time.Since(start))
			})
		})
	}
}

// TestDialAfterItsContext ends the context when the last packet of the handshake
// has already arrived.
func TestDialAfterItsContext(t *testing.T) {
	client := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		conn := upgrade(t, w, r)
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write(textFrame(openPacket))
		_, _ = conn.Read(make([]byte, 100)) // the connect request
		_, _ = conn.Write(append(textFrame(`junk`), textFrame(connectPacket)...))
		_, _ = conn.Read(make([]byte, 1))
	})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Dial(ctx, endpoint, Options{HTTPClient: client, OnSkip: func(Skip) { cancel() }})
	assert.ErrorIs(t, err, context.Canceled)
}

// TestDialWithoutDeadline is bounded by the server's own heartbeat settings.
func TestDialWithoutDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.send(openPacket)
			p.drain()
		})
		start := time.Now()
		_, err := Dial(context.Background(), endpoint, Options{HTTPClient: client})
		assert.ErrorIs(t, err, ErrTimeout)
		assert.Equal(t, 45*time.Second, time.Since(start))
	})
}

// TestContextBoundsDialOnly ends the context after Dial has returned.
func TestContextBoundsDialOnly(t *testing.T) {
	client := startServer(t, func(p *peer) {
		p.handshake()
		p.expect(`42["go"]`)
		p.send(`42["on"]`)
		p.drain()
	})
	ctx, cancel := context.WithCancel(t.Context())
	c, err := Dial(ctx, endpoint, Options{HTTPClient: client})
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	cancel()
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, "on", nextName(t, c))
}
