package crisp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

const (
	testKey = "key-that-must-not-show"
	testAPI = "https://api.crisp.chat/v1/"
)

var testToken = crisp.PluginToken("plugin-id", testKey)

func TestAClientTellsItsTier(t *testing.T) {
	for _, token := range []crisp.Token{testToken, crisp.UserToken("id", testKey), crisp.WebsiteToken("w1", "id", testKey)} {
		client, err := crisp.New(token)
		require.NoError(t, err)
		assert.Equal(t, token.Tier, client.Tier())
	}
}

// mockedClient is a client whose calls end in a mock, without any network.
func mockedClient(t *testing.T, opts ...crisp.Option) (*crisp.Client, *httpmock.MockTransport) {
	t.Helper()
	mock := httpmock.NewMockTransport()
	opts = append([]crisp.Option{crisp.WithHTTPClient(&http.Client{Transport: mock})}, opts...)
	client, err := crisp.New(testToken, opts...)
	require.NoError(t, err)
	return client, mock
}

// servedClient is a client of a REST API on loopback.
func servedClient(t *testing.T, handler http.HandlerFunc, opts ...crisp.Option) *crisp.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client, err := crisp.New(testToken, append([]crisp.Option{crisp.WithBaseURL(server.URL + "/v1")}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func answer(status int, body string) httpmock.Responder {
	return httpmock.NewStringResponder(status, body)
}

func TestNewRefusesAnIncompleteToken(t *testing.T) {
	for name, token := range map[string]crisp.Token{
		"none":                        {},
		"unknown tier":                {Tier: "operator", Identifier: "id", Key: testKey},
		"no identifier":               crisp.PluginToken("", testKey),
		"colon in the identifier":     crisp.UserToken("a:b", testKey),
		"no key":                      crisp.UserToken("id", ""),
		"website tier without its id": crisp.WebsiteToken("", "id", testKey),
		"website tier by hand":        {Tier: crisp.TierWebsite, Identifier: "id", Key: testKey},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := crisp.New(token)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), testKey)
		})
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	for name, opt := range map[string]crisp.Option{
		"nil HTTP client":           crisp.WithHTTPClient(nil),
		"nil logger":                crisp.WithLogger(nil),
		"empty user agent":          crisp.WithUserAgent(" "),
		"user agent with line feed": crisp.WithUserAgent("mybot\r\nX-Evil: 1"),
		"user agent in UTF-8":       crisp.WithUserAgent("mybøt"),
		"empty base":                crisp.WithBaseURL(""),
		"base that is no URL":       crisp.WithBaseURL("https://api.crisp.chat:port/"),
		"relative base":             crisp.WithBaseURL("/v1/"),
		"base without scheme":       crisp.WithBaseURL("api.crisp.chat/v1"),
		"base without host":         crisp.WithBaseURL("https:///v1/"),
		"base with a query":         crisp.WithBaseURL("https://api.crisp.chat/v1/?a=b"),
		"base with an empty query":  crisp.WithBaseURL("https://api.crisp.chat/v1/?"),
		"base with a fragment":      crisp.WithBaseURL("https://api.crisp.chat/v1/#a"),
		"base with credentials":     crisp.WithBaseURL("https://id:" + testKey + "@api.crisp.chat/v1/"),
		"base with a wrong scheme":  crisp.WithBaseURL("ftp://api.crisp.chat/v1/"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := crisp.New(testToken, opt)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), testKey)
		})
	}
}

func TestBaseURLWithoutTLSIsForLoopbackOnly(t *testing.T) {
	for _, base := range []string{
		"http://localhost/v1", "http://LOCALHOST:8080/", "http://127.0.0.1:1/v1/", "http://127.8.9.1", "http://[::1]:80/",
	} {
		_, err := crisp.New(testToken, crisp.WithBaseURL(base))
		assert.NoError(t, err, base)
	}
	for _, base := range []string{
		"http://api.crisp.chat/v1/", "http://10.0.0.1/", "http://0.0.0.0/", "http://localhost.example/",
		"http://127.0.0.1.example/", "http://[2001:db8::1]/",
	} {
		_, err := crisp.New(testToken, crisp.WithBaseURL(base))
		assert.ErrorIs(t, err, crisp.ErrInsecure, base)
	}
}

func TestNewDoesNotTouchTheCallersHTTPClientAndOptions(t *testing.T) {
	own := &http.Client{Timeout: time.Minute}
	before := *own
	opts := make([]crisp.Option, 1, 8)
	opts[0] = crisp.WithHTTPClient(own)
	_, err := crisp.New(testToken, opts...)
	require.NoError(t, err)
	assert.Equal(t, before.Timeout, own.Timeout)
	assert.Nil(t, own.CheckRedirect)
	assert.Nil(t, opts[:8][1])
}

func TestPrintingAClientKeepsTheKey(t *testing.T) {
	client, err := crisp.New(testToken)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		for _, printed := range []string{fmt.Sprintf(verb, client), fmt.Sprintf(verb, *client)} {
			assert.NotContains(t, printed, testKey, verb)
			assert.NotContains(t, printed, fmt.Sprintf("%x", testKey), verb)
		}
	}
}

func TestDoSendsWhatCrispWants(t *testing.T) {
	var got *http.Request
	var body []byte
	client, mock := mockedClient(t, crisp.WithUserAgent("mybot/2.1"))
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		got, body = r, nil
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		return httpmock.NewStringResponse(200, `{"error":false,"reason":"ok","data":{}}`), nil
	})

	t.Run("with a body", func(t *testing.T) {
		in := map[string]any{"state": "resolved"}
		require.NoError(t, client.Do(t.Context(), "PATCH", "website/w/conversation/s/state", in, nil))
		assert.Equal(t, "PATCH", got.Method)
		assert.Equal(t, testAPI+"website/w/conversation/s/state", got.URL.String())
		identifier, key, ok := got.BasicAuth()
		assert.True(t, ok)
		assert.Equal(t, "plugin-id", identifier)
		assert.Equal(t, testKey, key)
		assert.Equal(t, "plugin", got.Header.Get("X-Crisp-Tier"))
		assert.Equal(t, "mybot/2.1 crisp-go/"+crisp.Version, got.Header.Get("User-Agent"))
		assert.Equal(t, "application/json", got.Header.Get("Accept"))
		assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
		assert.JSONEq(t, `{"state":"resolved"}`, string(body))
	})
	t.Run("without a body", func(t *testing.T) {
		require.NoError(t, client.Do(t.Context(), "GET", "/website/w/conversations/1?per_page=20", nil, nil))
		assert.Equal(t, testAPI+"website/w/conversations/1?per_page=20", got.URL.String())
		assert.Empty(t, got.Header.Get("Content-Type"))
		assert.Empty(t, body)
	})
	t.Run("escaped elements stay so", func(t *testing.T) {
		require.NoError(t, client.Do(t.Context(), "GET", "website/w/people/profile/a%2Fb%40c", nil, nil))
		assert.Equal(t, testAPI+"website/w/people/profile/a%2Fb%40c", got.URL.String())
	})
	t.Run("any JSON value", func(t *testing.T) {
		require.NoError(t, client.Do(t.Context(), "POST", "x", json.RawMessage(`[1, null]`), nil))
		assert.JSONEq(t, `[1,null]`, string(body))
	})
}

func TestBaseURLIsKeptWholeBelowTheRoutes(t *testing.T) {
	for _, base := range []string{"https://proxy.example:8443/crisp/v1", "https://proxy.example:8443/crisp/v1/"} {
		client, mock := mockedClient(t, crisp.WithBaseURL(base))
		mock.RegisterResponder("GET", "https://proxy.example:8443/crisp/v1/a/b", answer(200, `{"data":{}}`))
		assert.NoError(t, client.Do(t.Context(), "GET", "/a/b", nil, nil))
	}
}

func TestDoRefusesBeforeTheNetwork(t *testing.T) {
	var nilOut *struct{}
	for name, tt := range map[string]struct {
		method, path string
		in, out      any
		says         string
	}{
		"no method":             {path: "a", says: "method"},
		"impossible method":     {method: "G ET", path: "a", says: "method"},
		"absolute URL":          {method: "GET", path: "https://evil.example/a", says: "relative"},
		"other host":            {method: "GET", path: "//evil.example/a", says: "empty element"},
		"empty path":            {method: "GET", path: "", says: "empty element"},
		"query alone":           {method: "GET", path: "?a=b", says: "empty element"},
		"missing identifier":    {method: "GET", path: "website//conversations/1", says: "empty element"},
		"missing identifier 2":  {method: "DELETE", path: "website/w/conversation/", says: "empty element"},
		"dots":                  {method: "GET", path: "website/../../admin", says: "dot element"},
		"escaped dots":          {method: "GET", path: "website/%2e%2E/a", says: "dot element"},
		"dots and escaped /":    {method: "GET", path: "website/..%2F../a", says: "dot element"},
		"dot":                   {method: "GET", path: "./a", says: "dot element"},
		"space":                 {method: "GET", path: "website/a b", says: "escaped"},
		"space in the query":    {method: "GET", path: "website/a?q=a b", says: "escaped"},
		"line feed":             {method: "GET", path: "website/a\r\nHost: evil", says: "escaped"},
		"fragment":              {method: "GET", path: "website/a#b", says: "escaped"},
		"backslash":             {method: "GET", path: `website\..\a`, says: "escaped"},
		"not ASCII":             {method: "GET", path: "website/é", says: "escaped"},
		"bad escape":            {method: "GET", path: "website/%zz", says: "escape"},
		"body that is no JSON":  {method: "POST", path: "a", in: make(chan int), says: "JSON"},
		"out is a value":        {method: "GET", path: "a", out: struct{}{}, says: "pointer"},
		"out is a nil pointer":  {method: "GET", path: "a", out: nilOut, says: "pointer"},
		"out is a slice, a map": {method: "GET", path: "a", out: map[string]any{}, says: "pointer"},
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(200, `{"data":{}}`))
			err := client.Do(t.Context(), tt.method, tt.path, tt.in, tt.out)
			require.ErrorContains(t, err, tt.says)
			assert.Zero(t, mock.GetTotalCallCount())
		})
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	t.Run("cancelled", func(t *testing.T) {
		client := servedClient(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, client.Do(ctx, "GET", "a", nil, nil), context.Canceled)
	})
	t.Run("default timeout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			start := time.Now()
			require.ErrorIs(t, client.Do(context.Background(), "GET", "a", nil, nil), context.DeadlineExceeded)
			assert.Equal(t, 30*time.Second, time.Since(start))
		})
	})
	t.Run("the caller's deadline counts, also if it is later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			start := time.Now()
			require.ErrorIs(t, client.Do(ctx, "GET", "a", nil, nil), context.DeadlineExceeded)
			assert.Equal(t, time.Hour, time.Since(start))
		})
	})
	t.Run("while the answer is read", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		client := servedClient(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"data":`)
			_ = http.NewResponseController(w).Flush()
			cancel()
			<-r.Context().Done()
		})
		require.ErrorIs(t, client.Do(ctx, "GET", "a", nil, nil), context.Canceled)
	})
}

func TestNoCredentialsFollowARedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{elsewhere.URL + "/a", "/v1/other"} {
			client := servedClient(t, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "/v1/a", r.URL.Path)
				http.Redirect(w, r, target, status)
			})
			err := client.Do(t.Context(), "POST", "a", 1, nil)
			var apiErr *crisp.APIError
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, status, apiErr.StatusCode)
			assert.ErrorContains(t, err, "redirects are not followed")
		}
	}
}

func TestNetworkErrorsTellMethodAndRouteAndNoSecret(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	client, err := crisp.New(testToken, crisp.WithBaseURL(server.URL))
	require.NoError(t, err)
	err = client.Do(t.Context(), "DELETE", "website/w/conversations/1?search_query=private", nil, nil)
	require.ErrorContains(t, err, "crisp: DELETE website/w/conversations/1: ")
	assert.NotContains(t, err.Error(), "private")
	assert.NotContains(t, err.Error(), testKey)
	assert.ErrorContains(t, err, "connection refused")
}

func TestAnAnswerCutShortIsAnError(t *testing.T) {
	client := servedClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"data":{}}`)
	})
	err := client.Do(t.Context(), "POST", "a", nil, nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.ErrorContains(t, err, "crisp: POST a: reading the answer")
}

func TestLoggerGetsCallsWithoutSecretsAndPayloads(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client, mock := mockedClient(t, crisp.WithLogger(logger))
	mock.RegisterNoResponder(answer(200, `{"data":{"content":"private-answer"}}`))
	require.NoError(t, client.Do(t.Context(), "POST", "a/b?q=private-query", map[string]string{"content": "private-body"}, nil))
	assert.Contains(t, out.String(), `"method":"POST","route":"a/b","status":200`)
	assert.NotContains(t, out.String(), "private")
	assert.NotContains(t, out.String(), testKey)
}

func TestClientsAreIndependentAndSafeForConcurrentUse(t *testing.T) {
	var clients []*crisp.Client
	for i := range 4 {
		clients = append(clients, servedClient(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"error":false,"reason":"ok","data":{"server":%d,"path":%q}}`, i, r.URL.Path)
		}))
	}
	t.Run("group", func(t *testing.T) {
		for i, client := range clients {
			for j := range 8 {
				t.Run(fmt.Sprint(i, j), func(t *testing.T) {
					t.Parallel()
					var out struct {
						Server int
						Path   string
					}
					require.NoError(t, client.Do(t.Context(), "GET", fmt.Sprint("a/", j), nil, &out))
					assert.Equal(t, i, out.Server)
					assert.Equal(t, fmt.Sprint("/v1/a/", j), out.Path)
				})
			}
		}
	})
}

func TestDefaultUserAgentNamesTheVersion(t *testing.T) {
	client := servedClient(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "crisp-go/"+crisp.Version, r.UserAgent())
		_, _ = io.WriteString(w, `{}`)
	})
	require.NoError(t, client.Do(t.Context(), "GET", "a", nil, nil))
	assert.Len(t, strings.Split(crisp.Version, "."), 3)
}

// mutable is a network whose connections may fall silent: nothing that the peer
// sends arrives any more, and nothing tells of it.
type mutable struct {
	mu    sync.Mutex
	conns []*mutableConn
}

type mutableConn struct {
	net.Conn
	mute, closed chan struct{}
	once         sync.Once
}

func (m *mutable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &mutableConn{Conn: conn, mute: make(chan struct{}), closed: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
	return c, nil
}

// fallSilent concerns the connections that there are.
func (m *mutable) fallSilent() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		close(c.mute)
	}
	m.conns = nil
}

func (c *mutableConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.mute:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *mutableConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// Over HTTP/2 all calls share a connection. When that dies in silence, with the
// RTM session's say, calls that fail for it don't end it: without pings no client
// could reconnect until the kernel gives up, a quarter of an hour later.
func TestAnHTTP2ConnectionThatFallsSilentIsGivenUp(t *testing.T) {
	var protocols sync.Map
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols.Store(r.Proto, true)
		_, _ = io.WriteString(w, `{"error":false,"reason":"resolved","data":{"socket":{"app":"https://rtm.example/"}}}`)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	network, defaults := new(mutable), crisp.NewHTTPClient()
	transport, ok := defaults.Transport.(*http.Transport)
	require.True(t, ok)
	assert.LessOrEqual(t, transport.HTTP2.SendPingTimeout+transport.HTTP2.PingTimeout, crisp.DefaultConnectTimeout,
		"the first attempt to reconnect that fails for it is the last")
	transport.DialContext = network.dial
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: transport.HTTP2.SendPingTimeout / 100, PingTimeout: transport.HTTP2.PingTimeout / 100}
	client, err := crisp.New(testToken, crisp.WithBaseURL(server.URL), crisp.WithHTTPClient(defaults))
	require.NoError(t, err)
	defer client.CloseIdleConnections()

	_, err = client.ConnectEndpoints(t.Context())
	require.NoError(t, err)
	network.fallSilent()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := client.ConnectEndpoints(ctx)
		return err == nil
	}, 10*time.Second, time.Millisecond, "the next attempts use a new connection")
	_, http2 := protocols.Load("HTTP/2.0")
	assert.True(t, http2)
}
