package crisptest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

func TestPluginAccount(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithPluginID("p"))
	ctx := t.Context()
	plugin := rest.Plugin(clientOf(t, srv, crisp.TierPlugin))
	assert.Equal(t, "p", must[*rest.PluginAccount](t)(plugin.Account(ctx)).PluginID)
	assert.True(t, must[bool](t)(plugin.HasSession(ctx)))
	for _, path := range []string{"account", "websites/since?date_since=2000-01-01T00:00:00Z"} {
		assert.Equal(t, http.StatusForbidden, call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodGet, "plugin/connect/"+path, "").Status, path)
	}
}

func TestWebsitesSince(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx := t.Context()
		plugin := rest.Plugin(clientOf(t, srv, crisp.TierPlugin))
		start := time.Now()
		srv.Install("w1")
		srv.Install("w2")
		<-time.After(time.Minute)
		srv.SavePluginSettings("w3", map[string]any{"k": "v"})
		srv.Uninstall("w2")
		list := func(since time.Time, query rest.WebsitesSinceQuery) (list []string) {
			for _, one := range must[[]*rest.ConnectedWebsite](t)(plugin.WebsitesSince(ctx, since, query)) {
				assert.Empty(t, one.Problems)
				list = append(list, one.WebsiteID+" "+one.Difference)
			}
			return list
		}
		assert.Equal(t, []string{"w1 added", "w3 updated", "w2 removed"}, list(start, rest.WebsitesSinceQuery{}))
		assert.Equal(t, []string{"w3 updated", "w2 removed"}, list(start.Add(time.Second), rest.WebsitesSinceQuery{}))
		assert.Equal(t, []string{"w3 updated"}, list(start, rest.WebsitesSinceQuery{FilterConfigured: true}))
		assert.Empty(t, list(start.Add(time.Hour), rest.WebsitesSinceQuery{}))
		assert.Equal(t, "invalid_data", call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/websites/since", "").Reason)
	})
}

func TestConfiguredWebsitesOfThePlugin(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w1", "w2"))
	srv.SavePluginSettings("w2", map[string]any{"k": "v"})
	answer := call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/websites/all/1?filter_configured=1", "")
	assert.JSONEq(t, `[{"website_id":"w2","settings":{"k":"v"}}]`, string(answer.Data))
}

func TestSubscriptionsOfThePlugin(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w1", "w2", "w3"))
	srv.Uninstall("w2")
	ctx, plugin := t.Context(), rest.Plugin(clientOf(t, srv, crisp.TierUser))
	websites := func(list []*rest.PluginSubscription, err error) (ids []string) {
		require.NoError(t, err)
		for _, one := range list {
			assert.Empty(t, one.Problems)
			assert.Equal(t, crisptest.PluginID, one.ID)
			ids = append(ids, one.WebsiteID)
		}
		return ids
	}
	assert.Equal(t, []string{"w1", "w3"}, websites(plugin.Subscriptions(ctx)))
	assert.Equal(t, []string{"w3"}, websites(plugin.WebsiteSubscriptions(ctx, "w3")))
	assert.Empty(t, websites(plugin.WebsiteSubscriptions(ctx, "w2")))
}

func TestPluginSpeaksAndBills(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx := t.Context()
	plugin := rest.Plugin(clientOf(t, srv, crisp.TierPlugin))
	l := listen(t, srv)
	const id = crisptest.PluginID
	require.NoError(t, plugin.ForwardToChannel(ctx, "w", id, rest.ChannelMessage{Namespace: rest.Set("flow:step"), Payload: map[string]any{"step": 1}}))
	require.NoError(t, plugin.DispatchEvent(ctx, "w", id, rest.EventDispatch{Name: rest.Set("flow-started"), Data: map[string]any{"bot": "Support"}}))
	assert.Equal(t, []string{
		`plugin:channel {"namespace":"flow:step","payload":{"step":1},"plugin_id":"` + id + `","website_id":"w"}`,
		`plugin:event {"data":{"bot":"Support"},"name":"flow-started","plugin_id":"` + id + `","urn":"urn:crisptest:plugin:0","website_id":"w"}`,
	}, l.events())

	require.NoError(t, plugin.ReportUsage(ctx, "w", id, rest.UsageReport{Name: rest.Set("Messages"), Units: rest.Set(3), Price: rest.Set(0.05)}))
	bills := must[[]*rest.UsageBill](t)(plugin.UsageBills(ctx, "w", id))
	require.Len(t, bills, 1)
	assert.Equal(t, "Messages", bills[0].Name)
	assert.Equal(t, 3, bills[0].Units)
	assert.InDelta(t, 0.05, bills[0].Price, 0)
	assert.Empty(t, must[[]*rest.UsageBill](t)(plugin.UsageBills(ctx, "w2", id)))

	for _, row := range []struct {
		path, body string
		status     int
		reason     string
	}{
		{"w/x/channel", `{}`, 404, "subscription_not_found"},
		{"w/" + id + "/channel", `{"namespace":"n"}`, 400, "invalid_data"},
		{"w/" + id + "/event", `{"data":{}}`, 400, "invalid_data"},
		{"w/" + id + "/bill/usage", `{"name":"n","units":-1}`, 400, "invalid_data"},
	} {
		answer := call(t, srv, srv.Token(), http.MethodPost, "plugins/subscription/"+row.path, row.body)
		assert.Equal(t, row.status, answer.Status, row.path)
		assert.Equal(t, row.reason, answer.Reason, row.path)
	}
}

// Where to upload a file comes by an event, not by the answer.
func TestBucketURL(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("w"))
	l := listen(t, srv)
	account := rest.Account(clientOf(t, srv, crisp.TierPlugin))
	request := rest.BucketURLRequest{
		Namespace: rest.Set("avatar"), ID: rest.Set("upload-1"),
		File: &rest.BucketFile{Name: rest.Set("a.png"), Type: rest.Set("image/png")}, Resource: &rest.BucketFor{Type: rest.Set("website"), ID: rest.Set("w")},
	}
	require.NoError(t, account.GenerateBucketURL(t.Context(), request))
	events := l.events()
	require.Len(t, events, 1)
	assert.Contains(t, events[0], `bucket:url:avatar:generated {"from":"plugin","id":"upload-1","identifier":"`+crisptest.PluginID+`","policy":{"size_limit":10000000},"resource":{"id":"w","type":"website"},"type":"avatar","url":{`)

	request.Resource.ID = rest.Set("w2")
	require.ErrorContains(t, account.GenerateBucketURL(t.Context(), request), "not_allowed")
	request.Namespace = rest.Set("attic")
	require.ErrorContains(t, account.GenerateBucketURL(t.Context(), request), "invalid_data")
	assert.Empty(t, l.events())
}
