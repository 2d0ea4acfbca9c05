package kafkabridge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp"
)

// Lease returns the lease of a name, which is the same in every process that uses this
// log. A claim is a record, and each process finds out from the records before it, in
// their order, whether it holds. The clock is that of the brokers, which give each record
// its time: those of a cluster need to agree. A ttl is at most ten minutes.
func (e *Engine) Lease(name string) crisp.Lease { return &lease{e, name} }

// maxLease is far below leaseRetention: claims that were deleted are over.
const maxLease = 10 * time.Minute

type lease struct {
	e    *Engine
	name string
}

func (l *lease) Acquire(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	if ttl <= 0 || ttl > maxLease {
		return false, fmt.Errorf("kafkabridge: a lease of %s: needs more than 0 and at most %s", ttl, maxLease)
	}
	return l.claim(ctx, claim{Name: l.name, Holder: holder, TTL: max(1, ttl.Milliseconds())})
}

func (l *lease) Release(ctx context.Context, holder string) error {
	_, err := l.claim(ctx, claim{Name: l.name, Holder: holder})
	return err
}

func (l *lease) claim(ctx context.Context, c claim) (held bool, err error) {
	log, err := l.e.leaseLog()
	if err != nil {
		return false, err
	}
	select {
	case log.turn <- struct{}{}:
		defer func() { <-log.turn }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if held, err = log.claim(ctx, l.e, c); err != nil {
		return false, fmt.Errorf("kafkabridge: claiming a lease: %w", err)
	}
	return held, nil
}

// claim is a record in the topic of leases. Without a TTL it is a release.
type claim struct {
	Name   string `json:"name"`
	Holder string `json:"holder"`
	TTL    int64  `json:"ttl,omitempty"` // ms

	// What its writer knew: how the lease stood behind the record with the offset Base. It is for
	// those who come when the records up to there have been deleted.
	Base  int64 `json:"base"`
	Stand stand `json:"stand"`
}

// stand is how a lease stands.
type stand struct {
	Holder string `json:"holder,omitempty"`
	Until  int64  `json:"until,omitempty"` // ms, by the brokers' clock
}

// apply returns how a lease stands after a claim, and whether the claim holds.
func (s stand) apply(c claim, at int64) (stand, bool) {
	mine := s.Holder == c.Holder
	switch {
	case c.TTL == 0 && mine:
		return stand{}, false
	case c.TTL > 0 && (mine || s.Holder == "" || at >= s.Until):
		return stand{c.Holder, at + c.TTL}, true
	}
	return s, false
}

// leaseLog is what a process knows of the leases.
type leaseLog struct {
	client *kgo.Client
	turn   chan struct{} // guards what follows

	first, next int64 // offsets: what was read is from first up to next
	clock       int64 // ms: it never goes back
	known       map[string]stand
	unknown     map[string][]dated // claims whose outcome the deleted ones decide
}

type dated struct {
	claim
	at     int64
	offset int64
}

func (e *Engine) leaseLog() (*leaseLog, error) {
	if _, err := e.stored(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leases == nil {
		client, err := e.reader(e.cfg.leaseTopic())
		if err != nil {
			return nil, fmt.Errorf("kafkabridge: %w", err)
		}
		e.leases = &leaseLog{client: client, turn: make(chan struct{}, 1)}
		e.leases.restart(0)
	}
	return e.leases, nil
}

func (l *leaseLog) restart(first int64) {
	l.first, l.next = first, first
	l.known, l.unknown = make(map[string]stand), make(map[string][]dated)
}

// claim writes a claim, and returns whether it holds once all before it is read.
func (l *leaseLog) claim(ctx context.Context, e *Engine, c claim) (held bool, err error) {
	if err := l.catchUp(ctx, e); err != nil {
		return false, err
	}
	c.Base = -1
	if s, ok := l.known[c.Name]; ok || len(l.unknown[c.Name]) == 0 { // else it was free long ago
		c.Base, c.Stand = l.next-1, s
	}
	data, err := json.Marshal(c)
	if err != nil {
		return false, err
	}
	r := &kgo.Record{Topic: e.cfg.leaseTopic(), Value: data}
	if err := e.produce(ctx, r); err != nil {
		return false, err
	}
	err = l.readTo(ctx, r.Offset+1, func(offset int64, holds bool) {
		if offset == r.Offset {
			held = holds
		}
	})
	return held, err
}

// catchUp reads what is there by now.
func (l *leaseLog) catchUp(ctx context.Context, e *Engine) error {
	start, end, err := e.bounds(ctx, e.cfg.leaseTopic())
	if err != nil {
		return err
	}
	if start > l.next {
		l.restart(start)
	}
	return l.readTo(ctx, end, func(int64, bool) {})
}

// readTo reads up to an offset, and tells of each claim whether it holds.
func (l *leaseLog) readTo(ctx context.Context, end int64, tell func(offset int64, holds bool)) error {
	for l.next < end {
		fetches := l.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) { tell(r.Offset, l.read(r)) })
	}
	return nil
}

// read takes the next record, and returns whether its claim holds.
func (l *leaseLog) read(r *kgo.Record) bool {
	if r.Offset < l.next {
		return false
	}
	if r.Offset > l.next { // those between were deleted
		l.restart(r.Offset)
	}
	l.next = r.Offset + 1
	l.clock = max(l.clock, r.Timestamp.UnixMilli())
	d := dated{at: l.clock, offset: r.Offset}
	if json.Unmarshal(r.Value, &d.claim) != nil {
		return false
	}
	s, known := l.known[d.Name]
	if !known && l.first > 0 {
		return l.infer(d)
	}
	s, held := s.apply(d.claim, d.at)
	l.known[d.Name] = s
	return held
}

// infer finds out how a lease stands from what a claim's writer knew.
func (l *leaseLog) infer(d dated) (held bool) {
	l.unknown[d.Name] = append(l.unknown[d.Name], d)
	s := d.Stand
	switch {
	case d.Base >= l.first-1:
	case d.at-l.unknown[d.Name][0].at > maxLease.Milliseconds():
		s = stand{} // what was claimed before is over
	default:
		return false
	}
	for _, before := range l.unknown[d.Name] {
		if before.offset > d.Base {
			s, held = s.apply(before.claim, before.at)
		}
	}
	delete(l.unknown, d.Name)
	l.known[d.Name] = s
	return held
}
