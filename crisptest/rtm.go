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

// Session is an RTM session: the Socket.IO connection of a client. It is not what
// Crisp calls the session of a visitor, which is a [Conversation].
type Session struct {
	ID            string      // Socket.IO's, new for each connection
	EngineIO      int         // the version that the client speaks, 4 or 3
	Authenticated bool        // its credentials were accepted
	Tier          crisp.Tier  // of its token, once authenticated
	Events        []string    // names of the events it receives; nil means all
	Rooms         []string    // IDs of the websites whose events it receives; empty means all
	Inboxes       []string    // IDs of the inboxes whose events it receives; empty means all
	Header        http.Header // of its WebSocket handshake
	Opened        time.Time
	Backlog       Backlog // what has not been written to it yet
	Ended         string  // why it ended; empty if it is open

	confirmed bool // the answer that it is authenticated was written
}

// String describes the state of the session, for failure messages.
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

func (s Session) sameAs(other Session) bool { return s.ID == other.ID }

// liveSession is a Session with what only the server knows. Server.mu guards it.
type liveSession struct {
	Session
	engine       *engine
	authReceived bool
	token        crisp.Token // that it has authenticated with
	websites     websiteSet  // the token's websites when it last authenticated or bound
	authTimeout  *time.Timer
}

// serveRTM serves one connection to the RTM API.
func (s *Server) serveRTM(w http.ResponseWriter, r *http.Request) {
	if s.failUpgrade(w, r) || refuseHandshake(w, r) {
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // from browsers of any origin
	if err != nil {
		return // Accept has answered
	}
	e := newEngine(engineVersion(r.URL.Query()), ws, connOf(r), s.heartbeat, s.changes.announce)
	p := &peer{server: s, engine: e, header: r.Header.Clone()}
	if s.addEngine(e, r.URL.Path) && e.version == 3 {
		p.connect() // clients of version 4 request it
	}
	e.run(p.handleMessage)
	s.removeEngine(e)
}

// addEngine registers a new connection, unless the RTM API went down or moved during
// its handshake.
func (s *Server) addEngine(e *engine, path string) bool {
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

// removeEngine removes a connection that has ended, and ends its session.
func (s *Server) removeEngine(e *engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.engines, e)
	s.endWhere("the connection closed", func(session *liveSession) bool { return session.engine == e })
	s.changes.announce()
}

// endWhere ends the sessions that match; s.mu is held.
func (s *Server) endWhere(why string, match func(*liveSession) bool) {
	s.sessions = slices.DeleteFunc(s.sessions, func(session *liveSession) bool {
		if !match(session) {
			return false
		}
		session.authTimeout.Stop()
		over := session.snapshot()
		over.Ended = why
		s.past.add(&over, 0)
		s.note(Entry{Session: &over})
		return true
	})
}

func (s *Server) end(which *liveSession, why string) {
	s.endWhere(why, func(session *liveSession) bool { return session == which })
}

// peer is the client of a connection. The goroutine that reads the connection
// owns it.
type peer struct {
	server      *Server
	engine      *engine
	header      http.Header
	session     *liveSession // the latest; nil before the first
	attachments int          // how many are still to come of the last packet
}

// handleMessage handles a Socket.IO packet, or an attachment, which must come right after
// its packet.
func (p *peer) handleMessage(kind websocket.MessageType, message []byte) error {
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
	return p.handlePacket(pk)
}

// handlePacket handles a packet whose attachments are still to come.
func (p *peer) handlePacket(pk packet) error {
	if pk.namespace != mainNamespace {
		return p.refuseNamespace(pk)
	}
	if !p.server.isOpen(p.session) {
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
		p.server.receiveEvent(p.session, name, argument)
	case packetDisconnect:
		p.server.clientDisconnected(p.session)
	case packetAck, packetBinaryAck, packetBinaryEvent: // Crisp requests no acks, and ignores binary events
	default:
		return errProtocol
	}
	return nil
}

// refuseNamespace refuses a namespace other than the main one.
func (p *peer) refuseNamespace(pk packet) error {
	if pk.kind != packetConnect {
		return errProtocol
	}
	p.engine.send(refuseFrame(p.engine.version, pk.namespace))
	return nil
}

// connect opens a session, and starts the timeout for its authentication.
func (p *peer) connect() {
	s := p.server
	opened := &liveSession{engine: p.engine, Session: Session{
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
	s.noteSession(opened)
	s.changes.announce()
}

// expire disconnects a session that has not authenticated in time.
func (s *Server) expire(which *liveSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !which.authReceived && s.isOpenLocked(which) {
		s.disconnect(which, "it did not authenticate in time")
	}
}

// disconnect ends a session by a disconnect packet and closes its connection; s.mu
// is held.
func (s *Server) disconnect(which *liveSession, why string) {
	which.engine.send(disconnectFrame)
	which.engine.finish()
	s.end(which, why)
}

func (s *Server) clientDisconnected(which *liveSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(which, "the client disconnected")
	s.changes.announce()
}

// isOpen reports whether a session is still open.
func (s *Server) isOpen(which *liveSession) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isOpenLocked(which)
}

// isOpenLocked is isOpen with s.mu held.
func (s *Server) isOpenLocked(which *liveSession) bool { return slices.Contains(s.sessions, which) }

// receiveEvent handles an event that a client has sent.
func (s *Server) receiveEvent(from *liveSession, name string, argument json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.isOpenLocked(from): // it has ended in the meantime
	case name == "authentication" && !from.authReceived:
		from.authReceived = true
		s.authenticate(from, argument)
	case from.Authenticated && isBind(name):
		s.bind(from, name, argument)
	}
	s.changes.announce()
}

// receives reports whether events reach the session's client.
func (session *liveSession) receives() bool {
	return session.Authenticated && session.engine.alive()
}

// snapshot returns a copy that doesn't change with the session.
func (session *liveSession) snapshot() Session {
	view := session.Session
	view.Events = slices.Clone(view.Events)
	view.Rooms = slices.Clone(view.Rooms)
	view.Inboxes = slices.Clone(view.Inboxes)
	view.Header = view.Header.Clone()
	view.Backlog = session.engine.pending()
	return view
}

// Sessions returns the RTM sessions that are open, authenticated or not, oldest
// first.
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

// PastSessions returns the RTM sessions that have ended, in the order in which they
// ended: the latest ones ([WithHistory]).
func (s *Server) PastSessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return all(&s.past)
}
