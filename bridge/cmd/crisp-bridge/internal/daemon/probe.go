package daemon

import (
	"context"
	"sync"
	"time"
)

const (
	// probeEvery is how old an answer of the engine may be that is still told.
	probeEvery = time.Second
	// probePatience is how long the engine may take to answer.
	probePatience = 2 * time.Second
)

// probe asks whether the engine is there, once a second at most, however many want to
// know.
type probe struct {
	ping func(context.Context) error

	mu    sync.Mutex // guards what follows; held while one asks, so that others wait for the answer
	asked time.Time
	err   error
}

// state returns nil if the engine is reachable.
func (p *probe) state() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.asked) < probeEvery {
		return p.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), probePatience)
	defer cancel()
	p.err = p.ping(ctx)
	p.asked = time.Now()
	return p.err
}
