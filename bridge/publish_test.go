package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/internal/testkit"
)

var errAway = errors.New("the engine is away")

// said is what a visitor said.
func said(session, text string, fingerprint int, source crisp.Source) *crisp.MessageSend {
	return &crisp.MessageSend{
		Meta:      crisp.Meta{Source: source, WebsiteID: website, Time: time.Now(), Raw: []byte(`{"website_id":"` + website + `","session_id":"` + session + `","type":"text","from":"user","content":"` + text + `","fingerprint":` + strconv.Itoa(fingerprint) + `}`)},
		WebsiteID: website, SessionID: session, Fingerprint: int64(fingerprint), From: crisp.FromUser,
	}
}

// publisherFunc is a publisher.
type publisherFunc func(ctx context.Context, m bridge.Message) error

func (f publisherFunc) Publish(ctx context.Context, m bridge.Message) error { return f(ctx, m) }

// errorLog keeps what an error handler hears.
type errorLog struct{ testkit.Log[error] }

func (l *errorLog) hear(_ context.Context, err error) { l.Add(err) }

func quietRouter() *crisp.Router {
	return crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
}

func TestPublishRetriesForAsLongAsTheHandlersContextLasts(t *testing.T) {
	for _, source := range []crisp.Source{crisp.SourceRTM, crisp.SourceBackfill} {
		synctest.Test(t, func(t *testing.T) {
			log := bridgetest.NewLog()
			router, errs := quietRouter(), new(errorLog)
			bridge.Publish(router, log.Publisher(), bridge.WithErrorHandler(errs.hear))
			log.Fail(errAway)
			stored := make(chan error, 1)
			go func() { stored <- router.Dispatch(t.Context(), said("s", "one", 1, source)) }()
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Empty(t, stored, "it is tried for an hour")
			assert.InDelta(t, 60, len(errs.List()), 3, "it is told of once a minute")
			assert.ErrorIs(t, errs.List()[0], errAway)
			log.Fail(nil)
			back := time.Now()
			require.NoError(t, <-stored)
			assert.LessOrEqual(t, time.Since(back), 5*time.Second)
			require.Len(t, log.All(), 1)

			log.Fail(errAway)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := router.Dispatch(ctx, said("s", "two", 2, source))
			assert.ErrorIs(t, err, errAway)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			failed := (*crisp.HandlerError)(nil)
			assert.ErrorAs(t, err, &failed)
			assert.NotContains(t, err.Error(), "two")
		})
	}
}

func TestPublishOutlivesAPublisherThatPanicsOrHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router, calls := quietRouter(), 0
		bridge.Publish(router, publisherFunc(func(ctx context.Context, _ bridge.Message) error {
			switch calls++; calls {
			case 1:
				panic("a bug")
			case 2:
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}), bridge.WithErrorHandler(new(errorLog).hear))
		require.NoError(t, router.Dispatch(t.Context(), said("s", "one", 1, crisp.SourceRTM)))
		assert.Equal(t, 3, calls)
	})
}

func TestPublishOfAWebHookFailsAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := bridgetest.NewLog()
		router := quietRouter()
		bridge.Publish(router, log.Publisher(), bridge.WithErrorHandler(new(errorLog).hear))
		hooks, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
		require.NoError(t, err)
		deliver := func() int {
			body := []byte(`{"website_id":"` + website + `","event":"session:set_state","data":{"session_id":"session_1","state":"resolved"},"timestamp":1700000000123}`)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
			r.Header = crisp.Sign(secret, time.Now(), body)
			w := httptest.NewRecorder()
			hooks.ServeHTTP(w, r)
			return w.Code
		}
		log.Fail(errAway)
		began := time.Now()
		assert.Equal(t, http.StatusInternalServerError, deliver(), "Crisp is to deliver it again")
		assert.Equal(t, 5*time.Second, time.Since(began))
		log.Fail(nil)
		assert.Equal(t, http.StatusOK, deliver())
		assert.Equal(t, http.StatusOK, deliver(), "once more")
		require.Len(t, log.All(), 1)
		m := log.All()[0]
		assert.True(t, m.Stable)
		assert.Equal(t, crisp.SourceWebhook, m.Source)
		assert.Equal(t, "session_1", m.Key())
		assert.Equal(t, website, m.WebsiteID)
	})
}

func TestPublishOfWhatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := bridgetest.NewLog(bridgetest.WithMaxPayload(1000), bridgetest.WithPartitions(1))
		router, errs := quietRouter(), new(errorLog)
		bridge.Publish(router, log.Publisher(), bridge.WithErrorHandler(errs.hear))
		large := said("s", strings.Repeat("x", 2000), 1, crisp.SourceRTM)
		require.NoError(t, router.Dispatch(t.Context(), large))
		require.NoError(t, router.Dispatch(t.Context(), said("s", "two", 2, crisp.SourceRTM)))

		require.Len(t, errs.List(), 1)
		tooLarge := (*bridge.TooLargeError)(nil)
		require.ErrorAs(t, errs.List()[0], &tooLarge)
		require.Len(t, log.All(), 2)
		stub := log.All()[0]
		assert.Equal(t, crisp.EventID(large), stub.ID)
		assert.Equal(t, "s", stub.Key(), "in its conversation's order")
		assert.NotContains(t, string(stub.Data), "xxx")
		c, ok, err := bridge.ParseControl(stub)
		require.NoError(t, err)
		require.True(t, ok)
		assert.Equal(t, &bridge.Stub{Message: stub, Reason: tooLarge.Error(), Size: len(large.Raw), Max: 1000}, c)
	})
	t.Run("not even the stub", func(t *testing.T) {
		router := quietRouter()
		bridge.Publish(router, publisherFunc(func(_ context.Context, m bridge.Message) error {
			return &bridge.TooLargeError{Size: len(m.Data)}
		}), bridge.WithErrorHandler(new(errorLog).hear))
		err := router.Dispatch(t.Context(), said("s", "one", 1, crisp.SourceRTM))
		assert.ErrorContains(t, err, "not even the stub", "it is no use to try again")
	})
}

func TestPublishPanicsWithoutARouterOrAPublisher(t *testing.T) {
	log := bridgetest.NewLog()
	assert.Panics(t, func() { bridge.Publish(nil, log.Publisher()) })
	assert.Panics(t, func() { bridge.Publish(crisp.NewRouter(), nil) })
}

func TestHooksAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := bridgetest.NewLog()
		in := bridge.Publish(quietRouter(), log.Publisher(), bridge.WithErrorHandler(new(errorLog).hear))
		hooks := in.Hooks(t.Context())
		gap := crisp.Gap{From: time.Now().Add(-time.Minute), To: time.Now(), Reason: crisp.GapDisconnected}
		hooks.Gap(gap)
		hooks.Backfilled(crisp.Backfilled{Gap: gap, Complete: true, Messages: 1, Conversations: 2, Requests: 3})
		hooks.Backfilled(crisp.Backfilled{Gap: gap, Err: crisp.ErrQuota})
		hooks.Dropped(crisp.Dropped{Count: 4, Err: crisp.ErrSlowConsumer})

		stored := bridge.Gap{From: gap.From.UTC(), To: gap.To.UTC(), Reason: gap.Reason}
		var got []bridge.Control
		for _, m := range log.All() {
			c, ok, err := bridge.ParseControl(m)
			require.NoError(t, err)
			require.True(t, ok)
			got = append(got, c)
		}
		assert.Equal(t, []bridge.Control{
			&stored,
			&bridge.Backfilled{Gap: stored, Complete: true, Messages: 1, Conversations: 2, Requests: 3},
			&bridge.Backfilled{Gap: stored, Error: crisp.ErrQuota.Error()},
			&bridge.Dropped{Count: 4, Error: crisp.ErrSlowConsumer.Error()},
		}, got)
	})
}

func TestHooksAreTriedForAWhileAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, errs := bridgetest.NewLog(), new(errorLog)
		in := bridge.Publish(quietRouter(), log.Publisher(), bridge.WithErrorHandler(errs.hear))
		ctx, cancel := context.WithCancel(t.Context())
		hooks := in.Hooks(ctx)
		cancel()
		hooks.Dropped(crisp.Dropped{Count: 1, Err: crisp.ErrClosed})
		require.Len(t, log.All(), 1, "the end has come before it")

		log.Fail(errAway)
		began := time.Now()
		hooks.Dropped(crisp.Dropped{Count: 2, Err: crisp.ErrClosed})
		assert.Equal(t, 5*time.Second, time.Since(began))
		require.NotEmpty(t, errs.List())
		assert.ErrorIs(t, errs.List()[len(errs.List())-1], errAway)
	})
}

func TestControlOfAnotherVersion(t *testing.T) {
	_, ok, err := bridge.ParseControl(bridge.Message{Type: "crisp.bridge.new", Data: []byte("{}")})
	assert.True(t, ok)
	assert.Error(t, err)
	_, ok, err = bridge.ParseControl(bridge.Message{Type: bridge.TypeGap, Data: []byte("{")})
	assert.True(t, ok)
	assert.Error(t, err)
	_, ok, err = bridge.ParseControl(bridge.Message{Type: "message:send", Data: []byte("{}")})
	assert.False(t, ok)
	assert.NoError(t, err)
}
