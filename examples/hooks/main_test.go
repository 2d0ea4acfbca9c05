package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
	assert.Contains(t, out.String(), "The visitor is answered: Thank you. Your ticket is number 1.\n")
	assert.Contains(t, out.String(), `"open": false`)
}

// deskOn returns a desk, the Crisp it uses, and the URL of its server.
func deskOn(t *testing.T) (*desk, *crisptest.Server, string) {
	srv := crisptest.NewServer(t)
	client := srv.Client()
	t.Cleanup(client.CloseIdleConnections)
	d := &desk{client: client}
	server, err := newServer(d, "", crisp.WithSigningSecrets(srv.SigningSecret()))
	require.NoError(t, err)
	return d, srv, srv.Serve(server.Handler)
}

func asks(v *crisptest.Visitor, fingerprint int64, at time.Time) *crisp.MessageSend {
	return &crisp.MessageSend{
		WebsiteID: v.WebsiteID, SessionID: v.SessionID, Type: crisp.MessageTypeText, From: crisp.FromUser,
		Content: crisp.TextContent("Help"), Fingerprint: fingerprint, Timestamp: at,
	}
}

func post(t *testing.T, srv *crisptest.Server, url string, ev crisp.Event, at time.Time) int {
	t.Helper()
	resp, err := srv.PostHook(t.Context(), url+"/hooks/crisp", ev, crisptest.HookAt(at))
	require.NoError(t, err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestAVisitorHasOneTicketAtATime(t *testing.T) {
	d, srv, url := deskOn(t)
	visitor, now := srv.Visitor(), time.Now()
	resolved := &crisp.SessionSetState{WebsiteID: visitor.WebsiteID, SessionID: visitor.SessionID, State: crisp.SessionStateResolved}

	assert.Equal(t, 200, post(t, srv, url, asks(visitor, 1, now), now))
	assert.Equal(t, 200, post(t, srv, url, asks(visitor, 2, now), now.Add(time.Second)))
	assert.Len(t, visitor.Answers(), 1)
	assert.Equal(t, 200, post(t, srv, url, resolved, now.Add(3*time.Second)))
	assert.Equal(t, 200, post(t, srv, url, asks(visitor, 3, now), now.Add(2*time.Second)), "late, from before the end")
	assert.Len(t, d.tickets, 1)
	assert.False(t, d.tickets[0].Open)
	assert.Equal(t, 200, post(t, srv, url, asks(visitor, 4, now), now.Add(4*time.Second)))
	assert.Equal(t, 200, post(t, srv, url, resolved, now.Add(3*time.Second+1)), "late, of the first ticket")
	require.Len(t, d.tickets, 2)
	assert.True(t, d.tickets[1].Open)
	assert.Len(t, visitor.Answers(), 2)
}

func TestATicketIsAnnouncedWhenTheHookComesAgain(t *testing.T) {
	d, srv, url := deskOn(t)
	visitor, now := srv.Visitor(), time.Now()
	srv.FailREST(http.StatusInternalServerError, 1)
	ev := asks(visitor, 1, now)
	assert.Equal(t, 500, post(t, srv, url, ev, now))
	assert.Empty(t, visitor.Answers())
	assert.Equal(t, 200, post(t, srv, url, ev, now))
	assert.Len(t, visitor.Answers(), 1)
	assert.Len(t, d.tickets, 1)
}

func TestForgedHooksAreRefused(t *testing.T) {
	d, srv, url := deskOn(t)
	resp, err := srv.PostHook(t.Context(), url+"/hooks/crisp", asks(srv.Visitor(), 1, time.Now()), crisptest.HookSecret("guess"))
	require.NoError(t, err)
	_ = resp.Body.Close()
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	assert.Empty(t, d.tickets)
}

func TestLive(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.Setenv(t)
	t.Setenv("CRISP_URL_SECRET", "secret")
	t.Setenv("TICKETS_TOKEN", "t0k3n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- live(ctx, l) }()

	visitor := srv.Visitor()
	srv.AddWebsiteHook("http://"+address+"/hooks/crisp?key=secret", "message:send")
	srv.AddPluginHook("http://"+address+"/hooks/crisp", "message:send")
	visitor.Say("Help")
	answer, err := visitor.WaitAnswer(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Thank you. Your ticket is number 1.", answer.Text())

	var out bytes.Buffer
	require.NoError(t, get(t.Context(), "http://"+address+"/tickets", "t0k3n", &out))
	var tickets []ticket
	require.NoError(t, json.Unmarshal(out.Bytes(), &tickets))
	assert.Len(t, tickets, 1)
	stop()
	require.NoError(t, <-ended)
}

func TestTheTicketsAreForThoseWhoHaveTheToken(t *testing.T) {
	for name, tt := range map[string]struct {
		token, authorization string
		status               int
	}{
		"it":                       {"t0k3n", "Bearer t0k3n", http.StatusOK},
		"nothing":                  {"t0k3n", "", http.StatusUnauthorized},
		"another":                  {"t0k3n", "Bearer guess", http.StatusUnauthorized},
		"a part of it":             {"t0k3n", "Bearer t0k3", http.StatusUnauthorized},
		"of another kind":          {"t0k3n", "Basic t0k3n", http.StatusUnauthorized},
		"nothing, and none is set": {"", "", http.StatusNotFound},
		"none, and none is set":    {"", "Bearer ", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := newServer(&desk{tickets: []*ticket{{Session: "session_1"}}}, tt.token, crisp.WithSigningSecrets("secret"))
			require.NoError(t, err)
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/tickets", nil)
			req.Header.Set("Authorization", tt.authorization)
			answer := httptest.NewRecorder()
			server.Handler.ServeHTTP(answer, req)
			assert.Equal(t, tt.status, answer.Code)
			assert.Equal(t, tt.status == http.StatusOK, strings.Contains(answer.Body.String(), "session_1"))
		})
	}
}

func TestLiveNeedsASecret(t *testing.T) {
	crisptest.NewServer(t).Setenv(t)
	t.Setenv("CRISP_SIGNING_SECRET", "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	err = live(t.Context(), l)
	assert.ErrorContains(t, err, "CRISP_SIGNING_SECRET")
}

// TestTheEventThatIsHandledIsNotLost asks the server to stop while a handler waits for
// Crisp.
func TestTheEventThatIsHandledIsNotLost(t *testing.T) {
	srv := crisptest.NewServer(t)
	asked, answers := make(chan struct{}), make(chan struct{})
	srv.HandleREST("POST website/{website_id}/conversation/{session_id}/message", func(*http.Request) (int, any) {
		close(asked)
		<-answers
		return http.StatusCreated, map[string]any{"fingerprint": 1}
	})
	client := srv.Client()
	t.Cleanup(client.CloseIdleConnections)
	d := &desk{client: client}
	server, err := newServer(d, "", crisp.WithSigningSecrets(srv.SigningSecret()))
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, server, l) }()

	posted := make(chan error, 1)
	go func() {
		resp, err := srv.PostHook(t.Context(), "http://"+l.Addr().String()+"/hooks/crisp", asks(srv.Visitor(), 1, time.Now()))
		if err == nil {
			_ = resp.Body.Close()
		}
		posted <- err
	}()
	<-asked
	stop() // as a signal does
	close(answers)
	require.NoError(t, <-posted, "it is answered")
	require.NoError(t, <-ended)
	require.Len(t, d.tickets, 1)
	assert.True(t, d.tickets[0].announced)
}
