package bridge

import (
	"context"
	"slices"
	"time"
)

const telling = "the engine is not told of messages that are being worked on"

// tellWorking starts a goroutine that tells the engine of everything in hand, three times within
// the engine's patience, until ctx ends. If the engine need not be told, it does nothing.
func (s *serving) tellWorking(ctx context.Context, patience time.Duration) {
	if patience <= 0 {
		return
	}
	s.patience = patience
	interval := max(patience/3, time.Millisecond)
	s.telling.Go(func() {
		for sleep(ctx, interval) == nil {
			s.tellOnce(ctx, interval)
		}
	})
}

// tellOnce tells the engine of what is in hand, as far as the time allows. What it was told of
// longest ago comes first.
func (s *serving) tellOnce(ctx context.Context, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, w := range s.toTell() {
		if ctx.Err() != nil {
			return
		}
		err := w.delivery.Working(ctx)
		switch {
		case err == nil:
			s.reporter.worked(telling)
			s.told(w.job)
		case ctx.Err() == nil:
			s.reporter.failed(ctx, telling, err)
		}
	}
}

// working is a message in hand, with its delivery as of now.
type working struct {
	job      *job
	delivery Delivery
	told     time.Time
}

// toTell returns what is in hand, in the order in which the engine is to be told of it.
func (s *serving) toTell() []working {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]working, 0, s.inHand)
	for _, j := range s.order {
		if j != nil && j.state == jobInHand {
			all = append(all, working{j, j.delivery, j.told})
		}
	}
	slices.SortStableFunc(all, func(a, b working) int { return a.told.Compare(b.told) })
	return all
}

func (s *serving) told(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.told = time.Now()
}
