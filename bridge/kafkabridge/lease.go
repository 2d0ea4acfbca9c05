package kafkabridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp"
)

// Lease returns the lease of a name, which is the same in every process that uses this log.
//
// A lease is the last record of its name in a topic, and each change is a transaction of the
// name's only producer: who begins one ends that of any other, and then reads what is
// there. A process takes a lease of somebody else's once it has seen no change for its ttl, by
// its own clock, which counts from when it has looked for the first time. So it relies on no
// two clocks that agree, but that all go equally fast.
func (e *Engine) Lease(name string) crisp.Lease { return &lease{e, name} }

type lease struct {
	e    *Engine
	name string
}

func (l *lease) Acquire(ctx context.Context, holder string, ttl time.Duration) (held bool, err error) {
	if holder == "" || ttl <= 0 {
		return false, fmt.Errorf("kafkabridge: a lease for the holder %q, for %s: needs a holder and a positive time", holder, ttl)
	}
	value, err := json.Marshal(leaseValue{Holder: holder, TTL: ttl})
	if err != nil {
		return false, err
	}
	err = l.change(ctx, func(s leaseState) ([]byte, bool) { return value, !s.heldByOther(holder) })
	return err == nil, unlessUnwanted(err)
}

func (l *lease) Release(ctx context.Context, holder string) error {
	err := l.change(ctx, func(s leaseState) ([]byte, bool) { return nil, s.value.Holder == holder })
	return unlessUnwanted(err)
}

// errUnwanted is returned when a lease does not allow the change.
var errUnwanted = errors.New("kafkabridge: somebody else has the lease")

func unlessUnwanted(err error) error {
	if errors.Is(err, errUnwanted) {
		return nil
	}
	return err
}

// change stores what next makes of the state, if next wants that, however often others get
// in between.
func (l *lease) change(ctx context.Context, next func(leaseState) ([]byte, bool)) error {
	for {
		err := l.e.leases.change(ctx, l.name, next)
		if err == nil || errors.Is(err, errUnwanted) || !interrupted(err) {
			return err
		}
		if sleep(ctx, time.Duration(10+rand.IntN(90))*time.Millisecond) != nil {
			return err
		}
	}
}

// leaseValue is what is stored of a lease.
type leaseValue struct {
	Holder string        `json:"holder"`
	TTL    time.Duration `json:"ttl"` // in nanoseconds
}

// leaseState is what a process knows of a lease. The zero value is that of a free one.
type leaseState struct {
	value leaseValue
	seen  time.Time // when it was read, by the clock of this process
}

func (s leaseState) heldByOther(holder string) bool {
	return s.value.Holder != "" && s.value.Holder != holder && time.Since(s.seen) < s.value.TTL
}

// decodeLease reads a record. What can't be read is held by nobody: somebody else wrote it.
func decodeLease(r *kgo.Record) (leaseState, bool) {
	var s leaseState
	if r.Value == nil || json.Unmarshal(r.Value, &s.value) != nil {
		return leaseState{}, false
	}
	s.seen = time.Now()
	return s, true
}
