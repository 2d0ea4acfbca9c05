package bridgetest

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// ledger is what the handlers of all members have seen.
type ledger struct {
	mu       sync.Mutex // guards what follows
	changed  chan struct{}
	begun    map[string][]int // the messages of a conversation, in the order in which they were first handled
	times    map[line]int     // how often the handling of each has begun
	handled  map[line]bool    // with success
	repeated int              // handlings that were not the first
	inverted []string         // messages that were first handled after a newer one of their conversation
}

// line is a message: the nth of a conversation.
type line struct {
	conversation string
	n            int
}

func newLedger() *ledger {
	return &ledger{changed: make(chan struct{}), begun: make(map[string][]int), times: make(map[line]int), handled: make(map[line]bool)}
}

// begin notes that the handling of a message begins.
func (l *ledger) begin(of line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times[of]++; l.times[of] > 1 {
		l.repeated++
		return
	}
	seen := l.begun[of.conversation]
	if len(seen) > 0 && seen[len(seen)-1] > of.n {
		l.inverted = append(l.inverted, fmt.Sprintf("%s: %d after %d", of.conversation, of.n, seen[len(seen)-1]))
	}
	l.begun[of.conversation] = append(seen, of.n)
}

// succeed notes that a message was handled with success.
func (l *ledger) succeed(of line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled[of] = true
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.handled)
}

// await waits until so many messages were handled.
func (l *ledger) await(t testing.TB, n int, within time.Duration) {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		l.mu.Lock()
		count, changed := len(l.handled), l.changed
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

// balance checks that of so many conversations all of so many messages were handled, and
// in order.
func (l *ledger) balance(t testing.TB, conversations, each int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := 0
	for c := range conversations {
		for n := range each {
			if !l.handled[line{conversation(c), n}] {
				lost++
			}
		}
	}
	check(t, lost == 0, "%d messages were never handled", lost)
	check(t, len(l.inverted) == 0, "%d messages were first handled after a newer one, such as %.3q", len(l.inverted), l.inverted)
}

func (l *ledger) repetitions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.repeated
}

func conversation(n int) string { return fmt.Sprintf("session_%d", n) }
