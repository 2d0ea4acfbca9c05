package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestControlBinds(t *testing.T) {
	srv := crisptest.NewServer(t)
	rtm, err := srv.Client().NewRTM(newRouter(io.Discard), crisp.WithFilter(messages(crisptest.WebsiteID)))
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(t.Context()) }()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	assert.Equal(t, []string{"message:send"}, srv.Sessions()[0].Events)

	control(t.Context(), rtm, crisptest.WebsiteID, strings.NewReader("curious\n"))
	_, err = srv.WaitSession(t.Context(), func(s crisptest.Session) bool {
		return slices.Contains(s.Events, "message:compose:send")
	})
	require.NoError(t, err)
	require.NoError(t, rtm.Shutdown(t.Context()))
	assert.ErrorIs(t, <-ended, crisp.ErrClosed)
}
