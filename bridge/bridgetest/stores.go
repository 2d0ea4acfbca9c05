package bridgetest

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crisp-go/crisp"
)

func acquire(t *testing.T, l crisp.Lease, holder string, ttl time.Duration) bool {
	t.Helper()
	held, err := l.Acquire(t.Context(), holder, ttl)
	must(t, err, "acquiring a lease")
	return held
}

func leaseHasOneHolder(t *testing.T, s *setup) {
	s.start(t, Config{})
	a, b := s.Connect(t), s.Connect(t)
	one, other := a.Lease("rtm"), b.Lease("rtm")

	check(t, acquire(t, one, "one", time.Minute), "a lease that is free can't be had")
	check(t, acquire(t, one, "one", time.Minute), "its holder can't renew it")
	check(t, !acquire(t, other, "two", time.Minute), "two holders have it")
	check(t, !acquire(t, one, "two", time.Minute), "two holders of one process have it")
	check(t, acquire(t, b.Lease("another"), "two", time.Minute), "a lease of another name is not free")

	must(t, other.Release(t.Context(), "two"), "releasing what another has")
	check(t, !acquire(t, other, "two", time.Minute), "somebody else has released it")
	must(t, one.Release(t.Context(), "one"), "releasing")
	must(t, one.Release(t.Context(), "one"), "releasing again")
	check(t, acquire(t, other, "two", time.Minute), "what was released is not free")
	check(t, !acquire(t, one, "one", time.Minute), "two holders have it, after it was released")

	var (
		free  = b.Lease("free")
		held  atomic.Int32
		tries sync.WaitGroup
	)
	for _, holder := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		tries.Go(func() {
			got, err := free.Acquire(t.Context(), holder, time.Minute)
			if check(t, err == nil, "acquiring: %v", err) && got {
				held.Add(1)
			}
		})
	}
	tries.Wait()
	equal(t, 1, held.Load(), "holders, of several that try at once")
}

func leaseEndsByItself(t *testing.T, s *setup) {
	s.start(t, Config{})
	a, b := s.Connect(t), s.Connect(t)
	one, other := a.Lease("rtm"), b.Lease("rtm")
	const ttl = 3 * time.Second

	renewed := time.Now()
	check(t, acquire(t, one, "one", ttl), "its holder can't have it")
	for range 5 { // for longer than ttl
		must(t, pause(t.Context(), ttl/3))
		got := acquire(t, other, "two", ttl)
		if time.Since(renewed) < ttl { // else the machine was too busy
			check(t, !got, "another has it, and it was renewed %s ago", time.Since(renewed))
		} else if got {
			must(t, other.Release(t.Context(), "two"), "releasing")
		}
		renewed = time.Now()
		check(t, acquire(t, one, "one", ttl), "its holder can't have it")
	}
	renewed = time.Now()
	check(t, acquire(t, one, "one", ttl), "its holder can't have it")
	a.Kill()
	eventually(t, ttl+5*time.Second, func() bool { return acquire(t, other, "two", ttl) }, "the lease of a dead holder ends")
	check(t, time.Since(renewed) >= ttl*9/10, "it has ended after %s, which is before its time", time.Since(renewed))
}

func oneLeads(t *testing.T, s *setup) {
	s.start(t, Config{})
	const ttl = 2 * time.Second
	var leading, terms atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	lead := func(l crisp.Lease, run func(context.Context) error) {
		all.Go(func() {
			err := crisp.Lead(ctx, l, ttl, func(ctx context.Context) error {
				n := leading.Add(1)
				defer leading.Add(-1)
				check(t, n == 1, "%d lead at a time", n)
				terms.Add(1)
				return run(ctx)
			})
			check(t, err == nil || errors.Is(err, context.Canceled), "leading: %v", err)
		})
	}
	for range 3 {
		lead(s.Connect(t).Lease("rtm"), func(ctx context.Context) error {
			_ = pause(ctx, ttl/4) // a short term
			return nil
		})
	}
	eventually(t, enough, func() bool { return terms.Load() == 3 }, "each has its term")
	cancel()
	all.Wait()
}

func positions(t *testing.T, s *setup) {
	s.start(t, Config{})
	a, b := s.Connect(t), s.Connect(t)
	p, err := a.Position("one").Load(t.Context())
	must(t, err, "loading a position")
	equal(t, crisp.Position{}, p, "the position before any")

	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	for _, want := range []crisp.Position{
		{Time: at},
		{Time: at.Add(time.Hour), Crisp: at, Handled: []uint64{1, math.MaxInt64 + 1, math.MaxUint64}},
		{Time: at.Add(-time.Hour), Handled: make([]uint64, 1<<15)},
		{Time: at.Add(2 * time.Hour)},
	} {
		must(t, a.Position("one").Save(t.Context(), want), "saving a position")
		got, err := b.Position("one").Load(t.Context())
		must(t, err, "loading a position")
		equal(t, want, got, "the position that was saved")
	}
	p, err = b.Position("two").Load(t.Context())
	must(t, err, "loading a position")
	equal(t, crisp.Position{}, p, "the position of another name")
}

func partitionsAreChecked(t *testing.T, s *setup) {
	s.start(t, Config{Partitions: 4})
	_ = s.Connect(t)
	must(t, s.ConnectWith(t, 4), "connecting with the same number of partitions")
	for _, n := range []int{1, 3, 8} {
		check(t, s.ConnectWith(t, n) != nil, "a process that was told of %d partitions may go on, and there are 4", n)
	}
}
