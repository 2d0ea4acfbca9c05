package crisptest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Profile is a contact of a website at some time.
type Profile struct {
	WebsiteID  string
	PeopleID   string           // identifies the contact
	Email      string           // empty if there is none
	Card       map[string]any   // as REST returns it: "email", "person", "company", "segments", "notepad", and what else was written
	Data       map[string]any   // custom data
	Events     []map[string]any // what the contact has done: "text", "data", "color", "timestamp"; latest first, without forgotten ones (WithHistory)
	Subscribed bool             // whether emails are sent to the contact
	Created    time.Time
	Updated    time.Time // when it last changed
}

// Nickname returns the person's name; it is empty if there is none.
func (p Profile) Nickname() string {
	person, _ := p.Card["person"].(map[string]any)
	nickname, _ := person["nickname"].(string)
	return nickname
}

// String describes the contact for failure messages.
func (p Profile) String() string {
	return fmt.Sprintf("contact %s of website %s: %s <%s>", p.PeopleID, p.WebsiteID, p.Nickname(), p.Email)
}

// AddProfile adds a contact, as an operator does, and sends people:profile:created. The
// card is what REST takes, with an address that no other contact of the website
// has, and a name:
//
//	srv.AddProfile(map[string]any{
//		"email":  "ada@example.com",
//		"person": map[string]any{"nickname": "Ada"},
//	})
//
// The website is the given one, or else the first of [WithWebsites], or else
// [WebsiteID]. AddProfile panics if REST would refuse the card.
func (s *Server) AddProfile(card map[string]any, websiteID ...string) Profile {
	s.mu.Lock()
	defer s.mu.Unlock()
	website := slices.Concat(websiteID, s.websites.only, []string{WebsiteID})[0]
	return s.addProfile(website, s.plainCard("AddProfile", website, card, cardShape, nil)).snapshot()
}

// UpdateProfile merges changes into a contact's card, as PATCH does over REST, and
// sends people:profile:updated. It panics if there is no such contact, or if REST
// would refuse the changes.
func (s *Server) UpdateProfile(websiteID, peopleID string, changes map[string]any) {
	s.changeProfile("UpdateProfile", websiteID, peopleID, func(p *liveProfile) {
		p.update(s.plainCard("UpdateProfile", websiteID, changes, cardChangesShape, p))
	})
}

// SyncProfile merges what Crisp has found out about a contact, such as the company,
// into the contact's card, and sends people:sync:profile: once for each of the
// contact's conversations, or without one. It panics if there is no such contact,
// or if REST would refuse the identity.
func (s *Server) SyncProfile(websiteID, peopleID string, identity map[string]any) {
	s.changeProfile("SyncProfile", websiteID, peopleID, func(p *liveProfile) {
		p.sync(s.plainCard("SyncProfile", websiteID, identity, cardChangesShape, p))
	})
}

// Subscribe sets whether emails are sent to a contact, as the contact does, and sends
// email:subscribe if that has changed. It panics if there is no such contact.
func (s *Server) Subscribe(websiteID, peopleID string, subscribed bool) {
	s.changeProfile("Subscribe", websiteID, peopleID, func(p *liveProfile) { p.subscribe(subscribed) })
}

// RemoveProfile removes a contact, and sends people:profile:removed. It panics if
// there is no such contact.
func (s *Server) RemoveProfile(websiteID, peopleID string) {
	s.changeProfile("RemoveProfile", websiteID, peopleID, (*liveProfile).remove)
}

// changeProfile changes a contact on behalf of a method.
func (s *Server) changeProfile(method, websiteID, peopleID string, change func(p *liveProfile)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people.find(websiteID, peopleID)
	if p == nil {
		panic(fmt.Sprintf("crisptest: %s: website %q has no contact %q", method, websiteID, peopleID))
	}
	change(p)
}

// plainCard returns a card with the types that REST would have decoded. It panics,
// on behalf of a method, if REST would refuse it; s.mu is held.
func (s *Server) plainCard(method, websiteID string, card map[string]any, is shape, of *liveProfile) map[string]any {
	encoded := mustJSON(card)
	var plain map[string]any
	switch {
	case !is.fits(encoded) || decodeExact(encoded, &plain) != nil:
		panic(fmt.Sprintf("crisptest: %s: REST would refuse the card as invalid_data: a contact needs an email address and a person.nickname, and known fields need their types", method))
	case s.people.takes(websiteID, plain, of):
		panic(fmt.Sprintf("crisptest: %s: another contact of website %q has that address", method, websiteID))
	}
	return plain
}

// Profile returns a contact as it is now, or false if there is none. The contact is
// identified by the ID or by the address.
func (s *Server) Profile(websiteID, peopleID string) (Profile, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people.find(websiteID, peopleID)
	if p == nil {
		return Profile{}, false
	}
	return p.snapshot(), true
}

// Profiles returns the contacts of all websites as they are now, in the order they
// were created, up to a limit ([WithHistory]).
func (s *Server) Profiles() []Profile {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Profile
	for _, p := range s.people.of("") {
		list = append(list, p.snapshot())
	}
	return list
}

// WaitProfile waits until one of [Server.Profiles] matches and returns it: a contact
// that the program under test has written. It waits as long as
// [Server.WaitAuthenticated] does; the error lists the contacts that there were
// instead.
func (s *Server) WaitProfile(ctx context.Context, match func(Profile) bool) (Profile, error) {
	return waiter[Profile]{what: "a matching contact", among: s.Profiles, match: match}.wait(ctx, s)
}

// snapshot returns a copy that doesn't change with the model, with numbers as
// encoding/json decodes them.
func (p *liveProfile) snapshot() Profile {
	view := Profile{
		WebsiteID:  p.websiteID,
		PeopleID:   p.peopleID,
		Email:      p.email(),
		Card:       plainObject(p.card),
		Data:       plainObject(p.data),
		Subscribed: p.subscribed,
		Created:    p.created,
		Updated:    p.updated,
	}
	for _, event := range slices.Backward(p.events) {
		view.Events = append(view.Events, plainObject(event))
	}
	return view
}

func plainObject(v any) map[string]any {
	var plain map[string]any
	_ = json.Unmarshal(mustJSON(v), &plain) // it has just been encoded
	return plain
}
