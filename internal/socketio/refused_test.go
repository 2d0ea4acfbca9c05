package socketio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestUpgradeRefusals has servers, caches and proxies answer the WebSocket request.
func TestUpgradeRefusals(t *testing.T) {
	for _, test := range []struct {
		status      int
		body        string
		want        string
		unsupported bool
	}{
		{400, `{"code":0,"message":"Transport unknown"}`, "the server has only HTTP long-polling, not WebSockets", true},
		{400, `Transport unknown`, "the server has only HTTP long-polling, not WebSockets", true},
		{400, `{"code":1,"message":"Session ID unknown"}`, `Engine.IO says "Session ID unknown"`, false},
		{400, `{"code":2,"message":"Bad handshake method"}`, `Engine.IO says "Bad handshake method"`, false},
		{400, `{"code":3,"message":"Bad request"}`, "may have removed the Upgrade header", false},
		{403, `{"code":4,"message":"Forbidden"}`, "the server's own rules forbid it", false},
		{403, `{"code":4,"message":"hunter2"}`, "the server's own rules forbid it", false},
		{400, `{"code":6,"message":"hunter2"}`, "HTTP 400 Bad Request: check the endpoint", false},
		{400, `{"code":-1}`, "HTTP 400 Bad Request: check the endpoint", false},
		{400, `{"code":"0"}`, "HTTP 400 Bad Request: check the endpoint", false},
		{400, `{"hunter2`, "HTTP 400 Bad Request: check the endpoint", false},
		{404, ``, "HTTP 404 Not Found: check the endpoint's host and path", false},
		{304, ``, "HTTP 304 Not Modified: a cache answered in place of the server", false},
		{308, ``, "redirects are not followed", false},
		{407, ``, "check user and password in the proxy's URL", false},
		{502, `hunter2`, "HTTP 502 Bad Gateway", false},
	} {
		t.Run(fmt.Sprint(test.status, test.body), func(t *testing.T) {
			client := startHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			_, err := Dial(t.Context(), endpoint, Options{HTTPClient: client})
			var refused *UpgradeError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, test.status, refused.StatusCode)
			assert.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Equal(t, test.unsupported, errors.Is(err, ErrUnsupported))
		})
	}
}

func TestRefusedVersion(t *testing.T) {
	const answer = `{"code":5,"message":"Unsupported protocol version"}`
	const plain = "Unsupported protocol version"
	for name, handler := range map[string]http.HandlerFunc{
		"as an answer": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, answer, http.StatusBadRequest) },
		// As socket.io 4.8 does it without allowEIO3.
		"after the upgrade": func(w http.ResponseWriter, r *http.Request) {
			conn := upgrade(t, w, r)
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\n"+
				fmt.Sprintf("Content-Length: %d\r\n\r\n", len(plain))+plain)
			_ = conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Dial(t.Context(), endpoint, Options{HTTPClient: startHTTP(t, handler), Version: 3})
			var version *VersionError
			require.ErrorAs(t, err, &version)
			assert.Equal(t, VersionError{Wanted: 3, Got: 4}, *version)
		})
	}
}

// TestNoFrames sends what is neither a frame nor an HTTP answer after the upgrade.
func TestNoFrames(t *testing.T) {
	for _, begin := range []string{"H", "HTTP/", "HTTP/1.1 400", "HTTQ", "\x88\x00", "\x88"} {
		client := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			conn := upgrade(t, w, r)
			_, _ = io.WriteString(conn, begin)
			_ = conn.Close()
		})
		_, err := Dial(t.Context(), endpoint, Options{HTTPClient: client})
		assert.ErrorIs(t, err, ErrHandshake, "%q", begin)
	}
}

// TestMsgpack has servers whose parser is not the default.
func TestMsgpack(t *testing.T) {
	t.Run("4", func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.send(openPacket)
			p.expect("40")
			_ = p.ws.Close(websocket.StatusNoStatusRcvd, "")
		})
		_, err := Dial(t.Context(), endpoint, Options{HTTPClient: client})
		assert.ErrorContains(t, err, "in answer to the request to connect the session (a server with another parser than the default")
	})
	t.Run("3", func(t *testing.T) {
		client := startServer(t, func(p *peer) {
			p.send(openPacket)
			p.sendBinary("\x04\x82\xa4type\x00\xa3nsp\xa1/")
			p.drain()
		})
		_, err := Dial(t.Context(), endpoint, Options{HTTPClient: client, Version: 3})
		assert.ErrorIs(t, err, ErrUnsupported)
		assert.ErrorContains(t, err, "msgpack")
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestHTTPClientsThatCant uses clients that can't open a WebSocket.
func TestHTTPClientsThatCant(t *testing.T) {
	proxy := func(status int) http.RoundTripper {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		return &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(server.URL) }}
	}
	for name, test := range map[string]struct {
		transport   http.RoundTripper
		want        string
		unsupported bool
	}{
		"wraps the body": {roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := canned{}.RoundTrip(r)
			resp.Body = io.NopCloser(resp.Body)
			return resp, err
		}), "wraps the body of the answer in a io.nopCloser", true},
		"http2.Transport": {roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, errors.New(`http2: invalid Upgrade request header: ["websocket"]`)
		}), "the HTTP client speaks HTTP/2 only", true},
		"answer by HTTP/2": {roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusNotFound, ProtoMajor: 2, Body: http.NoBody}, nil
		}), "the HTTP client speaks HTTP/2 only", true},
		"proxy credentials refused": {proxy(407), "the HTTP proxy refused to connect to the server: HTTP 407 Proxy Authentication Required: the proxy refuses its credentials", false},
		"proxy without a way":       {proxy(502), "the HTTP proxy refused to connect to the server: HTTP 502 Bad Gateway", false},
		"proxy's own status":        {proxy(599), "no WebSocket", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Dial(t.Context(), "https://user:hunter2@server.test/hunter2", Options{HTTPClient: &http.Client{Transport: test.transport}})
			assert.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Equal(t, test.unsupported, errors.Is(err, ErrUnsupported))
		})
	}
}

// TestErrorsAreShort has names and messages of a mebibyte, with control characters.
func TestErrorsAreShort(t *testing.T) {
	evil := strings.Repeat("\x1b[2J\r\n", 1<<18)
	letters := strings.Repeat("a", 1<<20)
	lookup := &http.Transport{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
	}}
	refusing := startServer(t, func(p *peer) {
		go p.drain()
		p.send(openPacket, `44{"message":`+fmt.Sprintf("%q", letters)+`}`)
	})
	for name, dial := range map[string]func() error{
		"host": func() error {
			_, err := Dial(t.Context(), "https://"+letters+".test/", Options{HTTPClient: &http.Client{Transport: lookup}})
			assert.ErrorContains(t, err, "no such host")
			return err
		},
		"scheme": func() error {
			_, err := Dial(t.Context(), letters+"://server.test/", Options{})
			return err
		},
		"refusal": func() error {
			_, err := Dial(t.Context(), endpoint, Options{HTTPClient: refusing})
			return err
		},
		"network": func() error {
			_, err := Dial(t.Context(), endpoint, Options{HTTPClient: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				return nil, errors.New(evil)
			})}})
			return err
		},
		"event": func() error { return &OversizeError{Event: evil} },
	} {
		t.Run(name, func(t *testing.T) {
			err := dial()
			require.Error(t, err)
			assert.Less(t, len(err.Error()), 1500)
			assert.NotContains(t, err.Error(), "\x1b")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// FuzzRefusal reads any body as an answer.
func FuzzRefusal(f *testing.F) {
	for _, body := range []string{`{"code":0}`, `{"code":5,"message":"x"}`, `Bad request`, `{"code":1e9}`, `null`, `{"code":null}`, ""} {
		f.Add([]byte(body), 400)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		err := refused(4, &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(string(body)))})
		require.Error(t, err)
		assert.Less(t, len(err.Error()), 500)
	})
}

// FuzzBrief cuts any text.
func FuzzBrief(f *testing.F) {
	f.Add("short")
	f.Add(strings.Repeat("é", 300))
	f.Add("\x1b[2J\xff\n")
	f.Fuzz(func(t *testing.T, text string) {
		short := brief(text)
		assert.LessOrEqual(t, len(short), 200*3)
		assert.NotContains(t, short, "\x1b")
		assert.NotContains(t, short, "\n")
	})
}
