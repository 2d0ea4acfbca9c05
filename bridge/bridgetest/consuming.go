package bridgetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// ledger is what the handlers of all members have seen.
type ledger struct {
	mu       sync.Mutex // guards what follows
	changed  chan struct{}
	begun    map[string][]int       // the messages of a conversation, by number, in the order in which they were first handled
	first    map[string]map[int]int // how often each was handled
	repeated int
	inverted []string // what was first handled after a newer message of its conversation
	count    int      // messages that were handled, without repetitions
	by       map[string]int
}

func newLedger() *ledger {
	return &ledger{changed: make(chan struct{}), begun: make(map[string][]int), first: make(map[string]map[int]int), by: make(map[string]int)}
}

// note notes that the handling of a message begins.
func (l *ledger) note(member, conversation string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := l.first[conversation]
	if times == nil {
		times = make(map[int]int)
		l.first[conversation] = times
	}
	l.by[member]++
	if times[n]++; times[n] > 1 {
		l.repeated++
		return
	}
	if seen := l.begun[conversation]; len(seen) > 0 && seen[len(seen)-1] > n {
		l.inverted = append(l.inverted, fmt.Sprintf("%s: %d after %d", conversation, n, seen[len(seen)-1]))
	}
	l.begun[conversation] = append(l.begun[conversation], n)
	l.count++
	close(l.changed)
	l.changed = make(chan struct{})
}

// await waits until so many messages were handled.
func (l *ledger) await(t testing.TB, n int, within time.Duration) {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		l.mu.Lock()
		count, changed := l.count, l.changed
		l.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			t.Fatalf("after %s, %d messages of %d were handled", within, count, n)
		case <-t.Context().Done():
			t.FailNow()
		}
	}
}

// balance checks that of so many conversations all of so many messages were handled, and in order.
func (l *ledger) balance(t testing.TB, conversations, each int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range conversations {
		check(t, len(l.begun[conversation(c)]) == each, "%s: %d messages of %d were handled", conversation(c), len(l.begun[conversation(c)]), each)
	}
	check(t, len(l.inverted) == 0, "%d messages were first handled after a newer one, such as %.3q", len(l.inverted), l.inverted)
}

func (l *ledger) repetitions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.repeated
}

func conversation(n int) string { return fmt.Sprintf("session_%d", n) }

// worker is a process that consumes.
type worker struct {
	name   string
	peer   Peer
	cancel context.CancelFunc
	dead   chan struct{} // closed when it was killed: what it does from then on does not count
	ended  chan error
	once   sync.Once
}

// work starts a process whose handler handles messages.
func work(t testing.TB, s *setup, name, group string, handle func(ctx context.Context, w *worker, ev *crisp.MessageSend) error, opts ...bridge.ConsumeOption) *worker {
	t.Helper()
	w := &worker{name: name, peer: s.Connect(t), dead: make(chan struct{}), ended: make(chan error, 1)}
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		select {
		case <-w.dead:
			return errors.New("the process is dead")
		default:
			return handle(ctx, w, ev)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	quiet := bridge.WithErrorHandler(func(context.Context, error) {})
	go func() {
		for {
			err := bridge.Consume(ctx, w.peer.Consumer(group), router, append([]bridge.ConsumeOption{quiet}, opts...)...)
			if ctx.Err() != nil || pause(ctx, 50*time.Millisecond) != nil { // the engine may have been away, as a supervisor's restart would show
				w.ended <- err
				return
			}
		}
	}()
	t.Cleanup(w.stop)
	return w
}

// noting is a handler that takes its time.
func noting(l *ledger, took time.Duration) func(context.Context, *worker, *crisp.MessageSend) error {
	return func(ctx context.Context, w *worker, ev *crisp.MessageSend) error {
		l.note(w.name, ev.SessionID, numberOf(ev))
		return w.spend(ctx, took)
	}
}

// spend lets time pass, unless the process dies or the handler's context ends.
func (w *worker) spend(ctx context.Context, took time.Duration) error {
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.dead:
		return errors.New("the process is dead")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the process in order.
func (w *worker) stop() {
	w.once.Do(func() {
		w.cancel()
		<-w.ended
		w.peer.Close()
	})
}

// kill ends it without a goodbye.
func (w *worker) kill() {
	w.once.Do(func() {
		close(w.dead)
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

// feedAll publishes messages from one number up to another, several conversations side by side.
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
	for n := range 3 {
		work(t, s, fmt.Sprint("member ", n), "group", noting(l, time.Millisecond))
	}
	feed(t, s, 20, 20)
	l.await(t, 400, enough)
	l.balance(t, 20, 20)
}

func groupsAreApart(t *testing.T, s *setup) {
	s.start(t, Config{})
	one, other := newLedger(), newLedger()
	w := work(t, s, "one", "one", noting(one, 0))
	feed(t, s, 5, 5)
	one.await(t, 25, enough)
	w.stop()
	work(t, s, "other", "other", noting(other, 0))
	other.await(t, 25, enough)
	again := newLedger()
	work(t, s, "one again", "one", noting(again, 0))
	feedLater(t, s)
	again.await(t, 1, enough)
	equal(t, 1, again.count, "messages after a restart, of which the others were done")
}

func feedLater(t *testing.T, s *setup) { mustPublish(t, s.Connect(t).Publisher(), said("later", 0)) }

func slowHandlers(t *testing.T, s *setup) {
	s.start(t, Config{Patience: time.Second})
	patience := s.Limits().Patience
	if patience == 0 {
		patience = time.Second
	}
	l := newLedger()
	work(t, s, "one", "group", func(ctx context.Context, w *worker, ev *crisp.MessageSend) error {
		l.note(w.name, ev.SessionID, numberOf(ev))
		if ev.SessionID == conversation(0) && numberOf(ev) == 0 {
			return w.spend(ctx, 3*patience)
		}
		return nil
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
	failures := make(map[string]int)
	work(t, s, "one", "group", func(_ context.Context, w *worker, ev *crisp.MessageSend) error {
		mu.Lock()
		defer mu.Unlock()
		key := fmt.Sprint(ev.SessionID, numberOf(ev))
		if failures[key]++; numberOf(ev)%3 == 1 && failures[key] < 3 {
			return errors.New("not yet")
		}
		l.note(w.name, ev.SessionID, numberOf(ev))
		return nil
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
	w := work(t, s, "one", "group", func(_ context.Context, w *worker, ev *crisp.MessageSend) error {
		if numberOf(ev) == 2 {
			return errors.New("never")
		}
		l.note(w.name, ev.SessionID, numberOf(ev))
		return nil
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
	work(t, s, "two", "group", noting(again, 0))
	feedLater(t, s)
	again.await(t, 1, enough)
	equal(t, 1, again.count, "messages after what was buried")
}
