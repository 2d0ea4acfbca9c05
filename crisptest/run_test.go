package crisptest_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestRunLastsAsLongAsItsTest(t *testing.T) {
	srv := crisptest.NewServer(t)
	handling, finish := make(chan struct{}), make(chan struct{})
	router := crisp.NewRouter()
	router.Use(srv.Watch)
	crisp.On(router, func(context.Context, *crisp.MessageSend) error {
		close(handling)
		<-finish
		return nil
	})
	rtm, err := srv.Client().NewRTM(router)
	require.NoError(t, err)
	tb := new(recordingTB)
	srv.Run(tb, rtm)
	assert.True(t, srv.Sessions()[0].Authenticated)
	srv.Emit(sampleMessage())
	<-handling

	require.Len(t, tb.cleanups, 1)
	ended := make(chan struct{})
	go func() {
		tb.cleanups[0]()
		close(ended)
	}()
	close(finish)
	<-ended
	assert.Len(t, srv.Handled(), 1, "what was received is handled")
	assert.Equal(t, crisp.StateClosed, rtm.State())
	assert.Empty(t, tb.fatal)
}

func TestRunOfSeveralClients(t *testing.T) {
	srv := crisptest.NewServer(t)
	for i := range 3 {
		rtm, err := srv.Client().NewRTM(anyRouter())
		require.NoError(t, err)
		srv.Run(t, rtm)
		assert.Len(t, srv.Sessions(), i+1)
	}
}

func TestRunTellsWhyItFailed(t *testing.T) {
	tests := map[string]struct {
		fault func(srv *crisptest.Server)
		fatal string
	}{
		"refused": {func(srv *crisptest.Server) { srv.RejectAuth("expired") }, "the RTM client has ended: "},
		"silence": {func(srv *crisptest.Server) { srv.IgnoreAuth(-1) }, "deadline exceeded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				test.fault(srv)
				rtm, err := srv.Client().NewRTM(anyRouter())
				require.NoError(t, err)
				tb := new(recordingTB)
				start := time.Now()
				srv.Run(tb, rtm)
				assert.Contains(t, tb.fatal, test.fatal)
				assert.LessOrEqual(t, time.Since(start), 30*time.Second)
				tb.cleanups[0]()
				synctest.Wait()
			})
		})
	}
}

// Runs a hundred servers at once, each with a client of its own.
func TestManyServersAtOnce(t *testing.T) {
	began := time.Now()
	var busy sync.WaitGroup
	for i := range 100 {
		srv := crisptest.NewServer(t)
		busy.Go(func() { talk(t, srv, strings.Repeat("x", i+1)) })
	}
	busy.Wait()
	t.Logf("took %s", time.Since(began))
}

// talk has a visitor of the server say a text, and checks that a program hears it.
func talk(t *testing.T, srv *crisptest.Server, text string) {
	router := crisp.NewRouter()
	router.Use(srv.Watch)
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
	rtm, err := srv.Client().NewRTM(router)
	if !assert.NoError(t, err) {
		return
	}
	srv.Run(t, rtm)
	srv.Visitor().Say(text)
	handled, err := srv.WaitHandled(t.Context(), func(crisptest.Handled) bool { return true })
	if assert.NoError(t, err) {
		assert.Equal(t, crisp.TextContent(text), handled.Event.(*crisp.MessageSend).Content)
	}
}
