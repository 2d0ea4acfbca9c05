package crisptest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// readyCampaign makes a campaign to these people, by their IDs or addresses.
func readyCampaign(t *testing.T, campaigns *rest.CampaignsService, name string, people ...string) (campaignID string) {
	t.Helper()
	id := must[string](t)(campaigns.Create(t.Context(), "one-shot", name))
	require.NoError(t, campaigns.Save(t.Context(), id, rest.CampaignInput{
		Type:       rest.Set("one-shot"),
		Format:     rest.Set("markdown"),
		Name:       rest.Set(name),
		Tag:        rest.Set("spring"),
		Sender:     &rest.CampaignSenderInput{UserID: rest.Set("ada")},
		Recipients: &rest.CampaignRecipientsInput{Type: rest.Set("people"), People: people},
		Message:    rest.Set("*Hello* from us"),
		Options:    &rest.CampaignOptionsInput{DeliverToEmail: rest.Set(true), SenderEmailReply: rest.Null[bool](), Tracking: rest.Set(true)},
	}))
	return id
}

func TestCampaignIsWrittenAndRead(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, campaigns := t.Context(), website(t, srv).Campaigns
		empty := must[string](t)(campaigns.Create(ctx, "automated", "Welcome"))
		id := readyCampaign(t, campaigns, "Spring news", "p1", "bob@nova.example")

		c := must[*rest.Campaign](t)(campaigns.Get(ctx, id))
		assert.Empty(t, c.Problems)
		assert.Equal(t, id, c.CampaignID)
		assert.Equal(t, "one-shot markdown Spring news spring *Hello* from us", strings.Join([]string{c.Type, c.Format, c.Name, c.Tag, c.Message}, " "))
		assert.Equal(t, "ada", c.Sender.UserID)
		assert.Equal(t, []string{"p1", "bob@nova.example"}, c.Recipients.People)
		assert.True(t, c.Ready && c.Options.DeliverToEmail && c.Options.Tracking)
		assert.False(t, c.Dispatched || c.Running || c.Options.SenderEmailReply)

		require.NoError(t, campaigns.Update(ctx, id, rest.CampaignInput{Message: rest.Set("*Hello* again")}))
		c = must[*rest.Campaign](t)(campaigns.Get(ctx, id))
		assert.Equal(t, "*Hello* again Spring news", c.Message+" "+c.Name, "PATCH leaves the rest as it is")
		require.NoError(t, campaigns.Save(ctx, id, rest.CampaignInput{Name: rest.Set("Autumn news")}))
		c = must[*rest.Campaign](t)(campaigns.Get(ctx, id))
		assert.Equal(t, "Autumn news", c.Name)
		assert.Empty(t, c.Message+c.Tag, "PUT replaces it")
		assert.False(t, c.Ready)

		answer := call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodPatch, "website/w/campaign/"+id, `{"dispatched":true,"progress":100,"campaign_id":"x","reached":9}`)
		assert.Equal(t, http.StatusOK, answer.Status)
		c = must[*rest.Campaign](t)(campaigns.Get(ctx, id))
		assert.Equal(t, id, c.CampaignID)
		assert.False(t, c.Dispatched || c.Progress > 0 || c.Reached > 0, "these are not for programs to set")

		require.NoError(t, campaigns.Save(ctx, empty, rest.CampaignInput{Name: rest.Set("Hello")}))
		assert.Equal(t, "automated", must[*rest.Campaign](t)(campaigns.Get(ctx, empty)).Type)
		require.NoError(t, campaigns.Remove(ctx, id))
		assert.False(t, must[bool](t)(campaigns.Has(ctx, id)))
		assert.True(t, must[bool](t)(campaigns.Has(ctx, empty)))
	})
}

func TestCampaignsAreFound(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, campaigns := t.Context(), website(t, srv).Campaigns
		must[string](t)(campaigns.Create(ctx, "automated", "Draft"))
		readyCampaign(t, campaigns, "Ready", "p")
		sending, paused, done := readyCampaign(t, campaigns, "Sending"), readyCampaign(t, campaigns, "Paused"), readyCampaign(t, campaigns, "Done")
		require.NoError(t, campaigns.Update(ctx, done, rest.CampaignInput{Tag: rest.Set("summer")}))
		require.NoError(t, campaigns.Dispatch(ctx, done))
		<-time.After(time.Minute)
		require.NoError(t, campaigns.Dispatch(ctx, paused))
		require.NoError(t, campaigns.Pause(ctx, paused))
		require.NoError(t, campaigns.Dispatch(ctx, sending))
		for _, row := range []struct {
			query rest.CampaignsQuery
			want  string
		}{
			{rest.CampaignsQuery{}, "Draft Ready Sending Paused Done"},
			{rest.CampaignsQuery{SearchName: "dRa"}, "Draft"},
			{rest.CampaignsQuery{FilterTag: "spring"}, "Ready Sending Paused"},
			{rest.CampaignsQuery{FilterTypeAutomated: true}, "Draft"},
			{rest.CampaignsQuery{FilterTypeAutomated: true, FilterTypeOneShot: true}, "Draft Ready Sending Paused Done"},
			{rest.CampaignsQuery{FilterTypeOneShot: true, FilterStatusNotConfigured: true}, ""},
			{rest.CampaignsQuery{FilterStatusNotConfigured: true}, "Draft"},
			{rest.CampaignsQuery{FilterStatusReady: true}, "Ready"},
			{rest.CampaignsQuery{FilterStatusPaused: true}, "Paused"},
			{rest.CampaignsQuery{FilterStatusSending: true}, "Sending"},
			{rest.CampaignsQuery{FilterStatusDone: true}, "Done"},
			{rest.CampaignsQuery{FilterStatusDone: true, FilterStatusReady: true}, "Ready Done"},
		} {
			var names []string
			for _, c := range collect(t, campaigns.List(ctx, row.query)) {
				assert.Empty(t, c.Problems)
				names = append(names, c.Name)
			}
			assert.Equal(t, row.want, strings.Join(names, " "), "%+v", row.query)
		}
		assert.Equal(t, []string{"spring", "summer"}, must[[]string](t)(campaigns.Tags(ctx)))
	})
}

// A campaign makes its progress in steps, unless it is paused.
func TestCampaignIsDispatched(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, campaigns := t.Context(), website(t, srv).Campaigns
		id := readyCampaign(t, campaigns, "Spring news", "p1", "p2", "p3", "bob@nova.example")
		l := listenAs(t, srv, crisp.TierUser)
		plugin := listenAs(t, srv, crisp.TierPlugin)
		event := func(name, fields string) string {
			return fmt.Sprintf(`campaign:%s {"campaign_id":%q%s,"website_id":"w"}`, name, id, fields)
		}
		progress := func(percent int) string { return event("progress", fmt.Sprintf(`,"progress":%d`, percent)) }
		is := func() string {
			c := must[*rest.Campaign](t)(campaigns.Get(ctx, id))
			return fmt.Sprintf("running %v, %d %%, %d of %d", c.Running, c.Progress, c.Reached, c.Targets)
		}

		require.NoError(t, campaigns.Test(ctx, id))
		require.NoError(t, campaigns.Dispatch(ctx, id))
		assert.Equal(t, []string{event("dispatched", ""), event("running", `,"running":true`)}, sorted(t, l.events()))
		assert.Equal(t, "running true, 0 %, 0 of 4", is())
		assert.Equal(t, "campaign_dispatched", call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodPost, "website/w/campaign/"+id+"/dispatch", "").Reason)

		<-time.After(60 * time.Millisecond)
		require.NoError(t, campaigns.Pause(ctx, id))
		<-time.After(time.Hour)
		assert.Equal(t, []string{progress(25), event("running", `,"running":false`)}, l.events())
		assert.Equal(t, "running false, 25 %, 1 of 4", is())

		require.NoError(t, campaigns.Resume(ctx, id))
		assert.Equal(t, "campaign_not_paused", call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodPost, "website/w/campaign/"+id+"/resume", "").Reason)
		<-time.After(time.Second)
		assert.Equal(t, []string{event("running", `,"running":true`), progress(50), progress(75), progress(100), event("running", `,"running":false`)}, l.events())
		assert.Equal(t, "running false, 100 %, 4 of 4", is())
		assert.Equal(t, "campaign_not_paused", call(t, srv, srv.TokenFor(crisp.TierUser), http.MethodPost, "website/w/campaign/"+id+"/resume", "").Reason)
		assert.Empty(t, plugin.events(), "events of campaigns are for users")

		dispatches := srv.Dispatches()
		require.Len(t, dispatches, 1)
		assert.Equal(t, `one-shot campaign "Spring news" (`+id+`), to 4 people`, dispatches[0].String())
		assert.Equal(t, []string{"p1", "p2", "p3", "bob@nova.example"}, dispatches[0].Recipients)
		assert.Equal(t, "*Hello* from us", dispatches[0].Message)
	}, crisptest.WithHeartbeat(24*time.Hour, time.Hour))
}

// A campaign that was paused and resumed at once goes on once only.
func TestCampaignIsResumedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, campaigns := t.Context(), website(t, srv).Campaigns
		id := readyCampaign(t, campaigns, "n")
		require.NoError(t, campaigns.Dispatch(ctx, id))
		for range 3 {
			require.NoError(t, campaigns.Pause(ctx, id))
			require.NoError(t, campaigns.Resume(ctx, id))
		}
		<-time.After(60 * time.Millisecond)
		assert.Equal(t, 25, must[*rest.Campaign](t)(campaigns.Get(ctx, id)).Progress)
	})
}

func TestCampaignHasAPace(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		campaigns := website(t, srv).Campaigns
		id := readyCampaign(t, campaigns, "n")
		require.NoError(t, campaigns.Dispatch(t.Context(), id))
		<-time.After(2*time.Hour + time.Minute)
		assert.Equal(t, 50, must[*rest.Campaign](t)(campaigns.Get(t.Context(), id)).Progress)
	}, crisptest.WithCampaignPace(time.Hour))
}

func TestAutomatedCampaignWaits(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		ctx, campaigns := t.Context(), website(t, srv).Campaigns
		id := must[string](t)(campaigns.Create(ctx, "automated", "n"))
		require.NoError(t, campaigns.Update(ctx, id, rest.CampaignInput{Message: rest.Set("m"), Flow: &rest.CampaignFlowInput{LaunchEvent: rest.Set("people:registered")}}))
		require.NoError(t, campaigns.Dispatch(ctx, id))
		<-time.After(time.Hour)
		c := must[*rest.Campaign](t)(campaigns.Get(ctx, id))
		assert.True(t, c.Running && c.Dispatched)
		assert.Zero(t, c.Progress)
		require.NoError(t, campaigns.Pause(ctx, id))
		assert.False(t, must[*rest.Campaign](t)(campaigns.Get(ctx, id)).Running)
	})
}

// The server can be closed, and a campaign removed, while it makes progress.
func TestCampaignEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := crisptest.Start(crisptest.InMemory())
		require.NoError(t, err)
		campaigns := website(t, srv).Campaigns
		removed, running := readyCampaign(t, campaigns, "removed"), readyCampaign(t, campaigns, "running")
		require.NoError(t, campaigns.Dispatch(t.Context(), removed))
		require.NoError(t, campaigns.Dispatch(t.Context(), running))
		require.NoError(t, campaigns.Remove(t.Context(), removed))
		<-time.After(60 * time.Millisecond)
		assert.Equal(t, 25, must[*rest.Campaign](t)(campaigns.Get(t.Context(), running)).Progress)
		closed := time.Now()
		srv.Close()
		assert.Zero(t, time.Since(closed), "the campaign doesn't keep the server from closing")
	})
}

func TestRecipientsReactToACampaign(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx, campaigns := t.Context(), website(t, srv).Campaigns
	id := readyCampaign(t, campaigns, "n", "p1", "bob@nova.example")
	assert.Panics(t, func() { srv.ReactToCampaign("w", id, "p1", crisptest.CampaignOpened) }, "before it is dispatched")
	var recipients []string
	for _, one := range collect(t, campaigns.Recipients(ctx, id)) {
		assert.True(t, one.Subscribed)
		recipients = append(recipients, one.PeopleID+one.Email)
	}
	assert.Equal(t, []string{"p1", "bob@nova.example"}, recipients)

	require.NoError(t, campaigns.Dispatch(ctx, id))
	assert.Panics(t, func() { srv.ReactToCampaign("w", id, "p1", "danced") })
	srv.ReactToCampaign("w", id, "p1", crisptest.CampaignOpened)
	srv.ReactToCampaign("w", id, "bob@nova.example", crisptest.CampaignOpened)
	srv.ReactToCampaign("w", id, "p1", crisptest.CampaignClicked)
	c := must[*rest.Campaign](t)(campaigns.Get(ctx, id))
	assert.Equal(t, rest.CampaignCounts{Opened: 2, Clicked: 1}, c.Statistics)
	for action, want := range map[string]string{"opened": "p1 bob@nova.example", "clicked": "p1", "unsubscribed": ""} {
		var who []string
		for _, one := range collect(t, campaigns.Statistics(ctx, id, action)) {
			assert.Empty(t, one.Problems)
			assert.Equal(t, action, one.Type)
			who = append(who, one.Profile.PeopleID+one.Profile.Email)
		}
		assert.Equal(t, want, strings.Join(who, " "), action)
	}
}

func TestTemplates(t *testing.T) {
	srv := crisptest.NewServer(t)
	ctx := t.Context()
	templates := rest.Website(clientOf(t, srv, crisp.TierPlugin), "w").Templates
	id := must[string](t)(templates.Create(ctx, "html", "Spring letter"))
	must[string](t)(templates.Create(ctx, "markdown", "Autumn letter"))
	require.NoError(t, templates.Save(ctx, id, rest.TemplateInput{Name: rest.Set("Spring letter"), Format: rest.Set("html"), Content: rest.Set("<p>Hi</p>")}))
	one := must[*rest.Template](t)(templates.Get(ctx, id))
	assert.Empty(t, one.Problems)
	assert.Equal(t, "custom html Spring letter <p>Hi</p>", strings.Join([]string{one.Type, one.Format, one.Name, one.Content}, " "))
	require.NoError(t, templates.Update(ctx, id, rest.TemplateInput{Content: rest.Set("<p>Bye</p>")}))
	one = must[*rest.Template](t)(templates.Get(ctx, id))
	assert.Equal(t, "Spring letter <p>Bye</p>", one.Name+" "+one.Content)

	for want, query := range map[string]rest.TemplatesQuery{
		"Spring letter, Autumn letter":  {},
		"Autumn letter":                 {SearchName: "AUTUMN"},
		"Spring letter, Autumn letter,": {FilterTypeCustom: true},
		"":                              {FilterTypeStatic: true},
	} {
		var names []string
		for _, excerpt := range collect(t, templates.List(ctx, query)) {
			assert.Empty(t, excerpt.Problems)
			var raw map[string]any
			require.NoError(t, json.Unmarshal(excerpt.Raw, &raw))
			assert.NotContains(t, raw, "content")
			names = append(names, excerpt.Name)
		}
		assert.Equal(t, strings.TrimSuffix(want, ","), strings.Join(names, ", "), "%+v", query)
	}
	require.NoError(t, templates.Remove(ctx, id))
	assert.False(t, must[bool](t)(templates.Has(ctx, id)))
}
