package main

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	assert.Equal(t, `The shop and the blog have installed the plugin; the shop has a greeting of its own.
  a visitor of the shop is told: Welcome to the shop!
  a visitor of the blog is told: Hello! Somebody will be with you soon.
The museum installs it.
  a visitor of the museum is told: Hello! Somebody will be with you soon.
It saves a greeting.
  a visitor of the museum is told: Welcome to the museum!
The blog removes it. The others go on.
  a visitor of the shop is told: Welcome to the shop!
`, out.String())
}

// greeting runs the greeter, in virtual time, on a Crisp where shop and blog have
// installed the plugin.
func greeting(t *testing.T, test func(t *testing.T, srv *crisptest.Server)) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithWebsites(shop, blog))
		srv.SavePluginSettings(shop, map[string]any{"greeting": "Moin"})
		srv.SavePluginSettings(blog, map[string]any{"silent": true})
		client := srv.Client()
		defer client.CloseIdleConnections()
		g := &greeter{client: client}
		rtm, err := g.rtm(t.Context(), g.router())
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, rtm) }()
		require.NoError(t, rtm.Ready(t.Context()))
		synctest.Wait()
		test(t, srv)
		stop()
		require.NoError(t, <-ended)
	})
}

// told is what a new visitor of a website is told; empty if nothing.
func told(srv *crisptest.Server, website string) string {
	visitor := srv.Visitor(website)
	visitor.Say("Hello")
	time.Sleep(3 * time.Second) // of virtual time
	synctest.Wait()
	if answers := visitor.Answers(); len(answers) > 0 {
		return answers[0].Text()
	}
	return ""
}

func TestEachWebsiteHasItsSettings(t *testing.T) {
	greeting(t, func(t *testing.T, srv *crisptest.Server) {
		assert.Equal(t, "Moin", told(srv, shop))
		assert.Empty(t, told(srv, blog), "silent")
		srv.SavePluginSettings(blog, map[string]any{})
		synctest.Wait() // the event may be handled beside those of conversations
		assert.Equal(t, usualGreeting, told(srv, blog), "settings that were saved meanwhile")
	})
}

func TestWebsitesComeAndGo(t *testing.T) {
	greeting(t, func(t *testing.T, srv *crisptest.Server) {
		for _, website := range []string{museum, "w-4", "w-5", "w-6"} {
			srv.Install(website)
		}
		time.Sleep(3 * time.Second)
		for _, website := range []string{museum, "w-4", "w-5", "w-6"} {
			assert.Equal(t, usualGreeting, told(srv, website))
		}
		srv.Uninstall(museum)
		synctest.Wait()
		assert.Empty(t, told(srv, museum))
		assert.Equal(t, "Moin", told(srv, shop))
	})
}

func TestWhatNobodyToldIsLookedUp(t *testing.T) {
	greeting(t, func(t *testing.T, srv *crisptest.Server) {
		srv.TakeDown()
		srv.Install(museum)
		srv.SavePluginSettings(shop, map[string]any{"greeting": "Servus"})
		srv.SavePluginSettings(blog, map[string]any{"greeting": []string{"not", "a", "text"}})
		srv.BringUp()
		require.NoError(t, srv.WaitAuthenticated(t.Context()))
		assert.Equal(t, "Servus", told(srv, shop))
		assert.Equal(t, usualGreeting, told(srv, museum))
		assert.Equal(t, usualGreeting, told(srv, blog), "settings that don't fit count as none")
	})
}

func TestLive(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.Setenv(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- live(ctx, "127.0.0.1:0") }()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	visitor := srv.Visitor()
	visitor.Say("Hello")
	answer, err := visitor.WaitAnswer(t.Context())
	require.NoError(t, err)
	assert.Equal(t, usualGreeting, answer.Text())
	stop()
	require.NoError(t, <-ended)
}

func TestLiveEndsWithAnError(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.FailREST(http.StatusUnauthorized, 1)
	srv.Setenv(t)
	assert.ErrorContains(t, live(t.Context(), ""), "401")
	t.Setenv("CRISP_IDENTIFIER", "")
	assert.ErrorContains(t, live(t.Context(), ""), "CRISP_IDENTIFIER")
}
