package crisptest_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestConnectEndpoints(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites(crisptest.WebsiteID, "w2"))
	plugin, user, website := srv.TokenFor(crisp.TierPlugin), srv.TokenFor(crisp.TierUser), srv.TokenFor(crisp.TierWebsite)
	wrong := crisp.PluginToken(plugin.Identifier, "wrong")
	tests := []struct {
		path   string
		token  crisp.Token
		status int
		reason string
	}{
		{"plugin/connect/endpoints", plugin, 200, "resolved"},
		{"user/connect/endpoints", user, 200, "resolved"},
		{"website/connect/endpoints", website, 200, "resolved"},
		{"website/" + crisptest.WebsiteID + "/connect/endpoints", website, 200, "resolved"},
		{"website/w2/connect/endpoints", website, 403, "not_allowed"},
		{"website/w3/connect/endpoints", website, 404, "website_not_found"},
		{"user/connect/endpoints", plugin, 403, "restricted_route_tier"},
		{"plugin/connect/endpoints", wrong, 401, "invalid_session"},
		{"plugin/connect/endpoints", crisp.UserToken(plugin.Identifier, plugin.Key), 401, "invalid_session"},
		{"plugin/connect/endpoints", crisp.Token{Identifier: plugin.Identifier, Key: plugin.Key}, 401, "invalid_session"},
		{"plugin/no/such/route", plugin, 404, "not_found"},
		{"plugin/no/such/route", wrong, 401, "invalid_session"},
	}
	for _, test := range tests {
		answer := call(t, srv, test.token, http.MethodGet, test.path, "")
		assert.Equal(t, test.status, answer.Status, "%s with %s", test.path, test.token)
		assert.Equal(t, test.reason, answer.Reason, "%s with %s", test.path, test.token)
		assert.Equal(t, test.status >= 400, answer.IsError)
	}
}

func TestRequestsAreRecorded(t *testing.T) {
	srv := crisptest.NewServer(t)
	call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/endpoints?a=b", "")
	call(t, srv, srv.Token(), http.MethodPost, "nowhere", `{"content":"private"}`)
	requests := srv.Requests()
	require.Len(t, requests, 2)
	assert.Equal(t, "GET plugin/connect/endpoints?a=b: 200", requests[0].String())
	assert.Equal(t, "a=b", requests[0].Query)
	assert.Equal(t, "plugin", requests[0].Header.Get("X-Crisp-Tier"))
	assert.Equal(t, "POST nowhere: 404 (not modelled: see Server.HandleREST)", requests[1].String())
	assert.JSONEq(t, `{"content":"private"}`, string(requests[1].Body))
	assert.False(t, requests[0].Time.IsZero())
}

func TestRequestBodyIsBounded(t *testing.T) {
	srv := crisptest.NewServer(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"x", bytes.NewReader(make([]byte, 11<<20)))
	require.NoError(t, err)
	assert.Equal(t, http.StatusRequestEntityTooLarge, do(t, srv, r).Status)
}

func TestClientReachesItsServer(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, opts ...crisptest.Option) {
		for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierUser, crisp.TierWebsite} {
			srv := crisptest.NewServer(t, append(opts, crisptest.WithTier(tier))...)
			assert.Equal(t, tier, srv.Token().Tier)
			endpoints, err := srv.Client().ConnectEndpoints(t.Context())
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(endpoints.Socket.App, "http://127.0.0.1:"), endpoints.Socket.App)
		}
	})
}

// What the server refuses is to be what the library takes it for.
func TestRefusalsAreKnownToTheLibrary(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w"), crisptest.WithStrictSessions())
	client := func(token crisp.Token) *crisp.Client {
		c, err := crisp.New(token, crisp.WithBaseURL(srv.URL()), crisp.WithHTTPClient(srv.HTTPClient()))
		require.NoError(t, err)
		return c
	}
	plugin := srv.Token()
	ask := func(token crisp.Token, path string) error {
		return client(token).Do(t.Context(), http.MethodGet, path, nil, nil)
	}
	all := []error{crisp.ErrUnauthorized, crisp.ErrScope, crisp.ErrQuota, crisp.ErrRateLimited}
	tests := []struct {
		name   string
		err    error
		status int
		reason string
		is     error // nil if it is none of all
	}{
		{"wrong key", ask(crisp.PluginToken(plugin.Identifier, "wrong"), "plugin/connect/endpoints"), 401, "invalid_session", crisp.ErrUnauthorized},
		{"another tier", ask(plugin, "user/connect/endpoints"), 403, "restricted_route_tier", crisp.ErrScope},
		{"another website", ask(srv.TokenFor(crisp.TierWebsite), "website/w/conversations/1"), 403, "not_allowed", crisp.ErrScope},
		{"unknown route", ask(plugin, "plugin/no/such/route"), 404, "not_found", nil},
		{"unknown conversation", ask(plugin, "website/w/conversation/s"), 404, "conversation_not_found", nil},
	}
	for _, test := range tests {
		var refusal *crisp.APIError
		require.ErrorAs(t, test.err, &refusal, test.name)
		assert.Equal(t, test.status, refusal.StatusCode, test.name)
		assert.Equal(t, test.reason, refusal.Reason, test.name)
		for _, err := range all {
			assert.Equal(t, errors.Is(err, test.is), errors.Is(refusal, err), "%s is %v", test.name, err)
		}
	}
	for status, want := range map[int]struct {
		reason string
		is     error
	}{
		401: {"invalid_session", crisp.ErrUnauthorized},
		403: {"not_allowed", crisp.ErrScope},
		404: {"not_found", nil},
		423: {"quota_limit_exceeded", crisp.ErrQuota},
	} {
		srv.FailREST(status, 1)
		var refusal *crisp.APIError
		require.ErrorAs(t, ask(plugin, "plugin/connect/endpoints"), &refusal)
		assert.Equal(t, want.reason, refusal.Reason)
		for _, err := range all {
			assert.Equal(t, errors.Is(err, want.is), errors.Is(refusal, err), "%d is %v", status, err)
		}
	}
	for _, status := range []int{420, 429} {
		srv.FailREST(status, 1)
		assert.Equal(t, "rate_limited", call(t, srv, plugin, http.MethodGet, "plugin/connect/endpoints", "").Reason)
	}
}

// logged is a TB that keeps what is logged.
type logged struct {
	*testing.T
	cleanup []func()
	lines   []string
}

func (l *logged) Cleanup(f func()) { l.cleanup = append(l.cleanup, f) }

func (l *logged) Logf(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func TestARouteThatIsNotModelledIsTold(t *testing.T) {
	tb := &logged{T: t}
	srv := crisptest.NewServer(tb)
	srv.HandleREST("GET website/{website_id}/helpdesk", func(*http.Request) (int, any) { return http.StatusNotFound, nil })
	call(t, srv, srv.Token(), http.MethodGet, "website/w/helpdesk", "")
	call(t, srv, srv.Token(), http.MethodGet, "website/w/people/profile/nobody", "")
	call(t, srv, srv.Token(), http.MethodGet, "website/w/helpdesk/settings?a=b", "")
	call(t, srv, srv.Token(), http.MethodGet, "website/w/helpdesk/settings", "")
	call(t, srv, srv.Token(), http.MethodPatch, "website/w/conversations/1", `{}`)
	call(t, srv, crisp.PluginToken("who", "knows"), http.MethodGet, "website/w/helpdesk/articles", "")
	var missing []bool
	for _, r := range srv.Requests() {
		missing = append(missing, r.NoRoute)
	}
	assert.Equal(t, []bool{false, false, true, true, true, true}, missing)
	assert.Empty(t, tb.lines)
	for _, f := range tb.cleanup {
		f()
	}
	assert.Equal(t, []string{
		"crisptest has no route GET website/w/helpdesk/settings: Server.HandleREST can add it",
		"crisptest has no route PATCH website/w/conversations/1: Server.HandleREST can add it",
	}, tb.lines)
}

func TestHandleRESTRefusesPatternsThatWouldMatchNothing(t *testing.T) {
	srv := crisptest.NewServer(t)
	for pattern, want := range map[string]string{
		"GET /website/{website_id}/helpdesk":    `write "GET website/{website_id}/helpdesk"`,
		"GET /v1/website/{website_id}/helpdesk": `write "GET website/{website_id}/helpdesk"`,
		"GET v1/website/{website_id}/helpdesk":  `write "GET website/{website_id}/helpdesk"`,
		"GET  /website/{website_id}/helpdesk":   `write "GET website/{website_id}/helpdesk"`,
		"website/{website_id}/helpdesk":         "is not a method, a space and a path",
		"/v1/website/{website_id}/helpdesk":     "is not a method, a space and a path",
		"GET":                                   "is not a method, a space and a path",
		"":                                      "is not a method, a space and a path",
	} {
		func() {
			defer func() { assert.Contains(t, fmt.Sprint(recover()), want, pattern) }()
			srv.HandleREST(pattern, func(*http.Request) (int, any) { return http.StatusOK, nil })
		}()
	}
	srv.HandleREST("GET  website/{website_id}/helpdesk", func(*http.Request) (int, any) { return http.StatusOK, nil })
	assert.Equal(t, http.StatusOK, call(t, srv, srv.Token(), http.MethodGet, "website/w/helpdesk", "").Status)
}
