package test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

// hanging makes a router whose handler returns at the end of its context, or when
// it is released.
func hanging() (router *crisp.Router, causes *testkit.Log[error], release chan struct{}) {
	router, causes, release = crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {})), new(testkit.Log[error]), make(chan struct{})
	crisp.On(router, func(ctx context.Context, _ *crisp.MessageSend) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			causes.Add(ctx.Err())
			return ctx.Err()
		}
	})
	return router, causes, release
}

func TestAHandlerThatHangsIsWarnedOf(t *testing.T) {
	for name, tt := range map[string]struct {
		opts  []crisp.RTMOption
		first time.Duration // when it is warned of
		lines int           // within an hour
	}{
		"by default":   {first: 30 * time.Second, lines: 6},
		"concurrently": {opts: []crisp.RTMOption{crisp.WithConcurrency(4)}, first: 30 * time.Second, lines: 6},
		"sooner":       {opts: []crisp.RTMOption{crisp.WithSlowHandler(5 * time.Second)}, first: 5 * time.Second, lines: 7},
		"never":        {opts: []crisp.RTMOption{crisp.WithSlowHandler(0)}},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(t)
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				router, _, release := hanging()
				rtm := run(t, srv, router, tt.opts...)
				authenticated(t, srv)
				assert.Zero(t, rtm.Stats().OldestEvent)
				began := time.Now()
				emit(srv, "session_a", 0, 101)
				pass(tt.first - time.Millisecond)
				assert.Empty(t, out.String())
				assert.WithinDuration(t, began, rtm.Stats().OldestEvent, clockStep)
				pass(2 * time.Millisecond)
				if tt.lines > 0 {
					assert.Contains(t, out.String(), "event=message:send running="+tt.first.String()+" waiting=100 longest_wait="+tt.first.String())
				}
				pass(time.Hour)
				close(release)
				synctest.Wait()
				assert.Zero(t, rtm.Stats().OldestEvent)
				before := len(out.Lines())
				emit(srv, "session_a", 101, 110)
				pass(time.Hour)
				assert.Len(t, out.Lines(), before, "nothing is slow any more")
				assert.NotContains(t, out.String(), "session_a")
			})
			assert.Len(t, out.Lines(), tt.lines)
		})
	}
}

func TestAHookHandlerThatHangsIsWarnedOf(t *testing.T) {
	out := printed(t)
	synctest.Test(t, func(t *testing.T) {
		router, causes, _ := hanging()
		hook, err := crisp.NewWebhook(router, crisp.WithURLSecrets("key", "secret"), crisp.WithHandlerTimeout(time.Minute))
		require.NoError(t, err)
		answer := httptest.NewRecorder()
		hook.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/?key=secret", bytes.NewReader(testkit.HookBody("hi"))))
		assert.Equal(t, http.StatusInternalServerError, answer.Code)
		assert.Equal(t, []error{context.DeadlineExceeded}, causes.List())
	})
	assert.Contains(t, out.String(), "event=message:send running=30s")
}

func TestHandlerTimeoutOfRTM(t *testing.T) {
	for _, opts := range [][]crisp.RTMOption{nil, {crisp.WithBackfill(crisp.Backfill{})}} {
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			var failed testkit.Log[error]
			router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { failed.Add(err) }))
			crisp.On(router, func(ctx context.Context, _ *crisp.MessageSend) error {
				<-ctx.Done()
				return ctx.Err()
			})
			rtm := run(t, srv, router, append(opts, crisp.WithHandlerTimeout(10*time.Second))...)
			authenticated(t, srv)
			emit(srv, "session_a", 0, 3)
			pass(25 * time.Second)
			require.Len(t, failed.List(), 2)
			assert.ErrorIs(t, failed.List()[0], context.DeadlineExceeded)
			pass(5 * time.Second)
			assert.Len(t, failed.List(), 3)
			require.NoError(t, rtm.Shutdown(t.Context()))
			require.ErrorIs(t, rtm.ending(t), crisp.ErrClosed)
		})
	}
}

func TestHandlerLimitsRefuseNonsense(t *testing.T) {
	router, _ := texts()
	for _, opt := range []crisp.HandlerOption{crisp.WithHandlerTimeout(0), crisp.WithHandlerTimeout(-1), crisp.WithSlowHandler(-1)} {
		_, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("s"), opt)
		assert.ErrorContains(t, err, "needs")
		client, err := crisp.New(crisp.PluginToken("id", "key"))
		require.NoError(t, err)
		_, err = client.NewRTM(router, opt)
		assert.ErrorContains(t, err, "needs")
	}
}

// However many handlers begin and end at once, none that has returned is warned of,
// and each that hasn't.
func TestSlowHandlersAmongFastOnes(t *testing.T) {
	out := new(testkit.Output)
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router := crisp.NewRouter()
		crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
			if strings.HasPrefix(ev.SessionID, "session_slow") {
				return testkit.Elapse(ctx, 100*time.Second)
			}
			return testkit.Elapse(ctx, time.Second)
		})
		client := srv.Client(crisp.WithLogger(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn}))))
		rtm := runClient(t, client, router, crisp.WithConcurrency(8), crisp.WithSlowHandler(40*time.Second))
		authenticated(t, srv)
		for n := range 200 {
			emit(srv, fmt.Sprintf("session_%d", n%5), n, n+1)
			if n == 50 || n == 60 {
				emit(srv, fmt.Sprintf("session_slow%d", n), n, n+1)
			}
			pass(time.Second)
		}
		require.NoError(t, rtm.Shutdown(t.Context()))
	})
	assert.Equal(t, 2, strings.Count(out.String(), "running=40s"), out.String())
	assert.Equal(t, 2, strings.Count(out.String(), "running=1m20s"), out.String())
	assert.Len(t, out.Lines(), 4)
}

func TestNothingIsSaidOfHandlersAfterTheEnd(t *testing.T) {
	out := new(testkit.Output)
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		release := make(chan struct{})
		router := crisp.NewRouter()
		crisp.On(router, func(context.Context, *crisp.MessageSend) error {
			<-release // whatever its context says
			return nil
		})
		client := srv.Client(crisp.WithLogger(slog.New(slog.NewTextHandler(out, nil))))
		rtm := runClient(t, client, router)
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		require.NoError(t, rtm.Close())
		require.ErrorIs(t, rtm.ending(t), crisp.ErrClosed)
		before := out.String()
		pass(time.Hour)
		assert.Equal(t, before, out.String())
		close(release)
	})
}
