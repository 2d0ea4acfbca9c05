package crisptest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp/internal/fifo"
)

// people are the contacts of all websites. Server.mu guards them.
type people struct {
	profiles  *fifo.Map[profileKey, *liveProfile] // the latest to change is the newest
	byEmail   map[emailKey]*liveProfile
	events    *fifo.Map[int, *liveProfile] // whose they are, by number
	forgotten *fifo.Map[personal, struct{}]
	limit     int // of profiles, and of events
	created   int // how many profiles
	happened  int // how many events
	imports   int // how many files
}

type profileKey struct{ websiteID, peopleID string }

// emailKey is an address in lower case, because addresses match in any case.
type emailKey struct{ websiteID, email string }

func newPeople(history int) people {
	return people{
		profiles:  fifo.New[profileKey, *liveProfile](history),
		byEmail:   make(map[emailKey]*liveProfile),
		events:    fifo.New[int, *liveProfile](history),
		forgotten: fifo.New[personal, struct{}](history),
		limit:     history,
	}
}

// liveProfile is a contact in the model. Server.mu guards it. Numbers in what was
// written are of type json.Number, so that they come back as they were.
type liveProfile struct {
	server     *Server
	websiteID  string
	peopleID   string
	number     int               // in the order they were created
	card       map[string]any    // what was written of the contact: "email", "person", "company", …
	data       map[string]any    // custom data
	events     []json.RawMessage // oldest first, without forgotten ones
	subscribed bool              // to emails
	created    time.Time
	updated    time.Time
}

func (p *liveProfile) key() profileKey { return profileKey{p.websiteID, p.peopleID} }

func (p *liveProfile) emailKey() emailKey { return newEmailKey(p.websiteID, p.email()) }

func newEmailKey(websiteID, email string) emailKey {
	return emailKey{websiteID, strings.ToLower(email)}
}

// email is empty if the contact has none.
func (p *liveProfile) email() string {
	email, _ := p.card["email"].(string)
	return email
}

// find returns the contact of an identifier, which may be an address; nil if there
// is none.
func (all *people) find(websiteID, peopleID string) *liveProfile {
	if strings.Contains(peopleID, "@") {
		return all.withEmail(websiteID, peopleID)
	}
	p, _ := all.profiles.Get(profileKey{websiteID, peopleID})
	return p
}

func (all *people) withEmail(websiteID, email string) *liveProfile {
	return all.byEmail[newEmailKey(websiteID, email)]
}

// of returns the contacts of a website, or of all if that is empty, in the order
// they were created.
func (all *people) of(websiteID string) []*liveProfile {
	var found []*liveProfile
	for _, p := range all.profiles.All() {
		if websiteID == "" || p.websiteID == websiteID {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *liveProfile) int { return cmp.Compare(a.number, b.number) })
	return found
}

// put adds a contact, or marks it as changed. If there are too many, what has not
// changed for longest is forgotten.
func (all *people) put(p *liveProfile) {
	all.profiles.Delete(p.key())
	if _, oldest, _ := all.profiles.Oldest(); all.profiles.Len() == all.limit {
		all.forget(oldest)
	}
	all.profiles.Put(p.key(), p)
}

// forget removes a contact without an event.
func (all *people) forget(p *liveProfile) {
	for _, c := range p.conversations() {
		c.PeopleID = ""
	}
	all.profiles.Delete(p.key())
	all.setEmail(p, nil)
	p.events = nil
}

// setEmail replaces the address in a contact's card; nil is none.
func (all *people) setEmail(p *liveProfile, email any) {
	if p.email() != "" {
		delete(all.byEmail, p.emailKey())
	}
	delete(p.card, "email")
	if email != nil {
		p.card["email"] = email
	}
	if p.email() != "" {
		all.byEmail[p.emailKey()] = p
	}
}

// remember adds an event of a contact, and forgets the oldest of all contacts if
// there are too many.
func (all *people) remember(p *liveProfile, event json.RawMessage) {
	if _, oldest, _ := all.events.Oldest(); all.events.Len() == all.limit && len(oldest.events) > 0 {
		oldest.events = oldest.events[1:]
	}
	all.happened++
	all.events.Put(all.happened, p)
	p.events = append(p.events, event)
}

// takes reports whether another contact has the address that a card gives.
func (all *people) takes(websiteID string, card map[string]any, but *liveProfile) bool {
	email, _ := card["email"].(string)
	owner := all.withEmail(websiteID, email)
	return email != "" && owner != nil && owner != but
}

// addProfile adds a contact with a card of which takes is false, and sends its
// event; s.mu is held.
func (s *Server) addProfile(websiteID string, card map[string]any) *liveProfile {
	s.people.created++
	now := s.now()
	p := &liveProfile{
		server:     s,
		websiteID:  websiteID,
		peopleID:   fmt.Sprintf("00000000-0000-4000-9000-%012d", s.people.created),
		number:     s.people.created,
		card:       map[string]any{},
		data:       map[string]any{},
		subscribed: true,
		created:    now,
		updated:    now,
	}
	s.people.put(p)
	p.write(card)
	p.emit("people:profile:created", p.named())
	p.bindSessions()
	return p
}

// save replaces the contact's card by one of which takes is false, and which has an
// address.
func (p *liveProfile) save(card map[string]any) {
	before := p.emailKey()
	for key := range p.card {
		if key != "email" { // which write replaces
			delete(p.card, key)
		}
	}
	p.write(card)
	p.announce(maps.Clone(p.card), before)
}

// update merges changes, of which takes is false, into the contact's card.
func (p *liveProfile) update(changes map[string]any) {
	before := p.emailKey()
	p.write(changes)
	p.announce(asRead(changes), before)
}

// announce sends the event of a change of the card.
func (p *liveProfile) announce(update map[string]any, before emailKey) {
	update["updated_at"] = p.updated.UnixMilli()
	fields := p.named()
	fields["update"] = update
	p.emit("people:profile:updated", fields)
	p.bindIfMoved(before)
}

// bindIfMoved binds the conversations that the contact has got by another address than
// before.
func (p *liveProfile) bindIfMoved(before emailKey) {
	if p.emailKey() != before {
		p.bindSessions()
	}
}

// write merges a card into the contact's.
func (p *liveProfile) write(card map[string]any) {
	all := &p.server.people
	changes := asRead(card)
	if email, given := changes["email"]; given {
		all.setEmail(p, email)
		delete(changes, "email")
	}
	mergeObject(p.card, changes)
	for key, empty := range map[string]any{
		"person":   map[string]any{},
		"company":  map[string]any{},
		"segments": []any{},
		"notepad":  "",
		"active":   map[string]any{"now": false, "last": p.created.UnixMilli()},
	} {
		if p.card[key] == nil {
			p.card[key] = empty
		}
	}
	all.remind(p.websiteID, suggestedSegment, p.segments()...)
	p.touch()
}

// managed are the members of a profile that only Crisp writes.
var managed = []string{"people_id", "score", "created_at", "updated_at"}

// asRead returns what a card writes, in the form in which it is read: "active" is
// a time in the one, and an object in the other.
func asRead(card map[string]any) map[string]any {
	changes := maps.Clone(card)
	for _, key := range managed {
		delete(changes, key)
	}
	if last, isTime := changes["active"].(json.Number); isTime {
		changes["active"] = map[string]any{"now": false, "last": last}
	}
	return changes
}

// mergeObject changes members of an object, at any depth. Those that are null are
// removed.
func mergeObject(into, changes map[string]any) {
	for key, v := range changes {
		object, isObject := v.(map[string]any)
		switch old, wasObject := into[key].(map[string]any); {
		case v == nil:
			delete(into, key)
		case !isObject:
			into[key] = v
		case !wasObject:
			old = map[string]any{}
			into[key] = old
			mergeObject(old, object)
		default:
			mergeObject(old, object)
		}
	}
}

// saveData replaces the custom data.
func (p *liveProfile) saveData(data map[string]any) {
	p.data = map[string]any{}
	p.updateData(data)
}

// updateData merges custom data with what is there.
func (p *liveProfile) updateData(data map[string]any) {
	mergeObject(p.data, data)
	p.server.people.remind(p.websiteID, suggestedKey, p.suggests(suggestedKey)...)
	p.touch()
}

// addEvent adds something that the contact has done, which has a "text".
func (p *liveProfile) addEvent(event map[string]any) {
	if event["timestamp"] == nil {
		event["timestamp"] = p.server.now().UnixMilli()
	}
	text, _ := event["text"].(string)
	p.server.people.remember(p, mustJSON(event))
	p.server.people.remind(p.websiteID, suggestedEvent, text)
	p.touch()
}

// subscribe makes the contact get emails, or no longer get them.
func (p *liveProfile) subscribe(subscribed bool) {
	if p.subscribed == subscribed {
		return
	}
	p.subscribed = subscribed
	p.touch()
	if p.email() != "" {
		p.emit("email:subscribe", map[string]any{"email": p.email(), "subscribed": subscribed})
	}
}

// sync merges what became known of the contact into the card, and sends an event
// for each of the contact's conversations, or one if there are none.
func (p *liveProfile) sync(identity map[string]any) {
	before := p.emailKey()
	p.write(identity)
	p.bindIfMoved(before)
	fields := map[string]any{"people_id": p.peopleID, "identity": asRead(identity)}
	sessions := p.conversations()
	for _, c := range sessions {
		c.emit("people:sync:profile", fields)
	}
	if len(sessions) == 0 {
		p.emit("people:sync:profile", fields)
	}
}

// remove removes the contact.
func (p *liveProfile) remove() {
	fields := p.named()
	p.server.people.forget(p)
	p.emit("people:profile:removed", fields)
	p.server.changes.announce()
}

// named returns the fields that all events of the profile have.
func (p *liveProfile) named() map[string]any {
	fields := map[string]any{"people_id": p.peopleID}
	if p.email() != "" {
		fields["email"] = p.email()
	}
	return fields
}

// emit sends an event of the contact, with these fields in addition to the website.
func (p *liveProfile) emit(name string, fields map[string]any) {
	payload := map[string]any{"website_id": p.websiteID}
	maps.Copy(payload, fields)
	p.server.emit(name, mustJSON(payload))
}

// touch marks the contact as changed.
func (p *liveProfile) touch() {
	p.updated = p.server.now()
	p.server.people.put(p)
	p.server.changes.announce()
}

// segments returns the contact's segments.
func (p *liveProfile) segments() []string {
	var texts []string
	list, _ := p.card["segments"].([]any)
	for _, segment := range list {
		text, _ := segment.(string)
		texts = append(texts, text)
	}
	return texts
}

// restForm returns the contact as REST returns it.
func (p *liveProfile) restForm() map[string]any {
	form := maps.Clone(p.card)
	form["people_id"] = p.peopleID
	form["score"] = 0
	form["created_at"] = p.created.UnixMilli()
	form["updated_at"] = p.updated.UnixMilli()
	return form
}

// conversations returns the contact's conversations, the latest to change first.
func (p *liveProfile) conversations() []*liveConversation {
	var found []*liveConversation
	for _, c := range p.server.model.conversations.All() {
		if c.PeopleID == p.peopleID {
			found = append(found, c)
		}
	}
	return found
}

// bindSessions binds those conversations to the contact whose visitors have the
// contact's address, and that have no contact yet.
func (p *liveProfile) bindSessions() {
	var unbound []*liveConversation
	for _, c := range p.server.model.conversations.All() {
		email, _ := c.Meta["email"].(string)
		if c.PeopleID == "" && email != "" && newEmailKey(c.WebsiteID, email) == p.emailKey() {
			unbound = append(unbound, c)
		}
	}
	for _, c := range slices.Backward(unbound) {
		c.bindPerson()
	}
}

// bindPerson binds the conversation to the contact who has the visitor's address.
func (c *liveConversation) bindPerson() {
	email, _ := c.Meta["email"].(string)
	p := c.server.people.withEmail(c.WebsiteID, email)
	switch {
	case p == nil:
		c.PeopleID = ""
	case p.peopleID != c.PeopleID:
		c.PeopleID = p.peopleID
		c.emit("people:bind:session", map[string]any{"people_id": p.peopleID})
	}
}
