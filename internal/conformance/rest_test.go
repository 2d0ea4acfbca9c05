//go:build conformance && unix

package conformance

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// sdkOfWebsite is the official Node SDK, and package rest beside it, both with the
// same token for one website. What one of them writes the other reads.
type sdkOfWebsite struct {
	t    *testing.T
	node *node
	site *rest.Site
}

const ofSDK = "website-1"

func startRESTOfSDK(t *testing.T, srv *crisptest.Server, tier crisp.Tier) *sdkOfWebsite {
	t.Helper()
	client, err := crisp.New(srv.TokenFor(tier), crisp.WithBaseURL(srv.URL()))
	require.NoError(t, err)
	return &sdkOfWebsite{
		t:    t,
		site: rest.Website(client, ofSDK),
		node: startNode(t, "rest.mjs", map[string]any{
			"host":  strings.TrimSuffix(srv.URL(), "/v1/"),
			"token": tokenOf(srv.TokenFor(tier)),
		}),
	}
}

// call calls a method of the SDK's service of websites, and reads its answer into out
// unless that is nil.
func (sdk *sdkOfWebsite) call(out any, method string, args ...any) {
	sdk.t.Helper()
	args = append([]any{ofSDK}, args...)
	result := sdk.node.do("call", map[string]any{"service": "website", "method": method, "args": args})
	if out != nil {
		require.NoError(sdk.t, json.Unmarshal(result, out), "%s", result)
	}
}

// refused calls a method of the SDK that is refused for a reason.
func (sdk *sdkOfWebsite) refused(reason, method string, args ...any) {
	sdk.t.Helper()
	args = append([]any{ofSDK}, args...)
	answer := sdk.node.try("call", map[string]any{"service": "website", "method": method, "args": args})
	assert.Contains(sdk.t, answer.Error, reason, method)
}

func TestSDKRunsACampaign(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t, crisptest.WithCampaignPace(time.Second)) // slow enough to be paused
	sdk := startRESTOfSDK(t, srv, crisp.TierUser)
	ctx, campaigns := t.Context(), sdk.site.Campaigns
	is := func(id string, wanted func(*rest.Campaign) bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			c, err := campaigns.Get(ctx, id)
			return assert.NoError(t, err) && wanted(c)
		}, patience, 10*time.Millisecond)
	}

	var template struct {
		ID      string `json:"template_id"`
		Content string
	}
	sdk.call(&template, "createNewCampaignTemplate", "html", "Spring letter")
	sdk.call(nil, "saveCampaignTemplate", template.ID, map[string]any{"name": "Spring letter", "format": "html", "content": "<p>Hi</p>"})
	sdk.call(&template, "getCampaignTemplate", template.ID)
	assert.Equal(t, "<p>Hi</p>", template.Content)
	ours, err := sdk.site.Templates.Get(ctx, template.ID)
	require.NoError(t, err)
	assert.Equal(t, "Spring letter html <p>Hi</p>", ours.Name+" "+ours.Format+" "+ours.Content)

	var made struct {
		ID string `json:"campaign_id"`
	}
	sdk.call(&made, "createNewCampaign", "one-shot", "Spring news")
	sdk.refused("campaign_not_ready", "dispatchCampaign", made.ID)
	sdk.call(nil, "saveCampaign", made.ID, map[string]any{
		"type": "one-shot", "format": "html", "name": "Spring news", "message": template.Content,
		"sender":     map[string]any{"user_id": "ada"},
		"recipients": map[string]any{"type": "people", "people": []string{"p1", "p2"}},
		"options":    map[string]any{"deliver_to_email": true, "sender_email_reply": nil, "tracking": true},
	})
	sdk.call(nil, "updateCampaign", made.ID, map[string]any{"tag": "spring"})
	c, err := campaigns.Get(ctx, made.ID)
	require.NoError(t, err)
	assert.Empty(t, c.Problems)
	assert.Equal(t, "Spring news <p>Hi</p> ada spring", strings.Join([]string{c.Name, c.Message, c.Sender.UserID, c.Tag}, " "))
	assert.True(t, c.Ready && c.Options.Tracking && c.Options.DeliverToEmail)

	sdk.call(nil, "testCampaign", made.ID)
	sdk.call(nil, "dispatchCampaign", made.ID)
	sdk.call(nil, "pauseCampaign", made.ID)
	is(made.ID, func(c *rest.Campaign) bool { return c.Dispatched && !c.Running })
	sdk.call(nil, "resumeCampaign", made.ID)
	is(made.ID, func(c *rest.Campaign) bool { return !c.Running && c.Progress == 100 && c.Reached == 2 })
	srv.ReactToCampaign(ofSDK, made.ID, "p2", crisptest.CampaignOpened)
	var opened []struct{ Profile map[string]any }
	sdk.call(&opened, "listCampaignStatistics", made.ID, "opened")
	require.Len(t, opened, 1)
	assert.Equal(t, "p2", opened[0].Profile["people_id"])

	// The other way round.
	id, err := campaigns.Create(ctx, "automated", "Welcome")
	require.NoError(t, err)
	require.NoError(t, campaigns.Update(ctx, id, rest.CampaignInput{
		Message: rest.Set("Hello"), Flow: &rest.CampaignFlowInput{LaunchEvent: rest.Set("registered"), DeliverOnce: rest.Set(true)},
	}))
	require.NoError(t, campaigns.Dispatch(ctx, id))
	var theirs struct {
		Name, Type, Message string
		Running             bool
		Flow                map[string]any
	}
	sdk.call(&theirs, "getCampaign", id)
	assert.Equal(t, "Welcome automated Hello", theirs.Name+" "+theirs.Type+" "+theirs.Message)
	assert.True(t, theirs.Running)
	assert.Equal(t, map[string]any{"launch_event": "registered", "deliver_once": true}, theirs.Flow)
	var list []map[string]any
	sdk.call(&list, "listCampaigns")
	assert.Len(t, list, 2)
	var tags []string
	sdk.call(&tags, "listCampaignTags")
	assert.Equal(t, []string{"spring"}, tags)
	require.NoError(t, campaigns.Remove(ctx, id))
	sdk.refused("route_error", "checkCampaignExists", id)
	sdk.call(nil, "checkCampaignExists", made.ID)
}

func TestSDKManagesOperatorsInboxesAndTeams(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	sdk := startRESTOfSDK(t, srv, crisp.TierUser)
	ctx, site := t.Context(), sdk.site
	ada := srv.AddOperator(ofSDK, crisptest.OperatorProfile{UserID: "ada", Email: "ada@nova.example", FirstName: "Ada"})

	sdk.call(nil, "inviteWebsiteOperator", "bob@nova.example", "member", map[string]any{"method": "password", "secret": "s"})
	sdk.call(nil, "changeOperatorMembership", "ada", "owner", "Lead")
	entries, err := site.Operators.List(ctx)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	assert.Equal(t, "operator owner Lead", entries[0].Type+" "+entries[0].Details.Role+" "+entries[0].Details.Title)
	assert.Equal(t, "invite bob@nova.example", entries[1].Type+" "+entries[1].Details.Email)
	require.NoError(t, site.Operators.ChangeMembership(ctx, "ada", "member", "Engineer"))
	var operator struct{ Role, Title, Email string }
	sdk.call(&operator, "getWebsiteOperator", "ada")
	assert.Equal(t, "member Engineer ada@nova.example", operator.Role+" "+operator.Title+" "+operator.Email)
	sdk.call(nil, "sendEmailToWebsiteOperators", map[string]any{"recipient": "owners", "subject": "s", "message": "m"})

	var status struct{ Status string }
	sdk.call(&status, "getWebsiteAvailabilityStatus")
	assert.Equal(t, "offline", status.Status)
	ada.Arrive()
	sdk.call(&status, "getWebsiteAvailabilityStatus")
	assert.Equal(t, "online", status.Status)
	var availabilities []struct{ Type string }
	sdk.call(&availabilities, "listWebsiteOperatorAvailabilities")
	require.Len(t, availabilities, 1)
	assert.Equal(t, "online", availabilities[0].Type)
	var active []map[string]any
	sdk.call(&active, "listLastActiveWebsiteOperators")
	assert.Len(t, active, 1)
	sdk.call(nil, "flushLastActiveWebsiteOperators")

	var team struct {
		ID string `json:"team_id"`
	}
	sdk.call(&team, "createNewTeam", map[string]any{"name": "Support", "emoji": "📦", "operators": []string{"ada"}})
	var made struct {
		ID string `json:"inbox_id"`
	}
	sdk.call(&made, "createNewInbox", map[string]any{
		"name": "Gold", "emoji": "🔔", "order": 1, "teams": []string{team.ID}, "operator": "and",
		"conditions": []any{map[string]any{"model": "session", "criterion": "segments", "operator": "eq", "query": []string{"gold"}}},
	})
	sdk.call(nil, "batchOrderInboxes", map[string]any{"orders": []any{map[string]any{"inbox_id": made.ID, "order": 4}}})
	inbox, err := site.Inboxes.Get(ctx, made.ID)
	require.NoError(t, err)
	assert.Empty(t, inbox.Problems)
	assert.Equal(t, "Gold 🔔", inbox.Name+" "+inbox.Emoji)
	assert.Equal(t, 4, inbox.Order)
	assert.Equal(t, []string{"ada"}, inbox.TeamOperators)
	require.NoError(t, site.Inboxes.Save(ctx, made.ID, rest.InboxInput{Name: rest.Set("Silver")}))
	var inboxes []struct{ Name string }
	sdk.call(&inboxes, "listInboxes")
	require.Len(t, inboxes, 1)
	assert.Equal(t, "Silver", inboxes[0].Name)
	sdk.call(nil, "deleteInbox", made.ID)
	has, err := site.Inboxes.Has(ctx, made.ID)
	require.NoError(t, err)
	assert.False(t, has)

	sdk.call(nil, "unlinkOperatorFromWebsite", "ada")
	sdk.refused("operator_not_found", "getWebsiteOperator", "ada")
}

func TestSDKKeepsConversationsInOrder(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	sdk := startRESTOfSDK(t, srv, crisp.TierUser)
	ctx := t.Context()
	one, two := srv.Visitor(ofSDK), srv.Visitor(ofSDK)
	one.Visit("Prices", "https://nova.example/prices")
	sessions := []string{one.SessionID, two.SessionID}
	in := sdk.site.Conversation(one.SessionID)

	sdk.call(nil, "batchResolveConversations", map[string]any{"inbox_id": nil, "sessions": sessions})
	assert.Equal(t, "resolved resolved", one.Conversation().State+" "+two.Conversation().State)
	sdk.call(nil, "batchUpdateConversationsData", map[string]any{"sessions": sessions, "data": map[string]any{"plan": "gold"}})
	assert.Equal(t, map[string]any{"plan": "gold"}, two.Conversation().Meta["data"])
	require.NoError(t, sdk.site.Batch.Block(ctx, sessions, true))
	var block struct{ Blocked bool }
	sdk.call(&block, "getBlockStatusForConversation", two.SessionID)
	assert.True(t, block.Blocked)

	sdk.call(nil, "saveConversationParticipants", one.SessionID, map[string]any{"participants": []any{map[string]any{"type": "email", "target": "b@nova.example"}}})
	participants, err := in.Participants(ctx)
	require.NoError(t, err)
	require.Len(t, participants.Participants, 1)
	assert.Equal(t, "b@nova.example", participants.Participants[0].Target)
	sdk.call(nil, "scheduleReminderForConversation", one.SessionID, "2030-01-31T08:00:00Z", "Phone back.")
	require.Len(t, one.Conversation().Reminders, 1)
	assert.Equal(t, "Phone back.", one.Conversation().Reminders[0].Note)

	sdk.call(nil, "requestIdentityVerificationForConversation", one.SessionID, map[string]any{"identity": "email"})
	token, asked := one.VerificationToken("email")
	require.True(t, asked)
	sdk.call(nil, "redeemIdentityVerificationLinkForConversation", one.SessionID, map[string]any{"identity": "email", "token": token})
	verification, err := in.Verification(ctx)
	require.NoError(t, err)
	assert.True(t, verification.Verified)

	var visitors []struct {
		SessionID string `json:"session_id"`
		LastPage  struct {
			URL string `json:"page_url"`
		} `json:"last_page"`
	}
	sdk.call(&visitors, "listVisitors")
	require.Len(t, visitors, 1)
	assert.Equal(t, one.SessionID+" https://nova.example/prices", visitors[0].SessionID+" "+visitors[0].LastPage.URL)
	sdk.call(nil, "batchRemoveConversations", map[string]any{"sessions": sessions})
	exists, err := in.Exists(ctx)
	require.NoError(t, err)
	assert.False(t, exists)
}

// Crisp keeps campaigns for users.
func TestSDKOfAPluginHasNoCampaigns(t *testing.T) {
	t.Parallel()
	srv := crisptest.NewServer(t)
	sdk := startRESTOfSDK(t, srv, crisp.TierPlugin)
	sdk.refused("restricted_route_tier", "listCampaigns")
	var templates []any
	sdk.call(&templates, "listCampaignTemplates")
	assert.Empty(t, templates)
}
