package crisp

import (
	"context"

	"github.com/crisp-go/crisp/internal/fifo"
)

// Supersede is for bots that think for long: what a visitor adds ends the handlers of what they
// said before. As soon as another message of the visitor's arrives, the contexts of the
// handlers of the conversation's older messages end with [ErrSuperseded], and what is sent with
// them is refused. The last message is the one to answer, with [Client.Messages] for what was
// said before.
//
// A message that waits while a newer one arrives has its turn all the same, with a
// context that has ended: a handler that only notes things can use
// [context.WithoutCancel]. An error that such a handler returns is no failure.
//
// It subscribes the router to what it needs, and adds middleware to it.
func Supersede(r *Router) {
	s := &superseding{running: newRunning(), latest: fifo.New[conversationKey, latestMessage](maxPauses)}
	r.onArrival((*MessageSend)(nil).EventName(), s.observe)
	r.Use(s.middleware)
}

// superseding knows the last message of each visitor.
type superseding struct {
	running *running
	latest  *fifo.Map[conversationKey, latestMessage] // guarded by running.mu
}

type latestMessage struct {
	place
	fingerprint int64
}

// is reports whether two are the same message, which may come by both transports.
func (m latestMessage) is(other latestMessage) bool {
	return m.fingerprint != 0 && m.fingerprint == other.fingerprint
}

// observe interrupts what runs for older messages.
func (s *superseding) observe(ev Event) {
	m, ok := messageOf(ev)
	if !ok || m.From != FromUser {
		return
	}
	of, this := conversationOf(m), latestMessage{placeOf(m, ev), m.Fingerprint}
	s.running.mu.Lock()
	last, known := s.latest.Get(of)
	news := !known || last.before(this.place) && !last.is(this)
	if news {
		s.latest.Put(of, this)
	}
	s.running.mu.Unlock()
	if news {
		s.running.interrupt(of, func(t *turn) bool { return t.before(this.place) }, ErrSuperseded)
	}
}

func (s *superseding) middleware(next Handler) Handler {
	return func(ctx context.Context, ev Event) error {
		m, ok := ev.(*MessageSend)
		if !ok || m.From != FromUser {
			return next(ctx, ev)
		}
		of, at := conversationOf(m.Message()), placeOf(m.Message(), ev)
		return s.running.do(ctx, of, at, func(this *turn) {
			last, known := s.latest.Get(of)
			if known && at.before(last.place) && m.Fingerprint != last.fingerprint {
				this.interrupt(ErrSuperseded)
			}
		}, func(ctx context.Context) error { return next(ctx, ev) })
	}
}
