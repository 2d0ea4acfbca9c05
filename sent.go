package crisp

import (
	"context"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/fifo"
)

// maxSent is how many messages of its own a client knows again: more than a bot
// sends while one of them comes back to it.
const maxSent = 1 << 14

// sentPatience bounds how long a message waits for the answers to those that
// are being sent, which tell whether it is one of them.
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

// underway are the messages that are on their way into a conversation.
type underway struct {
	count   int
	persons int           // of these, those not marked as automated
	changed chan struct{} // closed when one of them has got its answer
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

// end notes the fingerprint of a message that was begun; 0 if it wasn't sent.
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

// has reports whether a message was sent by this client. It waits for the answers
// to those on their way into the conversation, as long as they may tell. With
// asPerson it is known that the message is not marked as automated.
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

// look reports whether a message is known to be sent; if not, changed is closed
// when that may have changed, and nil if it can't.
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
