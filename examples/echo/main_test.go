package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestEcho(t *testing.T) {
	srv := crisptest.NewServer(t)
	bot := newBot(srv.Client())
	ev := &crisp.MessageSend{WebsiteID: crisptest.WebsiteID, SessionID: "session_1", Content: crisp.TextContent("hi")}
	// Whether this Crisp knows the conversation does not matter: what the bot
	// asked for does.
	_ = bot.Dispatch(t.Context(), ev)
	requests := srv.Requests()
	require.Len(t, requests, 1)
	assert.True(t, strings.HasSuffix(requests[0].Path, "website/"+crisptest.WebsiteID+"/conversation/session_1/message"), requests[0].Path)
	var sent struct {
		Content   string
		From      string
		Automated bool
	}
	require.NoError(t, json.Unmarshal(requests[0].Body, &sent))
	assert.Equal(t, "hi", sent.Content)
	assert.Equal(t, "operator", sent.From)
	assert.True(t, sent.Automated)

	require.NoError(t, bot.Dispatch(t.Context(), &crisp.MessageSend{Content: &crisp.FileContent{}}))
	assert.Len(t, srv.Requests(), 1, "only texts are echoed")
}
