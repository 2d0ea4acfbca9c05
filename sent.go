package crisp

import (
	"context"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/fifo"
)

// maxSent is how many of its own messages a client recognizes: more than a bot sends before one
// of them comes back to it.
const maxSent = 1 << 14

// sentPatience bounds how long a message that comes waits for the answers to those that are being
// sent, which show whether it is one of them.
const sentPatience = 10 * time.Second

// messageID identifies a message: fingerprints are unique in a conversation.
type messageID struct {
	session     sessionKey
	fingerprint int64
}

// sentMessages knows the messages that a client has sent. Each comes back as an
// event, sometimes before the answer that has its fingerprint.
type sentMessages struct {
	mu       sync.Mutex // guards what follows
	known    *fifo.Map[messageID, struct{}]
	underway map[sessionKey]*underway
}

// underway are the messages that are being sent into a conversation.
type underway struct {
	count   int
	persons int           // how many of them are not marked as automated
	changed chan struct{} // closed when one of them is answered
}

func newSentMessages() *sentMessages {
	return &sentMessages{known: fifo.New[messageID, struct{}](maxSent), underway: make(map[sessionKey]*underway)}
}

// begin announces a message that is about to be sent into a conversation, marked as
// automated or not.
func (s *sentMessages) begin(session sessionKey, automated bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.underway[session]
	if u == nil {
		u = &underway{changed: make(chan struct{})}
		s.underway[session] = u
	}
	u.count++
	if !automated {
		u.persons++
	}
}

// end ends what begin announced, with the fingerprint of the message; 0 if it wasn't sent.
func (s *sentMessages) end(session sessionKey, fingerprint int64, automated bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fingerprint != 0 {
		s.known.Put(messageID{session, fingerprint}, struct{}{})
	}
	u := s.underway[session]
	close(u.changed)
	u.changed = make(chan struct{})
	if !automated {
		u.persons--
	}
	if u.count--; u.count == 0 {
		delete(s.underway, session)
	}
}

// has reports whether this client has sent a message. As long as one that is being sent may be
// it, has waits for the answer. With asPerson the message is known not to be marked as
// automated.
func (s *sentMessages) has(ctx context.Context, id messageID, asPerson bool) bool {
	patience := time.NewTimer(sentPatience)
	defer patience.Stop()
	for {
		known, changed := s.look(id, asPerson)
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

// look reports whether a message is known to have been sent by this client. If not, changed is
// closed when that may be known; nil = it won't.
func (s *sentMessages) look(id messageID, asPerson bool) (known bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known = s.known.Get(id); known {
		return true, nil
	}
	if u := s.underway[id.session]; u != nil && (!asPerson || u.persons > 0) {
		changed = u.changed
	}
	return false, changed
}
