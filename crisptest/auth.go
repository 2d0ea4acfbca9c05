package crisptest

import (
	"encoding/json"
	"fmt"

	"github.com/coder/websocket"

	"github.com/crisp-go/crisp"
)

// authentication is the argument of the event "authentication".
type authentication struct {
	Tier     crisp.Tier `json:"tier"`
	Username string     `json:"username"`
	Password string     `json:"password"`
	filter
}

// authenticate answers a session's credentials; s.mu is held.
func (s *Server) authenticate(from *liveSession, argument json.RawMessage) {
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
	websites := s.websitesOf(token)
	if room, ok := websites.firstMissing(asked.Rooms); ok {
		s.reject(from, fmt.Sprintf("not subscribed to website %q", room))
		return
	}
	if s.maxSessions > 0 && s.countAuthenticated() >= s.maxSessions {
		if s.overLimit == OverLimitDisconnect {
			s.disconnect(from, "too many sessions")
		}
		return
	}
	from.Authenticated, from.Tier, from.token, from.websites = true, token.Tier, token, websites
	from.apply(asked.filter)
	s.noteSession(from)
	from.engine.sendFrame(frame{
		kind:    websocket.MessageText,
		data:    eventFrame("authenticated", []byte("true")),
		written: func() { s.confirm(from) },
	})
}

// confirm marks a session as authenticated for the methods that wait, once the
// answer has been written. Otherwise a test that waited could drop the connection
// before its client knows that it was authenticated.
func (s *Server) confirm(authenticated *liveSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	authenticated.confirmed = true
	s.changes.announce()
}

// reject refuses a session's authentication and disconnects it; s.mu is held.
func (s *Server) reject(from *liveSession, message string) {
	from.engine.send(eventFrame("unauthorized", mustJSON(struct {
		Message string `json:"message"`
	}{message})))
	s.disconnect(from, "unauthorized: "+message)
}

// findToken returns the token with these credentials. An empty tier matches any,
// because the example in Crisp's quickstart sends none.
func (s *Server) findToken(tier crisp.Tier, identifier, key string) (crisp.Token, bool) {
	for _, token := range s.tokens {
		if token.Identifier == identifier && token.Key == key && (tier == "" || tier == token.Tier) {
			return token, true
		}
	}
	return crisp.Token{}, false
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
