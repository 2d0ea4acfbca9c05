//go:build conformance && unix

package conformance

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// startSDK starts a program that listens to all events of a tier with the
// official Node SDK, over "websockets" or "webhooks".
func startSDK(t *testing.T, srv *crisptest.Server, mode string, tier crisp.Tier) (n *node, ready report) {
	t.Helper()
	n = startNode(t, "sdk.mjs", map[string]any{
		"mode":   mode,
		"host":   strings.TrimSuffix(srv.URL(), "/v1/"),
		"token":  tokenOf(srv.TokenFor(tier)),
		"secret": srv.SigningSecret(),
		"listen": namesOf(eventsOf(tier)),
	})
	return n, n.next("ready")
}

// The SDK asks REST for the endpoint only once: a server that is started again has to
// be at the same address.
func TestSDKFindsAServerThatWasRestarted(t *testing.T) {
	t.Parallel()
	begin := func(addr string) *crisptest.Server {
		return crisptest.NewServer(t, crisptest.WithAddr(addr), crisptest.WithSingleAddress(),
			crisptest.WithToken(crisp.PluginToken("the same", "each time")))
	}
	srv := begin("127.0.0.1:0")
	n, _ := startSDK(t, srv, "websockets", crisp.TierPlugin)
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	assertReceives(t, srv, n)

	srv.Close()
	srv = begin(strings.TrimSuffix(strings.TrimPrefix(srv.URL(), "http://"), "/v1/"))
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	assertReceives(t, srv, n)
}

// newerThanSDK are events that the official SDK does not know of.
var newerThanSDK = []string{"widget:action:processed"}

func TestSDKGetsEveryEvent(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	seen := make(map[string]bool)
	for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierUser, crisp.TierWebsite} {
		n, ready := startSDK(t, srv, "websockets", tier)
		assert.Subset(t, newerThanSDK, ready.Unknown)
		session, err := srv.WaitSession(t.Context(), func(s crisptest.Session) bool { return s.Tier == tier })
		require.NoError(t, err)
		assert.Equal(t, 4, session.EngineIO)
		for _, name := range session.Events {
			srv.Emit(crisptest.Sample(name))
			assert.JSONEq(t, string(samplePayload(name)), string(assertEvent(t, n, name)))
			seen[name] = true
		}
		n.stop()
	}
	assert.Len(t, seen, 82-len(newerThanSDK))
}

func TestSDKReconnectsAndRebinds(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	n, _ := startSDK(t, srv, "websockets", crisp.TierPlugin)
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	n.do("rebind", nil)
	bind, err := srv.WaitBind(t.Context(), func(crisptest.Bind) bool { return true })
	require.NoError(t, err)
	assert.Nil(t, bind.Events)

	srv.DropConnections()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	assertReceives(t, srv, n)
}

func TestSDKIsRefused(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	srv.RejectAuth()
	n, _ := startSDK(t, srv, "websockets", crisp.TierPlugin)
	assert.Contains(t, n.next("crash").Reason, "authentication is invalid")
}

// The SDK's own verification accepts the hooks of crisptest, and no others.
func TestSDKVerifiesHooks(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	n, ready := startSDK(t, srv, "webhooks", crisp.TierUser)
	for _, info := range eventsOf(crisp.TierUser) {
		if slices.Contains(ready.Unknown, info.Name) {
			continue
		}
		assert.Equal(t, http.StatusOK, postHook(t, srv, ready.Hooks, info.Name), info.Name)
		assert.JSONEq(t, string(samplePayload(info.Name)), string(assertEvent(t, n, info.Name)))
	}
	status := postHook(t, srv, ready.Hooks, "message:send", crisptest.HookSecret("another"))
	assert.Equal(t, http.StatusUnauthorized, status)
}

func postHook(t *testing.T, srv *crisptest.Server, url, name string, opts ...crisptest.HookOption) (status int) {
	t.Helper()
	resp, err := srv.PostHook(t.Context(), url, crisptest.Sample(name), opts...)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// A conversation, held with the SDK over REST.
func TestSDKHoldsAConversation(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	n, _ := startSDK(t, srv, "websockets", crisp.TierPlugin)
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	visitor := srv.Visitor()
	website, session := visitor.WebsiteID, visitor.SessionID
	call := func(method string, args ...any) map[string]json.RawMessage {
		t.Helper()
		var data map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(n.do("call", map[string]any{"service": "website", "method": method, "args": args}), &data))
		return data
	}

	visitor.Say("Where is my order?")
	var asked struct{ Content string }
	require.NoError(t, json.Unmarshal(assertEvent(t, n, "message:send"), &asked))
	assert.Equal(t, "Where is my order?", asked.Content)

	call("composeMessageInConversation", website, session, map[string]any{"type": "start", "from": "operator"})
	assertEvent(t, n, "message:compose:receive")
	sent := call("sendMessageInConversation", website, session, map[string]any{
		"type": "text", "from": "operator", "origin": "chat", "content": "On its way.",
	})
	var received struct {
		Content     string
		Fingerprint json.RawMessage
	}
	require.NoError(t, json.Unmarshal(assertEvent(t, n, "message:received"), &received))
	assert.Equal(t, "On its way.", received.Content)
	assert.Equal(t, sent["fingerprint"], received.Fingerprint)
	message, err := srv.WaitSent(t.Context(), func(crisptest.Message) bool { return true })
	require.NoError(t, err)
	assert.Equal(t, "On its way.", message.Text())

	call("changeConversationState", website, session, "resolved")
	assertEvent(t, n, "session:set_state")
	assert.JSONEq(t, `"resolved"`, string(call("getConversation", website, session)["state"]))

	answer := n.try("call", map[string]any{"service": "website", "method": "getConversation", "args": []any{website, "session_unknown"}})
	assert.Contains(t, answer.Error, "404")
	srv.FailREST(http.StatusTooManyRequests, 1, time.Second)
	answer = n.try("call", map[string]any{"service": "website", "method": "getConversation", "args": []any{website, session}})
	assert.Contains(t, answer.Error, "429")
}
