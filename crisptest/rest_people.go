package crisptest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/crisp-go/crisp"
)

const peoplePerPage = 20 // contacts, and what there is of one

// peopleRoutes adds the routes of contacts.
func (s *Server) peopleRoutes(handle func(method, path string, handler restHandler)) {
	const people = "website/{website}/people/"
	all := func(method, path string, answer restHandler) {
		handle(method, people+path, s.requireWebsite(s.locked(answer)))
	}
	one := func(method, path string, answer profileHandler) { all(method, path, s.withProfile(answer)) }
	user := func(method, path string, answer restHandler) {
		handle(method, people+path, requireTier(crisp.TierUser, s.requireWebsite(s.locked(answer))))
	}
	all("GET", "stats", s.getPeopleStatistics)
	all("GET", "suggest/segments/{page}", s.listSuggestions(suggestedSegment))
	all("DELETE", "suggest/segment", s.deleteSuggestion(suggestedSegment))
	all("GET", "suggest/data/{page}", s.listSuggestions(suggestedKey))
	all("DELETE", "suggest/data", s.deleteSuggestion(suggestedKey))
	all("GET", "suggest/events/{page}", s.listSuggestions(suggestedEvent))
	all("DELETE", "suggest/event", s.deleteSuggestion(suggestedEvent))
	all("GET", "profiles/{page}", s.listProfiles)
	all("POST", "profile", s.postProfile)
	one("GET", "profile/{people}", getProfile)
	one("PUT", "profile/{people}", putProfile)
	one("PATCH", "profile/{people}", patchProfile)
	one("DELETE", "profile/{people}", deleteProfile)
	one("GET", "conversations/{people}/list/{page}", listProfileConversations)
	user("GET", "campaigns/{people}/list/{page}", s.withProfile(listProfileCampaigns))
	one("POST", "events/{people}", postProfileEvent)
	one("GET", "events/{people}/list/{page}", listProfileEvents)
	one("GET", "data/{people}", getProfileData)
	one("PUT", "data/{people}", putProfileData)
	one("PATCH", "data/{people}", patchProfileData)
	one("GET", "subscription/{people}", getProfileSubscription)
	one("PATCH", "subscription/{people}", patchProfileSubscription)
	user("POST", "export/profiles", postProfileExport)
	user("POST", "import/profiles", s.postProfileImport)
}

// locked holds s.mu while a call is answered.
func (s *Server) locked(answer restHandler) restHandler {
	return func(call restCall) restReply {
		s.mu.Lock()
		defer s.mu.Unlock()
		return answer(call)
	}
}

// profileHandler answers a call of a contact's route; Server.mu is held.
type profileHandler func(call restCall, p *liveProfile) restReply

// withProfile finds the contact of a call.
func (s *Server) withProfile(answer profileHandler) restHandler {
	return func(call restCall) restReply {
		p := s.people.find(call.PathValue("website"), call.PathValue("people"))
		if p == nil {
			return refusal(http.StatusNotFound, "people_not_found")
		}
		return answer(call, p)
	}
}

// listedPeople answers a call with the page of a list that it asks for.
func listedPeople[T any](call restCall, list []T) restReply {
	page, ok := call.page()
	if !ok {
		return invalid
	}
	return success("listed", pageOf(list, page, peoplePerPage))
}

func (s *Server) getPeopleStatistics(call restCall) restReply {
	return success("resolved", map[string]any{"total": len(s.people.of(call.PathValue("website")))})
}

func (s *Server) listSuggestions(kind string) restHandler {
	return func(call restCall) restReply {
		return listedPeople(call, s.people.suggested(call.PathValue("website"), kind))
	}
}

func (s *Server) deleteSuggestion(kind string) restHandler {
	return func(call restCall) restReply {
		var body map[string]any
		if !call.decode(object(members{kind: filled}, nil), &body) {
			return invalid
		}
		s.people.forgetSuggestion(call.PathValue("website"), kind, body[kind].(string))
		return success("deleted", struct{}{})
	}
}

func (s *Server) listProfiles(call restCall) restReply {
	search, ok := parsePeopleSearch(call.URL.Query())
	if !ok {
		return invalid
	}
	var list []map[string]any
	for _, p := range search.find(s.people.of(call.PathValue("website"))) {
		list = append(list, p.restForm())
	}
	return listedPeople(call, list)
}

// withCard decodes the card of a call, which is for a contact, or for a new one if
// that is nil, and refuses what may not be written.
func (s *Server) withCard(call restCall, is shape, of *liveProfile, write func(card map[string]any) restReply) restReply {
	var card map[string]any
	switch {
	case !call.decodeExactly(is, &card):
		return invalid
	case s.people.takes(call.PathValue("website"), card, of):
		return refusal(http.StatusConflict, "people_exists")
	default:
		return write(card)
	}
}

func (s *Server) postProfile(call restCall) restReply {
	return s.withCard(call, cardShape, nil, func(card map[string]any) restReply {
		p := s.addProfile(call.PathValue("website"), card)
		return reply(http.StatusCreated, "added", map[string]any{"people_id": p.peopleID})
	})
}

func getProfile(_ restCall, p *liveProfile) restReply { return success("resolved", p.restForm()) }

func putProfile(call restCall, p *liveProfile) restReply {
	return p.server.withCard(call, cardShape, p, func(card map[string]any) restReply {
		p.save(card)
		return success("saved", struct{}{})
	})
}

func patchProfile(call restCall, p *liveProfile) restReply {
	return p.server.withCard(call, cardChangesShape, p, func(changes map[string]any) restReply {
		p.update(changes)
		return success("updated", struct{}{})
	})
}

func deleteProfile(_ restCall, p *liveProfile) restReply {
	p.remove()
	return success("deleted", struct{}{})
}

// listProfileConversations lists the identifiers of a contact's conversations, the
// latest to change first.
func listProfileConversations(call restCall, p *liveProfile) restReply {
	found := p.conversations()
	for _, flag := range []string{"filter_unread", "filter_resolved", "filter_not_resolved"} {
		if call.URL.Query().Get(flag) == "1" {
			found = slices.DeleteFunc(found, func(c *liveConversation) bool { return !flags[flag](c) })
		}
	}
	var ids []string
	for _, c := range found {
		ids = append(ids, c.SessionID)
	}
	return listedPeople(call, ids)
}

// listProfileCampaigns lists none: which campaigns a contact has got is not
// modelled.
func listProfileCampaigns(call restCall, _ *liveProfile) restReply {
	return listedPeople(call, []struct{}{})
}

func postProfileEvent(call restCall, p *liveProfile) restReply {
	var event map[string]any
	if !call.decodeExactly(peopleEventShape, &event) {
		return invalid
	}
	p.addEvent(event)
	return reply(http.StatusCreated, "added", struct{}{})
}

func listProfileEvents(call restCall, p *liveProfile) restReply {
	latestFirst := slices.Clone(p.events)
	slices.Reverse(latestFirst)
	return listedPeople(call, latestFirst)
}

func getProfileData(_ restCall, p *liveProfile) restReply {
	return success("resolved", map[string]any{"data": p.data})
}

// profileData is the body of a request to write custom data.
type profileData struct {
	Data map[string]any `json:"data"`
}

func putProfileData(call restCall, p *liveProfile) restReply {
	var body profileData
	if !call.decodeExactly(peopleDataShape, &body) {
		return invalid
	}
	p.saveData(body.Data)
	return success("saved", struct{}{})
}

func patchProfileData(call restCall, p *liveProfile) restReply {
	var body profileData
	if !call.decodeExactly(peopleDataShape, &body) {
		return invalid
	}
	p.updateData(body.Data)
	return success("updated", struct{}{})
}

func getProfileSubscription(_ restCall, p *liveProfile) restReply {
	return success("resolved", map[string]any{"email": p.subscribed})
}

func patchProfileSubscription(call restCall, p *liveProfile) restReply {
	var body struct {
		Email bool `json:"email"`
	}
	if !call.decode(subscriptionShape, &body) {
		return invalid
	}
	p.subscribe(body.Email)
	return success("updated", struct{}{})
}

// postProfileExport accepts the request; Crisp sends the copy by email.
func postProfileExport(restCall) restReply {
	return reply(http.StatusAccepted, "dispatched", struct{}{})
}

// postProfileImport accepts the file, which it doesn't fetch: how the import goes is
// up to the test, which sends people:import:progress and people:import:done.
func (s *Server) postProfileImport(call restCall) restReply {
	var setup json.RawMessage
	if !call.decode(importShape, &setup) {
		return invalid
	}
	s.people.imports++
	id := fmt.Sprintf("00000000-0000-4000-a000-%012d", s.people.imports)
	return reply(http.StatusAccepted, "dispatched", map[string]any{"import_id": id})
}
