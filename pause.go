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
	quiet   time.Duration                    // 0: no time ends a pause
	states  []func(ev *SessionSetState) bool // that end one
	running *running

	mu      sync.Mutex // guards what follows
	paused  *fifo.Map[conversationKey, pause]
	answers *fifo.Map[messageID, struct{}] // of persons, that have come
}

// pause is what is known of a conversation that the bot keeps out of.
type pause struct {
	since   clock.Moment // when a person has answered last
	arrival uint64       // of the last such answer that has come; 0 if there is none
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
// What an RTM client recovers of a conversation is looked at whole before any of it is
// handled: a person's answer among it pauses, and so does, for what was recovered, a
// state that [ResumeOn] names, since somebody has dealt with it.
//
// It subscribes the router to the events that it needs, and adds middleware to
// it; that sees the operators' messages wherever other middleware stands.
//
// Without a rule, only [Pauses.Resume] resumes. Pauses last as long as the
// program: one that must outlive it keeps [Pauses.All] and puts it back with
// [Pauses.Pause].
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

// byPerson returns the message of an event that a person has sent from the operators'
// side, or this client.
func byPerson(ev Event) (*ConversationMessage, bool) {
	m, ok := messageOf(ev)
	if !ok || m.From != FromOperator || m.Automated || m.Type == MessageTypeNote || m.Type == MessageTypeEvent {
		return nil, false
	}
	return m, true
}

// arrived pauses a conversation in which a person has answered. While the client itself
// is sending something there, it takes a moment to know whether it was that.
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

// repeats reports whether a person's answer has come before: by another transport, or
// live when it is recovered. It pauses nothing that has gone on since.
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

// decided waits, in the turn of an operator's message, until it is known whether it is
// the client's.
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

// answered pauses a conversation, and ends what runs for its messages.
func (p *Pauses) answered(m *ConversationMessage, arrival uint64) {
	since := p.client.clock.Now()
	if !m.Time.IsZero() {
		since = p.client.clock.OfCrisp(m.Time)
	}
	of := conversationOf(m)
	p.pause(of, since, arrival)
	p.running.interrupt(of, func(*turn) bool { return true }, ErrPaused)
}

// recovered keeps the bot out of what was missed of a conversation in a state that ends
// a pause: somebody has dealt with it. What has come since it was in that state is no
// part of that, nor is a pause of an answer since.
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

// resumeAnswered ends a pause unless a person has answered after a time.
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
	by, _ := p.paused.Get(of) // what is recovered may have been known before
	p.paused.Put(of, pause{since, max(arrival, by.arrival)})
}

// Resume lets the bot into a conversation again.
func (p *Pauses) Resume(ref SessionRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused.Delete(keyOf(ref))
}

// resume ends a pause because of an event, unless the answer that caused it has arrived
// after that.
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

// forgetOver forgets the pauses that are over, of conversations in which nothing happens
// any more, too. p.mu is held.
func (p *Pauses) forgetOver() {
	p.paused.DeleteOldestWhile(func(by pause) bool { return p.over(by.since) })
}

// over reports whether a pause has lasted long enough.
func (p *Pauses) over(since clock.Moment) bool {
	return p.quiet > 0 && p.client.clock.Now().Sub(since) >= p.quiet
}

// All lists the paused conversations, and since when no person has answered in
// each.
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
