package test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// thinking makes a router whose bot thinks for a while, and then answers.
func thinking(client *crisp.Client, takes time.Duration) (*crisp.Router, *testkit.Log[error]) {
	router, ended := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {})), new(testkit.Log[error])
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		if testkit.Elapse(ctx, takes) != nil {
			ended.Add(context.Cause(ctx))
		}
		_, err := client.Reply(context.WithoutCancel(ctx), ev, crisp.TextContent(fmt.Sprint("re: ", ev.Content)))
		return err
	})
	return router, ended
}

var resolvedEnds = crisp.ResumeOn(func(ev *crisp.SessionSetState) bool { return ev.State == crisp.SessionStateResolved })

// TestAPersonsAnswerActsWhenItArrives has a visitor say three things, and a person answer
// while the bot thinks about the first.
func TestAPersonsAnswerActsWhenItArrives(t *testing.T) {
	for _, transport := range []string{"RTM", "web hooks"} {
		t.Run(transport, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				client := srv.Client()
				router, ended := thinking(client, 5*time.Second)
				pauses := crisp.PauseOnHuman(router, client, resolvedEnds)
				router.Use(crisp.IgnoreAutomated())
				receive(t, srv, client, router, transport)
				v, person := srv.Visitor(), srv.Operator("Ada")
				v.Say("1")
				v.Say("2")
				v.Say("3")
				pass(time.Second)
				person.Say(v, "I take over")
				pass(time.Minute)
				assert.Empty(t, answersOf(v))
				require.NotEmpty(t, ended.List())
				for _, cause := range ended.List() {
					assert.ErrorIs(t, cause, crisp.ErrPaused)
				}
				assert.True(t, pauses.Paused(v.Session()))

				other := srv.Visitor()
				other.Say("And I?")
				pass(10 * time.Second)
				assert.Equal(t, []string{"re: And I?"}, answersOf(other))
				person.Resolve(v)
				pass(time.Second)
				v.Say("4")
				pass(10 * time.Second)
				assert.Equal(t, []string{"re: 4"}, answersOf(v))
			})
		})
	}
}

// receive lets a router receive by a transport.
func receive(t *testing.T, srv *crisptest.Server, client *crisp.Client, router *crisp.Router, transport string) {
	t.Helper()
	if transport == "RTM" {
		runClient(t, client, router)
		authenticated(t, srv)
		return
	}
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
	require.NoError(t, err)
	srv.AddPluginHook(srv.Serve(sideBySide(hook)))
}

// sideBySide accepts each delivery at once, so that the next doesn't wait for it, as it
// would not with replicas behind a load balancer.
func sideBySide(hook http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		later := r.Clone(context.WithoutCancel(r.Context()))
		later.Body = io.NopCloser(bytes.NewReader(body))
		go hook.ServeHTTP(httptest.NewRecorder(), later)
		w.WriteHeader(http.StatusOK)
	})
}

// A state that comes before a person's answer does not end the pause that the answer
// has begun, though its turn comes later.
func TestAnOlderStateDoesNotEndAPause(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router, _ := thinking(client, 5*time.Second)
		crisp.PauseOnHuman(router, client, resolvedEnds)
		router.Use(crisp.IgnoreAutomated())
		receive(t, srv, client, router, "RTM")
		v, person := srv.Visitor(), srv.Operator("Ada")
		v.Say("1") // keeps the others waiting
		person.Resolve(v)
		v.Say("2")
		person.Say(v, "I am here")
		pass(time.Minute)
		assert.Empty(t, answersOf(v))
	})
}

// A program that hands over to a person says so under the context of the handler that
// does.
func TestHandingOverInterruptsNobody(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router := crisp.NewRouter()
		pauses := crisp.PauseOnHuman(router, client)
		crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
			pauses.Pause(ev.Session(), time.Now())
			_, err := client.Reply(ctx, ev, crisp.TextContent("somebody will come"))
			return err
		})
		receive(t, srv, client, router, "RTM")
		v := srv.Visitor()
		v.Say("1")
		v.Say("2")
		synctest.Wait()
		assert.Equal(t, []string{"somebody will come"}, answersOf(v))
	})
}

// What the client itself sends as a person pauses nothing, even if it comes back before
// the call that sends it has returned.
func TestOnesOwnMessagesInterruptNobody(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router := crisp.NewRouter()
		pauses := crisp.PauseOnHuman(router, client)
		got := new(testkit.Log[string])
		crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
			if _, err := client.Reply(ctx, ev, crisp.TextContent("as a person"), crisp.WithAutomated(false)); err != nil {
				return err
			}
			got.Add(fmt.Sprint(ev.Content))
			return ctx.Err()
		})
		receive(t, srv, client, router, "RTM")
		v := srv.Visitor()
		v.Say("1")
		v.Say("2")
		pass(time.Minute)
		assert.Equal(t, []string{"1", "2"}, got.List())
		assert.False(t, pauses.Paused(v.Session()))
	})
}

// A person answers while a bot is at the first of many messages, each of which takes a
// while: no other follows.
func TestABotOfManyMessagesStopsAtAPersonsAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
		crisp.PauseOnHuman(router, client)
		router.Use(crisp.IgnoreAutomated())
		crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
			for n := range 20 {
				if _, err := client.Reply(ctx, ev, crisp.TextContent(fmt.Sprint(n))); err != nil {
					return err
				}
			}
			return nil
		})
		runClient(t, client, router)
		authenticated(t, srv)
		srv.SlowREST(time.Second)
		v, person := srv.Visitor(), srv.Operator("Ada")
		v.Say("1")
		pass(500 * time.Millisecond)
		person.Say(v, "I take over")
		pass(time.Minute)
		over, after := 0, false
		for _, m := range v.Conversation().Messages {
			if m.Text() == "I take over" {
				after = true
			} else if after && m.Automated {
				over++
			}
		}
		assert.LessOrEqual(t, over, 1, "sent over a person's head")
	})
}

// A message that waits to be sent again, since Crisp has refused it for the rate, is not
// sent over the head of a person who answers meanwhile.
func TestWhatWaitsForTheRateIsRefusedToo(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		first := true
		refuse := func(r *http.Request) *http.Response {
			if r.Method != http.MethodPost || !first {
				return nil
			}
			first = false
			resp := reply(http.StatusTooManyRequests, `{"error":true,"reason":"too_many_requests","data":{}}`)
			resp.Header.Set("Retry-After", "10")
			return resp
		}
		client := srv.Client(crisp.WithHTTPClient(&http.Client{Transport: &intercepted{srv.HTTPClient().Transport, refuse}}))
		router, _ := thinking(client, time.Second)
		crisp.PauseOnHuman(router, client)
		router.Use(crisp.IgnoreAutomated())
		runClient(t, client, router)
		authenticated(t, srv)
		v, person := srv.Visitor(), srv.Operator("Ada")
		v.Say("1")
		pass(3 * time.Second)
		person.Say(v, "I take over")
		pass(2 * time.Minute)
		assert.Empty(t, answersOf(v))
	})
}

// A person's answer can't be a bot's message that is on its way, since that is marked as
// automated: nobody waits for its end.
func TestAnAnswerBesideABotsMessagePausesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
		crisp.PauseOnHuman(router, client)
		router.Use(crisp.IgnoreAutomated())
		crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
			_, err := client.Reply(ctx, ev, crisp.TextContent(fmt.Sprint("re: ", ev.Content)))
			return err
		})
		receive(t, srv, client, router, "web hooks")
		srv.SlowREST(3 * time.Second)
		v, person := srv.Visitor(), srv.Operator("Ada")
		v.Say("1")
		pass(time.Second)
		person.Say(v, "I take over")
		pass(time.Second)
		v.Say("2")
		pass(time.Minute)
		assert.NotContains(t, answersOf(v), "re: 2")
	})
}

// TestRecoveredConversationsAreLookedAtWhole lets things happen while RTM is down.
func TestRecoveredConversationsAreLookedAtWhole(t *testing.T) {
	for name, tt := range map[string]struct {
		missed func(v *crisptest.Visitor, person *crisptest.Operator)
		rules  []crisp.ResumeRule
		want   []string // answered
		paused bool     // afterwards
	}{
		"a question": {func(v *crisptest.Visitor, _ *crisptest.Operator) { v.Say("1") }, nil, []string{"re: 1"}, false},
		"a person has answered": {func(v *crisptest.Visitor, person *crisptest.Operator) {
			v.Say("1")
			person.Say(v, "Hello")
			v.Say("2")
		}, nil, nil, true},
		"behind more than a page": {func(v *crisptest.Visitor, person *crisptest.Operator) {
			say(v, 0, 50)
			person.Say(v, "Hello")
		}, nil, nil, true},
		"a person has answered and resolved": {func(v *crisptest.Visitor, person *crisptest.Operator) {
			v.Say("1")
			person.Say(v, "Hello")
			v.Say("2")
			person.Resolve(v)
		}, []crisp.ResumeRule{resolvedEnds}, nil, false},
		"a person has resolved": {func(v *crisptest.Visitor, person *crisptest.Operator) {
			v.Say("1")
			person.Resolve(v)
		}, []crisp.ResumeRule{resolvedEnds}, nil, false},
		"a person has resolved, which no rule names": {func(v *crisptest.Visitor, person *crisptest.Operator) {
			v.Say("1")
			person.Resolve(v)
		}, nil, []string{"re: 1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				client := srv.Client()
				router, _ := thinking(client, time.Second)
				pauses := crisp.PauseOnHuman(router, client, tt.rules...)
				router.Use(crisp.IgnoreAutomated())
				runClient(t, client, router, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v, person := srv.Visitor(), srv.Operator("Ada")
				srv.SlowREST(2 * time.Second) // for longer than the bot thinks
				outage(t, srv, func() { tt.missed(v, person) })
				pass(time.Minute)
				assert.Equal(t, tt.want, answersOf(v))
				assert.Equal(t, tt.paused, pauses.Paused(v.Session()))
				v.Say("later")
				pass(time.Minute)
				if !tt.paused {
					assert.Equal(t, append(tt.want, "re: later"), answersOf(v))
				}
			})
		})
	}
}

// What was handled before a gap is recovered again with what lies in its overlap. A
// person's answer in it pauses nothing that has gone on since.
func TestAnOldAnswerDoesNotPauseAgain(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router, _ := thinking(client, time.Second)
		pauses := crisp.PauseOnHuman(router, client, resolvedEnds)
		router.Use(crisp.IgnoreAutomated())
		runClient(t, client, router, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v, person := srv.Visitor(), srv.Operator("Ada")
		v.Say("1")
		person.Say(v, "Hello")
		person.Resolve(v)
		pass(5 * time.Second)
		assert.False(t, pauses.Paused(v.Session()))
		outage(t, srv, func() { v.Say("2") })
		pass(time.Minute)
		assert.Equal(t, []string{"re: 2"}, answersOf(v))
	})
}

// What comes live while a person's answer is being fetched has come after it.
func TestAStateThatComesDuringTheBackfillResumes(t *testing.T) {
	for after := time.Second; after <= 10*time.Second; after += time.Second {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				client := srv.Client()
				router, _ := thinking(client, time.Second)
				pauses := crisp.PauseOnHuman(router, client, resolvedEnds)
				router.Use(crisp.IgnoreAutomated())
				runClient(t, client, router, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v, person := srv.Visitor(), srv.Operator("Ada")
				srv.SlowREST(2 * time.Second)
				outage(t, srv, func() {
					v.Say("1")
					person.Say(v, "Hello")
				})
				pass(after)
				person.Resolve(v)
				pass(time.Minute)
				assert.False(t, pauses.Paused(v.Session()))
				v.Say("2")
				pass(time.Minute)
				assert.Equal(t, []string{"re: 2"}, answersOf(v))
			})
		})
	}
}

// TestWhatAVisitorAddsSupersedes has a visitor say three things while the bot thinks.
func TestWhatAVisitorAddsSupersedes(t *testing.T) {
	for _, transport := range []string{"RTM", "web hooks"} {
		t.Run(transport, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				client := srv.Client()
				router, ended := thinking(client, 5*time.Second)
				crisp.Supersede(router)
				receive(t, srv, client, router, transport)
				v := srv.Visitor()
				v.Say("1")
				pass(time.Second)
				v.Say("2")
				pass(time.Second)
				v.Say("3")
				pass(time.Minute)
				assert.Equal(t, []string{"re: 3"}, answersOf(v))
				assert.Equal(t, []error{crisp.ErrSuperseded, crisp.ErrSuperseded}, ended.List())
			})
		})
	}
}

// answeredLate is a client to which the server's answers to some requests take a while.
func answeredLate(srv *crisptest.Server, takes time.Duration, match func(*http.Request) bool) *crisp.Client {
	inner := srv.HTTPClient().Transport
	return srv.Client(crisp.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := inner.RoundTrip(r)
		if match(r) {
			time.Sleep(takes)
		}
		return resp, err
	})}))
}

// A message that was missed is recovered when a newer one has come.
func TestWhatWasMissedSupersedesNothingNewer(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := answeredLate(srv, 5*time.Second, isMessages)
		router, _ := thinking(client, time.Second)
		crisp.Supersede(router)
		runClient(t, client, router, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v := srv.Visitor()
		outage(t, srv, func() { v.Say("1") })
		pass(2 * time.Second) // while the answer is on its way
		v.Say("2")
		pass(time.Minute)
		assert.Equal(t, []string{"re: 2"}, answersOf(v))
	})
}

// A copy of an older message comes by web hook when a newer one has come by the RTM API.
func TestALateCopySupersedesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router, _ := thinking(client, 5*time.Second)
		router.Use(crisp.Once(crisp.NewMemoryClaims(0)))
		crisp.Supersede(router)
		runClient(t, client, router)
		authenticated(t, srv)
		hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
		require.NoError(t, err)
		srv.AddPluginHook(srv.Serve(sideBySide(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			hook.ServeHTTP(w, r)
		}))))
		v := srv.Visitor()
		v.Say("1")
		pass(time.Second)
		v.Say("2")
		pass(time.Minute)
		assert.Equal(t, []string{"re: 2"}, answersOf(v))
	})
}

// While what was missed of a resolved conversation is fetched, a person answers: that
// pauses.
func TestAnAnswerAfterAMissedStatePauses(t *testing.T) {
	for name, match := range map[string]func(*http.Request) bool{"answer not in the page": isMessages, "in the page": isList} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				client := answeredLate(srv, 5*time.Second, match)
				router, _ := thinking(client, time.Second)
				pauses := crisp.PauseOnHuman(router, client, resolvedEnds)
				router.Use(crisp.IgnoreAutomated())
				runClient(t, client, router, crisp.WithBackfill(crisp.Backfill{}))
				authenticated(t, srv)
				v, person := srv.Visitor(), srv.Operator("Ada")
				outage(t, srv, func() { v.Say("1"); person.Resolve(v) })
				pass(2 * time.Second)
				person.Say(v, "One more thing")
				pass(time.Minute)
				assert.True(t, pauses.Paused(v.Session()))
				v.Say("2")
				pass(time.Minute)
				assert.Empty(t, answersOf(v), "over a person's head")
			})
		})
	}
}

// While it is fetched, the visitor says more: nobody has dealt with that.
func TestAMessageAfterAMissedStateIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := answeredLate(srv, 5*time.Second, isList)
		router, _ := thinking(client, time.Second)
		crisp.PauseOnHuman(router, client, resolvedEnds)
		router.Use(crisp.IgnoreAutomated())
		runClient(t, client, router, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v, person := srv.Visitor(), srv.Operator("Ada")
		outage(t, srv, func() { v.Say("1"); person.Resolve(v) })
		pass(2 * time.Second)
		v.Say("2")
		pass(time.Minute)
		assert.Equal(t, []string{"re: 2"}, answersOf(v))
	})
}

// A person's answer that comes again, by web hook, pauses nothing that was resolved.
func TestALateCopyOfAnAnswerPausesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := srv.Client()
		router, _ := thinking(client, 5*time.Second)
		router.Use(crisp.Once(crisp.NewMemoryClaims(0)))
		pauses := crisp.PauseOnHuman(router, client, resolvedEnds)
		runClient(t, client, router)
		authenticated(t, srv)
		hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
		require.NoError(t, err)
		late := sideBySide(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * time.Second)
			hook.ServeHTTP(w, r)
		}))
		srv.AddPluginHook(srv.Serve(late), "message:received")
		v, person := srv.Visitor(), srv.Operator("Ada")
		person.Say(v, "Hello")
		pass(time.Second)
		person.Resolve(v)
		pass(time.Second)
		assert.False(t, pauses.Paused(v.Session()))
		pass(time.Hour)
		assert.False(t, pauses.Paused(v.Session()), "again")
	})
}

// An answer that came live is recovered, too, before the state behind it has its turn.
func TestARecoveredCopyOfAnAnswerPausesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		client := answeredLate(srv, 5*time.Second, isList)
		router, _ := thinking(client, time.Second)
		pauses := crisp.PauseOnHuman(router, client, resolvedEnds)
		router.Use(crisp.IgnoreAutomated())
		runClient(t, client, router, crisp.WithBackfill(crisp.Backfill{}))
		authenticated(t, srv)
		v, person := srv.Visitor(), srv.Operator("Ada")
		outage(t, srv, func() { v.Say("1") })
		pass(2 * time.Second)
		person.Say(v, "Hello") // live, while the list is on its way
		person.Resolve(v)      // live
		pass(time.Minute)
		assert.False(t, pauses.Paused(v.Session()), "resolved after the answer")
	})
}

// To have more of them: go test ./test -run ManyConversationsWithPersons -args -conversations=10000
var conversing = flag.Int("conversations", 500, "how many conversations TestManyConversationsWithPersons has")

// TestManyConversationsWithPersons has persons answer at random moments: live, while RTM is
// down, and over web hooks. The bot says nothing after them until it may.
func TestManyConversationsWithPersons(t *testing.T) {
	const atATime = 100
	rounds := *conversing / atATime
	for _, transport := range []string{"RTM", "web hooks"} {
		t.Run(transport, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				client := srv.Client()
				router, _ := thinking(client, 5*time.Second)
				crisp.PauseOnHuman(router, client, resolvedEnds)
				router.Use(crisp.IgnoreOperators(), crisp.IgnoreAutomated(), crisp.IgnoreSelf(client), crisp.LimitReplies(10))
				if transport == "RTM" {
					runClient(t, client, router, crisp.WithConcurrency(16), crisp.WithBackfill(crisp.Backfill{MaxRequests: 1 << 20}),
						crisp.WithBackoff(crisp.ExponentialBackoff{Base: time.Second, Max: 2 * time.Second}))
					authenticated(t, srv)
				} else {
					receive(t, srv, client, router, transport)
				}
				person := srv.Operator("Ada")
				answered, over := 0, 0
				for range rounds {
					var wait sync.WaitGroup
					all := visitors(srv, atATime)
					for _, v := range all {
						wait.Go(func() {
							says := 1 + rand.IntN(4)
							answers := rand.IntN(says + 2)
							for n := range says {
								time.Sleep(rand.N(4 * time.Second))
								if n == answers {
									person.Say(v, "a person")
								}
								v.Say(fmt.Sprint(n))
							}
						})
					}
					if transport == "RTM" {
						time.Sleep(rand.N(8 * time.Second))
						srv.DropConnections()
					}
					wait.Wait()
					pass(5 * time.Minute)
					for _, v := range all {
						after := false
						for _, m := range v.Conversation().Messages {
							switch {
							case m.Text() == "a person":
								after = true
							case m.Automated && after:
								over++
							case m.Automated:
								answered++
							}
						}
					}
				}
				assert.Zero(t, over, "messages over a person's head")
				assert.Greater(t, answered, rounds*atATime/4)
				t.Logf("%d conversations, %d answers", rounds*atATime, answered)
			})
		})
	}
}
