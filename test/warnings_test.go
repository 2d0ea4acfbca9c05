package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// neverRun is of what other tests leave behind, which the garbage collector finds at
// any time.
const neverRun = "RTM.Run was never called"

// printed is what slog.Default gets while a test runs.
func printed(t *testing.T) *testkit.Output {
	t.Helper()
	out, undo := testkit.Printed(neverRun)
	t.Cleanup(undo)
	return out
}

func TestWarningsOfAnOutage(t *testing.T) {
	for name, tt := range map[string]struct {
		opts []crisp.Option
		most int // lines in ten minutes
	}{
		"by default":  {most: 11},
		"for silence": {opts: []crisp.Option{crisp.WithLogger(slog.New(slog.DiscardHandler))}},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(t)
			synctest.Test(t, func(t *testing.T) {
				srv := crisptest.NewServer(t, crisptest.InMemory())
				srv.FailREST(http.StatusServiceUnavailable, 1_000_000)
				router := crisp.NewRouter()
				crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
				rtm, err := srv.Client(tt.opts...).NewRTM(router)
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				require.Error(t, rtm.Run(ctx))
				assert.NotContains(t, out.String(), srv.Token().Key)
			})
			lines := len(out.Lines())
			assert.LessOrEqual(t, lines, tt.most, out.String())
			if tt.most == 0 {
				return
			}
			require.GreaterOrEqual(t, lines, 5, out.String())
			assert.Contains(t, out.String(), "level=WARN")
			assert.Contains(t, out.String(), "503")
			assert.Contains(t, out.String(), "suppressed=", "what was left out is counted")
		})
	}
}

// A program that is well prints nothing, from its start to its end, though its
// connection is lost meanwhile.
func TestAHealthyProgramPrintsNothing(t *testing.T) {
	out := printed(t)
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		client := srv.Client()
		router := crisp.NewRouter()
		crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
			_, err := client.Reply(ctx, ev, crisp.TextContent("hello"))
			return err
		})
		rtm, err := client.NewRTM(router, crisp.WithBackfill(crisp.Backfill{}))
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- rtm.Run(t.Context()) }()
		require.NoError(t, srv.WaitAuthenticated(t.Context()))
		visitor := srv.Visitor()
		for range 3 {
			visitor.Say("hi")
			_, err := visitor.WaitAnswer(t.Context())
			require.NoError(t, err)
			srv.DropConnections()
			time.Sleep(time.Hour) // of the bubble
			require.NoError(t, srv.WaitAuthenticated(t.Context()))
		}
		require.NoError(t, rtm.Shutdown(t.Context()))
		require.ErrorIs(t, <-ended, crisp.ErrClosed)
	})
	assert.Empty(t, out.String())
}

func TestAGapThatNobodyHearsOfIsWarnedOf(t *testing.T) {
	for name, tt := range map[string]struct {
		opts   []crisp.RTMOption
		silent bool
	}{
		"nobody":       {},
		"a callback":   {opts: []crisp.RTMOption{crisp.WithHooks(crisp.Hooks{Gap: func(crisp.Gap) {}})}, silent: true},
		"a backfill":   {opts: []crisp.RTMOption{crisp.WithBackfill(crisp.Backfill{})}, silent: true},
		"another hook": {opts: []crisp.RTMOption{crisp.WithHooks(crisp.Hooks{Connected: func(crisp.Connected) {}})}},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(t)
			synctest.Test(t, func(t *testing.T) {
				srv := crisptest.NewServer(t, crisptest.InMemory())
				router := crisp.NewRouter()
				crisp.On(router, func(context.Context, *crisp.MessageSend) error { return nil })
				rtm, err := srv.Client().NewRTM(router, tt.opts...)
				require.NoError(t, err)
				srv.Run(t, rtm)
				srv.DropConnections()
				time.Sleep(time.Minute) // of the bubble
			})
			if tt.silent {
				assert.Empty(t, out.String())
				return
			}
			assert.Contains(t, out.String(), "missed for good")
			assert.Contains(t, out.String(), "reason=disconnected")
			assert.Contains(t, out.String(), "WithBackfill")
		})
	}
}

// The same failure is told once a minute, another one at once.
func TestHandlerErrorsAreToldSparingly(t *testing.T) {
	out := printed(t)
	synctest.Test(t, func(t *testing.T) {
		router := crisp.NewRouter()
		cause := errors.New("database down")
		router.OnAny(func(context.Context, crisp.Event) error { return cause })
		for range 100 {
			require.Error(t, router.Dispatch(t.Context(), &crisp.MessageSend{Content: crisp.TextContent("a secret")}))
			time.Sleep(time.Second) // of the bubble
		}
		cause = errors.New("disk full")
		require.Error(t, router.Dispatch(t.Context(), &crisp.MessageSend{}))
	})
	lines := out.Lines()
	require.Len(t, lines, 3, out.String())
	assert.NotContains(t, lines[0], "suppressed")
	assert.Contains(t, lines[1], "suppressed=59")
	assert.Contains(t, lines[2], "disk full")
	assert.NotContains(t, out.String(), "a secret")
}

// What varies in a report makes it no other thing: somebody could fill the log.
func TestRefusedHooksAreToldSparingly(t *testing.T) {
	out := printed(t)
	router := crisp.NewRouter()
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("signing-secret"))
	require.NoError(t, err)
	for i := range 20 {
		body := fmt.Appendf(nil, `{"n":%d}`, i)
		request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		for name, values := range crisp.Sign("signing-secret", time.Now().Add(-time.Duration(i+10)*time.Minute), body) {
			request.Header[name] = values
		}
		answer := httptest.NewRecorder()
		hook.ServeHTTP(answer, request)
		assert.Equal(t, http.StatusUnauthorized, answer.Code)
	}
	assert.Len(t, out.Lines(), 1)
}
