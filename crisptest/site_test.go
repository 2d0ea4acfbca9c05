package crisptest_test

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// clientOf returns a client with the server's token of a tier.
func clientOf(t *testing.T, srv *crisptest.Server, tier crisp.Tier) *crisp.Client {
	t.Helper()
	client, err := crisp.New(srv.TokenFor(tier), crisp.WithBaseURL(srv.URL()), crisp.WithHTTPClient(srv.HTTPClient()))
	require.NoError(t, err)
	return client
}

// website returns the services of the website "w" for a user.
func website(t *testing.T, srv *crisptest.Server) *rest.Site {
	t.Helper()
	return rest.Website(clientOf(t, srv, crisp.TierUser), "w")
}

// collect returns what a list has, over all its pages.
func collect[T any](t *testing.T, list iter.Seq2[T, error]) []T {
	t.Helper()
	var elements []T
	for one, err := range list {
		require.NoError(t, err)
		elements = append(elements, one)
	}
	return elements
}

// must returns what a call has got.
func must[T any](t *testing.T) func(answer T, err error) T {
	return func(answer T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return answer
	}
}

// listenAs is an RTM session of a tier that receives all events.
func listenAs(t *testing.T, srv *crisptest.Server, tier crisp.Tier) *listener {
	t.Helper()
	return &listener{rawClient: authenticate(t, srv, srv.TokenFor(tier), ""), srv: srv}
}

// What is refused changes nothing, and says why.
func TestSiteRefuses(t *testing.T) {
	const (
		notFound = http.StatusNotFound
		bad      = http.StatusBadRequest
		conflict = http.StatusConflict
	)
	srv := crisptest.NewServer(t, crisptest.WithStrictSessions())
	srv.AddOperator("w", crisptest.OperatorProfile{UserID: "u"})
	user := srv.TokenFor(crisp.TierUser)
	v := srv.Visitor("w")
	add := func(path, body, member string) string {
		answer := call(t, srv, user, http.MethodPost, "website/w/"+path, body)
		require.Equal(t, http.StatusCreated, answer.Status, path)
		return strings.Split(strings.TrimPrefix(string(answer.Data), `{"`+member+`":"`), `"`)[0]
	}
	inbox := add("inbox", `{"name":"n"}`, "inbox_id")
	team := add("team", `{"name":"n"}`, "team_id")
	template := add("campaigns/template", `{"name":"n","format":"html"}`, "template_id")
	campaign := add("campaign", `{"name":"n","type":"one-shot"}`, "campaign_id")
	spam := srv.AddSpam("w", crisptest.Spam{})
	in := "conversation/" + v.SessionID
	for _, row := range []struct {
		method, path, body string
		status             int
		reason             string
	}{
		{"GET", "operator/x", "", notFound, "operator_not_found"},
		{"PATCH", "operator/x", `{"role":"owner"}`, notFound, "operator_not_found"},
		{"DELETE", "operator/x", "", notFound, "operator_not_found"},
		{"PATCH", "operator/u", `{"title":"t"}`, bad, "invalid_data"},
		{"PATCH", "operator/u", `{"role":"owner","title":1}`, bad, "invalid_data"},
		{"POST", "operator", `{"email":"a@b.example","role":"member"}`, bad, "invalid_data"},
		{"POST", "operator", `{"email":"a@b.example","role":"member","verify":{"method":"password"}}`, bad, "invalid_data"},
		{"POST", "operators/email", `{"subject":"s"}`, bad, "invalid_data"},
		{"POST", "operators/email", `{"subject":"s","message":"m","user_id":"x"}`, notFound, "operator_not_found"},
		{"POST", "operators/email", `{"subject":"s","message":"m","target":{"url":"nowhere"}}`, bad, "invalid_data"},

		{"GET", "inbox/x", "", notFound, "inbox_not_found"},
		{"HEAD", "inbox/x", "", notFound, ""},
		{"PUT", "inbox/x", `{"name":"n"}`, notFound, "inbox_not_found"},
		{"DELETE", "inbox/x", "", notFound, "inbox_not_found"},
		{"POST", "inbox", `{"emoji":"e"}`, bad, "invalid_data"},
		{"POST", "inbox", `{"name":"n","order":-1}`, bad, "invalid_data"},
		{"POST", "inbox", `{"name":"n","operator":"xor"}`, bad, "invalid_data"},
		{"PUT", "inbox/" + inbox, `{"name":"n","conditions":[{"criterion":"c","operator":"like","query":[]}]}`, bad, "invalid_data"},
		{"GET", "inboxes/list/0", "", bad, "invalid_data"},
		{"PATCH", "inboxes/batch/order", `{"orders":[]}`, bad, "invalid_data"},
		{"PATCH", "inboxes/batch/order", `[{"inbox_id":"` + inbox + `","order":1}]`, bad, "invalid_data"},
		{"PATCH", "inboxes/batch/order", `{"orders":[{"inbox_id":"` + inbox + `","order":7},{"inbox_id":"x","order":1}]}`, notFound, "inbox_not_found"},

		{"GET", "team/x", "", notFound, "team_not_found"},
		{"HEAD", "team/x", "", notFound, ""},
		{"DELETE", "team/x", "", notFound, "team_not_found"},
		{"POST", "team", `{}`, bad, "invalid_data"},
		{"PUT", "team/" + team, `{"name":"n","operators":"u"}`, bad, "invalid_data"},
		{"PATCH", "team/" + team, `{"name":"n"}`, notFound, "not_found"},

		{"GET", "campaigns/template/x", "", notFound, "template_not_found"},
		{"HEAD", "campaigns/template/x", "", notFound, ""},
		{"POST", "campaigns/template", `{"name":"n"}`, bad, "invalid_data"},
		{"PATCH", "campaigns/template/" + template, `{"content":1}`, bad, "invalid_data"},
		{"PATCH", "campaigns/template/" + template, `"text"`, bad, "invalid_data"},

		{"GET", "campaign/x", "", notFound, "campaign_not_found"},
		{"HEAD", "campaign/x", "", notFound, ""},
		{"POST", "campaign/x/dispatch", "", notFound, "campaign_not_found"},
		{"POST", "campaign", `{"name":"n","type":"endless"}`, bad, "invalid_data"},
		{"PUT", "campaign/" + campaign, `{"recipients":{"people":[1]}}`, bad, "invalid_data"},
		{"PATCH", "campaign/" + campaign, `{"options":{"tracking":"yes"}}`, bad, "invalid_data"},
		{"POST", "campaign/" + campaign + "/dispatch", "", conflict, "campaign_not_ready"},
		{"POST", "campaign/" + campaign + "/test", "", conflict, "campaign_not_ready"},
		{"POST", "campaign/" + campaign + "/pause", "", conflict, "campaign_not_running"},
		{"POST", "campaign/" + campaign + "/resume", "", conflict, "campaign_not_paused"},
		{"GET", "campaign/" + campaign + "/statistics/danced/1", "", bad, "invalid_data"},
		{"GET", "campaign/" + campaign + "/statistics/opened/x", "", bad, "invalid_data"},
		{"GET", "campaign/" + campaign + "/recipients/0", "", bad, "invalid_data"},

		{"GET", "visitors/map?center_longitude=1", "", bad, "invalid_data"},
		{"GET", "visitors/map?center_longitude=1&center_latitude=x&center_radius=1", "", bad, "invalid_data"},
		{"GET", "visitors/list/x", "", bad, "invalid_data"},
		{"GET", "visitors/token/x", "", notFound, "token_not_found"},

		{"PATCH", "batch/resolve", `{}`, bad, "invalid_data"},
		{"PATCH", "batch/resolve", `{"sessions":[]}`, bad, "invalid_data"},
		{"PATCH", "batch/resolve", `{"inbox_id":null}`, bad, "invalid_data"},
		{"PATCH", "batch/block", `{"sessions":["s"]}`, bad, "invalid_data"},
		{"PATCH", "batch/routing", `{"sessions":["s"]}`, bad, "invalid_data"},
		{"PATCH", "batch/inbox", `{"sessions":["s"]}`, bad, "invalid_data"},
		{"PATCH", "batch/data", `{"sessions":["s"],"data":{"k":{}}}`, bad, "invalid_data"},
		{"PATCH", "batch/segments", `{"sessions":["s"],"segments":"vip"}`, bad, "invalid_data"},
		{"POST", "batch/report", `{"sessions":["s"]}`, bad, "invalid_data"},

		{"PATCH", "verify/settings", `{"enabled":"yes"}`, bad, "invalid_data"},
		{"PATCH", in + "/verify", `{}`, bad, "invalid_data"},
		{"POST", in + "/verify/identity", `{"identity":"passport"}`, bad, "invalid_data"},
		{"POST", in + "/verify/identity", `{"identity":"urn:"}`, bad, "invalid_data"},
		{"POST", in + "/verify/identity", `{"identity":"email","method":"call"}`, bad, "invalid_data"},
		{"PUT", in + "/verify/identity/link", `{"identity":"email"}`, bad, "invalid_data"},
		{"PUT", in + "/verify/identity/link", `{"identity":"email","token":"t"}`, notFound, "token_not_found"},

		{"PATCH", in + "/open", `{"blocked":true}`, bad, "invalid_data"},
		{"PUT", in + "/participants", `{"participants":[{"type":"email"}]}`, bad, "invalid_data"},
		{"PATCH", in + "/block", `{"blocked":"yes"}`, bad, "invalid_data"},
		{"POST", in + "/transcript", `{"email":"a@b.example"}`, bad, "invalid_data"},
		{"POST", in + "/reminder", `{"date":"tomorrow","note":"n"}`, bad, "invalid_data"},
		{"POST", in + "/reminder", `{"date":"2030-01-31T08:00:00Z"}`, bad, "invalid_data"},
		{"POST", in + "/report", `{}`, bad, "invalid_data"},
		{"GET", in + "/events/x", "", bad, "invalid_data"},
		{"GET", in + "/files/x", "", bad, "invalid_data"},
		{"PATCH", in + "/browsing/x", `{"action":"start"}`, notFound, "browsing_not_found"},
		{"PATCH", in + "/browsing/x/assist", `{"action":"mouse"}`, notFound, "browsing_not_found"},
		{"POST", in + "/call", `{"mode":"smoke"}`, bad, "invalid_data"},
		{"GET", in + "/call", "", notFound, "call_not_found"},
		{"PATCH", in + "/call/x", `{"type":"sdp","payload":{}}`, notFound, "call_not_found"},
		{"DELETE", in + "/call/x", `{}`, notFound, "call_not_found"},
		{"PATCH", "conversation/session_x/block", `{"blocked":true}`, notFound, "conversation_not_found"},
		{"PUT", "conversation/session_x/participants", `{"participants":[]}`, notFound, "conversation_not_found"},

		{"DELETE", "conversations/suggest/segment", `{"segment":"x"}`, notFound, "segment_not_found"},
		{"DELETE", "conversations/suggest/data", `{"segment":"x"}`, bad, "invalid_data"},
		{"GET", "conversations/suggest/data/0", "", bad, "invalid_data"},
		{"GET", "conversations/spam/x/content", "", notFound, "spam_not_found"},
		{"POST", "conversations/spam/" + spam + "/decision", `{}`, bad, "invalid_data"},

		{"PATCH", "settings", `{"name":""}`, bad, "invalid_data"},
		{"PATCH", "settings", `{"emails":{"rating":"yes"}}`, bad, "invalid_data"},
		{"DELETE", "", `{}`, bad, "invalid_data"},
		{"DELETE", "expunge", "", notFound, "deletion_not_found"},
	} {
		answer := call(t, srv, user, row.method, strings.TrimSuffix("website/w/"+row.path, "/"), row.body)
		assert.Equal(t, row.status, answer.Status, "%s %s %s", row.method, row.path, row.body)
		assert.Equal(t, row.reason, answer.Reason, "%s %s %s", row.method, row.path, row.body)
	}

	site := website(t, srv)
	assert.Zero(t, collect(t, site.Inboxes.List(t.Context()))[0].Order)
	assert.Equal(t, "n", must[*rest.Campaign](t)(site.Campaigns.Get(t.Context(), campaign)).Name)
	assert.Empty(t, srv.Dispatches())
	c := v.Conversation()
	assert.False(t, c.Blocked || c.Verified)
	assert.Empty(t, c.Reminders)
	assert.Empty(t, c.Participants)
}

// Crisp keeps some routes for users.
func TestSiteKeepsRoutesForUsers(t *testing.T) {
	srv := crisptest.NewServer(t)
	for _, row := range []struct{ method, path string }{
		{"POST", "operator"}, {"PATCH", "operator/u"}, {"DELETE", "operator/u"}, {"DELETE", "operators/active"},
		{"POST", "inbox"}, {"PUT", "inbox/i"}, {"DELETE", "inbox/i"}, {"PATCH", "inboxes/batch/order"},
		{"GET", "campaigns/list/1"}, {"GET", "campaigns/tags"}, {"POST", "campaign"}, {"GET", "campaign/c"}, {"HEAD", "campaign/c"},
		{"PUT", "campaign/c"}, {"PATCH", "campaign/c"}, {"DELETE", "campaign/c"}, {"POST", "campaign/c/dispatch"},
		{"POST", "campaign/c/resume"}, {"POST", "campaign/c/pause"}, {"POST", "campaign/c/test"},
		{"GET", "campaign/c/recipients/1"}, {"GET", "campaign/c/statistics/opened/1"},
		{"GET", "visitors/blocked"}, {"GET", "visitors/blocked/r"}, {"DELETE", "visitors/blocked/r"},
		{"PATCH", "batch/resolve"}, {"PATCH", "batch/read"}, {"PATCH", "batch/remove"},
		{"GET", "conversations/spams/1"}, {"GET", "conversations/spam/s/content"}, {"POST", "conversations/spam/s/decision"},
		{"DELETE", ""}, {"DELETE", "expunge"},
	} {
		for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierWebsite} {
			path := strings.TrimSuffix("website/"+crisptest.WebsiteID+"/"+row.path, "/")
			answer := call(t, srv, srv.TokenFor(tier), row.method, path, "{}")
			assert.Equal(t, http.StatusForbidden, answer.Status, "%s %s by %s", row.method, row.path, tier)
			if row.method != http.MethodHead {
				assert.Equal(t, "restricted_route_tier", answer.Reason, "%s %s by %s", row.method, row.path, tier)
			}
		}
	}
	for _, path := range []string{
		"operators/list", "operators/active", "availability/status", "availability/operators", "inboxes/list/1", "teams/list/1",
		"campaigns/templates/1", "visitors/count", "visitors/list/1", "visitors/map", "verify/settings", "verify/key", "settings", "",
	} {
		for _, tier := range []crisp.Tier{crisp.TierPlugin, crisp.TierWebsite, crisp.TierUser} {
			path := strings.TrimSuffix("website/"+crisptest.WebsiteID+"/"+path, "/")
			assert.Equal(t, http.StatusOK, call(t, srv, srv.TokenFor(tier), http.MethodGet, path, "").Status, "%s by %s", path, tier)
		}
	}
}

// A website has only what is its own, and a server no more than the latest.
func TestSitesAreApartAndBounded(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithHistory(3))
	client := clientOf(t, srv, crisp.TierUser)
	ctx := t.Context()
	first := rest.Website(client, "w1")
	for _, name := range []string{"a", "b", "c", "d"} {
		_, err := first.Teams.Create(ctx, rest.TeamInput{Name: rest.Set(name)})
		require.NoError(t, err)
		srv.AddOperator("w1", crisptest.OperatorProfile{UserID: name})
		srv.BlockVisitors("w1", name, 1)
		srv.AddSpam("w1", crisptest.Spam{Reason: name})
	}
	names := func(site *rest.Site) (names []string) {
		for _, team := range collect(t, site.Teams.List(ctx)) {
			names = append(names, team.Name)
		}
		return names
	}
	assert.Equal(t, []string{"b", "c", "d"}, names(first))
	assert.Len(t, must[[]*rest.OperatorEntry](t)(first.Operators.List(ctx)), 3)
	assert.Len(t, must[[]*rest.BlockedVisitors](t)(first.Visitors.Blocked(ctx)), 3)
	assert.Len(t, collect(t, first.Conversations.Spams(ctx)), 3)
	assert.Empty(t, names(rest.Website(client, "w2")))
	assert.Len(t, names(first), 3)

	for _, id := range []string{"w3", "w4", "w5"} {
		names(rest.Website(client, id))
	}
	assert.Empty(t, names(first), "of the websites, the one that was not used for longest is forgotten")
}

// Whatever a website sends by itself is decoded without problems, over both ways.
func TestEventsOfASiteDecode(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { t.Error(err) }))
		router.Use(srv.Watch)
		router.OnAny(func(_ context.Context, ev crisp.Event) error {
			_, unknown := ev.(*crisp.UnknownEvent)
			assert.False(t, unknown, ev.EventName())
			return nil
		})
		webhook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
		require.NoError(t, err)
		srv.AddPluginHook(srv.Serve(webhook))
		site := website(t, srv)
		ctx := t.Context()
		v := srv.Visitor("w")
		in := site.Conversation(v.SessionID)

		ada := srv.AddOperator("w", crisptest.OperatorProfile{Email: "ada@nova.example"})
		ada.Arrive()
		ada.Leave()
		v.Trigger("bought", map[string]any{"price": 3})
		require.NoError(t, in.SetOpen(ctx, true))
		require.NoError(t, in.SetOpen(ctx, false))
		require.NoError(t, in.SetBlocked(ctx, rest.BlockChange{Blocked: true}))
		require.NoError(t, in.SaveParticipants(ctx, rest.ParticipantsChange{
			Participants: []rest.ParticipantInput{{Type: rest.Set("email"), Target: rest.Set("b@nova.example")}},
		}))
		require.NoError(t, in.SetVerified(ctx, true))
		require.NoError(t, in.RequestVerification(ctx, rest.VerificationRequest{Identity: rest.Set("urn:x"), Recipient: rest.Set("me")}))
		require.NoError(t, in.StartBrowsing(ctx))
		v.RejectBrowsing()
		_, err = in.StartCall(ctx, rest.CallRequest{Mode: "audio"})
		require.NoError(t, err)
		v.RejectCall()
		id := must[string](t)(site.Campaigns.Create(ctx, "one-shot", "n"))
		require.NoError(t, site.Campaigns.Update(ctx, id, rest.CampaignInput{
			Message: rest.Set("m"), Recipients: &rest.CampaignRecipientsInput{Type: rest.Set("all")},
		}))
		require.NoError(t, site.Campaigns.Dispatch(ctx, id))
		account := rest.Account(clientOf(t, srv, crisp.TierPlugin))
		require.NoError(t, account.GenerateBucketURL(ctx, rest.BucketURLRequest{
			Namespace: rest.Set("upload"), ID: rest.Set("1"),
			File:     &rest.BucketFile{Name: rest.Set("a"), Type: rest.Set("image/png")},
			Resource: &rest.BucketFor{Type: rest.Set("website"), ID: rest.Set("w")},
		}))
		plugin := rest.Plugin(clientOf(t, srv, crisp.TierPlugin))
		require.NoError(t, plugin.ForwardToChannel(ctx, "w", crisptest.PluginID, rest.ChannelMessage{Namespace: rest.Set("n"), Payload: map[string]any{"k": 1}}))
		require.NoError(t, plugin.DispatchEvent(ctx, "w", crisptest.PluginID, rest.EventDispatch{Name: rest.Set("n"), Data: map[string]any{"k": 1}}))

		_, err = srv.WaitHandled(ctx, func(h crisptest.Handled) bool {
			progress, ok := h.Event.(*crisp.CampaignProgress)
			return ok && progress.Progress == 100
		})
		require.NoError(t, err)
		_, err = srv.WaitHandled(ctx, func(h crisptest.Handled) bool {
			running, ok := h.Event.(*crisp.CampaignRunning)
			return ok && !running.Running
		})
		require.NoError(t, err)
		seen := make(map[string]bool)
		for _, h := range srv.Handled() {
			assert.Empty(t, h.Event.EventMeta().Problems, h)
			assert.Equal(t, "w", h.Event.EventMeta().WebsiteID, h)
			seen[h.Event.EventName()] = true
		}
		for _, name := range []string{
			"website:update_operators_availability", "website:users:available", "session:sync:events", "session:set_opened",
			"session:set_closed", "session:set_block", "session:set_participants", "session:update_verify", "identity:verify:request",
			"browsing:request:initiated", "browsing:request:rejected", "call:request:initiated", "call:request:rejected",
			"campaign:dispatched", "campaign:running", "campaign:progress", "bucket:url:upload:generated", "plugin:channel", "plugin:event",
		} {
			assert.True(t, seen[name], name)
		}
	})
}
