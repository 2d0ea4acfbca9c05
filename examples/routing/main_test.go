package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// bench is a Crisp in virtual time, with the routing at work.
type bench struct {
	*crisptest.Server
	t       *testing.T
	staff   *staff
	routing *routing
	router  *crisp.Router
	stop    func()
}

// inBubble runs a test in a bubble, which fails if it leaves goroutines behind.
func inBubble(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		staff, err := addStaff(t.Context(), srv)
		require.NoError(t, err)
		b := &bench{Server: srv, t: t, staff: staff}
		b.start()
		test(t, b)
		b.stop()
	})
}

// start starts the routing, which remembers nothing of a run before.
func (b *bench) start() {
	rules, err := loadRules("")
	require.NoError(b.t, err)
	client := b.Client()
	b.routing = newRouting(client, crisptest.WebsiteID, rules)
	b.router = b.routing.router()
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.routing.run(ctx, b.router) }()
	require.NoError(b.t, b.WaitAuthenticated(b.t.Context()))
	synctest.Wait()
	b.stop = func() {
		cancel()
		require.NoError(b.t, <-ended)
		client.CloseIdleConnections()
	}
}

// say has a visitor say something and waits until it is handled.
func say(v *crisptest.Visitor, text string) crisptest.Message {
	said := v.Say(text)
	synctest.Wait()
	return said
}

// notes returns the texts of the notes of a conversation.
func notes(v *crisptest.Visitor) (texts []string) {
	for _, m := range v.Conversation().Messages {
		if m.Type == "note" {
			texts = append(texts, m.Text())
		}
	}
	return texts
}

func TestDemo(t *testing.T) {
	rules, err := loadRules("")
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out, rules))
	for _, part := range []string{
		"Paul: Hello!\n  stays where it is\n",
		"note: Routed by the rule billing: the visitor wrote \"invoice\". Moved to Billing. Assigned to ",
		"note: Routed by the rule French: the language is \"fr\". Nobody is available; a reminder comes at ",
		"Rosa: About that refund…\n  stays where it is\n",
		"Rosa: Thank you, Ada!\n  resolved\n",
	} {
		assert.Contains(t, out.String(), part)
	}
	_, list, _ := strings.Cut(out.String(), "unresolved since yesterday")
	assert.Contains(t, list, "Paul")
	assert.NotContains(t, list, "Rosa")
}

func TestMatch(t *testing.T) {
	rules, err := loadRules("")
	require.NoError(t, err)
	meta := func(locales, segments []string) crisp.ConversationMeta {
		return crisp.ConversationMeta{Segments: segments, Device: crisp.Device{Locales: locales}}
	}
	for name, tt := range map[string]struct {
		text string
		meta crisp.ConversationMeta
		rule string
	}{
		"a word":                   {"My INVOICE, please!", meta(nil, nil), "billing"},
		"a part of a word":         {"invoices and repayments", meta(nil, nil), ""},
		"a language":               {"Bonjour", meta([]string{"fr-CA", "en"}, nil), "French"},
		"another language first":   {"Bonjour", meta([]string{"en", "fr"}, nil), ""},
		"a segment":                {"Hi", meta(nil, []string{"vip"}), "VIP"},
		"the first of several":     {"My refund", meta([]string{"fr"}, []string{"vip"}), "VIP"},
		"nothing that a rule says": {"", meta(nil, []string{"newsletter"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, why := match(rules, tt.text, tt.meta)
			if tt.rule == "" {
				assert.Nil(t, found)
				return
			}
			require.NotNil(t, found)
			assert.Equal(t, tt.rule, found.Name)
			assert.NotEmpty(t, why)
		})
	}
}

func TestAllThatARuleSaysHasToBeMet(t *testing.T) {
	rules := []rule{{Name: "both", Keywords: []string{"refund"}, Segment: "vip", Inbox: "Billing"}}
	found, _ := match(rules, "refund", crisp.ConversationMeta{})
	assert.Nil(t, found)
	found, why := match(rules, "refund", crisp.ConversationMeta{Segments: []string{"vip"}})
	require.NotNil(t, found)
	assert.Equal(t, `the visitor wrote "refund", the segment is "vip"`, why)
}

func TestRulesThatMakeNoSenseAreErrors(t *testing.T) {
	for name, tt := range map[string]struct{ rules, problem string }{
		"a misspelt word":        {`[{"name":"x","keyword":["a"],"inbox":"Billing"}]`, "keyword"},
		"no name":                {`[{"keywords":["a"],"inbox":"Billing"}]`, "needs a name"},
		"for everybody":          {`[{"name":"x","inbox":"Billing"}]`, "needs keywords"},
		"to nobody":              {`[{"name":"x","language":"fr"}]`, "needs operators or an inbox"},
		"two words as one":       {`[{"name":"x","keywords":["my order"],"inbox":"Billing"}]`, `"my order" is not one word`},
		"a time that is nothing": {`[{"name":"x","keywords":["a"],"inbox":"Billing","remind":"soon"}]`, "soon"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rules.json")
			require.NoError(t, os.WriteFile(path, []byte(tt.rules), 0o600))
			_, err := loadRules(path)
			assert.ErrorContains(t, err, tt.problem)
		})
	}
}

func TestAConversationIsRoutedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.staff.ada.Leave()
		v := b.Visitor()
		say(v, "Hello")
		assert.Empty(t, v.Conversation().Assigned)
		said := say(v, "I want a refund")
		c := v.Conversation()
		assert.Equal(t, "operator-Bob", c.Assigned)
		assert.Equal(t, b.staff.billing, c.InboxID)
		assert.Equal(t, []string{`Routed by the rule billing: the visitor wrote "refund". Moved to Billing. Assigned to Bob.`}, notes(v))

		b.stop() // and what is in memory is lost
		b.staff.ada.Arrive()
		b.start()
		again := &crisp.MessageSend{
			WebsiteID: v.WebsiteID, SessionID: v.SessionID, From: crisp.FromUser, Type: crisp.MessageTypeText,
			Content: crisp.TextContent("I want a refund"), Fingerprint: said.Fingerprint,
		}
		require.NoError(t, b.router.Dispatch(t.Context(), again))
		say(v, "Is my payment lost?")
		assert.Equal(t, c.Assigned, v.Conversation().Assigned)
		assert.Len(t, notes(v), 1)
	})
}

func TestWhatFailsHalfwayIsMadeGood(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		failures := 6 // more than the client gets over by itself
		b.HandleREST("PATCH website/{website}/conversation/{session}/routing", func(r *http.Request) (int, any) {
			if failures--; failures >= 0 {
				return http.StatusInternalServerError, nil
			}
			b.Operator("Bob").Take(b.visitorOf(r))
			return http.StatusOK, map[string]any{}
		})
		v := b.Visitor()
		v.Say("refund")
		time.Sleep(time.Minute) // virtual time
		synctest.Wait()
		assert.Equal(t, -1, failures)
		assert.Equal(t, "operator-Bob", v.Conversation().Assigned)
		assert.Len(t, notes(v), 1)
	})
}

// visitorOf returns the visitor whose conversation a call is about.
func (b *bench) visitorOf(r *http.Request) *crisptest.Visitor {
	v := b.Visitor()
	v.SessionID = r.PathValue("session")
	return v
}

func TestNobodyIsAvailable(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		v := b.Visitor()
		v.SetMeta(map[string]any{"device": map[string]any{"locales": []string{"fr"}}})
		say(v, "Bonjour")
		assert.Empty(t, v.Conversation().Assigned)
		reminders := v.Conversation().Reminders
		require.Len(t, reminders, 1)
		assert.Equal(t, 4*time.Hour, time.Until(reminders[0].Due).Round(time.Minute))
		assert.Equal(t, []string{`Routed by the rule French: the language is "fr". Nobody is available; a reminder comes at 04:00 UTC.`}, notes(v))
		say(v, "Personne?")
		assert.Len(t, v.Conversation().Reminders, 1)
	})
}

func TestNothingIsMovedOnceAPersonHasTakenOver(t *testing.T) {
	for name, takeOver := range map[string]func(*bench, *crisptest.Visitor){
		"by an answer":   func(b *bench, v *crisptest.Visitor) { b.Operator("Dan").Say(v, "Hi, it is Dan") },
		"by taking it":   func(b *bench, v *crisptest.Visitor) { b.Operator("Dan").Take(v) },
		"before a start": func(b *bench, v *crisptest.Visitor) { b.stop(); b.Operator("Dan").Say(v, "Hi"); b.start() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				v := b.Visitor()
				say(v, "Hello")
				takeOver(b, v)
				synctest.Wait()
				before := v.Conversation()
				say(v, "I want a refund")
				after := v.Conversation()
				assert.Equal(t, before.Assigned, after.Assigned)
				assert.Empty(t, after.InboxID)
				assert.Empty(t, notes(v))
			})
		})
	}
}

// TestAPersonAnswersWhileItDecides has an operator answer between the calls by which the
// conversation would be moved.
func TestAPersonAnswersWhileItDecides(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		v := b.Visitor()
		b.SlowREST(time.Second)
		v.Say("I want a refund")
		time.Sleep(4500 * time.Millisecond) // virtual time: after it has read the messages, before it moves anything
		b.Operator("Dan").Say(v, "Hi, it is Dan")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Empty(t, v.Conversation().InboxID)
		assert.Empty(t, v.Conversation().Assigned)
		assert.Empty(t, notes(v))
	})
}

func TestThanks(t *testing.T) {
	for text, want := range map[string]bool{
		"Thanks!": true, "thank you so much": true, "Merci": true,
		"": false, "Thanks, but it still fails": false, "thanks no": false, "No thanks": false, "Where is my invoice? Thanks": false,
	} {
		assert.Equal(t, want, thanks(text), text)
	}
}

func TestThanksResolve(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		v, ada := b.Visitor(), b.Operator("Ada")
		say(v, "Thanks")
		assert.Equal(t, "pending", v.Conversation().State, "nobody has answered yet")
		ada.Say(v, "It is on its way")
		thanked := say(v, "Thank you!")
		assert.Equal(t, "resolved", v.Conversation().State)

		ada.Say(v, "You are welcome")
		say(v, "One more thing")
		again := &crisp.MessageSend{
			WebsiteID: v.WebsiteID, SessionID: v.SessionID, From: crisp.FromUser, Type: crisp.MessageTypeText,
			Content: crisp.TextContent("Thank you!"), Fingerprint: thanked.Fingerprint,
		}
		require.NoError(t, b.router.Dispatch(t.Context(), again))
		assert.Equal(t, "unresolved", v.Conversation().State, "the thanks that come again are older")
	})
}

func TestIdleConversationsAreResolved(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		answered, waits := b.Visitor(), b.Visitor()
		for _, v := range []*crisptest.Visitor{answered, waits} {
			say(v, "Hello")
			b.Operator("Ada").Say(v, "Hi")
		}
		say(waits, "And my order?")
		time.Sleep(idleAfter - time.Minute) // virtual time
		synctest.Wait()
		assert.Equal(t, "unresolved", answered.Conversation().State)
		time.Sleep(idleCheck + time.Minute)
		synctest.Wait()
		assert.Equal(t, "resolved", answered.Conversation().State)
		assert.Equal(t, "unresolved", waits.Conversation().State)
	})
}

func TestUnresolvedSinceYesterday(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		old, recent, done := b.Visitor(), b.Visitor(), b.Visitor()
		old.SetMeta(map[string]any{"nickname": "Old"})
		say(old, "Hello?")
		time.Sleep(49 * time.Hour) // virtual time
		recent.SetMeta(map[string]any{"nickname": "Recent"})
		say(recent, "refund")
		say(done, "Hello")
		b.Operator("Ada").Resolve(done)
		time.Sleep(time.Hour)

		var out bytes.Buffer
		require.NoError(t, b.routing.printUnresolved(t.Context(), &out))
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Len(t, lines, 2, out.String())
		assert.Regexp(t, `^1h0m0s +pending +Recent +Billing +(Ada|Bob) +session_`, lines[1])
	})
}

func TestRulesThatTheWebsiteDoesNotFitAreErrors(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		check := func(r rule) error { return b.routing.desk.check(t.Context(), []rule{r}) }
		assert.NoError(t, check(rule{Name: "x", Operators: []string{"Ada@example.com"}, Inbox: "Billing"}))
		assert.ErrorContains(t, check(rule{Name: "x", Operators: []string{"zoe@example.com"}}), "no operator zoe@example.com")
		assert.ErrorContains(t, check(rule{Name: "x", Inbox: "Sales"}), `no inbox "Sales"`)
	})
}

func TestLive(t *testing.T) {
	srv := crisptest.NewServer(t)
	_, err := addStaff(t.Context(), srv)
	require.NoError(t, err)
	srv.Setenv(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, "", filepath.Join(t.TempDir(), "position"), false)
	}()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	visitor := srv.Visitor()
	visitor.Say("A refund, please")
	_, err = srv.WaitRequest(t.Context(), func(r crisptest.Request) bool {
		return strings.HasSuffix(r.Path, "/routing") && r.Status == http.StatusOK
	})
	require.NoError(t, err)
	assert.NotEmpty(t, visitor.Conversation().Assigned)
	stop()
	require.NoError(t, <-ended)
}

func TestSettingsThatAreMissingAreErrors(t *testing.T) {
	srv := crisptest.NewServer(t)
	for variable, value := range map[string]string{"CRISP_WEBSITE_ID": "", "CRISP_KEY": "", "CRISP_TIER": "operator"} {
		t.Run(variable, func(t *testing.T) {
			srv.Setenv(t)
			t.Setenv(variable, value)
			assert.ErrorContains(t, run(t.Context(), "", "", false), variable)
		})
	}
}
