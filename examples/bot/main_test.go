package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/examples/bot/orderbot"
)

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

// start runs the bot in virtual time with the state in a file.
func start(t *testing.T, srv *crisptest.Server, path string) (stop func()) {
	t.Helper()
	m, err := orderbot.LoadMemory(path)
	require.NoError(t, err)
	client := srv.Client()
	b := orderbot.New(client, m)
	rtm, err := client.NewRTM(b.Router, crisp.WithDrainTimeout(drainTimeout))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, b, rtm) }()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	synctest.Wait()
	return func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, b.Save())
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
		stop := start(t, srv, filepath.Join(t.TempDir(), "state.json"))
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

		stop := start(t, srv, path)
		asked.Say("Hi, it is about 1234")
		taken.Say("Hi")
		synctest.Wait()
		srv.Operator("Ada").Say(taken, "I take over")
		synctest.Wait()
		stop()

		stop = start(t, srv, path)
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
		stop := start(t, srv, "")
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

		time.Sleep(orderbot.ResumeAfter) // virtual time
		visitor.Say("Nobody came. My order?")
		synctest.Wait()
		assert.Equal(t, "Order 1234 is on its way and will arrive tomorrow.", last(visitor))

		srv.Operator("Ada").Resolve(visitor)
		synctest.Wait()
		visitor.Say("Where is my order?")
		synctest.Wait()
		assert.Contains(t, last(visitor), "Hello, I am a bot.", "it has forgotten the conversation")
	})
}

func TestWhatWasReceivedIsAnsweredBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		srv.SlowREST(time.Second)
		stop := start(t, srv, "")
		visitor := srv.Visitor()
		visitor.Say("1234")
		visitor.Say("5678")
		synctest.Wait() // received, but not answered
		assert.Empty(t, visitor.Answers())
		stop()
		assert.Len(t, visitor.Answers(), 2)
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
	m, err := orderbot.LoadMemory(path)
	require.NoError(t, err)
	assert.Equal(t, "1234", m.Order(crisp.SessionRef{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID}))
}
