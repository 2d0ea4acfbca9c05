package crisp

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/fifo"
)

// maxPauses bounds the conversations that are paused at a time; beyond it, the
// one that was paused first goes on.
const maxPauses = 1 << 17

// Pauses are the conversations that a bot keeps out of, because of [PauseOnHuman]
// or [Pauses.Pause]. All methods may be called from any goroutine.
type Pauses struct {
	client  *Client
	quiet   time.Duration                    // how long a pause lasts after the last answer; 0 = no limit
	states  []func(ev *SessionSetState) bool // the conditions of ResumeOn on a conversation's state
	running *running

	mu      sync.Mutex // guards what follows
	paused  *fifo.Map[conversationKey, pause]
	answers *fifo.Map[messageID, struct{}] // the last answers by persons
}

// pause is why the bot keeps out of a conversation.
type pause struct {
	since   clock.Moment // when a person last answered
	arrival uint64       // see arrivalOf, of the last answer that arrived; 0 = none did
}

// ResumeRule says when a paused conversation goes on: see [ResumeAfter] and
// [ResumeOn].
type ResumeRule struct{ apply func(*Router, *Pauses) }

// ResumeAfter resumes a conversation when no person has answered for a time, which
// must be more than 0, or it panics.
func ResumeAfter(quiet time.Duration) ResumeRule {
	if quiet <= 0 {
		panic(fmt.Sprintf("crisp: ResumeAfter(%s): needs more than 0", quiet))
	}
	return ResumeRule{func(_ *Router, p *Pauses) { p.quiet = quiet }}
}

// ResumeOn resumes a conversation on an event of it, if resumes says so:
//
//	crisp.ResumeOn(func(ev *crisp.SessionSetState) bool { return ev.State == crisp.SessionStateResolved })
//
// The event is subscribed to. resumes must not wait. ResumeOn(nil) panics.
func ResumeOn[T any, E interface {
	*T
	SessionEvent
}](resumes func(ev E) bool) ResumeRule {
	if resumes == nil {
		panic("crisp: ResumeOn(nil): needs a function")
	}
	return ResumeRule{func(r *Router, p *Pauses) {
		name := E(new(T)).EventName()
		r.onArrival(name, nil)
		r.watch(name, func(_ context.Context, ev Event) {
			if typed, ok := ev.(E); ok && resumes(typed) {
				p.resume(keyOf(typed.Session()), arrivalOf(ev))
			}
		})
		if state, ok := any(resumes).(func(*SessionSetState) bool); ok {
			p.states = append(p.states, state)
		}
	}}
}

// PauseOnHuman keeps a bot out of conversations that a person has taken over. As
// soon as an operator's answer arrives (a message that is not automated, not a note
// and not sent by the client), messages of that conversation are kept from all
// handlers, also those that wait already, until one of the rules says otherwise. Other
// events of it go on. The contexts of handlers that are at a message of it end with
// [ErrPaused], what they send into the conversation is refused with it, and errors that
// they return then are no failures.
//
// An RTM client looks at everything that it recovers of a conversation before any of it is
// handled. If a person's answer is among it, the conversation is paused. If the conversation is
// in a state that a [ResumeOn] names, somebody has dealt with it, and the recovered messages are
// kept from all handlers.
//
// PauseOnHuman subscribes the router to the events that it needs, and adds middleware. It sees
// the operators' messages wherever that middleware stands among other.
//
// Without a rule, only [Pauses.Resume] resumes. Pauses last as long as the program. To keep them
// longer, store [Pauses.All], and restore it with [Pauses.Pause].
func PauseOnHuman(r *Router, client *Client, rules ...ResumeRule) *Pauses {
	p := &Pauses{client: client, running: newRunning(), paused: fifo.New[conversationKey, pause](maxPauses), answers: fifo.New[messageID, struct{}](maxSent)}
	name := (*MessageReceived)(nil).EventName()
	r.onArrival(name, p.arrived)
	r.watch(name, p.decided)
	r.onRecovered(p.recovered)
	for _, rule := range rules {
		rule.apply(r, p)
	}
	r.Use(p.middleware)
	return p
}

func (p *Pauses) middleware(next Handler) Handler {
	return func(ctx context.Context, ev Event) error {
		m, ok := messageOf(ev)
		if !ok {
			return next(ctx, ev)
		}
		of := conversationOf(m)
		if p.keepsOut(of) || settled(ev) {
			return nil
		}
		return p.running.do(ctx, of, placeOf(m, ev), func(this *turn) {
			if p.keepsOut(of) { // since just now
				this.interrupt(ErrPaused)
			}
		}, func(ctx context.Context) error {
			if context.Cause(ctx) == ErrPaused { //nolint:errorlint // it was interrupted before it began
				return nil
			}
			return next(ctx, ev)
		})
	}
}

// byPerson returns the message of an event if it may be a person's, from the operators' side: it
// may also be one that this client sent without the mark of an automated message.
func byPerson(ev Event) (*ConversationMessage, bool) {
	m, ok := messageOf(ev)
	if !ok || m.From != FromOperator || m.Automated || m.Type == MessageTypeNote || m.Type == MessageTypeEvent {
		return nil, false
	}
	return m, true
}

// arrived pauses a conversation in which a person has answered. While the client is sending a
// message there, it first has to wait to learn whether this is the one.
func (p *Pauses) arrived(ev Event) {
	m, ok := byPerson(ev)
	if !ok {
		return
	}
	id := idOf(m)
	own, underway := p.client.sent.look(id, true)
	switch {
	case own || p.repeats(id):
	case underway == nil:
		p.answered(m, arrivalOf(ev))
	default:
		arrival := arrivalOf(ev)
		go func() {
			if !p.client.sent.has(context.Background(), id, true) {
				p.answered(m, arrival)
			}
		}()
	}
}

// repeats reports whether a person's answer came before, by another transport or live: a
// conversation that was resumed since is not to be paused again.
func (p *Pauses) repeats(id messageID) bool {
	if id.fingerprint == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.answers.Get(id); known {
		return true
	}
	p.answers.Put(id, struct{}{})
	return false
}

// decided waits, before an operator's message is handled, until it is known whether the client
// sent it.
func (p *Pauses) decided(ctx context.Context, ev Event) {
	m, ok := byPerson(ev)
	if !ok {
		return
	}
	id := idOf(m)
	if own, underway := p.client.sent.look(id, true); own || underway == nil {
		return
	}
	if !p.client.sent.has(ctx, id, true) {
		p.answered(m, arrivalOf(ev))
	}
}

// answered pauses a conversation, and interrupts the handlers of its messages.
func (p *Pauses) answered(m *ConversationMessage, arrival uint64) {
	since := p.client.clock.Now()
	if !m.Time.IsZero() {
		since = p.client.clock.OfCrisp(m.Time)
	}
	of := conversationOf(m)
	p.pause(of, since, arrival)
	p.running.interrupt(of, func(*turn) bool { return true }, ErrPaused)
}

// recovered settles the missed messages of a conversation that was in a state which ends pauses
// when it was listed: somebody has dealt with them. Behind the last of them it ends the pause,
// unless a person has answered since that state.
func (p *Pauses) recovered(of recovered) (after func()) {
	for _, ends := range p.states {
		if of.state != "" && ends(&SessionSetState{WebsiteID: of.WebsiteID, SessionID: of.SessionID, State: of.state}) {
			for _, ev := range of.missed {
				settle(ev)
			}
			return func() { p.resumeAnswered(keyOf(of.SessionRef), p.client.clock.OfCrisp(of.changed)) }
		}
	}
	return nil
}

// resumeAnswered ends a pause unless a person answered after a moment.
func (p *Pauses) resumeAnswered(of conversationKey, upTo clock.Moment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if by, _ := p.paused.Get(of); by.since <= upTo {
		p.paused.Delete(of)
	}
}

// Pause keeps the bot out of a conversation, as if an operator had answered at
// that time; a time to come counts as now.
func (p *Pauses) Pause(ref SessionRef, since time.Time) {
	p.pause(keyOf(ref), p.client.clock.OfWall(since), 0)
}

func (p *Pauses) pause(of conversationKey, since clock.Moment, arrival uint64) {
	since = min(since, p.client.clock.Now())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetOver()
	by, _ := p.paused.Get(of) // by a later arrival, if this answer was recovered
	p.paused.Put(of, pause{since, max(arrival, by.arrival)})
}

// Resume lets the bot into a conversation again.
func (p *Pauses) Resume(ref SessionRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused.Delete(keyOf(ref))
}

// resume ends a pause because of an event, unless the answer that caused the pause arrived after
// the event.
func (p *Pauses) resume(of conversationKey, arrival uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if by, _ := p.paused.Get(of); arrival == 0 || by.arrival <= arrival {
		p.paused.Delete(of)
	}
}

// Paused reports whether the bot has to keep out of a conversation.
func (p *Pauses) Paused(ref SessionRef) bool { return p.keepsOut(keyOf(ref)) }

func (p *Pauses) keepsOut(of conversationKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetOver()
	by, paused := p.paused.Get(of)
	if paused && p.over(by.since) { // it is behind one that was paused later
		p.paused.Delete(of)
		return false
	}
	return paused
}

// forgetOver forgets the pauses that are over, even where nothing happens in the conversation any
// more; p.mu is held.
func (p *Pauses) forgetOver() {
	p.paused.DeleteOldestWhile(func(by pause) bool { return p.over(by.since) })
}

// over reports whether a pause is over by ResumeAfter.
func (p *Pauses) over(since clock.Moment) bool {
	return p.quiet > 0 && p.client.clock.Now().Sub(since) >= p.quiet
}

// All lists the paused conversations, each with the time of the last answer by a person.
func (p *Pauses) All() iter.Seq2[SessionRef, time.Time] {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[SessionRef]time.Time)
	for of, by := range p.paused.All() {
		if !p.over(by.since) {
			all[of.ref()] = p.client.clock.Wall(by.since)
		}
	}
	return maps.All(all)
}
