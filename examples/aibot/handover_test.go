package main

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
)

func TestHandingOver(t *testing.T) {
	const summary = "\n\nThe visitor has written 1 time."
	for name, tt := range map[string]struct {
		said  string
		setUp func(w *world)
		told  string
		note  string
	}{
		"the visitor asks for it": {said: "Let me talk to a HUMAN please", told: handedOver, note: "Handed over: the visitor asks for a person." + summary},
		"the model asks for it":   {said: "I want a refund", told: handedOver, note: "Handed over: the bot asks for help (refunds are for people to decide)." + summary},
		"the model says so, too": {
			said: "Hm",
			setUp: func(w *world) {
				w.model.respond = func(string) reply { return reply{"One moment, please.", "beyond\nme"} }
			},
			told: "One moment, please.",
			note: "Handed over: the bot asks for help (beyond me)." + summary,
		},
		"it can't be summed up": {
			said:  "Let me talk to a person",
			setUp: func(w *world) { w.model.fail(fault{status: 400}) },
			told:  handedOver,
			note:  "Handed over: the visitor asks for a person.",
		},
		"summing it up takes too long": {
			said:  "Let me talk to a person",
			setUp: func(w *world) { w.model.perWord = 8 * time.Second },
			told:  handedOver,
			note:  "Handed over: the visitor asks for a person.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, settings{operator: "operator-Ada"}, func(t *testing.T, w *world) {
				if tt.setUp != nil {
					tt.setUp(w)
				}
				visitor := w.srv.Visitor()
				visitor.Say(tt.said)
				elapse(long)
				assert.Equal(t, []string{tt.told}, texts(visitor))
				assert.Equal(t, []string{tt.note}, notes(visitor))
				now := visitor.Conversation()
				assert.Equal(t, "pending", now.State)
				assert.Equal(t, "operator-Ada", now.Assigned)
				for _, m := range now.Messages {
					if m.Type == "note" {
						assert.Equal(t, []string{"operator-Ada"}, m.Mentions)
					}
				}

				visitor.Say("Hello? 1234?")
				elapse(long)
				assert.Len(t, visitor.Answers(), 1, "the bot keeps out")
				elapse(resumeAfter)
				w.model.respond, w.model.perWord = nil, 0
				visitor.Say("Nobody came. 1234?")
				elapse(long)
				answers := texts(visitor)
				if tt.said != "I want a refund" { // which the stub still sees
					assert.True(t, strings.HasPrefix(answers[len(answers)-1], "Order 1234"), answers)
				}
			})
		})
	}
}

// What the visitor adds while the bot hands over ends the turn, but not the hand-over.
func TestAHandOverIsNotLostToAnAddition(t *testing.T) {
	for name, at := range map[string]time.Duration{
		"while it is summed up":           5 * time.Second,
		"while the note is sent":          12500 * time.Millisecond,
		"while the visitor is being told": 13500 * time.Millisecond,
		"while the state is set":          14500 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, settings{operator: "operator-Ada"}, func(t *testing.T, w *world) {
				w.srv.SlowREST(time.Second) // typing, two pages of history, the note, the answer, the state
				w.model.think = 9 * time.Second
				visitor := w.srv.Visitor()
				visitor.Say("Let me talk to a person")
				elapse(at)
				visitor.Say("Hello?")
				elapse(long)
				assert.Len(t, notes(visitor), 1)
				assert.NotEmpty(t, texts(visitor))
				for _, text := range texts(visitor) {
					assert.Equal(t, handedOver, text)
				}
				assert.Equal(t, "pending", visitor.Conversation().State)
				assert.Equal(t, "operator-Ada", visitor.Conversation().Assigned)
				assert.True(t, w.bot.pauses.Paused(visitor.Session()))
				assert.Zero(t, w.bot.ledger.get(visitor.Session()).Noted)
			})
		})
	}
}

// Operators have been told already: the model can't take it back.
func TestAHandOverThatWasBegunIsFinished(t *testing.T) {
	inWorld(t, settings{}, func(t *testing.T, w *world) {
		w.srv.SlowREST(time.Second) // typing, two pages of history, the note, the answer
		w.model.respond = func(asked string) reply {
			if strings.Contains(asked, "never mind") {
				return reply{text: "Fine."}
			}
			return reply{handOver: "beyond me"}
		}
		visitor := w.srv.Visitor()
		visitor.Say("I want something else")
		elapse(4500 * time.Millisecond)
		require.Len(t, notes(visitor), 1)
		require.Empty(t, texts(visitor))
		visitor.Say("Well, never mind")
		elapse(long)
		assert.Equal(t, []string{handedOver}, texts(visitor))
		assert.Len(t, w.model.seen(), 2, "once, and for the summary")
		assert.True(t, w.bot.pauses.Paused(visitor.Session()))
	})
}

// A bot that keeps out although nobody was called would leave the visitor alone.
func TestAHandOverOfWhichNobodyHearsIsTriedAgain(t *testing.T) {
	inWorld(t, settings{}, func(t *testing.T, w *world) {
		w.model.think = 10 * time.Second
		visitor := w.srv.Visitor()
		visitor.Say("I want a refund")
		elapse(5 * time.Second)
		w.srv.FailREST(http.StatusServiceUnavailable, -1)
		elapse(long)
		assert.Empty(t, notes(visitor))
		w.srv.Heal()
		visitor.Say("Hello?")
		elapse(long)
		assert.Equal(t, []string{handedOver}, texts(visitor))
		assert.Len(t, notes(visitor), 1)
		assert.Equal(t, "pending", visitor.Conversation().State)
	})
}

func TestAHandOverEndsWhenAPersonAnswers(t *testing.T) {
	inWorld(t, settings{}, func(t *testing.T, w *world) {
		w.model.think = 10 * time.Second
		visitor := w.srv.Visitor()
		visitor.Say("Let me talk to a person")
		elapse(5 * time.Second)
		w.srv.Operator("Ada").Say(visitor, "Here I am")
		synctest.Wait()
		calls := w.model.seen()
		require.Len(t, calls, 1)
		assert.True(t, calls[0].left)
		elapse(long)
		assert.Equal(t, []string{"Here I am"}, texts(visitor))
		assert.Empty(t, notes(visitor))
		assert.NotEqual(t, "pending", visitor.Conversation().State)
	})
}

// What a person has dealt with is not taken up again when the bot is back.
func TestAHandOverThatAPersonHasEndedIsOver(t *testing.T) {
	inWorld(t, settings{}, func(t *testing.T, w *world) {
		w.srv.SlowREST(time.Second) // typing, two pages of history, the note, the answer
		visitor := w.srv.Visitor()
		visitor.Say("I want a refund")
		elapse(4500 * time.Millisecond)
		require.Len(t, notes(visitor), 1)
		w.srv.Operator("Ada").Say(visitor, "Here I am")
		elapse(resumeAfter)
		visitor.Say("Where is 1234?")
		elapse(long)
		assert.Equal(t, []string{"Here I am", orderAnswer}, texts(visitor))
	})
}

func TestTheBudgetOfAConversation(t *testing.T) {
	inWorld(t, settings{}, func(t *testing.T, w *world) {
		w.model.usage = 22_000
		visitor, other := w.srv.Visitor(), w.srv.Visitor()
		ask := func(v *crisptest.Visitor) string {
			v.Say("1234")
			elapse(time.Minute)
			all := texts(v)
			return all[len(all)-1]
		}
		assert.Equal(t, orderAnswer, ask(visitor))
		assert.Equal(t, orderAnswer, ask(visitor))
		assert.Equal(t, handedOver, ask(visitor))
		require.Len(t, notes(visitor), 1)
		assert.True(t, strings.HasPrefix(notes(visitor)[0], "Handed over: "+becauseBudget+".\n\n"), "the summary has its reserve")
		assert.Equal(t, orderAnswer, ask(other), "others have their own")

		w.srv.Operator("Ada").Resolve(visitor)
		synctest.Wait()
		assert.Equal(t, orderAnswer, ask(visitor), "it begins anew")
	})
}

// What is not answered, or not accounted for, costs, too.
func TestTheBudgetCountsWhatWasInVain(t *testing.T) {
	for name, setUp := range map[string]func(w *world, v *crisptest.Visitor){
		"no account": func(w *world, _ *crisptest.Visitor) { w.model.usage = -1 },
		"cut off":    func(w *world, _ *crisptest.Visitor) { w.model.fail(fault{cutAfter: 4}, fault{status: 400}) },
		"silent":     func(w *world, _ *crisptest.Visitor) { w.model.fail(fault{hangAfter: 4}, fault{status: 400}) },
		"a person": func(w *world, v *crisptest.Visitor) {
			w.model.think = 10 * time.Second
			time.AfterFunc(5*time.Second, func() { w.srv.Operator("Ada").Say(v, "Here I am") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, settings{}, func(t *testing.T, w *world) {
				visitor := w.srv.Visitor()
				setUp(w, visitor)
				visitor.Say(strings.Repeat("word ", 300) + "1234")
				elapse(long)
				spent := w.bot.ledger.get(visitor.Session()).Tokens
				assert.Greater(t, spent, 500)
				assert.Less(t, spent, 1500)
			})
		})
	}
}

// However a visitor goes on, the model can't be made to cost more.
func TestTheBudgetHoldsAgainstBursts(t *testing.T) {
	inWorld(t, settings{}, func(t *testing.T, w *world) {
		w.model.think, w.model.usage = 10*time.Second, -1
		visitor := w.srv.Visitor()
		for range 200 {
			visitor.Say(strings.Repeat("word ", 600))
			elapse(2 * time.Second)
		}
		elapse(long)
		assert.LessOrEqual(t, w.bot.ledger.get(visitor.Session()).Tokens, conversationTokens)
		assert.Less(t, len(w.model.seen()), 30)
		assert.Len(t, notes(visitor), 1)
	})
}

func TestWhoWantsAPerson(t *testing.T) {
	for text, want := range map[string]bool{
		"Can I talk to a person?":             true,
		"please connect me with an\tagent":    true,
		"HUMAN":                               true,
		"a human please!":                     true,
		"is there a real person here":         true,
		"put somebody on":                     true,
		"humanity":                            false,
		"Which agent did deliver it?":         false,
		"I need a cleaning agent, is it 1234": false,
		"":                                    false,
	} {
		assert.Equal(t, want, wantsPerson.MatchString(text), text)
	}
}
