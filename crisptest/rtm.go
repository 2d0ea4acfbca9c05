package crisptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/coder/websocket"

	"github.com/crisp-go/crisp"
)

// Session is an RTM session: a Socket.IO connection of a client.
type Session struct {
	ID            string      // Socket.IO's, new for each connection
	EngineIO      int         // the version that the client speaks, 4 or 3
	Authenticated bool        // its credentials were accepted
	Tier          crisp.Tier  // of its token, once authenticated
	Events        []string    // the events it wants; nil means all
	Rooms         []string    // the websites it wants; empty means all
	Inboxes       []string    // the inboxes it wants; empty means all
	Header        http.Header // of its WebSocket handshake
	Opened        time.Time
	Backlog       Backlog // what it has not read yet
	Ended         string  // why it is over; empty for one that is open

	told bool // that it is authenticated
}

// String tells the session's state, for failure messages.
func (s Session) String() string {
	state := "not authenticated"
	if s.Authenticated {
		state = fmt.Sprintf("authenticated as %s, events %d", s.Tier, len(s.Events))
	}
	if s.Ended != "" {
		state += "; over: " + s.Ended
	}
	return fmt.Sprintf("session %s, Engine.IO %d, opened %s: %s", s.ID, s.EngineIO, s.Opened.Format("15:04:05.000"), state)
}

func (s Session) is(other Session) bool { return s.ID == other.ID }

// session is what the server keeps of a Session; Server.mu guards it.
type session struct {
	Session
	engine      *engine
	asked       bool // it has sent its authentication
	website     string
	authTimeout *time.Timer
}

// serveRTM is RTM at one address.
func (s *Server) serveRTM(w http.ResponseWriter, r *http.Request) {
	if s.failUpgrade(w, r) || refuseHandshake(w, r) {
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // browsers may come from anywhere
	if err != nil {
		return // Accept has answered
	}
	e := newEngine(engineVersion(r.URL.Query()), ws, connOf(r), s.heartbeat, s.changes.announce)
	p := &peer{server: s, engine: e, header: r.Header.Clone()}
	if s.adopt(e) && e.version == 3 {
		p.connect() // clients of version 4 ask for it
	}
	e.run(p.handle)
	s.forget(e)
}

// adopt takes a new connection in, as the faults in force have it.
func (s *Server) adopt(e *engine) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		e.cut()
		return false
	}
	s.engines[e] = struct{}{}
	if s.faults.hangUp.take() {
		e.finish()
		return false
	}
	return true
}

// forget ends whatever session a connection still had.
func (s *Server) forget(e *engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.engines, e)
	s.endWhere("the connection closed", func(session *session) bool { return session.engine == e })
	s.changes.announce()
}

// endWhere ends sessions; s.mu is held.
func (s *Server) endWhere(why string, match func(*session) bool) {
	s.sessions = slices.DeleteFunc(s.sessions, func(session *session) bool {
		if !match(session) {
			return false
		}
		session.authTimeout.Stop()
		over := session.snapshot()
		over.Ended = why
		s.past = append(s.past, over)
		return true
	})
}

func (s *Server) end(which *session, why string) {
	s.endWhere(why, func(session *session) bool { return session == which })
}

// peer is the client's end of a connection, as its reading goroutine sees it.
type peer struct {
	server      *Server
	engine      *engine
	header      http.Header
	session     *session // the latest; nil before the first
	attachments int      // that are yet to come of a packet
}

// handle takes a Socket.IO packet, or an attachment of one: those must come
// right after it.
func (p *peer) handle(kind websocket.MessageType, message []byte) error {
	attached := kind == websocket.MessageBinary
	if attached != (p.attachments > 0) {
		return errProtocol
	}
	if attached {
		p.attachments--
		return nil
	}
	pk, err := parsePacket(message)
	if err != nil {
		return err
	}
	p.attachments = pk.attachments
	return p.take(pk)
}

// take does what a packet says.
func (p *peer) take(pk packet) error {
	if pk.namespace != mainNamespace {
		return p.foreign(pk)
	}
	if !p.server.holds(p.session) {
		if pk.kind != packetConnect {
			return errProtocol
		}
		p.connect()
		return nil
	}
	switch pk.kind {
	case packetEvent:
		name, argument, err := pk.event()
		if err != nil {
			return err
		}
		p.server.heard(p.session, name, argument)
	case packetDisconnect:
		p.server.left(p.session)
	case packetAck, packetBinaryAck, packetBinaryEvent: // Crisp asks for no acks and takes nothing binary
	default:
		return errProtocol
	}
	return nil
}

// foreign refuses namespaces that are not the main one.
func (p *peer) foreign(pk packet) error {
	if pk.kind != packetConnect {
		return errProtocol
	}
	p.engine.send(refuseFrame(p.engine.version, pk.namespace))
	return nil
}

// connect opens a session, and gives it its time to authenticate.
func (p *peer) connect() {
	s := p.server
	opened := &session{engine: p.engine, Session: Session{
		ID:       newSID(),
		EngineIO: p.engine.version,
		Header:   p.header,
		Opened:   time.Now(),
	}}
	p.session = opened

	s.mu.Lock()
	defer s.mu.Unlock()
	opened.authTimeout = time.AfterFunc(s.authTimeout, func() { s.expire(opened) })
	s.sessions = append(s.sessions, opened)
	p.engine.send(connectFrame(p.engine.version, opened.ID))
	s.changes.announce()
}

// expire disconnects a session that has not authenticated in time.
func (s *Server) expire(which *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !which.asked {
		s.disconnect(which, "it did not authenticate in time")
	}
}

// disconnect ends a session from this side and closes its connection; s.mu is
// held.
func (s *Server) disconnect(which *session, why string) {
	which.engine.send(disconnectFrame)
	which.engine.finish()
	s.end(which, why)
}

func (s *Server) left(which *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(which, "the client disconnected")
	s.changes.announce()
}

// holds tells whether a session is still open.
func (s *Server) holds(which *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.sessions, which)
}

// heard takes an event that a client has sent.
func (s *Server) heard(from *session, name string, argument json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case name == "authentication" && !from.asked:
		from.asked = true
		s.authenticate(from, argument)
	case from.Authenticated && isBind(name):
		s.bind(from, name, argument)
	}
	s.changes.announce()
}

// authentication is the argument of the event of that name.
type authentication struct {
	Tier     crisp.Tier `json:"tier"`
	Username string     `json:"username"`
	Password string     `json:"password"`
	filter
}

// filter is what a session wants to receive, as clients send it.
type filter struct {
	Events  []string `json:"events"`
	Rooms   []string `json:"rooms"`
	Inboxes []string `json:"inboxes"`
}

// authenticate answers a session's credentials; s.mu is held.
func (s *Server) authenticate(from *session, argument json.RawMessage) {
	if s.faults.ignoreAuth.take() {
		return
	}
	if s.faults.rejectAuth {
		s.reject(from, s.faults.rejectMessage)
		return
	}
	var asked authentication
	if err := json.Unmarshal(argument, &asked); err != nil {
		s.reject(from, "the authentication is malformed")
		return
	}
	token, ok := s.findToken(asked.Tier, asked.Username, asked.Password)
	if !ok {
		s.reject(from, "invalid authentication")
		return
	}
	if room, ok := s.foreignRoom(token, asked.Rooms); ok {
		s.reject(from, fmt.Sprintf("not subscribed to website %q", room))
		return
	}
	if s.maxSessions > 0 && s.countAuthenticated() >= s.maxSessions {
		if s.overLimit == OverLimitDisconnect {
			s.disconnect(from, "too many sessions")
		}
		return
	}
	from.Authenticated, from.Tier, from.website = true, token.Tier, token.WebsiteID()
	from.apply(asked.filter)
	from.engine.sendFrame(frame{
		kind:    websocket.MessageText,
		data:    eventFrame("authenticated", []byte("true")),
		written: func() { s.confirm(from) },
	})
}

// confirm notes that a session was told. A test that has waited for it may
// lose its connection next, and the client must know then that it had one.
func (s *Server) confirm(authenticated *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	authenticated.told = true
	s.changes.announce()
}

// reject answers that the credentials are wrong; s.mu is held.
func (s *Server) reject(from *session, message string) {
	from.engine.send(eventFrame("unauthorized", mustJSON(struct {
		Message string `json:"message"`
	}{message})))
	s.disconnect(from, "unauthorized: "+message)
}

// findToken looks for credentials. The quickstart's example names no tier:
// then that of the token counts.
func (s *Server) findToken(tier crisp.Tier, identifier, key string) (crisp.Token, bool) {
	for _, token := range s.tokens {
		if token.Identifier == identifier && token.Key == key && (tier == "" || tier == token.Tier) {
			return token, true
		}
	}
	return crisp.Token{}, false
}

// foreignRoom finds a website that the token may not listen to.
func (s *Server) foreignRoom(token crisp.Token, rooms []string) (string, bool) {
	for _, room := range rooms {
		if !s.sees(token.WebsiteID(), room) {
			return room, true
		}
	}
	return "", false
}

// sees tells whether a website exists, and is within those of a token: only,
// if that is not empty, or all.
func (s *Server) sees(only, website string) bool {
	if only != "" && website != only {
		return false
	}
	return s.websites == nil || slices.Contains(s.websites, website)
}

func (s *Server) countAuthenticated() int {
	n := 0
	for _, session := range s.sessions {
		if session.receives() {
			n++
		}
	}
	return n
}

// receives tells whether events reach the session's client.
func (session *session) receives() bool {
	return session.Authenticated && session.engine.alive()
}

func (session *session) apply(f filter) {
	session.Events, session.Rooms, session.Inboxes = f.Events, f.Rooms, f.Inboxes
}

// snapshot copies what is told of the session.
func (session *session) snapshot() Session {
	view := session.Session
	view.Events = slices.Clone(view.Events)
	view.Rooms = slices.Clone(view.Rooms)
	view.Inboxes = slices.Clone(view.Inboxes)
	view.Header = view.Header.Clone()
	view.Backlog = session.engine.waiting()
	return view
}

// Bind is a change of a session's filters that its client has asked for.
type Bind struct {
	SessionID string
	Kind      string   // "socket:bind", "socket:bind:push" or "socket:bind:pop"
	Events    []string // as sent; nil if there were none
	Rooms     []string // as sent; nil if there were none
	Inboxes   []string // as sent; nil if there were none
	Refused   bool     // it named a website that the token may not listen to
	Time      time.Time
}

// String tells what was asked for, for failure messages.
func (b Bind) String() string {
	return fmt.Sprintf("%s by session %s: events %q, rooms %q, inboxes %q", b.Kind, b.SessionID, b.Events, b.Rooms, b.Inboxes)
}

const (
	bindSet  = "socket:bind"
	bindPush = "socket:bind:push"
	bindPop  = "socket:bind:pop"
)

func isBind(name string) bool { return name == bindSet || name == bindPush || name == bindPop }

// bind changes a session's filters; s.mu is held. An empty argument asks to
// look up the token's websites anew and changes no filter.
func (s *Server) bind(from *session, kind string, argument json.RawMessage) {
	var asked filter
	_ = json.Unmarshal(argument, &asked) // "" asks for nothing
	_, refused := s.foreignRoom(crisp.WebsiteToken(from.website, "", ""), asked.Rooms)
	s.binds = append(s.binds, Bind{
		SessionID: from.ID,
		Kind:      kind,
		Events:    asked.Events,
		Rooms:     asked.Rooms,
		Inboxes:   asked.Inboxes,
		Refused:   refused,
		Time:      time.Now(),
	})
	switch {
	case refused:
	case kind == bindPush && from.Events != nil: // to all events nothing can be added
		from.Events = union(from.Events, asked.Events)
	case kind == bindPop:
		from.Events = without(from.wanted(), asked.Events)
	case kind == bindSet && (asked.Events != nil || asked.Rooms != nil || asked.Inboxes != nil):
		from.apply(asked)
	}
}

// wanted lists the events that a session wants by name.
func (session *session) wanted() []string {
	if session.Events != nil {
		return session.Events
	}
	var names []string
	for _, info := range crisp.Events() {
		names = append(names, info.Name)
	}
	return names
}

func union(a, b []string) []string {
	return append(slices.Clip(a), without(b, a)...)
}

// without gives a less what is in b; never nil, which would mean all.
func without(a, b []string) []string {
	left := []string{}
	for _, s := range a {
		if !slices.Contains(b, s) {
			left = append(left, s)
		}
	}
	return left
}

// Sessions lists the RTM sessions that are open, oldest first, authenticated
// or not.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var open []Session
	for _, session := range s.sessions {
		if session.engine.alive() {
			open = append(open, session.snapshot())
		}
	}
	return open
}

// PastSessions lists the RTM sessions that are over, in the order of their
// end.
func (s *Server) PastSessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.past)
}

// Binds lists all changes of filters that clients have asked for.
func (s *Server) Binds() []Bind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.binds)
}

// Emit sends an event to every session that is authenticated and subscribed to
// it, and to the web hooks that were added. It goes out as its fields stand:
// change a [Sample] and the change is sent. REST knows nothing of it; for
// messages that are there too, see [Server.Visitor].
//
// Emit never waits for a client. What a client has not read yet is its
// [Session.Backlog], which has no bound, as in socket.io. Each client gets
// events in the order of the calls.
func (s *Server) Emit(ev crisp.Event) { s.EmitRaw(ev.EventName(), payloadOf(ev)) }

// EmitRaw is Emit for any name and payload. The payload goes out as it is,
// valid JSON or not; what is not is sent to no web hook.
func (s *Server) EmitRaw(name string, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(name, payload)
}

// payloadOf is an event's payload on the wire.
func payloadOf(ev crisp.Event) []byte { return mustJSON(ev) }

// emit is EmitRaw; s.mu is held.
func (s *Server) emit(name string, payload []byte) {
	em := emission{name: name, payload: payload, tiers: s.tiers[name]}
	for _, session := range s.sessions {
		if s.wants(session, &em) {
			session.engine.send(em.wire())
		}
	}
	s.notify(name, payload)
}

// wants tells whether a session is to get an event.
func (s *Server) wants(session *session, em *emission) bool {
	if !session.receives() || !em.isFor(session.Tier) {
		return false
	}
	if session.Events != nil && !slices.Contains(session.Events, em.name) {
		return false
	}
	if s.websites == nil && session.website == "" && len(session.Rooms) == 0 && len(session.Inboxes) == 0 {
		return true // without a look into the payload
	}
	scope := em.scope()
	if scope.WebsiteID != "" && !s.sees(session.website, scope.WebsiteID) {
		return false
	}
	return scope.passes(session.Rooms, session.Inboxes)
}

// emission is an event on its way to the sessions.
type emission struct {
	name    string
	payload []byte
	tiers   []crisp.Tier // those that may receive it; nil means all
	frame   []byte       // made when the first session wants it
	place   *scope       // likewise
}

func (em *emission) isFor(tier crisp.Tier) bool {
	return em.tiers == nil || slices.Contains(em.tiers, tier)
}

func (em *emission) wire() []byte {
	if em.frame == nil {
		em.frame = eventFrame(em.name, em.payload)
	}
	return em.frame
}

// scope is what of a payload the filters go by.
type scope struct {
	WebsiteID string
	SessionID string
	InboxID   string
}

func (em *emission) scope() scope {
	if em.place == nil {
		em.place = &scope{}
		em.place.read(em.payload)
	}
	return *em.place
}

// read leaves empty what the payload lacks or has as another type.
func (sc *scope) read(payload []byte) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil {
		return
	}
	text := func(raw json.RawMessage) (s string) {
		_ = json.Unmarshal(raw, &s)
		return s
	}
	sc.WebsiteID = text(fields["website_id"])
	sc.SessionID = text(fields["session_id"])
	sc.InboxID = text(fields["inbox_id"])
	if resource := fields["resource"]; sc.WebsiteID == "" && bytes.HasPrefix(resource, []byte("{")) {
		var of struct{ Type, ID string } // a bucket's: it has no website_id
		if json.Unmarshal(resource, &of) == nil && of.Type == "website" {
			sc.WebsiteID = of.ID
		}
	}
}

// passes applies a session's filters. What belongs to no website passes that
// by rooms, what belongs to no conversation that by inboxes.
func (sc scope) passes(rooms, inboxes []string) bool {
	if len(rooms) > 0 && sc.WebsiteID != "" && !slices.Contains(rooms, sc.WebsiteID) {
		return false
	}
	return len(inboxes) == 0 || sc.SessionID == "" || slices.Contains(inboxes, sc.InboxID)
}
