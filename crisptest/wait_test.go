package crisptest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
)

func TestWaitersTellWhatWasSeenInstead(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		c := connect(t, srv, eio4)
		c.write(authentication(srv.Token(), ""))
		require.Equal(t, `42["authenticated",true]`, c.read())
		c.write(`42["socket:bind",{"events":["a"]}]`)
		synctest.Wait()
		srv.DropConnections()
		call(t, srv, srv.Token(), http.MethodPost, "website/w/conversation/s/message", `{"type":"text","from":"operator","origin":"chat","content":"Hello"}`)
		_, err := post(t, srv, newSink(srv).url, sampleMessage())
		require.NoError(t, err)

		tests := []struct {
			name string
			wait func(ctx context.Context) error
			seen string
		}{
			{"authenticated", srv.WaitAuthenticated, "seen instead:\n\tsession "},
			{"authenticated", srv.WaitAuthenticated, "over: dropped by the test"},
			{"session", func(ctx context.Context) error {
				_, err := srv.WaitSession(ctx, func(s crisptest.Session) bool { return s.EngineIO == 3 })
				return err
			}, "Engine.IO 4, opened 00:00:00.000: authenticated as plugin"},
			{"bind", func(ctx context.Context) error {
				_, err := srv.WaitBind(ctx, func(crisptest.Bind) bool { return false })
				return err
			}, `socket:bind by session`},
			{"request", func(ctx context.Context) error {
				_, err := srv.WaitRequest(ctx, func(r crisptest.Request) bool { return r.Method == http.MethodDelete })
				return err
			}, "\tGET plugin/connect/endpoints: 200\n\tPOST website/w/conversation/s/message: 202"},
			{"sent", func(ctx context.Context) error {
				_, err := srv.WaitSent(ctx, func(m crisptest.Message) bool { return m.Text() == "Bye" })
				return err
			}, `text from operator in s: "Hello"`},
			{"delivery", func(ctx context.Context) error {
				_, err := srv.WaitDelivery(ctx, func(crisptest.Delivery) bool { return false })
				return err
			}, "attempt 1 of 5: status 200"},
			{"handled", func(ctx context.Context) error {
				_, err := srv.WaitHandled(ctx, func(crisptest.Handled) bool { return true })
				return err
			}, "seen instead: nothing"},
		}
		for _, test := range tests {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			err := test.wait(ctx)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded, test.name)
			assert.ErrorContains(t, err, "crisptest: waited for ", test.name)
			assert.ErrorContains(t, err, test.seen, test.name)
			assert.Equal(t, time.Hour, time.Since(start), "a deadline is kept to")
		}
	})
}

func TestWaitingIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		start := time.Now()
		require.ErrorIs(t, srv.WaitAuthenticated(context.Background()), context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(start))

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, srv.WaitAuthenticated(ctx), context.Canceled)
	})
}

func TestWaitingEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := crisptest.Start(crisptest.InMemory())
		require.NoError(t, err)
		failed := make(chan error)
		go func() { failed <- srv.WaitAuthenticated(context.Background()) }()
		synctest.Wait()
		srv.Close()
		require.ErrorContains(t, <-failed, "the server was closed")
	})
}

func TestWhatIsThereIsNotWaitedFor(t *testing.T) {
	srv := crisptest.NewServer(t)
	authenticate(t, srv, srv.Token(), "")
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, srv.WaitAuthenticated(ctx))
	request, err := srv.WaitRequest(ctx, func(r crisptest.Request) bool { return r.Path == "plugin/connect/endpoints" })
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, request.Status)
}

func TestErrorsListTheLatestOnly(t *testing.T) {
	srv := crisptest.NewServer(t)
	for range 102 {
		call(t, srv, srv.Token(), http.MethodGet, "early", "")
	}
	call(t, srv, srv.Token(), http.MethodGet, "late", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := srv.WaitRequest(ctx, func(crisptest.Request) bool { return false })
	require.ErrorContains(t, err, "(3 others before)\n")
	assert.Equal(t, 99, strings.Count(err.Error(), "GET early"))
	assert.Equal(t, 1, strings.Count(err.Error(), "GET late"))
}
