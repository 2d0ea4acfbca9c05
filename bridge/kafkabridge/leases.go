package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// leases are those that an engine knows. The token is held by who uses the rest.
type leases struct {
	e     *Engine
	token chan struct{}

	tail   *tail // nil until it is needed
	states map[string]leaseState
	own    int64           // behind the last record that was stored here
	doubt  map[string]bool // whether the name may have got a record here of which no answer came
}

func newLeases(e *Engine) *leases {
	return &leases{e: e, token: make(chan struct{}, 1), states: make(map[string]leaseState), doubt: make(map[string]bool)}
}

func (l *leases) close() {
	l.token <- struct{}{}
	defer func() { <-l.token }()
	if l.tail != nil {
		l.tail.close()
	}
}

// change makes one attempt to change a lease.
func (l *leases) change(ctx context.Context, name string, next func(leaseState) ([]byte, bool)) error {
	select {
	case l.token <- struct{}{}:
		defer func() { <-l.token }()
	case <-ctx.Done():
		return fmt.Errorf("kafkabridge: a lease: %w", context.Cause(ctx))
	}
	if _, err := l.e.stored(); err != nil {
		return err
	}
	if err := l.read(ctx); err != nil {
		return err
	}
	if _, wanted := next(l.states[name]); !wanted && !l.doubt[name] {
		return errUnwanted
	}
	err := l.write(ctx, name, next)
	if err != nil && !errors.Is(err, errUnwanted) {
		return fmt.Errorf("kafkabridge: a lease: %w", err)
	}
	return err
}

// read learns what is in the topic.
func (l *leases) read(ctx context.Context) (err error) {
	if l.tail == nil {
		if l.tail, err = l.e.newTail(l.e.cfg.leaseTopic()); err != nil {
			return err
		}
	}
	return l.tail.catchUp(ctx, l.own, func(r *kgo.Record) {
		if s, ok := decodeLease(r); ok {
			l.states[string(r.Key)] = s
		} else {
			delete(l.states, string(r.Key))
		}
	})
}

// leaseTransaction is how long a transaction may take, if its process dies in it, until the
// others can go on.
const leaseTransaction = 10 * time.Second

// write changes a lease in a transaction. From its producer's beginning until the end nobody
// else changes that lease, or else the transaction fails. Each has a producer of its own: one
// that goes on by itself after somebody else has ended it must not be.
func (l *leases) write(ctx context.Context, name string, next func(leaseState) ([]byte, bool)) error {
	client, err := l.e.client(
		kgo.TransactionalID(l.e.cfg.leaseTopic()+"."+name),
		kgo.TransactionTimeout(leaseTransaction),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, _, err := client.ProducerID(ctx); err != nil {
		return err
	}
	if err := l.read(ctx); err != nil {
		return err
	}
	value, wanted := next(l.states[name])
	if !wanted {
		delete(l.doubt, name) // what was in doubt was ended by this producer's beginning
		return errUnwanted
	}
	record := &kgo.Record{Topic: l.e.cfg.leaseTopic(), Key: []byte(name), Value: value}
	l.doubt[name] = true
	if err := commit(ctx, client, record); err != nil {
		return err
	}
	delete(l.doubt, name)
	l.own = max(l.own, record.Offset+1)
	return nil
}

// commit stores a record in a transaction of its own. It may leave one open when it fails:
// the name's next producer ends that.
func commit(ctx context.Context, client *kgo.Client, record *kgo.Record) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	stored := make(chan error, 1)
	client.Produce(ctx, record, func(_ *kgo.Record, err error) { stored <- err })
	select {
	case err := <-stored:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}

// interrupted reports whether somebody else changed the lease meanwhile, or tried to.
func interrupted(err error) bool {
	for _, of := range []error{
		kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.ConcurrentTransactions, kerr.InvalidTxnState,
		kerr.InvalidProducerIDMapping, kerr.UnknownProducerID, kerr.OperationNotAttempted, kerr.TransactionAbortable,
	} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}
