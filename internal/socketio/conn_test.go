package socketio

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestSession(t *testing.T) {
	client := startServer(t, func(p *peer) {
		assert.Equal(t, "/some/path/", p.request.URL.Path)
		assert.Equal(t, "EIO=4&transport=websocket", p.request.URL.RawQuery)
		assert.Equal(t, "crisp-go/1", p.request.UserAgent())
		p.handshake()
		p.expect(`42["authentication",{"tier":"plugin"}]`)
		p.send(`42["authenticated",true]`, `42["message:send",{"a":1},"offset"]`, `42["session:removed"]`, `41`)
		p.drain()
	})
	c := open(t, client, Options{Header: http.Header{"User-Agent": {"crisp-go/1"}}})
	assert.Equal(t, Handshake{SID: "engine", PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, MaxPayload: 1000}, c.Handshake())
	require.NoError(t, c.Emit(t.Context(), "authentication", map[string]string{"tier": "plugin"}))

	ev, err := c.Next()
	require.NoError(t, err)
	assert.Equal(t, "authenticated", string(ev.Name))
	assert.Equal(t, "true", string(ev.Arg()))
	ev, err = c.Next()
	require.NoError(t, err)
	assert.Equal(t, "message:send", string(ev.Name))
	assert.Equal(t, `{"a":1},"offset"`, string(ev.Args))
	assert.Equal(t, `{"a":1}`, string(ev.Arg()))
	ev, err = c.Next()
	require.NoError(t, err)
	assert.Equal(t, "session:removed", string(ev.Name))
	assert.Nil(t, ev.Args)
	_, err = c.Next()
	assert.ErrorIs(t, err, ErrServerDisconnect)
}

func TestEndIsFinal(t *testing.T) {
	tests := []struct {
		name  string
		frame string // from the server
		end   func(*Conn)
		want  error
	}{
		{"disconnect packet", `41`, func(*Conn) {}, ErrServerDisconnect},
		{"close packet", `1`, func(*Conn) {}, ErrServerDisconnect},
		{"owner", `6`, func(c *Conn) { _ = c.Close() }, ErrClosed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client := startServer(t, func(p *peer) {
				p.handshake()
				p.send(test.frame)
				p.drain()
			})
			c := open(t, client, Options{})
			test.end(c)
			for range 2 {
				_, err := c.Next()
				assert.ErrorIs(t, err, test.want)
			}
			assert.ErrorIs(t, c.Emit(t.Context(), "late"), test.want)
			assert.NoError(t, c.Close())
			_, err := c.Next()
			assert.ErrorIs(t, err, test.want, "the first reason counts")
		})
	}
}

func TestServerClosesConnection(t *testing.T) {
	t.Run("with a close frame", func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.handshake()
			p.send(`42["last"]`)
			_ = p.ws.Close(websocket.StatusGoingAway, "restart")
		})
		c := open(t, client, Options{})
		assert.Equal(t, "last", nextName(t, c))
		_, err := c.Next()
		assert.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
		assert.ErrorContains(t, err, "the server closed the WebSocket")
	})
	t.Run("without", func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.handshake()
			p.send(`42["last"]`)
		})
		c := open(t, client, Options{})
		assert.Equal(t, "last", nextName(t, c))
		_, err := c.Next()
		assert.ErrorContains(t, err, "the server closed the connection")
	})
}

// TestSkips sends one unusable frame after the other, each followed by an event
// that must arrive all the same.
func TestSkips(t *testing.T) {
	tests := []struct {
		frame string
		want  []error
	}{
		{"", []error{errEmptyPacket}},
		{"\n", []error{errEmptyPacket}},
		{"\xff\xfe", []error{errUnknownPacket}},
		{"9", []error{errUnknownPacket}},
		{"4", []error{errUnknownPacket}},
		{"48", []error{errUnknownPacket}},
		{openPacket, []error{errUnexpected}},
		{"3", nil},
		{"5", []error{errUnexpected}},
		{"6", nil},
		{connectPacket, []error{errUnexpected}},
		{"41/admin,", []error{errNamespace}},
		{`42/admin,["a",1]`, []error{errNamespace}},
		{`42`, []error{errEventSyntax}},
		{`42null`, []error{errEventSyntax}},
		{`42{"a":1}`, []error{errEventSyntax}},
		{`42["a",1`, []error{errEventSyntax}},
		{`42[]`, []error{errEventName}},
		{`42[1,2]`, []error{errEventName}},
		{`42[null]`, []error{errEventName}},
		{`42["a\u00zz"]`, []error{errEventName}},
		{`42-1["a"]`, []error{errEventSyntax}},
		{`431["a"]`, []error{errUnaskedAck}},
		{`43/admin,1["a"]`, []error{errNamespace}},
		{`44{"message":"too late"}`, []error{errUnexpected}},
		{`44/admin,{"message":"no"}`, []error{errNamespace}},
		{`459999999999-["x",1]`, []error{errAttachmentCount}},
		{`4518446744073709551615-["x",1]`, []error{errAttachmentCount}},
		{`45["x"]`, []error{errAttachmentCount}},
		{`450-["x",{"_placeholder":true,"num":0}]`, []error{errPlaceholder}},
		{`460-1[]`, []error{errUnaskedAck}},
		{`460-/admin,1[]`, []error{errNamespace}},
		{`452-["x",{"_placeholder":true,"num":0}]`, []error{errAttachmentLost}},
		{strings.Repeat("[", 1<<16), []error{errUnknownPacket}},
		{"42" + strings.Repeat("[", 1<<16), []error{errEventSyntax}},
		{"42" + strings.Repeat("9", 1<<16), []error{errEventSyntax}},
	}
	for _, version := range []int{3, 4} {
		client := startServer(t, func(p *peer) {
			p.handshakeVersion(version)
			for _, test := range tests {
				p.send(test.frame, `42["after"]`)
			}
			p.drain()
		})
		var skipped skips
		c := open(t, client, Options{Version: version, OnSkip: skipped.add})
		for _, test := range tests {
			skipped = nil
			assert.Equal(t, "after", nextName(t, c))
			assert.Equal(t, skips(test.want), skipped, "%.40q", test.frame)
		}
	}
}

func TestAcknowledgements(t *testing.T) {
	client := startServer(t, func(p *peer) {
		p.handshake()
		for _, id := range []string{"0", "17", "18446744073709551615"} {
			p.send("42" + id + `["please",1]`)
			p.expect("43" + id + "[]")
		}
		p.send(`42` + strings.Repeat("9", 1000) + `["please",1]`)
		p.send(`425[1]`) // no event, no acknowledgement
		p.send(`451-8["please",{"_placeholder":true,"num":0}]`)
		p.sendBinary("x")
		p.expect("438[]")
		p.send(`41`)
		p.drain()
	})
	var skipped skips
	c := open(t, client, Options{OnSkip: skipped.add})
	for range 5 {
		assert.Equal(t, "please", nextName(t, c))
	}
	_, err := c.Next()
	assert.ErrorIs(t, err, ErrServerDisconnect)
	assert.Equal(t, skips{errAckID, errEventName}, skipped)
}

func TestEmit(t *testing.T) {
	tests := []struct {
		name string
		args []any
		want string
	}{
		{"socket:bind", nil, `42["socket:bind"]`},
		{"socket:bind", []any{struct{}{}}, `42["socket:bind",{}]`},
		{"socket:bind", []any{"", 1.5, nil, []string{"é"}}, `42["socket:bind","",1.5,null,["é"]]`},
		{`odd "name"`, nil, `42["odd \"name\""]`},
	}
	client := startServer(t, func(p *peer) {
		p.handshake()
		for _, test := range tests {
			p.expect(test.want)
		}
		p.drain()
	})
	c := open(t, client, Options{})
	for _, test := range tests {
		require.NoError(t, c.Emit(t.Context(), test.name, test.args...))
	}
}

func TestEmitRefuses(t *testing.T) {
	client := startServer(t, func(p *peer) {
		p.handshake() // maxPayload is 1000
		p.expect(`42["x","` + strings.Repeat("a", 1000-len(`42["x",""]`)) + `"]`)
		p.drain()
	})
	c := open(t, client, Options{})

	err := c.Emit(t.Context(), "x", make(chan int))
	assert.ErrorContains(t, err, `event "x", argument 0: json: unsupported type`)

	err = c.Emit(t.Context(), "x", strings.Repeat("a", 1001-len(`42["x",""]`)))
	assert.ErrorIs(t, err, ErrTooLarge)
	assert.ErrorContains(t, err, `event "x" takes 1001 bytes, the server accepts 1000`)

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, c.Emit(canceled, "x"), context.Canceled)

	assert.NoError(t, c.Emit(t.Context(), "x", strings.Repeat("a", 1000-len(`42["x",""]`))), "none of them ended the connection")
}

func TestEmitConcurrently(t *testing.T) {
	const writers, each = 8, 50
	client := startServer(t, func(p *peer) {
		p.handshake()
		for range writers * each {
			assert.Regexp(t, `^42\["n",\d+\]$`, p.receive())
		}
		p.send(`42["done"]`)
		p.drain()
	})
	c := open(t, client, Options{})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for n := range each {
				assert.NoError(t, c.Emit(t.Context(), "n", n))
			}
		})
	}
	assert.Equal(t, "done", nextName(t, c))
	wg.Wait()
}

// stuck starts a server that reads nothing after the handshake.
func stuck(t *testing.T) *http.Client {
	stop := make(chan struct{})
	client := startServer(t, func(p *peer) {
		p.handshake()
		<-stop
	})
	t.Cleanup(func() { close(stop) })
	return client
}

// TestEmitCutOff ends the context of an Emit in the middle of its frame.
func TestEmitCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, stuck(t), Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var waiting sync.WaitGroup
		waiting.Go(func() {
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			assert.ErrorIs(t, c.Emit(ctx, "waits"), context.DeadlineExceeded)
			assert.NoError(t, c.err(), "an Emit that only waited for its turn doesn't end the connection")
		})
		assert.ErrorIs(t, c.Emit(ctx, "stuck"), context.DeadlineExceeded)
		_, err := c.Next()
		assert.ErrorIs(t, err, ErrTimeout)
		assert.NotErrorIs(t, err, context.DeadlineExceeded, "Next doesn't return the error of Emit's context")
		waiting.Wait()
	})
}

// TestCloseIsImmediate closes a connection whose reader waits for the network
// and whose writer is stuck in it. No virtual time may pass.
func TestCloseIsImmediate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, stuck(t), Options{})
		var waiting sync.WaitGroup
		waiting.Go(func() { assert.ErrorIs(t, c.Emit(context.Background(), "stuck"), ErrClosed) })
		waiting.Go(func() { assert.ErrorIs(t, c.Emit(context.Background(), "waits"), ErrClosed) })
		closeWhileReading(t, c)
		waiting.Wait()
	})
}

// TestCloseIsImmediateWithTLS is about the alert that properly ends a TLS
// connection: it takes five seconds if the peer doesn't read.
func TestCloseIsImmediateWithTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		server := httptest.NewUnstartedServer(serve(t, func(p *peer) {
			p.handshake()
			<-stop
		}))
		listener := newMemoryListener()
		require.NoError(t, server.Listener.Close())
		server.Listener = listener
		server.StartTLS()
		defer server.Close()
		defer close(stop)
		client := server.Client()
		transport := client.Transport.(*http.Transport)
		transport.DialContext = listener.dial
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}

		c, err := Dial(t.Context(), "https://server.test/some/path/", Options{HTTPClient: client})
		require.NoError(t, err)
		closeWhileReading(t, c)
	})
}

// untraced is a transport that doesn't report which connection it uses.
type untraced struct{ http.RoundTripper }

func (u untraced) RoundTrip(r *http.Request) (*http.Response, error) {
	return u.RoundTripper.RoundTrip(r.WithContext(context.Background()))
}

func TestCloseIsImmediateWithAnyTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := stuck(t)
		client.Transport = untraced{client.Transport}
		closeWhileReading(t, open(t, client, Options{}))
	})
}

func closeWhileReading(t *testing.T, c *Conn) {
	t.Helper()
	var reading sync.WaitGroup
	reading.Go(func() {
		_, err := c.Next()
		assert.ErrorIs(t, err, ErrClosed)
	})
	synctest.Wait()
	start := time.Now()
	assert.NoError(t, c.Close())
	reading.Wait()
	assert.Zero(t, time.Since(start))
}

func TestReadLimit(t *testing.T) {
	const limit = 1 << 20
	event := func(size int) string {
		const around = len(`42["a",""]`)
		return `42["a","` + strings.Repeat("x", size-around) + `"]`
	}
	client := startServer(t, func(p *peer) {
		p.handshake()
		p.send(event(limit), event(limit+1))
		p.drain()
	})
	c := open(t, client, Options{ReadLimit: limit})
	ev, err := c.Next()
	require.NoError(t, err)
	assert.Len(t, ev.Args, limit-len(`42["a",]`))
	_, err = c.Next()
	assert.ErrorIs(t, err, ErrTooLarge)
	assert.ErrorContains(t, err, "more than 1048576 bytes from the server")
}

// TestReadBufferIsGivenBack checks that the memory of a rare large message isn't
// held for as long as the connection lasts.
func TestReadBufferIsGivenBack(t *testing.T) {
	var buf readBuffer
	read := func(size int) {
		buf.reset()
		for buf.size < size {
			buf.size += min(len(buf.free()), size-buf.size)
		}
	}
	read(1 << 20)
	require.Len(t, buf.bytes, 1<<20)
	for range smallRun {
		read(100)
		require.Len(t, buf.bytes, 1<<20)
	}
	read(100)
	assert.Len(t, buf.bytes, initialBuffer)

	for range 10 * smallRun {
		read(1 << 20)
		read(100)
	}
	assert.Len(t, buf.bytes, 1<<20, "needed often enough to be kept")
}

func TestLastHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.handshake()
			time.Sleep(7 * time.Second)
			p.send(`42["a"]`)
			p.drain()
		})
		c := open(t, client, Options{})
		start := time.Now()
		assert.Equal(t, start, c.LastHeard().Round(0))
		nextName(t, c)
		time.Sleep(5 * time.Second)
		assert.WithinDuration(t, start.Add(7*time.Second), c.LastHeard(), time.Microsecond)
	})
}

// TestIdle asks while nobody calls Next, and while Next waits.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.handshake()
			p.send(`42["one"]`)
			p.drain()
		})
		c := open(t, client, Options{})
		_, idle := c.Idle()
		assert.False(t, idle, "nobody reads")

		var reading sync.WaitGroup
		reading.Go(func() {
			assert.Equal(t, "one", nextName(t, c))
			_, err := c.Next()
			assert.ErrorIs(t, err, ErrClosed)
		})
		synctest.Wait()
		heard, idle := c.Idle()
		assert.True(t, idle)
		assert.Equal(t, c.LastHeard(), heard)
		require.NoError(t, c.Close())
		reading.Wait()
	})
}
