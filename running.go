package crisp

import (
	"context"
	"sync"
)

// running are the handlers that are at a conversation's messages, so that what arrives
// meanwhile can interrupt them.
type running struct {
	mu             sync.Mutex // guards what follows
	byConversation map[conversationKey][]*turn
}

// turn is what runs for one message.
type turn struct {
	place // of the message
	end   context.CancelCauseFunc
	ended error // by what it was interrupted; nil = it wasn't
}

// place is that of a message in its conversation.
type place struct {
	sent    int64 // ms; 0 if the message doesn't say
	arrival uint64
}

func placeOf(m *ConversationMessage, ev Event) place {
	at := place{arrival: arrivalOf(ev)}
	if !m.Timestamp.IsZero() {
		at.sent = m.Timestamp.UnixMilli()
	}
	return at
}

// before reports whether a message comes before another: the same may come again later,
// by another transport, and one that was missed comes behind newer ones.
func (p place) before(other place) bool {
	if p.sent == 0 || other.sent == 0 || p.sent == other.sent {
		return p.arrival < other.arrival
	}
	return p.sent < other.sent
}

func newRunning() *running { return &running{byConversation: make(map[conversationKey][]*turn)} }

func conversationOf(m *ConversationMessage) conversationKey {
	return keyOf((*MessageSend)(m).Session())
}

// do runs a handler for a message in a way that interrupt can end: its context ends,
// and what it sends is refused. What it returns then is no failure. began is called
// first, in one step with the beginning.
func (r *running) do(ctx context.Context, of conversationKey, at place, began func(*turn), handle func(context.Context) error) error {
	inner, end := context.WithCancelCause(ctx)
	defer end(nil)
	this := &turn{place: at, end: end}
	r.begin(of, this, began)
	defer r.finish(of, this)
	err := handle(withSendRefusal(inner, func(to SessionRef) error { return r.refusal(this, keyOf(to) == of) }))
	if err != nil && ctx.Err() == nil && r.refusal(this, true) != nil {
		return nil
	}
	return err
}

func (r *running) begin(of conversationKey, this *turn, began func(*turn)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byConversation[of] = append(r.byConversation[of], this)
	began(this)
}

func (r *running) finish(of conversationKey, this *turn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var others []*turn
	for _, other := range r.byConversation[of] {
		if other != this {
			others = append(others, other)
		}
	}
	if others == nil {
		delete(r.byConversation, of)
		return
	}
	r.byConversation[of] = others
}

// refusal is why a turn may not send any more, into its own conversation.
func (r *running) refusal(this *turn, own bool) error {
	if !own {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return this.ended
}

// interrupt ends what runs for those of a conversation's messages that are concerned.
func (r *running) interrupt(of conversationKey, concerned func(*turn) bool, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, this := range r.byConversation[of] {
		if concerned(this) {
			this.interrupt(cause)
		}
	}
}

// interrupt ends a turn; running.mu is held.
func (t *turn) interrupt(cause error) {
	if t.ended == nil {
		t.ended = cause
		t.end(cause)
	}
}
