package crisp_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

func TestIgnoring(t *testing.T) {
	visitors := &crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1", From: crisp.FromUser, Fingerprint: 1}
	automatedVisitors := &crisp.MessageSend{From: crisp.FromUser, Automated: true}
	operators := &crisp.MessageReceived{From: crisp.FromOperator, Fingerprint: 2}
	automation := &crisp.MessageReceived{From: crisp.FromOperator, Automated: true}
	others := &crisp.SessionSetState{State: crisp.SessionStateResolved}
	all := []crisp.Event{visitors, automatedVisitors, operators, automation, others}

	client, _ := mockedClient(t)
	for name, tt := range map[string]struct {
		mw   func(crisp.Handler) crisp.Handler
		want []crisp.Event
	}{
		"operators": {crisp.IgnoreOperators(), []crisp.Event{visitors, automatedVisitors, others}},
		"automated": {crisp.IgnoreAutomated(), []crisp.Event{visitors, operators, others}},
		"self":      {crisp.IgnoreSelf(client), all},
	} {
		t.Run(name, func(t *testing.T) {
			router := crisp.NewRouter()
			router.Use(tt.mw)
			var got []crisp.Event
			router.OnAny(func(_ context.Context, ev crisp.Event) error {
				got = append(got, ev)
				return nil
			})
			for _, ev := range all {
				require.NoError(t, router.Dispatch(t.Context(), ev))
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestIgnoreSelfWaitsForTheFingerprint(t *testing.T) {
	received := func(session string, fingerprint int64) *crisp.MessageReceived {
		return &crisp.MessageReceived{WebsiteID: "site-1", SessionID: session, Fingerprint: fingerprint, From: crisp.FromOperator}
	}
	for name, tt := range map[string]struct {
		answerAfter time.Duration
		answer      string
		echo        *crisp.MessageReceived
		handled     bool
		after       time.Duration
	}{
		"its own":                       {time.Second, sentAnswer, received("session_1", 163408807910334), false, time.Second},
		"another's":                     {time.Second, sentAnswer, received("session_1", 42), true, time.Second},
		"of another session":            {time.Second, sentAnswer, received("session_2", 42), true, 0},
		"when sending fails":            {time.Second, `<html>`, received("session_1", 42), true, time.Second},
		"of an answer that never comes": {time.Hour, sentAnswer, received("session_1", 42), true, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, mock := mockedClient(t)
				mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
					if err := testkit.Elapse(r.Context(), tt.answerAfter); err != nil {
						return nil, err
					}
					return httpmock.NewStringResponse(200, tt.answer), nil
				})
				go func() {
					_, _ = client.SendMessage(t.Context(), testRef, crisp.Message{Content: crisp.TextContent("Hi")})
				}()
				synctest.Wait()

				router, handled := crisp.NewRouter(), false
				router.Use(crisp.IgnoreSelf(client))
				crisp.On(router, func(context.Context, *crisp.MessageReceived) error {
					handled = true
					return nil
				})
				began := time.Now()
				require.NoError(t, router.Dispatch(t.Context(), tt.echo))
				assert.Equal(t, tt.handled, handled)
				assert.Equal(t, tt.after, time.Since(began))
			})
		})
	}
}

// pausing makes a router that pauses, and collects the messages that pass.
func pausing(client *crisp.Client, rules ...crisp.ResumeRule) (*crisp.Router, *crisp.Pauses, *testkit.Log[*crisp.MessageSend]) {
	router, got := crisp.NewRouter(), new(testkit.Log[*crisp.MessageSend])
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		got.Add(ev)
		return nil
	})
	router.Use(crisp.IgnoreOperators()) // which must not hide them from the pauses
	return router, crisp.PauseOnHuman(router, client, rules...), got
}

func TestWhoPausesAConversation(t *testing.T) {
	human := crisp.MessageReceived{
		WebsiteID: "site-1", SessionID: "session_1", Type: crisp.MessageTypeText, From: crisp.FromOperator, Fingerprint: 1,
	}
	with := func(change func(*crisp.MessageReceived)) *crisp.MessageReceived {
		ev := human
		change(&ev)
		return &ev
	}
	for name, tt := range map[string]struct {
		ev   crisp.Event
		want bool
	}{
		"a person":             {&human, true},
		"a person with a file": {with(func(ev *crisp.MessageReceived) { ev.Type = crisp.MessageTypeFile }), true},
		"automation":           {with(func(ev *crisp.MessageReceived) { ev.Automated = true }), false},
		"a note":               {with(func(ev *crisp.MessageReceived) { ev.Type = crisp.MessageTypeNote }), false},
		"a change of state":    {with(func(ev *crisp.MessageReceived) { ev.Type = crisp.MessageTypeEvent }), false},
		"the visitor":          {&crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1", From: crisp.FromUser}, false},
		"another session":      {with(func(ev *crisp.MessageReceived) { ev.SessionID = "session_2" }), false},
		"this client":          {with(func(ev *crisp.MessageReceived) { ev.Fingerprint = 163408807910334 }), false},
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(200, sentAnswer))
			_, err := client.SendMessage(t.Context(), testRef, crisp.Message{Content: crisp.TextContent("x"), NotAutomated: true})
			require.NoError(t, err)
			router, pauses, got := pausing(client)
			require.NoError(t, router.Dispatch(t.Context(), tt.ev))
			assert.Equal(t, tt.want, pauses.Paused(testRef))

			before := len(got.List())
			require.NoError(t, router.Dispatch(t.Context(), &crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1"}))
			assert.Equal(t, !tt.want, len(got.List()) > before)
		})
	}
}

func TestPausesSubscribeToWhatTheyNeed(t *testing.T) {
	client, _ := mockedClient(t)
	router, _, _ := pausing(client, crisp.ResumeOn(func(*crisp.SessionRemoved) bool { return true }))
	assert.Equal(t, []string{"message:received", "message:send", "session:removed"}, router.EventNames())
}

func TestOtherEventsOfAPausedConversationGoOn(t *testing.T) {
	client, _ := mockedClient(t)
	router, pauses, _ := pausing(client)
	states := 0
	crisp.On(router, func(context.Context, *crisp.SessionSetState) error {
		states++
		return nil
	})
	pauses.Pause(testRef, time.Now())
	require.NoError(t, router.Dispatch(t.Context(), &crisp.SessionSetState{WebsiteID: "site-1", SessionID: "session_1"}))
	assert.Equal(t, 1, states)
}

func TestPausesOutliveTheProgramIfItKeepsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := mockedClient(t)
		_, before, _ := pausing(client, crisp.ResumeAfter(time.Hour))
		began := time.Now()
		before.Pause(testRef, began.Add(-30*time.Minute))
		before.Pause(crisp.SessionRef{WebsiteID: "site-1", SessionID: "over"}, began.Add(-time.Hour))
		before.Pause(crisp.SessionRef{WebsiteID: "site-1", SessionID: "ahead"}, began.Add(time.Hour))
		kept := maps.Collect(before.All())
		assert.Equal(t, map[crisp.SessionRef]time.Time{
			testRef: began.Add(-30 * time.Minute),
			{WebsiteID: "site-1", SessionID: "ahead"}: began,
		}, kept)

		_, after, _ := pausing(client, crisp.ResumeAfter(time.Hour))
		for ref, since := range kept {
			after.Pause(ref, since)
		}
		time.Sleep(29 * time.Minute) // virtual
		assert.True(t, after.Paused(testRef))
		time.Sleep(time.Minute)
		assert.False(t, after.Paused(testRef))
	})
}

func TestPausesAreBounded(t *testing.T) {
	client, _ := mockedClient(t)
	_, pauses, _ := pausing(client)
	const most = 1 << 17
	ref := func(n int) crisp.SessionRef {
		return crisp.SessionRef{WebsiteID: "site-1", SessionID: fmt.Sprint("session_", n)}
	}
	for n := range most {
		pauses.Pause(ref(n), time.Now())
	}
	pauses.Pause(ref(0), time.Now()) // once more: it is the latest now
	pauses.Pause(ref(most), time.Now())
	assert.True(t, pauses.Paused(ref(0)))
	assert.False(t, pauses.Paused(ref(1)), "the one that was paused first")
	assert.True(t, pauses.Paused(ref(2)))
	assert.Len(t, maps.Collect(pauses.All()), most)
}

func TestGuardsRefuseNonsense(t *testing.T) {
	assert.Panics(t, func() { crisp.ResumeAfter(0) })
	assert.Panics(t, func() { crisp.ResumeOn[crisp.SessionSetState](nil) })
	assert.Panics(t, func() { crisp.LimitReplies(0) })
}

func TestAHandlerCanNotExceedTheReplyLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		limits []int
		want   int
	}{"one limit": {[]int{3}, 3}, "the lower of two": {[]int{4, 2}, 2}} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(200, sentAnswer))
			router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
			for _, n := range tt.limits {
				router.Use(crisp.LimitReplies(n))
			}
			crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
				for {
					if _, err := client.Reply(ctx, ev, crisp.TextContent("again")); err != nil {
						return err
					}
				}
			})
			err := router.Dispatch(t.Context(), &crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1"})
			require.ErrorIs(t, err, crisp.ErrReplyLimit)
			assert.Equal(t, tt.want, mock.GetTotalCallCount())

			_, err = client.SendMessage(t.Context(), testRef, crisp.Message{Content: crisp.TextContent("by hand")})
			require.NoError(t, err, "only handlers are limited")
		})
	}
}

// composing makes a client that notes when it told of typing, and what.
func composing(t *testing.T, answer httpmock.Responder) (*crisp.Client, *testkit.Log[string]) {
	client, mock := mockedClient(t)
	told, began := new(testkit.Log[string]), time.Now()
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		state := "stop"
		if strings.Contains(string(body), `"type":"start"`) {
			state = "start"
		}
		told.Add(fmt.Sprint(time.Since(began), " ", state))
		return answer(r)
	})
	return client, told
}

func TestTypingLastsAsLongAsTheHandler(t *testing.T) {
	failed := errors.New("failed")
	for name, tt := range map[string]struct {
		handler func(ctx context.Context) error
		want    []string
		fails   bool
	}{
		"at once":   {func(context.Context) error { return nil }, []string{"0s start", "0s stop"}, false},
		"for long":  {func(ctx context.Context) error { return testkit.Elapse(ctx, 25*time.Second) }, []string{"0s start", "10s start", "20s start", "25s stop"}, false},
		"an error":  {func(context.Context) error { return failed }, []string{"0s start", "0s stop"}, true},
		"a panic":   {func(context.Context) error { panic("ouch") }, []string{"0s start", "0s stop"}, true},
		"cancelled": {func(ctx context.Context) error { return testkit.Elapse(ctx, time.Hour) }, []string{"0s start", "10s start", "20s start", "29s stop"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, told := composing(t, answer(200, `{}`))
				router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
				router.Use(crisp.Typing(client))
				crisp.On(router, func(ctx context.Context, _ *crisp.MessageSend) error { return tt.handler(ctx) })
				ctx, cancel := context.WithTimeout(t.Context(), 29*time.Second)
				defer cancel()
				err := router.Dispatch(ctx, &crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1"})
				assert.Equal(t, tt.fails, err != nil)
				assert.Equal(t, tt.want, told.List())
			})
		})
	}
}

func TestTypingIsForVisitorsMessages(t *testing.T) {
	client, told := composing(t, answer(200, `{}`))
	router := crisp.NewRouter()
	router.Use(crisp.Typing(client))
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	for _, ev := range []crisp.Event{
		&crisp.MessageReceived{WebsiteID: "site-1", SessionID: "session_1"},
		&crisp.SessionSetState{WebsiteID: "site-1", SessionID: "session_1"},
		&crisp.MessageSend{WebsiteID: "site-1"},
	} {
		require.NoError(t, router.Dispatch(t.Context(), ev))
	}
	assert.Empty(t, told.List())
}

// What the visitor has added to already is not answered by itself: there is nothing to show.
func TestTypingIsNotShownForWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, told := composing(t, answer(200, `{}`))
		router, handled := crisp.NewRouter(), 0
		router.Use(crisp.Typing(client))
		crisp.On(router, func(context.Context, *crisp.MessageSend) error {
			handled++
			return nil
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(crisp.ErrSuperseded)
		require.NoError(t, router.Dispatch(ctx, &crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1"}))
		assert.Equal(t, 1, handled)
		assert.Empty(t, told.List())
	})
}

func TestTypingThatFailsIsNotTheHandlersProblem(t *testing.T) {
	for name, tt := range map[string]struct {
		answer httpmock.Responder
		took   time.Duration
	}{
		"refused": {answer(403, `{"error":true,"reason":"not_allowed"}`), 0},
		"down":    {httpmock.NewErrorResponder(errors.New("connection refused")), 0},
		"limited": {refusedFor(429, "60"), 0},
		"hanging": {func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := composing(t, tt.answer)
				router, handled := crisp.NewRouter(), 0
				router.Use(crisp.Typing(client))
				crisp.On(router, func(context.Context, *crisp.MessageSend) error {
					handled++
					return nil
				})
				began := time.Now()
				require.NoError(t, router.Dispatch(t.Context(), &crisp.MessageSend{WebsiteID: "site-1", SessionID: "session_1"}))
				assert.Equal(t, 1, handled)
				assert.Equal(t, tt.took, time.Since(began))
			})
		})
	}
}

// A visitor whose messages nobody handles shall not wait in vain.
func TestWhatLimitRepliesKeepsIsTold(t *testing.T) {
	var kept []string
	router := crisp.NewRouter()
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, sentAnswer))
	count := func(_ context.Context, ev *crisp.MessageSend) { kept = append(kept, ev.Text()) }
	router.Use(crisp.LimitReplies(1, count, count))
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent("hi"))
		return err
	})
	for _, text := range []string{"one", "two", "three"} {
		require.NoError(t, router.Dispatch(t.Context(), &crisp.MessageSend{WebsiteID: "w", SessionID: "s", Content: crisp.TextContent(text)}))
	}
	assert.Equal(t, []string{"two", "two", "three", "three"}, kept)
	assert.Panics(t, func() { crisp.LimitReplies(1, nil) })
}
