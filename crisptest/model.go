package crisptest

import (
	"cmp"
	"slices"

	"github.com/crisp-go/crisp/internal/fifo"
)

// model is what REST and visitors share. Server.mu guards it.
type model struct {
	conversations   *fifo.Map[conversationKey, *liveConversation] // the latest to change is the newest
	messages        *fifo.Map[int, *messageKey]                   // of all conversations, by number
	weights         weights                                       // of messages
	sent            record[*Message]                              // over REST
	limit           int                                           // of messages
	lastFingerprint int64
	lastOriginal    int
	lastSession     int
	lastID          int
	created         int // how many conversations
	added           int // how many messages
}

type conversationKey struct{ websiteID, sessionID string }

func (c *liveConversation) key() conversationKey { return conversationKey{c.WebsiteID, c.SessionID} }

type messageKey struct {
	in          *liveConversation
	fingerprint int64
}

func newModel(history int) model {
	return model{
		conversations: fifo.New[conversationKey, *liveConversation](history),
		messages:      fifo.New[int, *messageKey](history),
		weights:       weights{most: mostBytes(history)},
		sent:          newRecord[*Message](history),
		limit:         history,
	}
}

// remember counts a message that was added, and forgets the oldest if there are
// too many, or they take too much.
func (m *model) remember(in *liveConversation, message Message) {
	if m.messages.Len() == m.limit {
		m.forgetOldest()
	}
	m.added++
	m.messages.Put(m.added, &messageKey{in, message.Fingerprint})
	for beyond := m.weights.add(message.weight(), m.messages.Len()); beyond > 0; beyond-- {
		m.forgetOldest()
	}
}

// forgetOldest forgets the message that was added first.
func (m *model) forgetOldest() {
	_, oldest, _ := m.messages.Oldest()
	m.messages.DeleteOldest()
	oldest.in.forgetMessage(oldest.fingerprint)
}

// forgetMessage removes a message without an event, if it is still there.
func (c *liveConversation) forgetMessage(fingerprint int64) {
	i := slices.IndexFunc(c.Messages, func(m Message) bool { return m.Fingerprint == fingerprint })
	switch {
	case i == 0: // nearly always, and cheap
		c.Messages[0] = Message{}
		c.Messages = c.Messages[1:]
		if c.forgotten++; c.forgotten > len(c.Messages) { // most of the array is of no use any more
			c.Messages, c.forgotten = append([]Message(nil), c.Messages...), 0
		}
	case i > 0:
		c.Messages = slices.Delete(c.Messages, i, i+1)
	}
}

// inOrder returns the conversations in the order they were created.
func (m *model) inOrder() []*liveConversation {
	all := make([]*liveConversation, 0, m.conversations.Len())
	for _, c := range m.conversations.All() {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *liveConversation) int { return cmp.Compare(a.number, b.number) })
	return all
}
