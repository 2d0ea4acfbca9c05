package test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
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
				router, got := texts()
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
