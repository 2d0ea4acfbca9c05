package kafkabridge

import "crypto/sha256"

// window knows the last n IDs that were added. It is used by one goroutine at a time.
type window struct {
	n     int
	known map[digest]struct{}
	order []digest // from the oldest; a ring once there are n
	next  int
}

type digest [16]byte

func digestOf(id string) (d digest) {
	sum := sha256.Sum256([]byte(id))
	copy(d[:], sum[:])
	return d
}

func newWindow(n int) *window {
	return &window{n: n, known: make(map[digest]struct{})}
}

func (w *window) has(id string) bool {
	_, ok := w.known[digestOf(id)]
	return ok
}

// add adds an ID, and reports whether it was not known.
func (w *window) add(id string) bool {
	d := digestOf(id)
	if _, ok := w.known[d]; ok {
		return false
	}
	w.known[d] = struct{}{}
	if len(w.order) < w.n {
		w.order = append(w.order, d)
		return true
	}
	delete(w.known, w.order[w.next])
	w.order[w.next] = d
	w.next = (w.next + 1) % w.n
	return true
}
