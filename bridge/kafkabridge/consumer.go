package kafkabridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// Consumer returns a member of a group, which begins with the oldest message of the log
// when it is new. The group's name has 1 to 128 bytes.
//
// The members of a group share the partitions evenly, as their coordinator in the cluster
// says. A member gives a partition up when its handlers have ended, or after the time of
// [WithHandover]. What the group is done with is known as an offset, up to which all is done.
//
// A message whose ID another one had, of the 4,096 before it in its partition, is skipped.
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

// commitInterval is how often what is done is told to the brokers.
const commitInterval = 100 * time.Millisecond

// Consume is as [bridge.Consumer] says. It returns an error if the engine is not set up
// or is closed, and if the brokers refuse that the member joins. A member that the brokers do
// not answer gives its partitions up, before they take it for dead, and joins again.
func (c *Consumer) Consume(ctx context.Context, serve func(ctx context.Context, p bridge.Partition)) error {
	for {
		s, err := c.e.stored()
		if err != nil {
			return err
		}
		err = c.join(ctx, s, serve)
		if ctx.Err() != nil || !errors.Is(err, errRejoin) {
			return unlessEnded(ctx, err)
		}
		_ = sleep(ctx, commitInterval)
	}
}

// unlessEnded returns the error, unless the end was asked for.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// join is one membership, from its beginning to its end.
func (c *Consumer) join(ctx context.Context, s *stored, serve func(ctx context.Context, p bridge.Partition)) error {
	m := newMember(ctx, c, s.topicID, serve)
	client, err := c.e.client(m.options()...)
	if err != nil {
		m.end(err)
		return err
	}
	m.start(client)
	defer m.leave()
	return m.poll()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// poll takes what is fetched to the partitions, until the member ends. Partitions come and
// go between two calls only: what is fetched is of partitions that are this member's.
func (m *member) poll() error {
	for {
		fetches := m.client.PollRecords(m.ctx, highWater)
		if m.ctx.Err() != nil || fetches.IsClientClosed() {
			m.client.AllowRebalance()
			return fmt.Errorf("kafkabridge: consuming: %w", context.Cause(m.ctx))
		}
		var refused error
		fetches.EachPartition(func(t kgo.FetchTopicPartition) {
			if p := m.of(int(t.Partition)); p != nil {
				p.put(t.Records)
			}
			if t.Err != nil {
				refused = cmp.Or(refused, refusal(t.Err))
				m.troubled(t.Partition, t.Err)
			}
		})
		m.client.AllowRebalance()
		if refused != nil {
			return fmt.Errorf("kafkabridge: consuming as the group %q: %w", m.c.e.cfg.groupID(m.c.group), refused)
		}
	}
}
