package bridge

import "sync"

// turns runs functions side by side, up to a number of them, and begins them in the order in which
// they were put. A lane puts one at a time, so that neither a busy conversation nor a busy
// partition keeps the others waiting.
type turns struct {
	most int

	mu      sync.Mutex // guards what follows
	running int        // goroutines
	waiting []func()
}

func newTurns(most int) *turns { return &turns{most: most} }

// put adds a function, which begins at once if fewer than most run. It does not wait.
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

// next takes the function that has waited longest; nil if none waits and the goroutine has to end.
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
