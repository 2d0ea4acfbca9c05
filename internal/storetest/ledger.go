package storetest

import (
	"bufio"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// ledger is what the replicas have told.
type ledger struct {
	mu    sync.Mutex // guards what follows
	lives []*life
	runs  map[string][]*handling // by message
	sent  []string
}

// life is that of a process, from its start to its end.
type life struct {
	killed time.Time           // a moment before; zero if it was not killed at random
	open   map[int64]*handling // what its handlers are at, by the number of the run
}

// handling is one run of a handler.
type handling struct {
	life            *life
	begun, ended    time.Time // not ended: cut off
	failed, handled bool
	settled         bool // what was handled and is not settled may be handled again
}

func (b *ledger) newLife() *life {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &life{open: make(map[int64]*handling)}
	b.lives = append(b.lives, l)
	return l
}

// dies notes that a process is about to be killed.
func (b *ledger) dies(l *life) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.killed = time.Now()
}

// read reads what a process tells, until its end.
func (b *ledger) read(t *testing.T, l *life, from io.Reader, ready func(url string)) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		var what told
		if err := what.parse(lines.Text()); err != nil {
			assert.NoError(t, err)
			continue
		}
		if what.What == toldReady {
			ready(what.URL)
			continue
		}
		b.note(l, what)
	}
}

func (b *ledger) note(l *life, what told) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := time.Unix(0, what.At)
	if what.What == toldBegun {
		if b.runs == nil {
			b.runs = make(map[string][]*handling)
		}
		h := &handling{life: l, begun: at}
		l.open[what.Run] = h
		b.runs[what.Message] = append(b.runs[what.Message], h)
		return
	}
	h := l.open[what.Run]
	h.ended = at
	switch what.What {
	case toldHandled:
		h.handled = true
		return
	case toldSettled:
		h.settled = true
	case toldFailed:
		h.failed = true
	}
	delete(l.open, what.Run)
}

// wait waits until all messages are handled, by processes that tell the ledger when they like, or its
// patience is over.
func (b *ledger) wait(sent []string, patience time.Duration) {
	b.mu.Lock()
	b.sent = sent
	b.mu.Unlock()
	for deadline := time.Now().Add(patience); !b.complete() && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
}

// complete reports whether each message is handled, and no handler is running.
func (b *ledger) complete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lives {
		if l.killed.IsZero() && len(l.open) > 0 {
			return false
		}
	}
	return !slices.ContainsFunc(b.sent, func(message string) bool {
		return !slices.ContainsFunc(b.runs[message], func(h *handling) bool { return h.handled })
	})
}

// check balances the accounts.
func (b *ledger) check(t *testing.T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var sum account
	for _, message := range b.sent {
		sum.add(t, message, b.runs[message])
	}
	deaths := 0
	for _, l := range b.lives {
		if !l.killed.IsZero() {
			deaths++
		}
	}
	t.Logf("%d messages, %d processes killed; handlers ran %d times: %d failed, %d were cut off in the handler, %d between its end and the record of it",
		len(b.sent), deaths, sum.runs, sum.failed, sum.cut, sum.unrecorded)
	t.Logf("%d messages were handled more than once with success; %d handlers took longer than the lease", sum.twice, sum.stalled)
	assert.NotZero(t, deaths)
	assert.Zero(t, sum.running, "handlers that neither ended nor were killed")
}

// account sums up how handlers ended.
type account struct{ runs, failed, cut, unrecorded, twice, stalled, running int }

// add checks the runs of a message: there is a success, and no run after one that is
// settled, or at the same time as another.
func (a *account) add(t *testing.T, message string, runs []*handling) {
	slices.SortFunc(runs, func(x, y *handling) int { return x.begun.Compare(y.begun) })
	successes := 0
	for n, h := range runs {
		a.runs++
		if h.handled {
			successes++
		}
		switch {
		case h.failed:
			a.failed++
		case h.settled:
		case h.life.killed.IsZero():
			a.running++
		case h.handled:
			a.unrecorded++
		default:
			a.cut++
		}
		if !h.ended.IsZero() && h.ended.Sub(h.begun) >= killedLease {
			a.stalled++ // this machine was too busy to renew a lease: then another may take over
			continue
		}
		if n+1 < len(runs) {
			assert.False(t, h.settled, "%s was settled, and is handled again", message)
			assert.False(t, runs[n+1].begun.Before(h.end()), "%s is handled twice at a time", message)
		}
	}
	assert.NotZero(t, successes, "%s was never handled", message)
	if successes > 1 {
		a.twice++
	}
}

// end is when a run was over at the earliest.
func (h *handling) end() time.Time {
	if h.ended.IsZero() || !h.settled && !h.failed && h.life.killed.Before(h.ended) {
		return h.life.killed
	}
	return h.ended
}
