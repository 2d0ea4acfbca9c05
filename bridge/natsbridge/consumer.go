package natsbridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/crisp-go/crisp/bridge"
)

// Consumer returns a member of a group, which begins with the oldest message of the log
// when it is new. The group's name has 1 to 64 bytes.
//
// The members of a group share the partitions evenly. Each writes to the bucket that it is
// there, and gives a partition up when its handlers have ended, or after the time of
// [WithHandover]. The server keeps two from having one at a time that do not know of each
// other: it pins each partition's consumer to one client.
func (e *Engine) Consumer(group string) (*Consumer, error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	return &Consumer{e, group}, nil
}

// Consumer is a member of a group: see [bridge.Consumer]. It may consume several times,
// one after the other.
type Consumer struct {
	e     *Engine
	group string
}

const (
	// shareInterval is how often a member looks whether partitions are to change hands.
	shareInterval = 200 * time.Millisecond
	// goodbyeTimeout is how long the last calls to the server may take, each.
	goodbyeTimeout = 2 * time.Second
)

// pinGroup is the only priority group of each consumer.
const pinGroup = "owner"

// Consume is as [bridge.Consumer] says. It returns an error if the engine is not set up,
// if the server refuses what it needs at the beginning, or when the connection was closed.
// While no server answers, it waits.
func (c *Consumer) Consume(ctx context.Context, serve func(ctx context.Context, p bridge.Partition)) error {
	s, err := c.e.stored()
	if err != nil {
		return err
	}
	m, err := c.begin(ctx, s)
	switch {
	case ctx.Err() != nil: // which is no error
		if m != nil {
			m.leave()
		}
		return nil
	case err != nil:
		return err
	}
	defer m.leave()
	o := owner{c: c, serve: serve, owned: make(map[int]*tenure)}
	defer o.endAll(m)
	tick := time.NewTicker(shareInterval)
	defer tick.Stop()
	for {
		if c.e.conn.IsClosed() {
			return errors.New("natsbridge: consuming: the connection is closed")
		}
		o.share(ctx, m, s.partitions)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-m.changed:
		}
	}
}

// begin makes what the group needs in the server, and joins it.
func (c *Consumer) begin(ctx context.Context, s *stored) (m *membership, err error) {
	for p := range s.partitions {
		err := c.e.persist(ctx, func(ctx context.Context) error { return c.ensure(ctx, p) })
		if err != nil {
			return nil, err
		}
	}
	err = c.e.persist(ctx, func(ctx context.Context) error {
		m, err = c.join(ctx, s)
		return err
	})
	return m, err
}

// ensure makes the durable consumer of a partition.
func (c *Consumer) ensure(ctx context.Context, partition int) error {
	cfg := c.config(partition)
	_, err := c.e.js.CreateConsumer(ctx, c.e.cfg.logStream(), cfg)
	if errors.Is(err, jetstream.ErrConsumerExists) { // with other settings
		_, err = c.e.js.UpdateConsumer(ctx, c.e.cfg.logStream(), cfg)
	}
	if err != nil {
		return fmt.Errorf("natsbridge: making the consumer %s: %w", cfg.Durable, explain(err))
	}
	return nil
}

func (c *Consumer) durable(partition int) string { return key(c.group) + "-" + strconv.Itoa(partition) }

func (c *Consumer) config(partition int) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:        c.durable(partition),
		FilterSubject:  c.e.cfg.partitionSubjects(partition),
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        c.e.cfg.ackWait,
		MaxAckPending:  maxAckPending,
		MaxDeliver:     -1,
		PriorityPolicy: jetstream.PriorityPolicyPinned,
		PriorityGroups: []string{pinGroup},
		PinnedTTL:      c.e.cfg.memberTTL,
	}
}

// owner has the partitions of a member. It is used by one goroutine.
type owner struct {
	c     *Consumer
	serve func(context.Context, bridge.Partition)
	owned map[int]*tenure
	// lingering are over for all but handlers that still run: the partition may be another's,
	// or this member's again.
	lingering []*tenure
}

// tenure is the time that a partition is this member's.
type tenure struct {
	end      context.CancelFunc
	ending   bool
	released chan struct{} // closed when others may have it
	over     chan struct{} // closed when serve has returned, too
}

// share begins and ends with partitions, as who is there demands.
func (o *owner) share(ctx context.Context, m *membership, partitions int) {
	mine := m.share(partitions)
	for p, t := range o.owned {
		if !mine[p] && !t.ending {
			t.ending = true
			t.end()
		}
		if isClosed(t.released) {
			m.setHolds(p, false)
			delete(o.owned, p)
			o.lingering = append(o.lingering, t)
		}
	}
	o.lingering = slices.DeleteFunc(o.lingering, func(t *tenure) bool { return isClosed(t.over) })
	for p := range partitions {
		switch {
		case o.owned[p] != nil:
		case !mine[p]:
			m.setHolds(p, false)
		case m.claim(p):
			o.owned[p] = o.begin(ctx, p, m)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (o *owner) begin(ctx context.Context, number int, m *membership) *tenure {
	ctx, cancel := context.WithCancel(ctx)
	t := &tenure{end: cancel, released: make(chan struct{}), over: make(chan struct{})}
	p := newPartition(o.c, number)
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer cancel() // when serve returns by itself, others shall have it
		o.serve(ctx, p)
	}()
	go func() {
		p.run(ctx)
		select {
		case <-served:
		case <-time.After(o.c.e.cfg.handover):
			o.c.e.logger().Warn("natsbridge: handlers still run, and their partition goes to another member", "group", o.c.group, "partition", number)
		}
		p.release()
		close(t.released)
		m.wake()
		<-served
		close(t.over)
		m.wake()
	}()
	return t
}

// endAll ends with all partitions, and returns when all handlers have ended. Others may
// begin with each as soon as it is released.
func (o *owner) endAll(m *membership) {
	m.goes()
	for _, t := range o.owned {
		t.end()
	}
	var all sync.WaitGroup
	for p, t := range o.owned {
		all.Go(func() {
			<-t.released
			m.setHolds(p, false)
			<-t.over
		})
	}
	all.Wait()
	for _, t := range o.lingering {
		<-t.over
	}
}
