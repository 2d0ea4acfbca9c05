// Package delivery uses one file from another, in each of the ways.
package delivery

import "example.test/tidy/internal/payload"

// Queue holds texts.
type Queue struct{ lane[string] }

// Put appends a text.
func (q *Queue) Put(text string) {
	q.items = append(q.items, payload.Trim(text))
	q.wake()
	total += first + second + third + fourth
}
