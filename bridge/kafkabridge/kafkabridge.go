// Package kafkabridge keeps the bridge's log in Kafka, or in what speaks its protocol.
//
//	engine, err := kafkabridge.New([]kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092")})
//	defer engine.Close()
//	err = engine.Setup(ctx)
//	…
//	bridge.Publish(router, engine.Publisher())
//	consumer, err := engine.Consumer("support-bot")
//
// TLS, SASL and the like are options of franz-go that are given to [New]. What is in the
// cluster, with the prefix "crisp":
//
//	crisp.v1         the log: key = conversation, else website; partitioned by the key's
//	                 murmur2 hash, as Kafka's own clients do
//	crisp.dlq        dead letters, compacted
//	crisp.positions  positions, compacted
//	crisp.leases     claims of leases, of the last hour
//	crisp.{group}    consumer groups
//
// The messages of the log are CloudEvents in the binary mode of the Kafka binding:
// headers such as ce_id and ce_type, and the payload as it came from Crisp.
//
// Kafka does not store an ID once: its idempotent producer only drops what it sends again
// by itself. So the owner of a partition drops what has the ID of one of the messages
// before it (see [WithDedupeWindow]), which it reads again when the partition becomes
// its.
//
// # What was tried
//
// This package is tested against an imitation of Kafka in memory (kfake), with failing
// brokers, moving leaders and dying members. It was not tried on a real cluster:
// replication, the loss of brokers with unsynced disks, quotas, TLS and SASL, compaction
// and retention over time are Kafka's word.
package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Engine is the log in a Kafka cluster. Its methods may be called from any goroutine.
// What it returns works once [Engine.Setup] has returned nil.
type Engine struct {
	cfg    config
	base   []kgo.Opt
	client *kgo.Client // produces, and administers
	admin  *kadm.Client
	ready  atomic.Pointer[stored]

	mu     sync.Mutex // guards leases
	leases *leaseLog
}

// stored is what Setup has found or made in the cluster.
type stored struct {
	partitions int
	maxBytes   int // of a message
}

// deliveryTimeout is how long the client tries to store a message before it gives that up.
const deliveryTimeout = 30 * time.Second

// New makes an engine of what reaches the cluster: seed brokers, and TLS or SASL where
// those are needed. It asks the cluster nothing yet. The engine is to be closed.
func New(client []kgo.Opt, options ...Option) (*Engine, error) {
	e := &Engine{cfg: defaults(), base: slices.Clone(client)}
	for _, option := range options {
		if err := option.apply(&e.cfg); err != nil {
			return nil, err
		}
	}
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.RecordDeliveryTimeout(deliveryTimeout),
		kgo.ProducerLinger(0), // callers wait for each message; those at once share batches all the same
	}, append(slices.Clone(e.base),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // murmur2
	)...)...)
	if err != nil {
		return nil, fmt.Errorf("kafkabridge: %w", err)
	}
	e.client, e.admin = c, kadm.NewClient(c)
	return e, nil
}

// Close ends the engine's connections, after all that uses it has returned.
func (e *Engine) Close() {
	e.client.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leases != nil {
		e.leases.client.Close()
	}
}

// Partitions is how many partitions the log has; 0 before [Engine.Setup].
func (e *Engine) Partitions() int {
	if s := e.ready.Load(); s != nil {
		return s.partitions
	}
	return 0
}

func (e *Engine) stored() (*stored, error) {
	if s := e.ready.Load(); s != nil {
		return s, nil
	}
	return nil, errors.New("kafkabridge: the engine is not set up: call Setup first")
}

func (e *Engine) logger() *slog.Logger {
	if e.cfg.logger != nil {
		return e.cfg.logger
	}
	return slog.Default()
}

// produce returns once the record is stored, or ctx ends. The record may be stored after
// that, too.
func (e *Engine) produce(ctx context.Context, r *kgo.Record) error {
	done := make(chan error, 1)
	e.client.Produce(ctx, r, func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
