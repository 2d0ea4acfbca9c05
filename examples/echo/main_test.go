package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestEcho(t *testing.T) {
	srv := crisptest.NewServer(t)
	visitor := srv.Visitor()
	bot := newBot(srv.Client())
	ev := &crisp.MessageSend{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID, Content: crisp.TextContent("hi")}
	require.NoError(t, bot.Dispatch(t.Context(), ev))
	answers := visitor.Answers()
	require.Len(t, answers, 1)
	assert.Equal(t, "hi", answers[0].Text())
	assert.True(t, answers[0].Automated)

	ev.Content = &crisp.FileContent{}
	require.NoError(t, bot.Dispatch(t.Context(), ev))
	assert.Len(t, visitor.Answers(), 1, "only texts are echoed")
}
