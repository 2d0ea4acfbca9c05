package bridgetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// worker is a process that consumes.
type worker struct {
	peer   Peer
	cancel context.CancelFunc
	life   context.Context // ends when it is killed: what it does from then on does not count
	die    context.CancelFunc
	ended  chan struct{}
	once   sync.Once
}

var errDead = errors.New("the process is dead")

// work starts a process whose handler handles messages.
func work(t testing.TB, s *setup, group string, handle func(ctx context.Context, w *worker, ev *crisp.MessageSend) error, opts ...bridge.ConsumeOption) *worker {
	t.Helper()
	w := &worker{peer: s.Connect(t), ended: make(chan struct{})}
	w.life, w.die = context.WithCancel(context.Background())
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		if w.life.Err() != nil {
			return errDead
		}
		return handle(ctx, w, ev)
	})
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	quiet := bridge.WithErrorHandler(func(context.Context, error) {})
	opts = append([]bridge.ConsumeOption{quiet}, opts...)
	go func() {
		defer close(w.ended)
		for ctx.Err() == nil { // again, as a supervisor would
			if bridge.Consume(ctx, w.peer.Consumer(group), router, opts...) != nil {
				_ = pause(ctx, 50*time.Millisecond)
			}
		}
	}()
	t.Cleanup(w.stop)
	return w
}

// noting is a handler that takes its time.
func noting(l *ledger, took time.Duration) func(context.Context, *worker, *crisp.MessageSend) error {
	return func(ctx context.Context, w *worker, ev *crisp.MessageSend) error {
		of := lineOf(ev)
		l.begin(of)
		if err := w.spend(ctx, took); err != nil {
			return err
		}
		l.succeed(of)
		return nil
	}
}

// spend lets time pass, unless the process dies or the handler's context ends.
func (w *worker) spend(ctx context.Context, took time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.life, func() { cancel(errDead) })()
	return pause(ctx, took)
}

// stop ends the process in order.
func (w *worker) stop() {
	w.once.Do(func() {
		defer w.die()
		w.cancel()
		<-w.ended
		w.peer.Close()
	})
}

// kill ends it without a goodbye.
func (w *worker) kill() {
	w.once.Do(func() {
		w.die()
		w.peer.Kill()
		w.cancel()
		<-w.ended
	})
}

// feed publishes the messages of so many conversations in turn.
func feed(t testing.TB, s *setup, conversations, each int) {
	t.Helper()
	p := s.Connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	feedAll(ctx, t, p.Publisher(), conversations, 0, each)
}

// feedAll publishes messages from one number up to another, several conversations side by
// side.
func feedAll(ctx context.Context, t testing.TB, p bridge.Publisher, conversations, from, to int) {
	const sideBySide = 8
	var all sync.WaitGroup
	for first := range min(sideBySide, conversations) {
		all.Go(func() {
			for n := from; n < to; n++ {
				for c := first; c < conversations; c += sideBySide {
					if err := publish(ctx, p, said(conversation(c), n)); err != nil {
						t.Errorf("publishing: %v", err)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

func orderOfSeveral(t *testing.T, s *setup) {
	s.start(t, Config{})
	l := newLedger()
	for range 3 {
		work(t, s, "group", noting(l, time.Millisecond))
	}
	feed(t, s, 20, 20)
	l.await(t, 400, enough)
	l.balance(t, 20, 20)
}

func groupsAreApart(t *testing.T, s *setup) {
	s.start(t, Config{})
	one, other := newLedger(), newLedger()
	w := work(t, s, "one", noting(one, 0))
	feed(t, s, 5, 5)
	one.await(t, 25, enough)
	w.stop()
	work(t, s, "other", noting(other, 0))
	other.await(t, 25, enough)
	again := newLedger()
	work(t, s, "one", noting(again, 0))
	feedLater(t, s)
	again.await(t, 1, enough)
	equal(t, 1, again.count(), "messages after a restart, of which the others were done")
}

func feedLater(t *testing.T, s *setup) { mustPublish(t, s.Connect(t).Publisher(), said("later", 0)) }

func slowHandlers(t *testing.T, s *setup) {
	s.start(t, Config{Patience: shortPatience})
	patience := s.Limits().Patience
	if patience == 0 {
		patience = shortPatience
	}
	l := newLedger()
	work(t, s, "group", func(ctx context.Context, w *worker, ev *crisp.MessageSend) error {
		took := time.Duration(0)
		if lineOf(ev) == (line{conversation(0), 0}) {
			took = 3 * patience
		}
		return noting(l, took)(ctx, w, ev)
	})
	feed(t, s, 4, 5)
	l.await(t, 20, enough+3*patience)
	l.balance(t, 4, 5)
	equal(t, 0, l.repetitions(), "messages that came again, though the engine was told that they are worked on")
}

func retryKeepsOrder(t *testing.T, s *setup) {
	s.start(t, Config{})
	l := newLedger()
	var mu sync.Mutex
	runs := make(map[line]int)
	work(t, s, "group", func(ctx context.Context, w *worker, ev *crisp.MessageSend) error {
		mu.Lock()
		of := lineOf(ev)
		runs[of]++
		early := of.n%3 == 1 && runs[of] < 3
		mu.Unlock()
		if early {
			return errors.New("not yet")
		}
		return noting(l, 0)(ctx, w, ev)
	}, bridge.WithBackoff(constant(20*time.Millisecond)))
	feed(t, s, 5, 10)
	l.await(t, 50, enough)
	l.balance(t, 5, 10)
	equal(t, 0, len(s.DeadLetters(t, "group")), "dead letters")
}

type constant time.Duration

func (c constant) Delay(int) time.Duration { return time.Duration(c) }

func poison(t *testing.T, s *setup) {
	s.start(t, Config{})
	l := newLedger()
	w := work(t, s, "group", func(ctx context.Context, w *worker, ev *crisp.MessageSend) error {
		if lineOf(ev).n == 2 {
			return errors.New("never")
		}
		return noting(l, 0)(ctx, w, ev)
	}, bridge.WithAttempts(3), bridge.WithBackoff(constant(10*time.Millisecond)))
	feed(t, s, 2, 5)
	l.await(t, 8, enough)
	w.stop()
	equal(t, []int{0, 1, 3, 4}, l.begun[conversation(0)], "what was handled of a conversation")

	letters := s.DeadLetters(t, "group")
	equal(t, 2, len(letters), "dead letters")
	for _, d := range letters {
		equal(t, "group", d.Group, "group")
		equal(t, 3, d.Attempts, "attempts")
		equal(t, said(d.Message.SessionID, 2).ID, d.Message.ID, "ID")
		equal(t, string(said(d.Message.SessionID, 2).Data), string(d.Message.Data), "payload")
		check(t, d.Error != "" && !d.At.IsZero(), "a dead letter without an error or a time")
	}
	equal(t, 0, len(s.DeadLetters(t, "another")), "dead letters of another group")

	again := newLedger()
	work(t, s, "group", noting(again, 0))
	feedLater(t, s)
	again.await(t, 1, enough)
	equal(t, 1, again.count(), "messages after what was buried")
}
