// Package rest has typed calls for all of Crisp's REST API that package crisp has none for.
//
//	site := rest.Website(client, websiteID)
//	for profile, err := range site.People.Profiles(ctx, rest.ProfilesQuery{SearchText: "ada"}) { … }
//	id, err := site.People.CreateProfile(ctx, rest.ProfileCard{Email: rest.Set("ada@example.com")})
//
// The services, each of which is a type such as [PeopleService]:
//
//	site                     the website itself
//	site.Settings            its settings, also those of the chatbox
//	site.Availability        whether somebody is there to answer
//	site.Operators           the people who answer
//	site.Teams               teams of operators
//	site.Inboxes             inboxes, beside the main one
//	site.Conversations       suggestions, and what was taken for spam
//	site.Conversation(id)    one conversation: participants, events, files, reminders, calls, …
//	site.Batch               many conversations or contacts at once
//	site.People              contacts: profiles, data, events, segments, imports
//	site.Visitors            who is on the website now
//	site.Campaigns           campaigns and their statistics
//	site.Templates           templates of campaigns
//	site.Helpdesk            locales, pages, feedback, redirections, domain, settings
//	site.Verify              how the identity of visitors is verified
//	site.Analytics           numbers of the website
//	rest.Plugin(client)      plugins, and what websites have subscribed to
//	rest.Plan(client)        the plans of websites
//	rest.Account(client)     what belongs to no website yet
//
// Messages, what is done to a conversation most often, and a plugin's websites are calls
// of [crisp.Client]. [Routes] and docs/rest.md list the call of each route.
//
// A list in pages is an iterator that fetches them as the loop goes on. An error ends it, such as
// a [*crisp.AnswerError] if pages have nothing new. A field of an answer that came as an
// unexpected type is left zero and listed in the Problems of its [Answer], whose Raw has
// everything. A field of a body that may be left out is an [Opt], or a pointer, list or map, which
// nil leaves out. Types with secrets are printed and logged without them; their JSON has them.
//
// All calls are made by [crisp.Client.Do], with its limits, retries and errors. After a failure, a
// POST is never sent again, and a PUT, PATCH or DELETE only with a context from
// [crisp.Idempotent]. If an identifier is empty, or the route is for tokens of other tiers, nothing
// is sent: the error is a [*crisp.InvalidError] or a [*TierError].
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
	at := &place{client: client, ids: []string{websiteID}}
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
	return &ConversationService{&place{client: s.client, ids: []string{s.ids[0], sessionID}}}
}

// Conversation returns the calls for a conversation, such as that of an event. It does
// no I/O.
func Conversation(client *crisp.Client, ref crisp.SessionRef) *ConversationService {
	return Website(client, ref.WebsiteID).Conversation(ref.SessionID)
}

// Account returns the calls that belong to no website yet. It does no I/O.
func Account(client *crisp.Client) *AccountService { return &AccountService{&place{client: client}} }

// Plan returns the calls for the plans of websites. It does no I/O.
func Plan(client *crisp.Client) *PlanService { return &PlanService{&place{client: client}} }

// Plugin returns the calls for plugins: those of the plugin whose token the client
// has, and those for what a website has subscribed to. It does no I/O.
func Plugin(client *crisp.Client) *PluginService { return &PluginService{&place{client: client}} }
