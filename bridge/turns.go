package bridge

import "sync"

// turns lets functions run side by side, up to a number of them, in the order in which
// they were put. Lanes have one each time, so that neither a busy conversation nor a busy
// partition keeps the others waiting.
type turns struct {
	most int

	mu      sync.Mutex // guards what follows
	running int
	waiting []func()
}

func newTurns(most int) *turns { return &turns{most: most} }

// put has a function run when it is its turn.
func (t *turns) put(fn func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == t.most {
		t.waiting = append(t.waiting, fn)
		return
	}
	t.running++
	go t.run(fn)
}

// run runs a function, and then those that wait.
func (t *turns) run(fn func()) {
	for fn != nil {
		fn()
		fn = t.next()
	}
}

func (t *turns) next() func() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.running--
		t.waiting = nil
		return nil
	}
	fn := t.waiting[0]
	t.waiting[0] = nil
	t.waiting = t.waiting[1:]
	return fn
}
