package scenario_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"

	"github.com/crisp-go/crisp/cmd/crisp/internal/scenario"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// played is what a scenario has brought about.
type played struct {
	srv    *crisptest.Server
	events []crisptest.Entry
	told   []string
	took   time.Duration
}

// play runs a scenario in virtual time, with a program that is connected.
func play(t *testing.T, text string, o scenario.Options) (p played) {
	t.Helper()
	s, err := scenario.Parse("test", text)
	require.NoError(t, err)
	p = playAll(t, s, o)
	return p
}

func playAll(t *testing.T, s *scenario.Scenario, o scenario.Options) (p played) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p.srv = crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithJournal(100_000))
		answerer(t, p.srv)
		var mu sync.Mutex
		o.WebsiteID = crisptest.WebsiteID
		o.Tell = func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			p.told = append(p.told, fmt.Sprintf(format, args...))
		}
		began := time.Now()
		require.NoError(t, s.Run(t.Context(), p.srv, o))
		p.took = time.Since(began)
		synctest.Wait()
		for _, entry := range p.srv.Journal(0) {
			if entry.Event != nil {
				p.events = append(p.events, entry)
			}
		}
	})
	return p
}

// answerer runs a bot that answers questions about Norway.
func answerer(t *testing.T, srv *crisptest.Server) {
	client := srv.Client()
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		if text, ok := ev.Content.(crisp.TextContent); ok && strings.Contains(string(text), "Norway") {
			_, err := client.Reply(ctx, ev, crisp.TextContent("We do."))
			return err
		}
		return nil
	})
	rtm, err := client.NewRTM(router)
	require.NoError(t, err)
	srv.Run(t, rtm)
}

// names returns the events by name, with what was said.
func (p played) names() (list []string) {
	for _, entry := range p.events {
		var of struct{ Content any }
		_ = json.Unmarshal(entry.Event.Payload, &of)
		name := entry.Event.Name
		if of.Content != nil {
			name += fmt.Sprintf(" %v", of.Content)
		}
		list = append(list, name)
	}
	return list
}

func TestFirstConversation(t *testing.T) {
	s, err := scenario.Load("first-conversation")
	require.NoError(t, err)
	p := playAll(t, s, scenario.Options{})
	assert.Equal(t, []string{
		"session:set_email", "session:set_nickname", "session:update_availability", "website:update_visitors_count",
		"session:sync:pages", "message:compose:send", "message:send Do you ship to Norway?",
		"message:received We do.", "session:set_state", "message:acknowledge:read:received",
		"message:compose:send", "message:send How long does it take?",
		"session:set_routing", "message:acknowledge:read:send",
		"message:received She has bought from us before: order 1815.", "message:received Three days, usually.",
		"message:acknowledge:read:received", "message:send Great, thanks!", "session:sync:rating", "session:set_state",
		"session:update_availability", "website:update_visitors_count",
	}, p.names())
	assert.Equal(t, 13*time.Second, p.took, "as its waits say: the answer comes at once")
	assert.Regexp(t, `^the scenario first-conversation begins: speed 1, seed \d+$`, p.told[0])
	assert.Equal(t, "the scenario first-conversation has ended", p.told[len(p.told)-1])
}

func TestBusyHourTakesAMinute(t *testing.T) {
	s, err := scenario.Load("busy-hour")
	require.NoError(t, err)
	p := playAll(t, s, scenario.Options{Seed: 7})
	assert.InDelta(t, 55, p.took.Seconds(), 15)
	said := map[string]bool{}
	for _, entry := range p.events {
		var of struct {
			SessionID string `json:"session_id"`
		}
		require.NoError(t, json.Unmarshal(entry.Event.Payload, &of))
		if entry.Event.Name == "message:send" {
			said[of.SessionID] = true
		}
	}
	assert.Len(t, said, 60)
	hour := playAll(t, s, scenario.Options{Seed: 7, Speed: 1})
	assert.InDelta(t, 60*p.took.Seconds(), hour.took.Seconds(), 60, "without the compression, it is the hour")
}

func TestBadDayIsSurvived(t *testing.T) {
	s, err := scenario.Load("bad-day")
	require.NoError(t, err)
	p := playAll(t, s, scenario.Options{Seed: 7})
	var faults []string
	for _, told := range p.told {
		if name, ok := strings.CutPrefix(told, "fault "); ok {
			faults = append(faults, strings.Fields(name)[0])
		}
	}
	assert.Equal(t, []string{
		"drop", "duplicate-hooks", "reorder-hooks", "fail-rest", "slow-rest", "limit-rest", "gateway", "rtm-down",
		"move-endpoint", "ignore-auth", "drop", "silence",
	}, faults)
	assert.GreaterOrEqual(t, len(p.srv.PastSessions()), 3, "the program has come back, and was cut off again")
}

// The same seed makes each conversation the same, whatever its neighbours do.
func TestSeed(t *testing.T) {
	s, err := scenario.Load("busy-hour")
	require.NoError(t, err)
	conversations := func(seed uint64) map[string][]string {
		list := map[string][]string{}
		for _, entry := range playAll(t, s, scenario.Options{Seed: seed}).events {
			var of struct {
				SessionID string `json:"session_id"`
				Content   any
			}
			require.NoError(t, json.Unmarshal(entry.Event.Payload, &of))
			if of.SessionID != "" && of.Content != "We do." {
				list[of.SessionID] = append(list[of.SessionID], fmt.Sprint(entry.Event.Name, of.Content, entry.Time.UnixMilli()))
			}
		}
		return list
	}
	first, again, other := conversations(3), conversations(3), conversations(4)
	assert.Len(t, first, 60)
	assert.Equal(t, first, again)
	assert.NotEqual(t, first, other)
}

func TestStatements(t *testing.T) {
	p := play(t, `
# Everything that the language has.
seed 5
speed 2
visitor ada "Ada" "ada@example.com"
visitor eve
visitors guest 3
operator ben
await program 10s
ada arrives
ada stops typing
ada sends file {"name": "a.png", "url": "https://a.example/a.png", "type": "image/png"}  # a remark
ada sets data {"plan": "pro"}
ada sets segments ["vip"]
ada sets phone "+47 1815"
ada rates 4
ada says "a \"quoted\" # text"
await answer to ada 5s
ben sends ada text "sent"
ben reopens ada
emit session:removed
emit my:event {"a": 1}
meanwhile
  wait 3s
  ada says "meanwhile"
end
repeat 2 every 1s
  any guest says "one of three"
  that guest reads
end
each guest every 1s
  that guest says "each"
end
sometimes 99%
  tell "often"
end
sometimes 1%
  tell "seldom"
end
fault refuse-auth message="not you"
heal
wait 10s
ada leaves
`, scenario.Options{})
	names := p.names()
	count := func(name string) (n int) {
		for _, other := range names {
			if other == name {
				n++
			}
		}
		return n
	}
	assert.Equal(t, 1, count(`message:send a "quoted" # text`))
	assert.Equal(t, 2, count("message:send one of three"))
	assert.Equal(t, 3, count("message:send each"))
	assert.Equal(t, 1, count("message:send meanwhile"))
	assert.Equal(t, 1, count("my:event"))
	assert.Equal(t, 1, count("session:removed"))
	assert.Contains(t, p.told, "often")
	assert.NotContains(t, p.told, "seldom")
	assert.Contains(t, p.told, "nobody has answered ada within 5s")
	assert.Contains(t, p.told, "fault refuse-auth message=not you")
	assert.Contains(t, p.told, "all is well again")
	assert.Equal(t, 5*time.Second+500*time.Millisecond+1*time.Second+5*time.Second, p.took, "the speed is that of the scenario, not of the program")
}

func TestRepeatForeverEndsWithTheContext(t *testing.T) {
	s, err := scenario.Parse("test", "visitor ada\nrepeat\n  ada says \"again\"\nend")
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond+time.Microsecond)
		defer cancel()
		err := s.Run(ctx, srv, scenario.Options{WebsiteID: "w", Tell: func(string, ...any) {}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		c, _ := srv.Conversation("w", sessionOf(t, srv))
		assert.Len(t, c.Messages, 11, "a millisecond apart")
	})
}

// sessionOf returns the session ID of the only conversation.
func sessionOf(t *testing.T, srv *crisptest.Server) string {
	t.Helper()
	for c, err := range srv.Client().Conversations(t.Context(), "w", crisp.ConversationQuery{}) {
		require.NoError(t, err)
		return c.SessionID
	}
	require.Fail(t, "there is no conversation")
	return ""
}

func TestAwaitProgram(t *testing.T) {
	s, err := scenario.Parse("test", "visitor ada\nawait program\nada arrives")
	require.NoError(t, err)
	for name, hooks := range map[string]bool{"one that connects": false, "one that takes web hooks": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithJournal(10))
				if !hooks {
					time.AfterFunc(time.Hour, func() { answerer(t, srv) })
				}
				began := time.Now()
				require.NoError(t, s.Run(t.Context(), srv, scenario.Options{WebsiteID: "w", Hooks: hooks, Tell: func(string, ...any) {}}))
				assert.Equal(t, !hooks, time.Since(began) == time.Hour)
				synctest.Wait()
			})
		})
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"dance":                                 `test:1: there is no dance; there is nobody yet: a line such as visitor ada comes first; otherwise a line begins with await, each, emit, end, fault, heal, meanwhile, operator, repeat, seed, sometimes, speed, tell, visitor, visitors, wait`,
		"\n\nvisitor ada\nbob says \"hi\"":      `test:4: there is no bob; there are ada; otherwise`,
		"visitor ada\nada dances":               `test:2: a visitor can't dances; a visitor arrives, leaves, opens, rates, reads, says, sends, sets, stops, types`,
		"visitor ada\nada":                      `test:2: what the visitor does is missing: arrives, `,
		"visitor ada\nada says hi":              `test:2: what is said must be "in quotes", not hi`,
		"visitor ada\nada says \"hi":            `test:2: the text that begins with "hi has no end`,
		"visitor ada\nada says \"a\" |":         `test:2: another text, behind |, is missing`,
		"visitor ada\nada arrives now":          `test:2: there is something at the end that has no place there: now`,
		"visitor ada\nada rates 6":              `test:2: the number of stars is 6; it must be a number from 0 to 5`,
		"visitor ada\nada sets age \"7\"":       `test:2: a visitor can't set age, but nickname, email, `,
		"visitor ada\nada sets email [1]":       `test:2: the value of email must begin with "`,
		"visitor ada\nada sends file {\"a\":":   `test:2: {"a": is no JSON`,
		"visitor ada\nvisitor ada":              `test:2: there is a ada already`,
		"visitor Ada":                           `test:1: the visitor's name is Ada; it must be of small letters`,
		"visitor wait":                          `test:1: the visitor's name is wait; it must be`,
		"visitors guest 0":                      `test:1: the number of visitors is 0; it must be a number from 1 to 10000`,
		"visitors guest 2\nguest says \"hi\"":   `test:2: guest is a group: say any guest, or that guest for the one that was chosen last`,
		"visitors guest 2\neach gust\nend":      `test:2: there is no group gust; there are guest`,
		"operator ben\nben dances":              `test:2: an operator can't dances; an operator answers, notes, `,
		"operator ben\nben answers ada \"hi\"":  `test:2: there is no visitor ada; there are ben`,
		"wait soon":                             `test:1: the time is soon; it must be a time such as 2s or 500ms, or two such as 1s..3s`,
		"wait 3s..1s":                           `test:1: the time is 3s..1s; it must be`,
		"wait 1000h":                            `test:1: the time is 1000h; it must be`,
		"await tea":                             `test:1: behind await comes program, or answer to and the visitor`,
		"repeat 3\nwait 1s":                     `test:1: repeat has no end: a line with end is missing`,
		"repeat 3\nend":                         `test:2: there is nothing between repeat and its end`,
		"end":                                   `test:1: end ends nothing`,
		"repeat none\nend":                      `test:1: the number of times is none; it must be a number from 1 to 1000000`,
		"sometimes 100%\nend":                   `test:1: how often is 100%; it must be from 1% to 99%`,
		"fault fire":                            `test:1: there is no fault "fire"; there are drop, `,
		"fault slow-rest delay=soon":            `test:1: fault slow-rest: delay is "soon"; it must be a time such as 500ms, 2s or 1m`,
		"emit my:event":                         `test:1: there is no sample of my:event: its data are missing, an object of JSON`,
		"speed 0":                               `test:1: the speed is 0; it must be a number from 0.01 to 10000`,
		"seed 0":                                `test:1: the seed is 0; it must be a number from 1`,
		"\"hello\"":                             `test:1: a line begins with a word, not with "hello"`,
		strings.Repeat("meanwhile\n", 21):       `test:21: there are more than 20 blocks in one another`,
		"visitor ada\xff":                       `test:1: the line is not valid UTF-8`,
		"visitor ada\nada opens \"A\"":          `test:2: the page's URL is missing`,
		"visitor ada\nada stops talking":        `test:2: behind stops comes typing`,
		"visitors guest 9999\nvisitors other 2": `test:2: there are more than 10000 visitors`,
	} {
		_, err := scenario.Parse("test", text)
		var where *scenario.Error
		require.ErrorAs(t, err, &where, text)
		assert.Contains(t, err.Error(), want, text)
	}
}

func TestLoad(t *testing.T) {
	_, err := scenario.Load("nowhere")
	assert.EqualError(t, err, "there is no file nowhere, and no scenario of that name; there are first-conversation, busy-hour, bad-day")
	file := filepath.Join(t.TempDir(), "my.scenario")
	require.NoError(t, os.WriteFile(file, []byte("# Mine\nwait 1s\n"), 0o600))
	s, err := scenario.Load(file)
	require.NoError(t, err)
	assert.Equal(t, "Mine", s.Title)
	_, err = scenario.Load("/dev/null/nothing")
	assert.Error(t, err)

	var names []string
	for _, s := range scenario.Shipped() {
		names = append(names, s.Name)
		assert.NotEmpty(t, s.Title)
	}
	assert.Equal(t, []string{"first-conversation", "busy-hour", "bad-day"}, names)
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"first-conversation", "busy-hour", "bad-day"} {
		text, err := os.ReadFile("shipped/" + name + ".scenario")
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Add("visitor a\na says \"x\" | \"y\"\nrepeat x3 every 1s..2s\nemit a [1]\nend")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scenario.Parse("fuzz", text)
		var where *scenario.Error
		switch {
		case err == nil:
			assert.NotNil(t, s)
		case !errors.As(err, &where):
			assert.Fail(t, "an error without a line", "%v", err)
		default:
			assert.GreaterOrEqual(t, where.Line, 1)
			assert.LessOrEqual(t, where.Line, 1+strings.Count(text, "\n"))
		}
	})
}
