package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
)

func TestBotAnswers(t *testing.T) {
	srv := crisptest.NewServer(t)
	client := srv.Client()
	rtm, err := client.NewRTM(newBot(client))
	require.NoError(t, err)
	srv.Run(t, rtm)
	visitor := srv.Visitor()
	visitor.Say("Hello")
	answer, err := visitor.WaitAnswer(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "You said: Hello", answer.Text())
}
