package crisptest

import (
	"fmt"
	"math"

	"github.com/crisp-go/crisp/internal/fifo"
)

// defaultHistory is how much of everything a server remembers.
const defaultHistory = 10_000

// WithHistory sets how much a server remembers, so that it can run forever: the
// latest n, by default 10,000, of each of
//
//   - what the methods list that look back: [Server.Requests], [Server.Sent],
//     [Server.Deliveries], [Server.Handled], [Server.Binds] and
//     [Server.PastSessions];
//   - the messages of all conversations together, which REST then no longer has;
//   - the conversations, by when they last changed;
//   - the contacts, by when they last changed, and what all contacts together have
//     done;
//   - the web hooks that wait until one URL has taken those before them.
//
// What is older is forgotten. A method that waits for something may miss it if
// more than n follow at once. Large bodies push out older ones before there are n:
// those of one list, those of all messages, and those of the web hooks that wait for
// one URL, take at most 4 KiB times n each, or 4 MiB if that is more.
func WithHistory(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("crisptest: WithHistory: %d is less than 1", n)
		}
		c.history = n
		return nil
	}
}

// mostBytes is how many bytes of bodies a history of n may hold: only large ones push
// out others before there are n.
func mostBytes(n int) int { return min(max(n, 1<<10), math.MaxInt>>12) << 12 }

// record is a list of the latest of what has happened, by pointers to it: whatever
// these are, it is compiled once.
type record[P any] struct {
	latest  *fifo.Map[int, P] // by number
	next    int               // number of what happens next
	weights weights           // of the latest
}

func newRecord[P any](limit int) record[P] {
	return record[P]{latest: fifo.New[int, P](limit), weights: weights{most: mostBytes(limit)}}
}

// add appends an entry whose bodies have that many bytes, and returns the number by which
// get finds it. If the list gets too long or too large, it drops the oldest entries.
func (r *record[P]) add(p P, bytes int) (number int) {
	number = r.next
	r.latest.Put(number, p)
	r.next++
	for beyond := r.weights.add(bytes, r.latest.Len()); beyond > 0; beyond-- {
		r.latest.DeleteOldest()
	}
	return number
}

// get returns the entry with a number, or nil if it was dropped.
func (r *record[P]) get(number int) P {
	p, _ := r.latest.Get(number)
	return p
}

// all returns a copy of a record, oldest first; nil if there is nothing.
func all[T any](r *record[*T]) []T {
	if r.latest.Len() == 0 {
		return nil
	}
	list := make([]T, r.latest.Len())
	i := len(list)
	for _, p := range r.latest.All() {
		i--
		list[i] = *p
	}
	return list
}

// weights are the sizes in bytes of the entries that are kept, oldest first.
type weights struct {
	each  []int
	total int
	most  int
}

// add adds the weight of the newest of n entries. It returns how many of the oldest have
// to go to keep within the bound, which is never the newest.
func (w *weights) add(bytes, n int) (beyond int) {
	w.each = append(w.each, bytes)
	w.total += bytes
	for len(w.each) > n || w.total > w.most && len(w.each) > 1 {
		w.total -= w.each[0]
		w.each = w.each[1:]
	}
	return n - len(w.each)
}
