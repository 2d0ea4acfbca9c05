package crisp

import (
	"context"
	"strings"
	"sync"
	"time"
)

// maxSent is how many messages of its own a client knows again: more than a bot
// sends while one of them comes back to it.
const maxSent = 1 << 14

// sentPatience bounds how long a message waits for the answers to those that
// are being sent, which tell whether it is one of them.
const sentPatience = 10 * time.Second

// messageID identifies a message: fingerprints are unique in a session.
type messageID struct {
	sessionID   string
	fingerprint int64
}

// sent knows the messages that a client has sent. Each comes back as an event,
// sometimes before the answer that tells its fingerprint.
type sent struct {
	mu      sync.Mutex
	known   *lru[messageID, struct{}]
	sending map[string]*sending // by session id
}

// sending is the messages that are on their way into a session.
type sending struct {
	count   int
	changed chan struct{} // closed when one of them has got its answer
}

func newSent() *sent {
	return &sent{known: newLRU[messageID, struct{}](maxSent), sending: make(map[string]*sending)}
}

// begin announces a message that is about to be sent into a session.
func (s *sent) begin(sessionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sending := s.sending[sessionID]
	if sending == nil {
		sending = newSending()
		s.sending[strings.Clone(sessionID)] = sending // it may share an event's memory
	}
	sending.count++
}

func newSending() *sending { return &sending{changed: make(chan struct{})} }

// end tells the fingerprint of a message that was begun; 0 if it wasn't sent.
func (s *sent) end(sessionID string, fingerprint int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fingerprint != 0 {
		s.known.put(messageID{strings.Clone(sessionID), fingerprint}, struct{}{})
	}
	sending := s.sending[sessionID]
	close(sending.changed)
	sending.changed = make(chan struct{})
	if sending.count--; sending.count == 0 {
		delete(s.sending, sessionID)
	}
}

// own tells whether a message was sent by this client. It waits for the answers
// to those on their way into the session, as long as they may tell.
func (s *sent) own(ctx context.Context, id messageID) bool {
	patience := time.NewTimer(sentPatience)
	defer patience.Stop()
	for {
		known, changed := s.look(id)
		if known || changed == nil {
			return known
		}
		select {
		case <-changed:
		case <-patience.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (s *sent) look(id messageID) (known bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known = s.known.get(id); known {
		return true, nil
	}
	if sending := s.sending[id.sessionID]; sending != nil {
		changed = sending.changed
	}
	return false, changed
}
