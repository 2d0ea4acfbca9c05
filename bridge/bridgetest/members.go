package bridgetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crisp-go/crisp/bridge"
)

// counted is a worker whose partitions are counted.
type counted struct {
	*worker
	*bridge.Counters
}

func workCounted(t *testing.T, s *setup, l *ledger, took time.Duration) counted {
	c := new(bridge.Counters)
	return counted{work(t, s, "group", noting(l, took), bridge.WithCounters(c)), c}
}

// shared waits until the members have so many partitions, as evenly as that can be.
func shared(t *testing.T, partitions int, members ...counted) {
	t.Helper()
	const within = 10 * time.Second
	var shares []int64
	even := func() bool {
		shares = shares[:0]
		sum := int64(0)
		for _, m := range members {
			shares = append(shares, m.Partitions.Load())
			sum += m.Partitions.Load()
		}
		return sum == int64(partitions) && slices.Max(shares)-slices.Min(shares) <= 1
	}
	began := time.Now()
	for !even() {
		if time.Since(began) > within {
			t.Fatalf("after %s, %d members share %d partitions as %v: want them even", within, len(members), partitions, shares)
		}
		must(t, pause(t.Context(), 20*time.Millisecond))
	}
	t.Logf("%d members: %v after %s", len(members), shares, time.Since(began).Round(time.Millisecond))
}

// checkRepeated checks that of so many messages not too many were handled again. Each
// time that a partition moves because its member died, what was in its hands comes again,
// and where the engine knows only up to where all is done, what is behind it; that is a
// few of the hundred or so that a partition has in these tests. An engine that begins
// from the start again fails.
func checkRepeated(t *testing.T, l *ledger, messages int) {
	t.Helper()
	check(t, l.repetitions() <= messages/4, "%d of %d messages were handled again", l.repetitions(), messages)
	t.Logf("%d messages, %d handled again", messages, l.repetitions())
}

func sharing(t *testing.T, s *setup) {
	const partitions, conversations, each = 16, 40, 30
	s.start(t, Config{Partitions: partitions})
	l := newLedger()
	fed := keepFeeding(t, s, conversations, each)

	const took = 2 * time.Millisecond
	members := []counted{workCounted(t, s, l, took)}
	shared(t, partitions, members...)
	for range 3 {
		members = append(members, workCounted(t, s, l, took))
	}
	shared(t, partitions, members...)
	members[0].stop()
	members[2].stop()
	shared(t, partitions, members[1], members[3])

	must(t, <-fed)
	l.await(t, conversations*each, enough)
	l.balance(t, conversations, each)
	checkRepeated(t, l, conversations*each)
}

// keepFeeding publishes messages for about as long as members come and go.
func keepFeeding(t *testing.T, s *setup, conversations, each int) <-chan error {
	fed := make(chan error, 1)
	p := s.Connect(t).Publisher()
	ctx, cancel := context.WithTimeout(context.Background(), enough)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var err error
		for n := 0; n < each && err == nil; n++ {
			for c := 0; c < conversations && err == nil; c++ {
				err = publish(ctx, p, said(conversation(c), n))
			}
			_ = pause(ctx, 50*time.Millisecond)
		}
		fed <- err
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return fed
}

func abruptDeath(t *testing.T, s *setup) {
	const partitions, conversations, each = 8, 24, 20
	s.start(t, Config{Partitions: partitions})
	l := newLedger()
	const took = 5 * time.Millisecond
	members := []counted{workCounted(t, s, l, took), workCounted(t, s, l, took), workCounted(t, s, l, took)}
	shared(t, partitions, members...)
	fed := keepFeeding(t, s, conversations, each)
	l.await(t, conversations*each/4, enough)
	members[1].kill()
	must(t, <-fed)

	l.await(t, conversations*each, s.Limits().TakeOver+enough)
	l.balance(t, conversations, each)
	checkRepeated(t, l, conversations*each)
}

func deathInAHandler(t *testing.T, s *setup) {
	s.start(t, Config{Partitions: 1})
	l := newLedger()
	hangs := work(t, s, "group", noting(l, time.Hour))
	mustPublish(t, s.Connect(t).Publisher(), said("a", 0), said("a", 1), said("a", 2))
	eventually(t, enough, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.begun["a"]) == 1
	}, "the first handler begins")
	hangs.kill()
	began := time.Now()
	work(t, s, "group", noting(l, 0))
	l.await(t, 3, s.Limits().TakeOver+10*time.Second)
	equal(t, []int{0, 1, 2}, l.begun["a"], "order")
	equal(t, 1, l.repetitions(), "messages handled again: the one whose handler died")
	t.Logf("taken over after %s", time.Since(began).Round(time.Millisecond))
}

// oneOwner checks that a partition is not another member's before its member has let go
// of it.
func oneOwner(t *testing.T, s *setup) {
	const partitions = 4
	s.start(t, Config{Partitions: partitions})
	owners := make([]atomic.Int32, partitions)
	var served atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var members sync.WaitGroup
	join := func(ctx context.Context) {
		peer := s.Connect(t)
		members.Go(func() {
			err := peer.Consumer("group").Consume(ctx, func(ctx context.Context, p bridge.Partition) {
				n := owners[p.Number()].Add(1)
				defer owners[p.Number()].Add(-1)
				check(t, n == 1, "partition %d has %d owners", p.Number(), n)
				served.Add(1)
				_, err := p.Next(ctx)
				check(t, err != nil, "there is a message in an empty log")
				_, err = p.Next(ctx)
				check(t, err != nil, "there is a message after the end")
				_ = pause(context.WithoutCancel(ctx), 500*time.Millisecond) // a handler that takes its time
			})
			check(t, err == nil, "consuming: %v", err)
		})
	}
	first, leave := context.WithCancel(ctx)
	defer leave()
	join(first)
	eventually(t, enough, func() bool { return served.Load() == partitions }, "the first member has all partitions")
	join(ctx)
	eventually(t, enough, func() bool { return served.Load() >= partitions*3/2 }, "the second has its share")
	leave()
	eventually(t, enough, func() bool { return served.Load() >= partitions*2 }, "the second has all")
	cancel()
	members.Wait()
}

// comesAgain checks what the engine does with messages that are not done in time.
func comesAgain(t *testing.T, s *setup) {
	s.start(t, Config{Partitions: 1, Patience: shortPatience})
	if s.Limits().Patience == 0 {
		t.Skip("this engine waits forever for a message to be done")
	}
	p := s.Connect(t)
	mustPublish(t, p.Publisher(), said("a", 0), said("a", 1), said("a", 2))
	ctx, cancel := context.WithTimeout(t.Context(), enough+3*s.Limits().Patience)
	defer cancel()
	err := p.Consumer("group").Consume(ctx, func(ctx context.Context, part bridge.Partition) {
		defer cancel()
		next := func(want int) bridge.Delivery {
			d, err := part.Next(ctx)
			if check(t, err == nil, "message %d: %v", want, err) {
				equal(t, said("a", want).ID, d.Message().ID, "message")
			}
			return d
		}
		first, second := next(0), next(1)
		if t.Failed() {
			return
		}
		check(t, first.Attempt() <= 1, "attempt %d", first.Attempt())
		check(t, second.Done(ctx) == nil, "the second can't be done before the first")
		for range 5 { // for longer than the patience
			check(t, first.Working(ctx) == nil, "the engine does not take that it is worked on")
			_ = pause(ctx, s.Limits().Patience/3)
		}
		third := next(2)
		if t.Failed() {
			return
		}
		_, err := part.Next(ctx)
		check(t, errors.Is(err, bridge.ErrRewound), "what is not done in time: want ErrRewound, got %v", err)
		again := next(0)
		if t.Failed() {
			return
		}
		check(t, again.Attempt() != 1, "attempt 1 of what comes again")
		check(t, again.Done(ctx) == nil, "what comes again can't be done")
		d, err := part.Next(ctx)
		if err == nil && d.Message().ID == said("a", 1).ID { // it may come again, or not
			_ = d.Done(ctx)
			d, err = part.Next(ctx)
		}
		if check(t, err == nil, "what was behind it does not come again: %v", err) {
			equal(t, third.Message().ID, d.Message().ID, "what was behind it")
			check(t, d.Done(ctx) == nil, "what comes again can't be done")
		}
	})
	check(t, err == nil, "consuming: %v", err)
}
