package crisptest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestFramesThatNoServerShouldSend(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, opts ...crisptest.Option) {
		srv := crisptest.NewServer(t, opts...)
		c := authenticate(t, srv, srv.Token(), "")
		srv.EmitRaw("a", []byte(`{}`))
		srv.SendFrame("459999999999-[]")
		srv.SendBinary([]byte{4, 1})
		srv.EmitRaw("b", []byte(`{`))
		assert.Equal(t, `42["a",{}]`, c.read())
		assert.Equal(t, "459999999999-[]", c.read())
		kind, data, err := c.ws.Read(t.Context())
		require.NoError(t, err)
		assert.Equal(t, websocket.MessageBinary, kind)
		assert.Equal(t, []byte{4, 1}, data)
		assert.Equal(t, `42["b",{]`, c.read())

		srv.SendBytes([]byte{0xFF, 0x00}) // reserved bits, unknown opcode
		_, err = c.readEnd()
		require.Error(t, err)
	})
}

// Calls every method from many goroutines at once, for the race detector.
func TestMethodsAreSafeFromAnyGoroutine(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithHookRetries(2, time.Millisecond))
	srv.AddPluginHook(newSink(srv).url)
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("this test does not wait"))
	never := func(crisptest.Session) bool { return false }
	v := srv.Visitor()
	methods := []func(){
		func() { srv.Emit(sampleMessage()) },
		func() { srv.EmitRaw("x", []byte(`{}`)) },
		func() { srv.SendFrame("6") },
		func() { srv.SendBinary([]byte{4}) },
		func() { srv.DropConnections() },
		func() { srv.DropConnections(crisptest.DropReset) },
		func() { srv.DropConnections(crisptest.DropPacket) },
		srv.GoSilent, srv.TakeDown, srv.BringUp, srv.MoveEndpoint, srv.BreakEndpoint, srv.Heal,
		func() { srv.RejectAuth() },
		func() { srv.IgnoreAuth(1) },
		func() { srv.RefuseUpgrade(503, 1) },
		func() { srv.HangUp(1) },
		func() { srv.FailREST(500, 1) },
		func() { srv.GarbleREST("x", 1) },
		func() { srv.SlowREST(time.Microsecond) },
		func() { srv.DuplicateHooks(1) },
		func() { srv.ReorderHooks(2) },
		func() { srv.SkewClock(time.Second) },
		func() { v.Say("x") },
		func() { _ = v.Conversation() },
		func() { _, _ = srv.WaitSession(gone, never) },
		func() { _, _, _, _ = srv.Sessions(), srv.PastSessions(), srv.Requests(), srv.Deliveries() },
		func() { _, _, _, _ = srv.Binds(), srv.Sent(), srv.Handled(), srv.Token() },
		func() { _, _ = srv.Client().ConnectEndpoints(t.Context()) },
	}
	var running sync.WaitGroup
	for _, method := range methods {
		running.Go(func() {
			for range 20 {
				method()
			}
		})
	}
	rtm, err := srv.Client().NewRTM(anyRouter(), crisp.WithBackoff(constantBackoff(time.Millisecond)))
	require.NoError(t, err)
	ran := make(chan error)
	go func() { ran <- rtm.Run(context.Background()) }()
	running.Wait()
	require.NoError(t, rtm.Close())
	require.Error(t, <-ran)
}

type constantBackoff time.Duration

func (d constantBackoff) Delay(int) time.Duration { return time.Duration(d) }

func anyRouter() *crisp.Router {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	return router
}
