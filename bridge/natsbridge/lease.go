package natsbridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/crisp-go/crisp"
)

// Lease returns the lease of a name, which is the same in every process that uses this
// log. Its clock is that of the servers, which count in seconds: a ttl is rounded up to
// whole ones, and the end may come up to two seconds late. The clocks of a cluster's
// servers need to agree.
func (e *Engine) Lease(name string) crisp.Lease {
	return &lease{e, e.cfg.bucketPrefix() + "lease." + key(name)}
}

type lease struct {
	e       *Engine
	subject string
}

// leaseAttempts is how often a lease is read and written when others write it, too.
const leaseAttempts = 10

// pauseBetween waits before another attempt: what somebody else is writing can't be read
// at once.
func pauseBetween(ctx context.Context, attempt int) {
	if attempt == 0 {
		return
	}
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done(): // the next call says so
	}
}

func (l *lease) Acquire(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	s, err := l.e.stored()
	if err != nil {
		return false, err
	}
	for attempt := range leaseAttempts {
		pauseBetween(ctx, attempt)
		last, err := s.get(ctx, l.subject)
		switch {
		case err != nil:
			return false, fmt.Errorf("natsbridge: reading a lease: %w", explain(err))
		case last.there && string(last.data) != holder:
			return false, nil
		}
		err = l.e.put(ctx, l.subject, []byte(holder), ttl, jetstream.WithExpectLastSequencePerSubject(last.revision))
		switch {
		case err == nil:
			return true, nil
		case !changedMeanwhile(err): // else by another, or by an attempt of ours whose answer was lost
			return false, fmt.Errorf("natsbridge: taking a lease: %w", explain(err))
		}
	}
	return false, errors.New("natsbridge: taking a lease: it changed each time between reading and writing")
}

func (l *lease) Release(ctx context.Context, holder string) error {
	s, err := l.e.stored()
	if err != nil {
		return err
	}
	for attempt := range leaseAttempts {
		pauseBetween(ctx, attempt)
		last, err := s.get(ctx, l.subject)
		switch {
		case err != nil:
			return fmt.Errorf("natsbridge: reading a lease: %w", explain(err))
		case !last.there || string(last.data) != holder:
			return nil
		}
		err = l.e.remove(ctx, l.subject, jetstream.WithExpectLastSequencePerSubject(last.revision))
		switch {
		case err == nil:
			return nil
		case !changedMeanwhile(err):
			return fmt.Errorf("natsbridge: releasing a lease: %w", explain(err))
		}
	}
	return errors.New("natsbridge: releasing a lease: it changed each time between reading and writing")
}
