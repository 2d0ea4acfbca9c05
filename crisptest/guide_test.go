package crisptest_test

// The tests of this file are those of docs/testing.md, which has them word for
// word.

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
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

// newBot is the program under test: it greets whoever writes.
func newBot(client *crisp.Client) *crisp.Router {
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent("Hello!"))
		return err
	})
	return router
}

func TestBotGreets(t *testing.T) {
	srv := crisptest.NewServer(t)
	client := srv.Client()
	rtm, err := client.NewRTM(newBot(client))
	require.NoError(t, err)
	srv.Run(t, rtm)

	visitor := srv.Visitor()
	visitor.Say("Anybody there?")

	answer, err := visitor.WaitAnswer(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Hello!", answer.Text())
}

// newHooks is a program that fails the first time.
func newHooks(secret string) http.Handler {
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		if ev.Delivery.Attempt == 1 {
			return errors.New("the database is away")
		}
		return nil
	})
	webhook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(secret))
	if err != nil {
		panic(err)
	}
	return webhook
}

func TestHookIsRefusedUnlessSigned(t *testing.T) {
	hooks := newHooks("secret")
	ev := crisptest.Sample("session:set_email")

	answer := httptest.NewRecorder()
	hooks.ServeHTTP(answer, crisptest.NewHookRequest("secret", ev))
	assert.Equal(t, http.StatusOK, answer.Code)

	answer = httptest.NewRecorder()
	hooks.ServeHTTP(answer, crisptest.NewHookRequest("another secret", ev))
	assert.Equal(t, http.StatusUnauthorized, answer.Code)
}

func TestHookIsHandledWhenItComesAgain(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.AddPluginHook(srv.Serve(newHooks(srv.SigningSecret())), "message:send")
	srv.Visitor().Say("Anybody there?")

	first, err := srv.WaitDelivery(t.Context(), func(d crisptest.Delivery) bool { return d.Attempt == 1 })
	require.NoError(t, err)
	assert.Equal(t, http.StatusInternalServerError, first.Status)
	_, err = srv.WaitDelivery(t.Context(), func(d crisptest.Delivery) bool { return d.Attempt == 2 && d.Delivered() })
	require.NoError(t, err)
}

func TestBotReconnects(t *testing.T) {
	srv := crisptest.NewServer(t)
	client := srv.Client()
	rtm, err := client.NewRTM(newBot(client))
	require.NoError(t, err)
	srv.Run(t, rtm)

	srv.MoveEndpoint() // the connection is lost, and the next one must go elsewhere
	require.NoError(t, srv.WaitAuthenticated(t.Context()))

	visitor := srv.Visitor()
	visitor.Say("Still there?")
	_, err = visitor.WaitAnswer(t.Context())
	require.NoError(t, err)
}

func TestBotAnswersWhatItMissed(t *testing.T) {
	srv := crisptest.NewServer(t)
	client := srv.Client()
	rtm, err := client.NewRTM(newBot(client), crisp.WithBackfill(crisp.Backfill{}))
	require.NoError(t, err)
	srv.Run(t, rtm)

	srv.TakeDown()
	visitor := srv.Visitor()
	visitor.Say("You can't hear me now")
	srv.BringUp()

	answer, err := visitor.WaitAnswer(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Hello!", answer.Text())
}

// newReception is a program that says whether somebody will answer.
func newReception(client *crisp.Client) *crisp.Router {
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		website, err := rest.Website(client, ev.WebsiteID).Availability.Status(ctx)
		if err != nil {
			return err
		}
		text := "We are away until tomorrow."
		if website.Status == string(crisp.AvailabilityOnline) {
			text = "One moment, please."
		}
		_, err = client.Reply(ctx, ev, crisp.TextContent(text))
		return err
	})
	return router
}

func TestReceptionKnowsWhoIsThere(t *testing.T) {
	srv := crisptest.NewServer(t)
	client := srv.Client()
	rtm, err := client.NewRTM(newReception(client))
	require.NoError(t, err)
	srv.Run(t, rtm)
	ada := srv.AddOperator(crisptest.WebsiteID, crisptest.OperatorProfile{FirstName: "Ada", Email: "ada@example.com"})
	visitor := srv.Visitor()

	for want, change := range map[string]func(){"One moment, please.": ada.Arrive, "We are away until tomorrow.": ada.Leave} {
		change()
		visitor.Say("Anybody there?")
		answer, err := visitor.WaitAnswer(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, answer.Text())
	}
}

// announce is the program under test: it tells customers the news.
func announce(ctx context.Context, client *crisp.Client, websiteID string, customers ...string) error {
	campaigns := rest.Website(client, websiteID).Campaigns
	id, err := campaigns.Create(ctx, "one-shot", "News")
	if err != nil {
		return err
	}
	err = campaigns.Update(ctx, id, rest.CampaignInput{
		Message:    rest.Set("We have *moved*."),
		Recipients: &rest.CampaignRecipientsInput{Type: rest.Set("people"), People: customers},
	})
	if err != nil {
		return err
	}
	return campaigns.Dispatch(ctx, id)
}

func TestCustomersGetTheNews(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithTier(crisp.TierUser))
	require.NoError(t, announce(t.Context(), srv.Client(), crisptest.WebsiteID, "ada@example.com", "bob@example.com"))

	news, err := srv.WaitDispatch(t.Context(), func(d crisptest.Dispatch) bool { return d.Name == "News" })
	require.NoError(t, err)
	assert.Equal(t, []string{"ada@example.com", "bob@example.com"}, news.Recipients)
}

func TestBotOutlivesAnHourWithoutCrisp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := crisptest.NewServer(t, crisptest.InMemory())
		client := srv.Client()
		rtm, err := client.NewRTM(newBot(client))
		require.NoError(t, err)
		srv.Run(t, rtm)

		srv.TakeDown()
		srv.FailREST(http.StatusServiceUnavailable, -1)
		<-time.After(time.Hour)
		assert.Less(t, len(srv.Requests()), 300, "the bot is gentle")
		srv.Heal()

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		require.NoError(t, srv.WaitAuthenticated(ctx))
	})
}

func TestBotIsInstalledOnAnotherWebsite(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithWebsites("website-1"))
	client := srv.Client()
	router := newBot(client)
	var rtm *crisp.RTM
	crisp.On(router, func(ctx context.Context, _ *crisp.PluginSubscriptionUpdated) error {
		return rtm.Rebind(ctx)
	})
	rtm, err := client.NewRTM(router)
	require.NoError(t, err)
	srv.Run(t, rtm)

	srv.Install("website-2")
	_, err = srv.WaitBind(t.Context(), func(crisptest.Bind) bool { return true })
	require.NoError(t, err)

	visitor := srv.Visitor("website-2")
	visitor.Say("Anybody there?")
	_, err = visitor.WaitAnswer(t.Context())
	require.NoError(t, err)
}

// newLeads is a program that makes a contact of whoever tells their address.
func newLeads(client *crisp.Client) *crisp.Router {
	router := crisp.NewRouter()
	crisp.On(router, func(ctx context.Context, ev *crisp.SessionSetEmail) error {
		people := rest.Website(client, ev.WebsiteID).People
		if known, err := people.HasProfile(ctx, ev.Email); known || err != nil {
			return err
		}
		_, err := people.CreateProfile(ctx, rest.ProfileCard{
			Email:    rest.Set(ev.Email),
			Person:   &rest.PersonInput{Nickname: rest.Set(ev.Email)},
			Segments: []string{"lead"},
		})
		return err
	})
	return router
}

func TestVisitorsBecomeContacts(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.AddProfile(map[string]any{"email": "ada@example.com", "person": map[string]any{"nickname": "Ada"}})
	client := srv.Client()
	rtm, err := client.NewRTM(newLeads(client))
	require.NoError(t, err)
	srv.Run(t, rtm)

	srv.Visitor().SetMeta(map[string]any{"email": "ada@example.com"})
	visitor := srv.Visitor()
	visitor.SetMeta(map[string]any{"email": "bob@example.com"})

	bob, err := srv.WaitProfile(t.Context(), func(p crisptest.Profile) bool { return p.Email == "bob@example.com" })
	require.NoError(t, err)
	assert.Equal(t, []any{"lead"}, bob.Card["segments"])
	assert.Equal(t, bob.PeopleID, visitor.Conversation().PeopleID)
	assert.Len(t, srv.Profiles(), 2, "Ada was known")
}

func TestHandleRESTAddsARoute(t *testing.T) {
	srv := crisptest.NewServer(t)
	srv.HandleREST("GET website/{website_id}/helpdesk", func(*http.Request) (int, any) {
		return http.StatusOK, map[string]any{"name": "Help"}
	})
	helpdesk, err := rest.Website(srv.Client(), "website-1").Helpdesk.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Help", helpdesk.Name)
}

// What the guide shows is what is tested.
func TestTheGuideShowsTheseTests(t *testing.T) {
	guide, err := os.ReadFile("../docs/testing.md")
	require.NoError(t, err)
	source, err := os.ReadFile("guide_test.go")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(guide, -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		assert.Contains(t, string(source), string(block[1]))
	}
	bot := regexp.MustCompile(`(?s)func TestBotGreets.*?\n}\n`).FindString(string(guide))
	require.NotEmpty(t, bot)
	assert.Less(t, strings.Count(bot, "\n"), 25, "a bot's test is short")
}
