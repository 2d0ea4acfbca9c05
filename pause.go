package crisp

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/fifo"
)

// maxPauses bounds the conversations that are paused at a time; beyond it, the
// one that was paused first goes on.
const maxPauses = 1 << 16

// Pauses are the conversations that a bot keeps out of, because of [PauseOnHuman]
// or [Pauses.Pause]. All methods may be called from any goroutine.
type Pauses struct {
	client *Client
	quiet  time.Duration // 0: no time ends a pause

	mu     sync.Mutex                          // guards paused
	paused *fifo.Map[SessionRef, clock.Moment] // since when
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
		r.watch(E(new(T)).EventName(), func(_ context.Context, ev Event) {
			if typed, ok := ev.(E); ok && resumes(typed) {
				p.Resume(typed.Session())
			}
		})
	}}
}

// PauseOnHuman keeps a bot out of conversations that a person has taken over. As
// soon as an operator answers (a message that is not automated, not a note and
// not sent by the client), messages of that conversation are kept from all
// handlers, until one of the rules says otherwise. Other events of it go on.
//
// It subscribes the router to the events that it needs, and adds middleware to
// it; that sees the operators' messages wherever other middleware stands. A
// handler that is running when the operator answers is not interrupted.
//
// Without a rule, only [Pauses.Resume] resumes. Pauses last as long as the
// program: one that must outlive it keeps [Pauses.All] and puts it back with
// [Pauses.Pause].
func PauseOnHuman(r *Router, client *Client, rules ...ResumeRule) *Pauses {
	p := &Pauses{client: client, paused: fifo.New[SessionRef, clock.Moment](maxPauses)}
	r.watch((*MessageReceived)(nil).EventName(), p.observe)
	for _, rule := range rules {
		rule.apply(r, p)
	}
	r.Use(ignoring(func(_ context.Context, m *ConversationMessage) bool { return p.Paused((*MessageSend)(m).Session()) }))
	return p
}

// observe pauses a conversation in which a person has answered.
func (p *Pauses) observe(ctx context.Context, ev Event) {
	m, ok := messageOf(ev)
	if !ok || m.From != FromOperator || m.Automated || m.Type == MessageTypeNote || m.Type == MessageTypeEvent {
		return
	}
	if p.client.sent.has(ctx, messageID{m.SessionID, m.Fingerprint}) {
		return
	}
	since := p.client.clock.Now()
	if !m.Time.IsZero() {
		since = p.client.clock.OfCrisp(m.Time)
	}
	p.pause((*MessageSend)(m).Session(), since)
}

// Pause keeps the bot out of a conversation, as if an operator had answered at
// that time; a time to come counts as now.
func (p *Pauses) Pause(ref SessionRef, since time.Time) {
	p.pause(ref, p.client.clock.OfWall(since))
}

func (p *Pauses) pause(ref SessionRef, since clock.Moment) {
	since = min(since, p.client.clock.Now())
	// The identifiers may share an event's memory.
	ref = SessionRef{WebsiteID: strings.Clone(ref.WebsiteID), SessionID: strings.Clone(ref.SessionID)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused.Put(ref, since)
}

// Resume lets the bot into a conversation again.
func (p *Pauses) Resume(ref SessionRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused.Delete(ref)
}

// Paused reports whether the bot has to keep out of a conversation.
func (p *Pauses) Paused(ref SessionRef) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	since, paused := p.paused.Get(ref)
	if paused && p.over(since) {
		p.paused.Delete(ref)
		return false
	}
	return paused
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
	for ref, since := range p.paused.All() {
		if !p.over(since) {
			all[ref] = p.client.clock.Wall(since)
		}
	}
	return maps.All(all)
}
