package main

import (
	"bytes"
	"context"
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

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	assert.Equal(t, `1. Visitors open pages.
Paul opens /
  is told: nothing
Paul opens /pricing
  is told: Hello! If you have a question about our plans, ask away: a person will answer.
Paul opens /pricing
  (was invited today)
  is told: nothing
Rosa opens /pricing
  (people are talking)
  is told: nothing
Cleo opens /pricing
  (wants no emails)
  is told: nothing
2. A campaign is made from a template, for the customers, and dispatched.
  campaign: dispatched
  campaign: running
  campaign: 25 %
  campaign: 50 %
  campaign: 75 %
  campaign: 100 %
  campaign: done: 2 of 2 reached
  Ada has got it
  Ben has got it
`, out.String())
}

// bench is a Crisp in virtual time, with the inviter at work.
type bench struct {
	*crisptest.Server
	t      *testing.T
	router *crisp.Router
	spared []string // why visitors were
	stop   func()
}

// inBubble runs a test in a bubble, which fails if it leaves goroutines behind.
func inBubble(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Server: crisptest.NewServer(t, crisptest.InMemory()), t: t}
		b.start()
		test(t, b)
		b.stop()
	})
}

// start starts the inviter, which remembers nothing of a run before.
func (b *bench) start() {
	client := b.Client()
	i := newInviter(client, crisptest.WebsiteID, "/pricing")
	i.spared = func(_ crisp.SessionRef, why string) { b.spared = append(b.spared, why) }
	b.router = i.router()
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- i.run(ctx, b.router) }()
	require.NoError(b.t, b.WaitAuthenticated(b.t.Context()))
	synctest.Wait()
	b.stop = func() {
		cancel()
		require.NoError(b.t, <-ended)
		client.CloseIdleConnections()
	}
}

// open has a visitor open a page and waits until that is handled.
func open(v *crisptest.Visitor, path string) {
	time.Sleep(time.Second) // virtual time: pages are told apart by it
	v.Visit("A page", "https://example.com"+path)
	synctest.Wait()
}

func TestAVisitorIsInvitedOnceADay(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		v := b.Visitor()
		v.SetMeta(map[string]any{"data": map[string]any{"plan": "free"}})
		open(v, "/")
		open(v, "/pricing/old")
		assert.Empty(t, v.Answers())
		open(v, "/pricing?from=mail")
		require.Len(t, v.Answers(), 1)
		assert.Equal(t, text, v.Answers()[0].Text())
		assert.True(t, v.Answers()[0].Automated)
		_, err := b.WaitRequest(t.Context(), func(r crisptest.Request) bool {
			return strings.HasSuffix(r.Path, "/meta") && strings.Contains(string(r.Body), `"plan":"free"`)
		})
		require.NoError(t, err, "other data stay")

		open(v, "/pricing")
		b.stop() // and what is in memory is lost
		b.start()
		open(v, "/")
		open(v, "/pricing")
		assert.Len(t, v.Answers(), 1)
		assert.Equal(t, []string{"was invited today", "was invited today"}, b.spared)

		time.Sleep(inviteEvery) // virtual time
		open(v, "/pricing")
		assert.Len(t, v.Answers(), 2)
	})
}

func TestTheSameEventTwiceIsOneInvitation(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		v := b.Visitor()
		open(v, "/pricing")
		again := &crisp.SessionSyncPages{
			WebsiteID: v.WebsiteID, SessionID: v.SessionID,
			Pages: []crisp.Page{{PageURL: "https://example.com/pricing", Timestamp: time.Now()}},
		}
		require.NoError(t, b.router.Dispatch(t.Context(), again))
		assert.Len(t, v.Answers(), 1)
	})
}

func TestAContactIsInvitedOnceADayInAllConversations(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		ada := b.AddProfile(map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}})
		first, second := b.Visitor(), b.Visitor()
		for _, v := range []*crisptest.Visitor{first, second} {
			v.SetMeta(map[string]any{"email": ada.Email})
			open(v, "/pricing")
		}
		assert.Len(t, first.Answers(), 1)
		assert.Empty(t, second.Answers())
		assert.Equal(t, []string{"was invited today, in another conversation"}, b.spared)
	})
}

func TestVisitorsWhoAreNotInvited(t *testing.T) {
	for why, before := range map[string]func(*bench, *crisptest.Visitor){
		"people are talking":               func(_ *bench, v *crisptest.Visitor) { v.Say("Hello?") },
		"an operator has the conversation": func(b *bench, v *crisptest.Visitor) { b.Operator("Grace").Take(v) },
		"somebody is typing":               func(_ *bench, v *crisptest.Visitor) { v.Type("Hel") },
		"wants no emails": func(b *bench, v *crisptest.Visitor) {
			p := b.AddProfile(map[string]any{"email": "cleo@example.com", "person": map[string]any{"nickname": "Cleo"}})
			b.Subscribe(p.WebsiteID, p.PeopleID, false)
			v.SetMeta(map[string]any{"email": p.Email})
		},
	} {
		t.Run(why, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				v := b.Visitor()
				before(b, v)
				open(v, "/pricing")
				assert.Empty(t, v.Answers())
				assert.Equal(t, []string{why}, b.spared)
			})
		})
	}
}

func TestABotIsNobodyWhoTalks(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		client, v := b.Client(), b.Visitor()
		defer client.CloseIdleConnections()
		_, err := client.SendMessage(t.Context(), v.Session(), crisp.Message{Content: crisp.TextContent("Welcome!")})
		require.NoError(t, err)
		open(v, "/pricing")
		assert.Len(t, v.Answers(), 2)
	})
}

func TestATalkThatIsOverIsNoObjection(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		v := b.Visitor()
		v.Say("Thanks, bye")
		time.Sleep(talkLasts) // virtual time
		open(v, "/pricing")
		assert.Len(t, v.Answers(), 1)
	})
}

// TestAnOperatorIsFaster has an operator answer between the calls of an invitation.
func TestAnOperatorIsFaster(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		v := b.Visitor()
		b.SlowREST(time.Second)
		v.Visit("Pricing", "https://example.com/pricing")
		time.Sleep(2500 * time.Millisecond) // virtual time: it has read the messages, and records that it will write
		b.Operator("Grace").Say(v, "Hi, it is Grace")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, v.Answers(), 1)
		assert.Equal(t, "Hi, it is Grace", v.Answers()[0].Text())
	})
}

func TestAnInvitationThatFailsIsNotSentTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		posts := 0
		b.HandleREST("POST website/{website}/conversation/{session}/message", func(*http.Request) (int, any) {
			posts++
			return http.StatusBadGateway, nil
		})
		v := b.Visitor()
		open(v, "/pricing")
		time.Sleep(time.Hour) // virtual time: all retries are over
		synctest.Wait()
		assert.Equal(t, 1, posts)
	})
}

// news is the campaign of the tests.
var news = campaign{Name: "Spring news", Subject: "Spring is here", Template: "Letter", Segment: "customers"}

// withCampaigns runs a test in a bubble with a Crisp that has the contacts of the
// demonstration and a template.
func withCampaigns(t *testing.T, test func(t *testing.T, srv *crisptest.Server, client *crisp.Client, site *rest.Site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory(), crisptest.WithTier(crisp.TierUser))
		addContacts(srv)
		srv.AddProfile(map[string]any{"email": "dan@example.com", "person": map[string]any{"nickname": "Dan"}})
		client := srv.Client()
		site := rest.Website(client, crisptest.WebsiteID)
		id, err := site.Templates.Create(t.Context(), "markdown", "Letter")
		require.NoError(t, err)
		require.NoError(t, site.Templates.Update(t.Context(), id, rest.TemplateInput{Content: rest.Set("Spring!")}))
		test(t, srv, client, site)
		client.CloseIdleConnections()
	})
}

func TestACampaignGoesToTheSubscribersOfTheSegment(t *testing.T) {
	withCampaigns(t, func(t *testing.T, srv *crisptest.Server, client *crisp.Client, _ *rest.Site) {
		var out bytes.Buffer
		require.NoError(t, liveCampaign(t.Context(), client, crisptest.WebsiteID, news, &out))
		require.Len(t, srv.Dispatches(), 1)
		sent := srv.Dispatches()[0]
		assert.Equal(t, "Spring!", sent.Message)
		var names []string
		for _, id := range sent.Recipients {
			p, _ := srv.Profile(crisptest.WebsiteID, id)
			names = append(names, p.Nickname())
		}
		assert.Equal(t, []string{"Ada", "Ben"}, names, "neither Cleo, who wants no emails, nor Dan, who is no customer")
	})
}

func TestACampaignIsDispatchedOnce(t *testing.T) {
	withCampaigns(t, func(t *testing.T, srv *crisptest.Server, client *crisp.Client, site *rest.Site) {
		first, err := news.prepare(t.Context(), site) // and the program dies
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, liveCampaign(t.Context(), client, crisptest.WebsiteID, news, &out))
		require.Len(t, srv.Dispatches(), 1)
		assert.Equal(t, first, srv.Dispatches()[0].CampaignID, "the one that was made goes on")

		err = liveCampaign(t.Context(), client, crisptest.WebsiteID, news, &out)
		assert.ErrorContains(t, err, "was dispatched before")
		assert.Len(t, srv.Dispatches(), 1)
	})
}

func TestACampaignThatWouldGoToOthersIsNotDispatched(t *testing.T) {
	withCampaigns(t, func(t *testing.T, srv *crisptest.Server, client *crisp.Client, _ *rest.Site) {
		srv.HandleREST("GET website/{website}/campaign/{campaign}/recipients/{page}", func(r *http.Request) (int, any) {
			if r.PathValue("page") != "1" {
				return http.StatusOK, []any{}
			}
			return http.StatusOK, []any{map[string]any{"people_id": "somebody else"}}
		})
		var out bytes.Buffer
		err := liveCampaign(t.Context(), client, crisptest.WebsiteID, news, &out)
		assert.ErrorContains(t, err, "would go to others")
		assert.Empty(t, srv.Dispatches())
	})
}

func TestCampaignsThatMakeNoSenseAreErrors(t *testing.T) {
	withCampaigns(t, func(t *testing.T, srv *crisptest.Server, client *crisp.Client, _ *rest.Site) {
		for problem, change := range map[string]func(*campaign){
			"needs a name":               func(c *campaign) { c.Subject = "" },
			`no template "Poster"`:       func(c *campaign) { c.Template = "Poster" },
			`nobody in the segment "no"`: func(c *campaign) { c.Segment = "no" },
		} {
			c := news
			change(&c)
			assert.ErrorContains(t, liveCampaign(t.Context(), client, crisptest.WebsiteID, c, &bytes.Buffer{}), problem)
		}
		plugin, err := crisp.New(srv.TokenFor(crisp.TierPlugin), crisp.WithBaseURL(srv.URL()), crisp.WithHTTPClient(srv.HTTPClient()))
		require.NoError(t, err)
		defer plugin.CloseIdleConnections()
		assert.ErrorIs(t, liveCampaign(t.Context(), plugin, crisptest.WebsiteID, news, &bytes.Buffer{}), crisp.ErrScope)
		assert.Empty(t, srv.Dispatches())
	})
}

func waitDispatched(t *testing.T, srv *crisptest.Server) {
	t.Helper()
	_, err := srv.WaitRequest(t.Context(), func(r crisptest.Request) bool {
		return strings.HasSuffix(r.Path, "/dispatch") && r.Status == http.StatusAccepted
	})
	require.NoError(t, err)
	synctest.Wait()
}

// TestAConnectionThatIsLostLosesNoEnd has the events of the end of a campaign get lost.
func TestAConnectionThatIsLostLosesNoEnd(t *testing.T) {
	withCampaigns(t, func(t *testing.T, srv *crisptest.Server, client *crisp.Client, _ *rest.Site) {
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // virtual time
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- liveCampaign(ctx, client, crisptest.WebsiteID, news, &out) }()
		waitDispatched(t, srv)
		srv.TakeDown()
		time.Sleep(time.Minute) // virtual time
		srv.BringUp()
		require.NoError(t, <-ended)
		assert.Contains(t, out.String(), "campaign: done: 2 of 2 reached\n")
		assert.NotContains(t, out.String(), "100 %")
	})
}

func TestAnEndLeavesTheCampaignAlone(t *testing.T) {
	withCampaigns(t, func(t *testing.T, srv *crisptest.Server, client *crisp.Client, site *rest.Site) {
		var out bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- liveCampaign(ctx, client, crisptest.WebsiteID, news, &out) }()
		waitDispatched(t, srv)
		stop() // as Ctrl-C does
		require.ErrorIs(t, <-ended, context.Canceled)
		assert.Contains(t, out.String(), "not followed any more; it goes on\n")
		time.Sleep(time.Minute) // virtual time
		c, err := site.Campaigns.Get(t.Context(), srv.Dispatches()[0].CampaignID)
		require.NoError(t, err)
		assert.Equal(t, 100, c.Progress)
	})
}

func TestLive(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.Setenv(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, &bytes.Buffer{}, "/pricing", campaign{})
	}()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	visitor := srv.Visitor()
	visitor.Visit("Pricing", "https://example.com/pricing")
	_, err := visitor.WaitAnswer(t.Context())
	require.NoError(t, err)
	stop()
	require.NoError(t, <-ended)
}

func TestSettingsThatAreMissingAreErrors(t *testing.T) {
	srv := crisptest.NewServer(t)
	for variable, value := range map[string]string{"CRISP_WEBSITE_ID": "", "CRISP_KEY": "", "CRISP_TIER": "operator"} {
		t.Run(variable, func(t *testing.T) {
			srv.Setenv(t)
			t.Setenv(variable, value)
			assert.ErrorContains(t, run(t.Context(), &bytes.Buffer{}, "/", campaign{}), variable)
		})
	}
}
