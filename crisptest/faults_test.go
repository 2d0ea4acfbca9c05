package crisptest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// onEachNetwork runs a test over sockets and over memory.
func onEachNetwork(t *testing.T, test func(t *testing.T, opts ...crisptest.Option)) {
	t.Run("sockets", func(t *testing.T) { test(t) })
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, crisptest.InMemory()) })
	})
}

func TestDropConnections(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, opts ...crisptest.Option) {
		srv := crisptest.NewServer(t, opts...)
		tests := []struct {
			name   string
			drop   func()
			frames []string
			status websocket.StatusCode // -1: no close frame
		}{
			{name: "default", drop: func() { srv.DropConnections() }, status: websocket.StatusNoStatusRcvd},
			{name: "close", drop: func() { srv.DropConnections(crisptest.DropClose) }, status: websocket.StatusNoStatusRcvd},
			{name: "cut", drop: func() { srv.DropConnections(crisptest.DropCut) }, status: -1},
			{name: "reset", drop: func() { srv.DropConnections(crisptest.DropReset) }, status: -1},
			{name: "down", drop: srv.TakeDown, status: -1},
		}
		for _, test := range tests {
			c := authenticate(t, srv, srv.Token(), "")
			test.drop()
			assert.Empty(t, srv.Sessions(), test.name)
			frames, err := c.readEnd()
			assert.Equal(t, test.frames, frames, test.name)
			assert.Equal(t, test.status, websocket.CloseStatus(err), test.name)
		}
	})
}

func TestDropPacketLeavesTheConnectionOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		c := authenticate(t, srv, srv.Token(), "")
		srv.DropConnections(crisptest.DropPacket)
		assert.Empty(t, srv.Sessions())
		srv.EmitRaw("message:send", []byte(`{}`))
		assert.Equal(t, "41", c.read())
		assert.Equal(t, "2", c.read(), "the heartbeat goes on, nothing else")
	})
}

func TestGoSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		c := authenticate(t, srv, srv.Token(), "")
		srv.GoSilent()
		assert.Empty(t, srv.Sessions())
		srv.EmitRaw("message:send", []byte(`{}`))
		c.write("40")

		hour, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, _, err := c.ws.Read(hour)
		require.ErrorIs(t, err, context.DeadlineExceeded, "neither a frame nor the end of the connection")

		authenticate(t, srv, srv.Token(), "") // new connections work
	})
}

func TestMoveEndpoint(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, opts ...crisptest.Option) {
		srv := crisptest.NewServer(t, opts...)
		old := endpoint(t, srv)
		c := authenticate(t, srv, srv.Token(), "")
		srv.MoveEndpoint()
		_, err := c.readEnd()
		require.Error(t, err)
		assert.NotEqual(t, old, endpoint(t, srv))
		_, _, err = upgrade(t, srv, old+eio4)
		require.ErrorContains(t, err, "connection refused")
		authenticate(t, srv, srv.Token(), "")
	})
}

func TestBreakEndpoint(t *testing.T) {
	srv := crisptest.NewServer(t)
	working := endpoint(t, srv)
	srv.BreakEndpoint()
	answer := call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/endpoints", "")
	broken := endpoint(t, srv)
	assert.JSONEq(t, `{"socket":{"app":"`+broken+`"},"rescue":{"socket":{"app":"`+working+`"}}}`, string(answer.Data))
	_, status, err := upgrade(t, srv, broken+eio4)
	require.Error(t, err)
	assert.Equal(t, http.StatusNotFound, status)

	srv.Heal()
	assert.Equal(t, working, endpoint(t, srv))
}

func TestTakeDown(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, opts ...crisptest.Option) {
		srv := crisptest.NewServer(t, opts...)
		for _, up := range []func(){srv.BringUp, srv.Heal} {
			srv.TakeDown()
			_, _, err := upgrade(t, srv, endpoint(t, srv)+eio4)
			require.ErrorContains(t, err, "EOF")
			up()
			authenticate(t, srv, srv.Token(), "")
		}
	})
}

func TestAuthenticationFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		refused := func(frame string) {
			t.Helper()
			c := connect(t, srv, eio4)
			c.write(authentication(srv.Token(), ""))
			frames, err := c.readEnd()
			require.Error(t, err)
			assert.Equal(t, []string{frame, "41"}, frames)
		}
		srv.RejectAuth()
		refused(`42["unauthorized",{"message":"invalid authentication"}]`)
		srv.RejectAuth("subscription <expired>")
		refused(`42["unauthorized",{"message":"subscription <expired>"}]`)
		srv.Heal()

		srv.IgnoreAuth(1)
		c := connect(t, srv, eio4)
		c.write(authentication(srv.Token(), ""))
		assert.Equal(t, "2", c.read(), "nothing but the heartbeat")
		authenticate(t, srv, srv.Token(), "")
	})
}

func TestHandshakeFaults(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.RefuseUpgrade(http.StatusServiceUnavailable, 2)
	for range 2 {
		_, status, err := upgrade(t, srv, endpoint(t, srv)+eio4)
		require.Error(t, err)
		assert.Equal(t, http.StatusServiceUnavailable, status)
	}
	srv.HangUp(1)
	c := dial(t, srv, eio4)
	frames, err := c.readEnd()
	require.Error(t, err)
	require.Len(t, frames, 1)
	assert.Regexp(t, `^0\{`, frames[0])

	authenticate(t, srv, srv.Token(), "")
}

func TestFailREST(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.FailREST(http.StatusInternalServerError, 1)
	srv.FailREST(http.StatusTooManyRequests, 2, 1500*time.Millisecond)
	srv.FailREST(http.StatusBadGateway, 0)
	srv.FailREST(http.StatusTeapot, -1)
	want := []struct {
		status     int
		reason     string
		retryAfter string
	}{
		{500, "internal_error", ""}, {429, "rate_limited", "2"}, {429, "rate_limited", "2"}, {418, "", ""}, {418, "", ""},
	}
	for _, w := range want {
		answer := call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/endpoints", "")
		assert.Equal(t, w.status, answer.Status)
		assert.Equal(t, w.reason, answer.Reason)
		assert.True(t, answer.IsError)
		assert.Equal(t, w.retryAfter, answer.Header.Get("Retry-After"))
	}
	srv.Heal()
	endpoint(t, srv)
}

func TestGarbleREST(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.GarbleREST("<html>Bad gateway</html>", 1)
	_, err := srv.Client().ConnectEndpoints(t.Context())
	require.Error(t, err)
	_, err = srv.Client().ConnectEndpoints(t.Context())
	require.NoError(t, err)
}

func TestSlowREST(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		srv.SlowREST(time.Minute)
		start := time.Now()
		endpoint(t, srv)
		assert.Equal(t, time.Minute, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := srv.Client().ConnectEndpoints(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		srv.SlowREST(0)
		start = time.Now()
		endpoint(t, srv)
		assert.Zero(t, time.Since(start))
	})
}

func TestGatewayREST(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.GatewayREST(http.StatusForbidden, "<html>Who are you?</html>", 1)
	srv.GatewayREST(http.StatusNotFound, "", 1)
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		_, err := srv.Client().ConnectEndpoints(t.Context())
		var refusal *crisp.APIError
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, status, refusal.StatusCode)
		assert.False(t, refusal.FromCrisp())
	}
	_, err := srv.Client().ConnectEndpoints(t.Context())
	require.NoError(t, err)
	requests := srv.Requests()
	require.Len(t, requests, 3)
	assert.Equal(t, http.StatusForbidden, requests[0].Status)
}
