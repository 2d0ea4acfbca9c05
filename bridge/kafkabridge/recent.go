package kafkabridge

import "sync"

// attempt is one to store a record.
type attempt struct {
	done chan struct{} // closed when err is set
	err  error
}

// recent knows the IDs that were stored last, and those that are about to be.
type recent struct {
	mu    sync.Mutex // guards what follows
	under map[string]*attempt
	known *window
}

const recentIDs = 1 << 16

func newRecent() *recent {
	return &recent{under: make(map[string]*attempt), known: newWindow(recentIDs)}
}

// begin returns the attempt to store what has that ID, and whether it is for the caller
// to make it.
func (r *recent) begin(id string) (*attempt, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.under[id]; a != nil {
		return a, false
	}
	a := &attempt{done: make(chan struct{})}
	if r.known.has(id) {
		close(a.done)
		return a, false
	}
	r.under[id] = a
	return a, true
}

func (r *recent) finish(id string, a *attempt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.under, id)
	if err == nil {
		r.known.add(id)
	}
	a.err = err
	close(a.done)
}
