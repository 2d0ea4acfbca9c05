package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// TestRTMEndsWhereNothingCanChange has servers and HTTP clients that no connection
// can be made with, however often it is tried.
func TestRTMEndsWhereNothingCanChange(t *testing.T) {
	refusal := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, ProtoMajor: 1, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
	}
	for name, test := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		says   string // "" = it is tried again
	}{
		"polling only":      {refusal(400, `{"code":0,"message":"Transport unknown"}`), "only HTTP long-polling"},
		"other version":     {refusal(400, `{"code":5,"message":"Unsupported protocol version"}`), "asked for Engine.IO 4, but the server speaks 3"},
		"no Upgrade header": {refusal(400, `{"code":3,"message":"Bad request"}`), "may have removed the Upgrade header"},
		"a gateway's 400":   {refusal(400, `<html>`), ""},
		"a gateway's 502":   {refusal(502, ``), ""},
		"a cache":           {refusal(304, ``), ""},
		"proxy credentials": {refusal(407, ``), ""},
		"HTTP/2 only": {func(*http.Request) (*http.Response, error) {
			return nil, errors.New(`http2: invalid Upgrade request header: ["websocket"]`)
		}, "HTTP/2 only"},
		"network is unknown": {func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, _ := texts()
				rtm := runClient(t, rtmVia(t, srv, test.answer), router)
				if test.says == "" {
					pass(time.Hour)
					assert.NotEqual(t, crisp.StateClosed, rtm.State())
					return
				}
				assert.ErrorContains(t, rtm.ending(t), test.says)
			})
		})
	}
}

// TestRTMSubscriptionOverTheServersLimit names more rooms than fit into what the
// server accepts. Nothing of it is sent.
func TestRTMSubscriptionOverTheServersLimit(t *testing.T) {
	rooms := make([]string, 30_000)
	for i := range rooms {
		rooms[i] = fmt.Sprintf("8c842203-7ed8-4e29-a608-%012d", i)
	}
	t.Run("at first", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			router, _ := texts()
			err := run(t, srv, router, crisp.WithFilter(crisp.Filter{Rooms: rooms})).ending(t)
			assert.ErrorIs(t, err, crisp.ErrTooLarge)
			assert.ErrorContains(t, err, "but the server accepts 1000000: name fewer Events, Rooms or Inboxes")
			assert.NotContains(t, err.Error(), "WithReadLimit")
			assert.NotContains(t, err.Error(), "refused credentials")
			synctest.Wait() // the server notices the end by itself
			assert.Empty(t, srv.Sessions())
		})
	})
	t.Run("by Bind", func(t *testing.T) {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			router, got := texts()
			rtm := run(t, srv, router)
			authenticated(t, srv)
			err := rtm.Bind(t.Context(), crisp.Filter{Rooms: rooms})
			assert.ErrorIs(t, err, crisp.ErrTooLarge)
			assert.ErrorContains(t, err, "but the server accepts 1000000")
			srv.DropConnections()
			synctest.Wait()
			authenticated(t, srv)
			emit(srv, "session_a", 0, 1)
			synctest.Wait()
			assert.Equal(t, numbers(0, 1), got.List(), "the filter before it stays")
		})
	})
}

// TestTheUpgradeNamesTheProgram looks at the header of the WebSocket request.
func TestTheUpgradeNamesTheProgram(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router, _ := texts()
		runClient(t, srv.Client(crisp.WithUserAgent("mybot/2.1")), router)
		authenticated(t, srv)
		assert.Equal(t, "mybot/2.1 crisp-go/"+crisp.Version, srv.Sessions()[0].Header.Get("User-Agent"))
	})
}

// TestAFailedAuthenticationClosesTheConnection looks for connections that are left
// open, by a server that leaves that to the client.
func TestAFailedAuthenticationClosesTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		closed := 0
		client := rtmVia(t, srv, func(r *http.Request) (*http.Response, error) {
			resp, err := srv.HTTPClient().Transport.RoundTrip(r)
			if err == nil {
				resp.Body = &countingCloser{resp.Body.(io.ReadWriteCloser), &closed}
			}
			return resp, err
		})
		srv.RejectAuth()
		router, _ := texts()
		require.ErrorIs(t, runClient(t, client, router).ending(t), crisp.ErrUnauthorized)
		assert.Equal(t, 1, closed)
	})
}

type countingCloser struct {
	io.ReadWriteCloser
	closed *int
}

func (c *countingCloser) Close() error {
	*c.closed++
	return c.ReadWriteCloser.Close()
}

// TestAServersMessageIsCut has the server explain its refusal at length.
func TestAServersMessageIsCut(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.RejectAuth(strings.Repeat("\x1b[2J\n", 100_000))
		router, _ := texts()
		err := run(t, srv, router).ending(t)
		require.ErrorIs(t, err, crisp.ErrUnauthorized)
		assert.ErrorContains(t, err, `the server says "\x1b[2J`)
		assert.Less(t, len(err.Error()), 1500)
		assert.NotContains(t, err.Error(), "\x1b")
	})
}

// TestErrorsKeepTheEndpointsPathSecret makes the connection fail at each step. An
// endpoint's path is as good as a key.
func TestErrorsKeepTheEndpointsPathSecret(t *testing.T) {
	for name, fault := range map[string]func(*crisptest.Server){
		"refused":         func(srv *crisptest.Server) { srv.RefuseUpgrade(404, 1000) },
		"hung up":         func(srv *crisptest.Server) { srv.HangUp(1000) },
		"unauthorized":    func(srv *crisptest.Server) { srv.RejectAuth() },
		"silent":          func(srv *crisptest.Server) { srv.IgnoreAuth(1000) },
		"nothing listens": func(srv *crisptest.Server) { srv.BreakEndpoint() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				endpoints, err := srv.Client().ConnectEndpoints(t.Context())
				require.NoError(t, err)
				_, path, _ := strings.Cut(strings.TrimPrefix(endpoints.Socket.App, "http://"), "/")
				require.NotEmpty(t, strings.Trim(path, "/"))
				fault(srv)
				var out bytes.Buffer
				var retries testkit.Log[crisp.Retrying]
				router, _ := texts()
				client := srv.Client(crisp.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
				rtm := runClient(t, client, router, crisp.WithHooks(crisp.Hooks{Retrying: retries.Add}))
				pass(2 * time.Minute)
				require.NoError(t, rtm.Shutdown(t.Context()))
				synctest.Wait()
				for _, r := range retries.List() {
					assert.NotContains(t, r.Err.Error(), strings.Trim(path, "/"))
				}
				assert.NotContains(t, out.String(), strings.Trim(path, "/"))
				assert.NotEmpty(t, out.String())
			})
		})
	}
}

// rtmVia is a client whose WebSocket requests are answered by a function, while
// REST goes to the server.
func rtmVia(t *testing.T, srv *crisptest.Server, answer func(*http.Request) (*http.Response, error), opts ...crisp.Option) *crisp.Client {
	t.Helper()
	rest := srv.HTTPClient().Transport
	client := srv.Client(append(opts, crisp.WithHTTPClient(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Upgrade") != "" {
			return answer(r)
		}
		return rest.RoundTrip(r)
	})}))...)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
