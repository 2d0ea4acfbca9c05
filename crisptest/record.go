package crisptest

import (
	"fmt"

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
// more than n follow at once.
func WithHistory(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("crisptest: WithHistory: %d is less than 1", n)
		}
		c.history = n
		return nil
	}
}

// record is a list of the latest of what has happened.
type record[T any] struct {
	latest *fifo.Map[int, *T] // by number
	next   int                // number of what happens next
}

func newRecord[T any](limit int) record[T] {
	return record[T]{latest: fifo.New[int, *T](limit)}
}

// add appends to the list, and returns the number by which get finds it.
func (r *record[T]) add(v T) (number int) {
	number = r.next
	r.latest.Put(number, &v)
	r.next++
	return number
}

// get returns nil for what is forgotten.
func (r *record[T]) get(number int) *T {
	v, _ := r.latest.Get(number)
	return v
}

// all returns a copy, oldest first; nil if there is nothing.
func (r *record[T]) all() []T {
	if r.latest.Len() == 0 {
		return nil
	}
	list := make([]T, r.latest.Len())
	i := len(list)
	for _, v := range r.latest.All() {
		i--
		list[i] = *v
	}
	return list
}
