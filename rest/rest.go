// Package rest has all of Crisp's REST API that package crisp has not, typed.
//
//	site := rest.Website(client, websiteID)
//	for profile, err := range site.People.Profiles(ctx, rest.ProfilesQuery{SearchText: "ada"}) {
//		…
//	}
//	id, err := site.People.CreateProfile(ctx, rest.ProfileCard{
//		Email:  rest.Set("ada@example.com"),
//		Person: &rest.PersonInput{Nickname: rest.Set("Ada")},
//	})
//
// Messages, what is done to a conversation most often, and a plugin's websites are
// methods of [crisp.Client]. [Routes] lists all routes with the calls that make
// them, and so does docs/rest.md. What is in neither, [crisp.Client.Do] can call.
//
// # Calls
//
// All calls are made by [crisp.Client.Do]: its limits, retries and errors are theirs.
// So a POST is sent once only, and so is a PATCH, PUT or DELETE unless Crisp refused it for the
// rate, or the context is from [crisp.Idempotent]. Before anything is sent, an
// identifier that is empty is a [*crisp.InvalidError], and a route that Crisp keeps
// for tokens of other tiers a [*TierError]. A call that asks whether something exists
// takes the status 404 for a no.
//
// # Lists
//
// A list that Crisp serves in pages is an iterator that fetches them as the loop goes
// on. It ends with an empty page; an error is the last that the loop gets, and a page
// that is the same as the one before is a [*crisp.AnswerError].
//
// # Answers
//
// A field of an answer that came in an unexpected type is zero and listed in the
// Problems of its [Answer]; the others are there, and Raw has all of it. What
// Crisp left out, or sent as null, is zero.
//
// # Bodies
//
// A field that may be left out is an [Opt], if it is a text, a number, a boolean or a
// time; otherwise it is a pointer, a list or a map, which is left out when it is
// nil. PATCH changes what is sent, PUT replaces all.
package rest

import "github.com/crisp-go/crisp"

// Site is a website as REST sees it.
type Site struct {
	Analytics     *AnalyticsService
	Availability  *AvailabilityService
	Batch         *BatchService
	Campaigns     *CampaignsService
	Conversations *ConversationsService
	Helpdesk      *HelpdeskService
	Inboxes       *InboxesService
	Operators     *OperatorsService
	People        *PeopleService
	Settings      *SettingsService
	Teams         *TeamsService
	Templates     *TemplatesService
	Verify        *VerifyService
	Visitors      *VisitorsService

	SiteService
}

// Website returns the services of a website. It does no I/O.
func Website(client *crisp.Client, websiteID string) *Site {
	at := place{client: client, ids: []string{websiteID}}
	return &Site{
		Analytics:     &AnalyticsService{at},
		Availability:  &AvailabilityService{at},
		Batch:         &BatchService{at},
		Campaigns:     &CampaignsService{at},
		Conversations: &ConversationsService{at},
		Helpdesk:      &HelpdeskService{at},
		Inboxes:       &InboxesService{at},
		Operators:     &OperatorsService{at},
		People:        &PeopleService{at},
		Settings:      &SettingsService{at},
		Teams:         &TeamsService{at},
		Templates:     &TemplatesService{at},
		Verify:        &VerifyService{at},
		Visitors:      &VisitorsService{at},
		SiteService:   SiteService{at},
	}
}

// Conversation returns the calls for a conversation of the website. It does no I/O.
func (s *Site) Conversation(sessionID string) *ConversationService {
	return &ConversationService{place{client: s.client, ids: []string{s.ids[0], sessionID}}}
}

// Conversation returns the calls for a conversation, such as that of an event. It does
// no I/O.
func Conversation(client *crisp.Client, ref crisp.SessionRef) *ConversationService {
	return Website(client, ref.WebsiteID).Conversation(ref.SessionID)
}

// Account returns the calls that belong to no website yet. It does no I/O.
func Account(client *crisp.Client) *AccountService { return &AccountService{place{client: client}} }

// Plan returns the calls for the plans of websites. It does no I/O.
func Plan(client *crisp.Client) *PlanService { return &PlanService{place{client: client}} }

// Plugin returns the calls for plugins: those of the plugin whose token the client
// has, and those for what a website has subscribed to. It does no I/O.
func Plugin(client *crisp.Client) *PluginService { return &PluginService{place{client: client}} }
