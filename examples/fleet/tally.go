package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// handled is what a worker reports when it has handled a message.
type handled struct {
	Worker      string    `json:"worker"`
	SessionID   string    `json:"session_id"`
	Fingerprint int64     `json:"fingerprint"`
	At          time.Time `json:"at"`
}

// tally compares what visitors have said with what workers have handled.
type tally struct {
	mu      sync.Mutex // guards what follows
	said    map[string][]int64
	handled []handled
	changed chan struct{} // closed with the next change
}

func newTally() *tally {
	return &tally{said: make(map[string][]int64), changed: make(chan struct{})}
}

func (t *tally) say(sessionID string, fingerprint int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said[sessionID] = append(t.said[sessionID], fingerprint)
}

func (t *tally) handle(h handled) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handled = append(t.handled, h)
	close(t.changed)
	t.changed = make(chan struct{})
}

// missing returns how many messages nobody has handled, and a channel that is closed
// when that may have changed.
func (t *tally) missing() (n int, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, all := t.firsts()
	for session, said := range t.said {
		n += len(said) - len(all[session])
	}
	return n, t.changed
}

// firsts returns the messages of each conversation in the order in which they were
// handled first, and how many were handled again. What no visitor has said does not count.
// t.mu is held.
func (t *tally) firsts() (again int, order map[string][]int64) {
	order = make(map[string][]int64)
	byTime := slices.SortedStableFunc(slices.Values(t.handled), func(a, b handled) int { return a.At.Compare(b.At) })
	for _, h := range byTime {
		switch {
		case slices.Contains(order[h.SessionID], h.Fingerprint):
			again++
		case slices.Contains(t.said[h.SessionID], h.Fingerprint):
			order[h.SessionID] = append(order[h.SessionID], h.Fingerprint)
		}
	}
	return again, order
}

// summary is what has become of all that visitors said.
type summary struct {
	conversations, messages int
	missing                 int
	again                   int
	outOfOrder              []string // conversations
	byWorker                map[string]int
}

func (t *tally) summary() summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := summary{conversations: len(t.said), byWorker: make(map[string]int)}
	again, order := t.firsts()
	s.again = again
	for session, said := range t.said {
		s.messages += len(said)
		s.missing += len(said) - len(order[session])
		kept := slices.DeleteFunc(slices.Clone(said), func(f int64) bool { return !slices.Contains(order[session], f) })
		if !slices.Equal(kept, order[session]) {
			s.outOfOrder = append(s.outOfOrder, session)
		}
	}
	for _, h := range t.handled {
		s.byWorker[h.Worker]++
	}
	slices.Sort(s.outOfOrder)
	return s
}

// ok reports whether nothing was lost, and nothing out of order.
func (s summary) ok() bool { return s.messages > 0 && s.missing == 0 && len(s.outOfOrder) == 0 }

func (s summary) String() string {
	var b strings.Builder
	for _, worker := range slices.Sorted(maps.Keys(s.byWorker)) {
		fmt.Fprintf(&b, "%s handled %d messages\n", worker, s.byWorker[worker])
	}
	fmt.Fprintf(&b, "%d messages of %d conversations: %d lost, %d handled twice, %d conversations out of order\n",
		s.messages, s.conversations, s.missing, s.again, len(s.outOfOrder))
	return b.String()
}
