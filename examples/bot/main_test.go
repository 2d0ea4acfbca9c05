package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	for _, line := range []string{
		"bot      Order 1234 is on its way and will arrive tomorrow.\n",
		"bot      Of course, I am calling somebody.\n",
		"(bot)    keeps out\n",
		"bot      Order 5678 was delivered on Monday.\n",
	} {
		assert.Contains(t, out.String(), line)
	}
}

func TestDialogue(t *testing.T) {
	text := func(s string) crisp.Content { return crisp.TextContent(s) }
	for name, tt := range map[string]struct {
		before   dialogue
		said     crisp.Content
		answer   string // its beginning
		handOver bool
		after    dialogue
	}{
		"greeting":         {dialogue{}, text("Hi"), "Hello, I am a bot.", false, dialogue{Greeted: true}},
		"order at once":    {dialogue{}, text("where is 1234?"), "Order 1234 is on its way", false, dialogue{Greeted: true, Order: "1234"}},
		"the order again":  {dialogue{Greeted: true, Order: "5678"}, text("When did my ORDER come?"), "Order 5678 was", false, dialogue{Greeted: true, Order: "5678"}},
		"understood again": {dialogue{Greeted: true, Misses: 2}, text("1234"), "Order 1234", false, dialogue{Greeted: true, Order: "1234"}},
		"unknown order":    {dialogue{Greeted: true}, text("9999"), "I did not find that.", false, dialogue{Greeted: true, Misses: 1}},
		"no order":         {dialogue{Greeted: true}, text("my order"), "I did not find that.", false, dialogue{Greeted: true, Misses: 1}},
		"too many misses":  {dialogue{Greeted: true, Misses: 2}, text("what?"), "I am afraid", true, dialogue{Greeted: true}},
		"a person, please": {dialogue{Greeted: true}, text("can I talk to a HUMAN?"), "Of course", true, dialogue{Greeted: true}},
		"humanity":         {dialogue{Greeted: true}, text("humanity"), "I did not find that.", false, dialogue{Greeted: true, Misses: 1}},
		"a file":           {dialogue{}, &crisp.FileContent{Name: "a.pdf"}, "I can't look at that", true, dialogue{}},
	} {
		t.Run(name, func(t *testing.T) {
			d := tt.before
			answer, handOver := d.answer(tt.said)
			assert.Contains(t, answer, tt.answer)
			assert.Equal(t, tt.handOver, handOver)
			assert.Equal(t, tt.after, d)
		})
	}
}

// start runs the bot in virtual time with the state in a file.
func start(t *testing.T, srv *crisptest.Server, path string) (b *bot, stop func()) {
	t.Helper()
	m, err := loadMemory(path)
	require.NoError(t, err)
	client := srv.Client()
	b = newBot(client, m)
	rtm, err := client.NewRTM(b.router, crisp.WithDrainTimeout(drainTimeout))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.run(ctx, rtm) }()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	synctest.Wait()
	return b, func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, b.save())
	}
}

// last returns the text of the latest answer.
func last(v *crisptest.Visitor) string {
	answers := v.Answers()
	return answers[len(answers)-1].Text()
}

// TestAnEndAnswersWhatWasReceived stops the bot while its answers are slow.
func TestAnEndAnswersWhatWasReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		_, stop := start(t, srv, filepath.Join(t.TempDir(), "state.json"))
		srv.SlowREST(time.Second)
		visitors := []*crisptest.Visitor{srv.Visitor(), srv.Visitor(), srv.Visitor()}
		for _, v := range visitors {
			v.Say("Hi, it is about 1234")
		}
		synctest.Wait()
		stop()
		for _, v := range visitors {
			assert.NotEmpty(t, v.Answers())
		}
	})
}

func TestARestartForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		path := filepath.Join(t.TempDir(), "state.json")
		asked, taken := srv.Visitor(), srv.Visitor()

		_, stop := start(t, srv, path)
		asked.Say("Hi, it is about 1234")
		taken.Say("Hi")
		synctest.Wait()
		srv.Operator("Ada").Say(taken, "I take over")
		synctest.Wait()
		stop()

		_, stop = start(t, srv, path)
		defer stop()
		asked.Say("So where is my order?")
		taken.Say("Thank you, Ada")
		synctest.Wait()
		assert.Equal(t, "Order 1234 is on its way and will arrive tomorrow.", last(asked))
		assert.Equal(t, "I take over", last(taken))
	})
}

func TestHandingOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		b, stop := start(t, srv, "")
		defer stop()
		visitor := srv.Visitor()
		visitor.Say("1234")
		visitor.Say("Give me a person")
		visitor.Say("Hello?")
		synctest.Wait()
		assert.Equal(t, "Of course, I am calling somebody.", last(visitor), "and nothing after that")
		sent := srv.Sent()
		assert.Equal(t, "The visitor needs a person. It is about order 1234.", sent[len(sent)-1].Text())
		assert.Equal(t, "note", sent[len(sent)-1].Type)
		assert.Equal(t, "pending", visitor.Conversation().State)

		time.Sleep(resumeAfter) // virtual time
		visitor.Say("Nobody came. My order?")
		synctest.Wait()
		assert.Equal(t, "Order 1234 is on its way and will arrive tomorrow.", last(visitor))

		srv.Operator("Ada").Resolve(visitor)
		synctest.Wait()
		assert.Empty(t, b.memory.get(crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}).Order)
	})
}

func TestWhatWasReceivedIsAnsweredBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		srv.SlowREST(time.Second)
		_, stop := start(t, srv, "")
		visitor := srv.Visitor()
		visitor.Say("1234")
		visitor.Say("5678")
		synctest.Wait() // received, but not answered
		assert.Empty(t, visitor.Answers())
		stop()
		assert.Len(t, visitor.Answers(), 2)
	})
}

func TestMemoryForgetsOldConversations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.json")
		m, err := loadMemory(path)
		require.NoError(t, err)
		ref := func(id string) crisp.SessionRef { return crisp.SessionRef{WebsiteID: "site-1", SessionID: id} }
		m.update(ref("old"), func(d *dialogue) { d.Order = "1" })
		time.Sleep(forgetAfter) // virtual time
		m.update(ref("new"), func(d *dialogue) { d.Order = "2" })
		time.Sleep(time.Minute)
		require.NoError(t, m.save(maps.All(map[crisp.SessionRef]time.Time{})))

		m, err = loadMemory(path)
		require.NoError(t, err)
		assert.Empty(t, m.get(ref("old")).Order)
		assert.Equal(t, "2", m.get(ref("new")).Order)
	})
}

func TestADamagedStateIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.WriteFile(path, []byte(`[{"session":`), 0o600))
	err := live(t.Context(), path)
	var syntax *json.SyntaxError
	require.ErrorAs(t, err, &syntax)
}

func TestLive(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.Setenv(t)
	path := filepath.Join(t.TempDir(), "state.json")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- live(ctx, path) }()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))

	visitor := srv.Visitor()
	visitor.Say("1234")
	answer, err := visitor.WaitAnswer(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Order 1234 is on its way and will arrive tomorrow.", answer.Text())
	stop()
	require.NoError(t, <-ended)
	m, err := loadMemory(path)
	require.NoError(t, err)
	assert.Equal(t, "1234", m.get(crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}).Order)
}

func TestWhatACrashHasLeftIsOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(path+".tmp", []byte(`[{"session`), 0o600))
	m, err := loadMemory(path)
	require.NoError(t, err)
	require.NoError(t, m.save(maps.All(map[crisp.SessionRef]time.Time{})))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, "state", entries[0].Name())
	_, err = loadMemory(path)
	assert.NoError(t, err)
}
