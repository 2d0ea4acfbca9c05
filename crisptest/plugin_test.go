package crisptest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// updated is the event of a plugin that was installed on a website, or removed.
func updated(website, bound string) string {
	return `plugin:subscription:updated {"bound":` + bound + `,"plugin_id":"` + crisptest.PluginID + `","target":"plugin","website_id":"` + website + `"}`
}

// bind sends socket:bind and returns how the server took it.
func (l *listener) bind(argument string) crisptest.Bind {
	l.t.Helper()
	n := len(l.srv.Binds())
	l.write(`42["socket:bind",` + argument + `]`)
	_, err := l.srv.WaitBind(l.t.Context(), func(crisptest.Bind) bool { return len(l.srv.Binds()) > n })
	require.NoError(l.t, err)
	return l.srv.Binds()[n]
}

func TestPluginIsInstalledAndRemoved(t *testing.T) {
	for name, opts := range map[string][]crisptest.Option{
		"any website exists":        nil,
		"websites that were listed": {crisptest.WithWebsites("w1", "w3", crisptest.WebsiteID)},
	} {
		t.Run(name, func(t *testing.T) {
			srv := crisptest.NewServer(t, opts...)
			srv.Uninstall("w2") // so that it is seen by nobody to begin with
			l := listen(t, srv)
			say := func() string { return srv.Visitor("w2").Say("x").SessionID }
			sees := func() bool {
				session := say()
				for _, event := range l.events() {
					assert.Contains(t, event, session)
					return true
				}
				return false
			}
			status := func() int {
				return call(t, srv, srv.Token(), http.MethodGet, "website/w2/conversations/1", "").Status
			}
			assert.False(t, sees())
			assert.NotEqual(t, http.StatusOK, status())
			assert.True(t, l.bind(`{"rooms":["w2"]}`).Refused)

			only1 := &listener{rawClient: authenticate(t, srv, srv.Token(), `"rooms":["w1"]`), srv: srv}
			website := &listener{rawClient: authenticate(t, srv, srv.TokenFor(crisp.TierWebsite), ""), srv: srv}
			srv.Install("w2")
			assert.Equal(t, []string{updated("w2", "true")}, l.events(), "a session that does not see the website yet is told")
			assert.Empty(t, only1.toEnd(), "one that asked for another website is not")
			assert.Empty(t, website.toEnd(), "nor is another website's token")
			assert.Equal(t, http.StatusOK, status())
			assert.False(t, sees(), "not before it binds")
			assert.False(t, l.bind(`{}`).Refused)
			assert.True(t, sees())
			assert.False(t, l.bind(`{"rooms":["w1","w2"]}`).Refused)
			assert.True(t, sees())

			srv.Uninstall("w2")
			assert.Equal(t, []string{updated("w2", "false")}, l.events())
			assert.Equal(t, http.StatusForbidden, status())
			assert.True(t, sees(), "until it binds")
			assert.True(t, l.bind(`{"rooms":["w1","w2"]}`).Refused, "a website that is gone is refused among the rooms")
			assert.False(t, l.bind(`{"rooms":["w1"]}`).Refused)
			assert.False(t, sees())

			c := connect(t, srv, eio4)
			c.write(authentication(srv.Token(), `"rooms":["w1","w2"]`))
			assert.Equal(t, `42["unauthorized",{"message":"not subscribed to website \"w2\""}]`, c.read())
			assert.Equal(t, http.StatusOK,
				call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodGet, "website/w2/conversations/1", "").Status, "the website is still there")

			srv.SetWebsites("w1", "w2")
			assert.Equal(t, http.StatusOK, status(), "the plugin is on all of them")
		})
	}
}

func TestInstalledByRESTAndToldByWebHook(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.AddPluginHook(newSink(srv).url)
		l := listen(t, srv)
		user := srv.TokenFor(crisp.TierUser)
		steps := []struct {
			token              crisp.Token
			method, path, body string
			status             int
			reason             string
			event              string
		}{
			{srv.Token(), "POST", "w", `{"plugin_id":"` + crisptest.PluginID + `"}`, 403, "restricted_route_tier", ""},
			{user, "POST", "w", `{"plugin_id":"another"}`, 404, "plugin_not_found", ""},
			{user, "POST", "w", `{}`, 400, "invalid_data", ""},
			{user, "POST", "w", `{"plugin_id":"` + crisptest.PluginID + `"}`, 201, "added", updated("w", "true")},
			{user, "GET", "w/" + crisptest.PluginID, "", 200, "resolved", ""},
			{user, "GET", "w/another", "", 404, "subscription_not_found", ""},
			{srv.Token(), "DELETE", "w/" + crisptest.PluginID, "", 403, "restricted_route_tier", ""},
			{user, "DELETE", "w/" + crisptest.PluginID, "", 200, "deleted", updated("w", "false")},
			{user, "DELETE", "w/" + crisptest.PluginID, "", 404, "subscription_not_found", ""},
			{srv.Token(), "GET", "w/" + crisptest.PluginID + "/settings", "", 403, "not_allowed", ""},
		}
		for _, step := range steps {
			answer := call(t, srv, step.token, step.method, "plugins/subscription/"+step.path, step.body)
			assert.Equal(t, step.status, answer.Status, step)
			assert.Equal(t, step.reason, answer.Reason, step)
			var want []string
			if step.event != "" {
				want = []string{step.event}
			}
			assert.Equal(t, want, l.events(), step)
		}
		assert.Equal(t, []string{"plugin:subscription:updated", "plugin:subscription:updated"}, eventNames(srv))
	}, crisptest.WithWebsites("w", "w2"))
}

func TestPluginSettings(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithPluginID("p"), crisptest.WithWebsites("w", "w2"))
	l := listen(t, srv)
	saved := func(settings string) []string {
		return []string{`plugin:settings:saved {"plugin_id":"p","settings":` + settings + `,"website_id":"w"}`}
	}
	at := func(method, body string) restAnswer {
		return call(t, srv, srv.Token(), method, "plugins/subscription/w/p/settings", body)
	}
	stored := func() string {
		answer := at(http.MethodGet, "")
		require.Equal(t, http.StatusOK, answer.Status)
		return string(answer.Data)
	}
	assert.JSONEq(t, `{"plugin_id":"p","website_id":"w","schema":{},"settings":{}}`, stored())
	assert.Equal(t, map[string]any{}, srv.PluginSettings("w"))

	assert.Equal(t, http.StatusOK, at(http.MethodPut, `{"region":"eu","chatbox":{"25":"#aaaaaa"}}`).Status)
	assert.Equal(t, saved(`{"chatbox":{"25":"#aaaaaa"},"region":"eu"}`), l.events())
	assert.Equal(t, http.StatusOK, at(http.MethodPatch, `{"region":"us","tags":[1]}`).Status)
	assert.Equal(t, saved(`{"chatbox":{"25":"#aaaaaa"},"region":"us","tags":[1]}`), l.events())
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		for _, body := range []string{``, `null`, `[]`, `"x"`, `{`} {
			assert.Equal(t, "invalid_data", at(method, body).Reason, body)
		}
	}
	assert.JSONEq(t, `{"plugin_id":"p","website_id":"w","schema":{},"settings":{"chatbox":{"25":"#aaaaaa"},"region":"us","tags":[1]}}`, stored())
	assert.Equal(t, map[string]any{"chatbox": map[string]any{"25": "#aaaaaa"}, "region": "us", "tags": []any{1.0}}, srv.PluginSettings("w"))

	srv.SavePluginSettings("w", map[string]any{"n": 1})
	assert.Equal(t, saved(`{"n":1}`), l.events(), "what is not given is gone")
	websites := call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/websites/all/1", "")
	assert.JSONEq(t, `[{"website_id":"w","settings":{"n":1}},{"website_id":"w2","settings":{}}]`, string(websites.Data))

	srv.Uninstall("w")
	srv.Install("w")
	assert.Empty(t, srv.PluginSettings("w"), "they went with the plugin")
	assert.Equal(t, "subscription_not_found", call(t, srv, srv.Token(), http.MethodGet, "plugins/subscription/w/"+crisptest.PluginID+"/settings", "").Reason)
	srv.Uninstall("w2")
	websites = call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/websites/all/1", "")
	assert.JSONEq(t, `[{"website_id":"w","settings":{}}]`, string(websites.Data))
}
