package crisp_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// answersOf are the texts that a visitor got by automation.
func answersOf(v *crisptest.Visitor) []string {
	var texts []string
	for _, m := range v.Answers() {
		if m.Automated {
			texts = append(texts, m.Text())
		}
	}
	return texts
}

// writes lists what was sent to REST, other than to read: the last elements of
// the paths.
func writes(srv *crisptest.Server) []string {
	var all []string
	for _, r := range srv.Requests() {
		if r.Method == http.MethodGet {
			continue
		}
		what := r.Path[strings.LastIndex(r.Path, "/")+1:]
		if what == "compose" {
			what += " " + map[bool]string{true: "start", false: "stop"}[strings.Contains(string(r.Body), `"start"`)]
		}
		all = append(all, what)
	}
	return all
}

// replying makes a router whose bot answers every message that reaches it, of
// either side, with "re: " and its text.
func replying(client *crisp.Client) *crisp.Router {
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent(fmt.Sprint("re: ", ev.Content)))
		return err
	})
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageReceived) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent(fmt.Sprint("re: ", ev.Content)))
		return err
	})
	return router
}

func TestABotBehaves(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router := replying(client)
		router.Use(crisp.IgnoreOperators(), crisp.IgnoreAutomated(), crisp.IgnoreSelf(client))
		crisp.PauseOnHuman(router, client, crisp.ResumeAfter(30*time.Minute))
		router.Use(crisp.LimitReplies(5), crisp.Typing(client))
		runClient(t, client, router)
		authenticated(t, srv)
		visitor, operator := srv.Visitor(), srv.Operator("Ada")

		visitor.Say("Hello")
		synctest.Wait()
		assert.Equal(t, []string{"re: Hello"}, answersOf(visitor))
		assert.Equal(t, []string{"compose start", "message", "compose stop"}, writes(srv))
		assert.Empty(t, visitor.Conversation().Composing)

		operator.Say(visitor, "I take over")
		visitor.Say("Thank you")
		synctest.Wait()
		assert.Equal(t, []string{"re: Hello"}, answersOf(visitor), "the bot keeps out")
		assert.Len(t, writes(srv), 3, "and does not type either")

		other := srv.Visitor()
		other.Say("And I?")
		synctest.Wait()
		assert.Equal(t, []string{"re: And I?"}, answersOf(other), "other conversations go on")

		pass(30 * time.Minute)
		visitor.Say("Still there?")
		synctest.Wait()
		assert.Equal(t, []string{"re: Hello", "re: Still there?"}, answersOf(visitor))
	})
}

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

func TestIgnoreSelfKnowsWhatTheClientSent(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router := crisp.NewRouter()
		router.Use(crisp.IgnoreSelf(client))
		got := new(testkit.Log[string])
		crisp.On(router, func(_ context.Context, ev *crisp.MessageReceived) error {
			got.Add(fmt.Sprint(ev.Content))
			return nil
		})
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			got.Add(fmt.Sprint(ev.Content))
			return nil
		})
		runClient(t, client, router)
		authenticated(t, srv)
		visitor, another := srv.Visitor(), srv.Client()

		for _, m := range []crisp.Message{
			{Content: crisp.TextContent("as an operator")},
			{Content: crisp.TextContent("as a person"), NotAutomated: true},
			{Content: crisp.TextContent("as the visitor"), From: crisp.FromUser},
			{Content: crisp.TextContent("chosen fingerprint"), Fingerprint: 4711},
		} {
			_, err := client.SendMessage(t.Context(), visitor.Session(), m)
			require.NoError(t, err)
		}
		_, err := another.SendMessage(t.Context(), visitor.Session(), crisp.Message{Content: crisp.TextContent("another client")})
		require.NoError(t, err)
		srv.Operator("Ada").Say(visitor, "a person")
		synctest.Wait()
		assert.Equal(t, []string{"another client", "a person"}, got.List())
	})
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

// pausing makes a router that pauses, and collects the texts that pass.
func pausing(client *crisp.Client, rules ...crisp.ResumeRule) (*crisp.Router, *crisp.Pauses, *testkit.Log[string]) {
	router, got := testkit.Texts()
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

func TestAPauseEndsByItsRules(t *testing.T) {
	resolved := crisp.ResumeOn(func(ev *crisp.SessionSetState) bool { return ev.State == crisp.SessionStateResolved })
	for name, tt := range map[string]struct {
		rules []crisp.ResumeRule
		do    func(*crisptest.Operator, *crisptest.Visitor, *crisp.Pauses)
		want  bool
	}{
		"no rule":         {nil, func(*crisptest.Operator, *crisptest.Visitor, *crisp.Pauses) { pass(24 * time.Hour) }, true},
		"before its time": {[]crisp.ResumeRule{crisp.ResumeAfter(time.Hour)}, func(*crisptest.Operator, *crisptest.Visitor, *crisp.Pauses) { pass(time.Hour - time.Second) }, true},
		"its time":        {[]crisp.ResumeRule{crisp.ResumeAfter(time.Hour)}, func(*crisptest.Operator, *crisptest.Visitor, *crisp.Pauses) { pass(time.Hour) }, false},
		"the time begins anew": {[]crisp.ResumeRule{crisp.ResumeAfter(time.Hour)}, func(o *crisptest.Operator, v *crisptest.Visitor, _ *crisp.Pauses) {
			pass(time.Hour - time.Second)
			o.Say(v, "One more thing")
			pass(time.Hour - time.Second)
		}, true},
		"another state": {[]crisp.ResumeRule{resolved}, func(_ *crisptest.Operator, v *crisptest.Visitor, _ *crisp.Pauses) {
			v.SetMeta(map[string]any{"email": "a@b.c"})
		}, true},
		"an event":    {[]crisp.ResumeRule{resolved}, func(o *crisptest.Operator, v *crisptest.Visitor, _ *crisp.Pauses) { o.Resolve(v) }, false},
		"either rule": {[]crisp.ResumeRule{crisp.ResumeAfter(time.Hour), resolved}, func(o *crisptest.Operator, v *crisptest.Visitor, _ *crisp.Pauses) { o.Resolve(v) }, false},
		"the program": {nil, func(_ *crisptest.Operator, v *crisptest.Visitor, p *crisp.Pauses) { p.Resume(v.Session()) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				client := srv.Client()
				router, got := testkit.Texts()
				router.Use(crisp.IgnoreOperators()) // which must not hide them from the pauses
				pauses := crisp.PauseOnHuman(router, client, tt.rules...)
				runClient(t, client, router)
				authenticated(t, srv)
				visitor, operator := srv.Visitor(), srv.Operator("Ada")
				operator.Say(visitor, "I take over")
				synctest.Wait()
				require.True(t, pauses.Paused(visitor.Session()))

				tt.do(operator, visitor, pauses)
				synctest.Wait()
				assert.Equal(t, tt.want, pauses.Paused(visitor.Session()))
				authenticated(t, srv) // a long time without a handler's word is no reason to be away
				visitor.Say("Hello")
				synctest.Wait()
				assert.Equal(t, !tt.want, slices.Contains(got.List(), "Hello"))
			})
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
	const most = 65536
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

func TestRepliesAreLimitedByConversationAndMinute(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router := replying(client)
		router.Use(crisp.IgnoreSelf(client), crisp.LimitReplies(3))
		runClient(t, client, router)
		authenticated(t, srv)
		visitor, other := srv.Visitor(), srv.Visitor()

		for n := range 5 {
			visitor.Say(fmt.Sprint(n))
			pass(10 * time.Second)
		}
		assert.Equal(t, []string{"re: 0", "re: 1", "re: 2"}, answersOf(visitor))
		other.Say("hi")
		synctest.Wait()
		assert.Equal(t, []string{"re: hi"}, answersOf(other))

		pass(10 * time.Second) // a minute after the first
		visitor.Say("5")
		synctest.Wait()
		visitor.Say("6")
		synctest.Wait()
		assert.Equal(t, []string{"re: 0", "re: 1", "re: 2", "re: 5"}, answersOf(visitor))
	})
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
