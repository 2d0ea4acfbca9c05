package crisp

import (
	"context"
	"sync"
)

// running tracks which handlers are at work on which conversation's messages, so that
// something that arrives meanwhile can interrupt them: see PauseOnHuman and Supersede.
type running struct {
	mu             sync.Mutex // guards what follows
	byConversation map[conversationKey][]*turn
}

// turn is one run of the handlers for one message.
type turn struct {
	place // of the message
	end   context.CancelCauseFunc
	ended error // why it was interrupted; nil = it wasn't; guarded by running.mu
}

// place is a message's position in its conversation.
type place struct {
	sent    int64  // ms since 1970; 0 if the message doesn't say
	arrival uint64 // see arrivalOf
}

func placeOf(m *ConversationMessage, ev Event) place {
	at := place{arrival: arrivalOf(ev)}
	if !m.Timestamp.IsZero() {
		at.sent = m.Timestamp.UnixMilli()
	}
	return at
}

// before reports whether a message precedes another. The time of sending decides where
// both have one: a message may arrive twice, by two transports, and one that was missed
// arrives after newer ones.
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

// do runs a handler for a message so that interrupt can stop it: its context ends, what
// it sends into the conversation is refused, and an error that it then returns is
// dropped. began is called first, under mu, so that no interruption falls between the
// two.
func (r *running) do(ctx context.Context, of conversationKey, at place, began func(*turn), handle func(context.Context) error) error {
	inner, end := context.WithCancelCause(ctx)
	defer end(nil)
	this := &turn{place: at, end: end}
	r.begin(of, this, began)
	defer r.finish(of, this)
	refuse := func(to SessionRef) error {
		if keyOf(to) != of {
			return nil
		}
		return r.interruption(this)
	}
	err := handle(withSendRefusal(inner, refuse))
	if err != nil && ctx.Err() == nil && r.interruption(this) != nil {
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

// interruption returns why a turn was interrupted; nil if it wasn't.
func (r *running) interruption(this *turn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return this.ended
}

// interrupt stops those of a conversation's turns for which concerned reports true.
func (r *running) interrupt(of conversationKey, concerned func(*turn) bool, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, this := range r.byConversation[of] {
		if concerned(this) {
			this.interrupt(cause)
		}
	}
}

// interrupt stops a turn; running.mu is held.
func (t *turn) interrupt(cause error) {
	if t.ended == nil {
		t.ended = cause
		t.end(cause)
	}
}
