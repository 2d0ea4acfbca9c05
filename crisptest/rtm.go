package crisptest

import (
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
	asked       bool        // it has sent its authentication
	token       crisp.Token // what it has authenticated with
	reach       reach       // the token's websites when it last asked
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
	if s.adopt(e, r.URL.Path) && e.version == 3 {
		p.connect() // clients of version 4 ask for it
	}
	e.run(p.handle)
	s.forget(e)
}

// adopt takes a new connection in, unless RTM went down or elsewhere during its
// handshake.
func (s *Server) adopt(e *engine, path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.faults.down || path != s.rtm.path {
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
	if !which.asked && s.isOpen(which) {
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
	return s.isOpen(which)
}

// isOpen is holds; s.mu is held.
func (s *Server) isOpen(which *session) bool { return slices.Contains(s.sessions, which) }

// heard takes an event that a client has sent.
func (s *Server) heard(from *session, name string, argument json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.isOpen(from): // it has ended a moment ago
	case name == "authentication" && !from.asked:
		from.asked = true
		s.authenticate(from, argument)
	case from.Authenticated && isBind(name):
		s.bind(from, name, argument)
	}
	s.changes.announce()
}

// receives tells whether events reach the session's client.
func (session *session) receives() bool {
	return session.Authenticated && session.engine.alive()
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
