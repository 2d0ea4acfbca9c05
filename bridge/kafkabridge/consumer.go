package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// Consumer is a member of a group: see [bridge.Consumer]. It may consume several times,
// one after the other.
type Consumer struct {
	e     *Engine
	group string
}

var _ bridge.Consumer = (*Consumer)(nil)

// Consumer returns a member of a group, which begins with the oldest message of the log
// when it is new. The group's name has 1 to 64 bytes.
//
// What is done is written to the cluster a tenth of a second later, up to the first
// message that is not: when a member dies, all behind that comes again.
func (e *Engine) Consumer(group string) (*Consumer, error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	return &Consumer{e, group}, nil
}

func checkGroup(group string) error {
	if len(group) == 0 || len(group) > 64 {
		return errors.New("kafkabridge: the name of a group needs 1 to 64 bytes")
	}
	return nil
}

const (
	commitInterval = 100 * time.Millisecond
	// goodbye is how long the end may wait for the cluster.
	goodbye   = 3 * time.Second
	pollBatch = 1000
	// fetchWait is how long a broker waits for messages. Until then it does not know of a partition
	// whose fetching goes on.
	fetchWait = 250 * time.Millisecond
)

// Consume is as [bridge.Consumer] says. It returns an error if the engine is not set up,
// and if the cluster does not let this client in.
func (c *Consumer) Consume(ctx context.Context, serve func(ctx context.Context, p bridge.Partition)) error {
	if _, err := c.e.stored(); err != nil {
		return err
	}
	m := &member{
		e: c.e, group: c.group, ctx: ctx, serve: serve,
		parts: make(map[int32]*partition), from: make(map[int32]int64),
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{kgo.FetchMaxWait(fetchWait)}, c.e.base...),
		kgo.ConsumerGroup(c.e.cfg.groupID(c.group)),
		kgo.ConsumeTopics(c.e.cfg.logTopic()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(c.e.cfg.session),
		kgo.HeartbeatInterval(c.e.cfg.session/10),
		kgo.RebalanceTimeout(c.e.cfg.handover+c.e.cfg.session+goodbye),
		kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(),
		kgo.AdjustFetchOffsetsFn(m.begin),
		kgo.OnPartitionsAssigned(m.assigned),
		kgo.OnPartitionsRevoked(m.revoked),
		kgo.OnPartitionsLost(m.lost),
	)...)
	if err != nil {
		return fmt.Errorf("kafkabridge: %w", err)
	}
	m.client = client
	return m.run()
}

// member is a [Consumer] while it consumes.
type member struct {
	e      *Engine
	group  string
	ctx    context.Context // of Consume
	serve  func(ctx context.Context, p bridge.Partition)
	client *kgo.Client

	committing sync.Mutex // one commit at a time, and none of a partition that was given up
	serving    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	parts map[int32]*partition
	from  map[int32]int64 // the offset up to which the group is done
}

func (m *member) run() error {
	committer := make(chan struct{})
	ctx, cancel := context.WithCancel(m.ctx)
	go func() {
		defer close(committer)
		for sleep(ctx, commitInterval) {
			m.commit(ctx, m.owned())
		}
	}()
	err := m.poll()
	cancel()
	<-committer
	m.client.AllowRebalance()

	parts := m.owned()
	for _, p := range parts {
		p.end()
	}
	m.serving.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(m.ctx), goodbye)
	defer cancel()
	m.commit(last, m.owned())
	_ = m.client.LeaveGroupContext(last) // else the others notice later
	m.client.CloseAllowingRebalance()
	m.serving.Wait() // of what was assigned in the meantime
	return err
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// poll hands what is fetched to the partitions, until ctx ends.
func (m *member) poll() error {
	for {
		fetches := m.client.PollRecords(m.ctx, pollBatch)
		if m.ctx.Err() != nil {
			return nil
		}
		var failed error
		fetches.EachError(func(_ string, partition int32, err error) {
			if refused(err) {
				failed = fmt.Errorf("kafkabridge: consuming: %w", err)
				return
			}
			m.e.logger().WarnContext(m.ctx, "kafkabridge: consuming fails; it is tried again", "group", m.group, "partition", partition, "error", err)
		})
		fetches.EachRecord(func(r *kgo.Record) {
			if p := m.part(r.Partition); p != nil {
				p.push(r)
			} else {
				failed = fmt.Errorf("kafkabridge: consuming: a message of partition %d, which is not this member's", r.Partition)
			}
		})
		m.client.AllowRebalance()
		if failed != nil {
			return failed
		}
	}
}

// refused reports whether it makes no sense to go on.
func refused(err error) bool {
	for _, final := range []error{
		kgo.ErrClientClosed, kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.SaslAuthenticationFailed,
		kerr.ClusterAuthorizationFailed, kerr.InvalidSessionTimeout, kerr.InconsistentGroupProtocol,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

func (m *member) part(n int32) *partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.parts[n]
}

func (m *member) owned() []*partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*partition, 0, len(m.parts))
	for _, p := range m.parts {
		all = append(all, p)
	}
	return all
}

// begin lets the reading of partitions begin before what is to be handed over, for the IDs.
func (m *member) begin(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, of := range offsets {
		for n, offset := range of {
			at := offset.EpochOffset().Offset
			m.from[n] = max(at, 0)
			if at > 0 {
				of[n] = kgo.NewOffset().At(max(0, at-int64(m.e.cfg.window)))
			}
		}
	}
	return offsets, nil
}

// fromOf is the first offset that is to be handed over.
func (m *member) fromOf(n int32) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.from[n]
}

func (m *member) assigned(_ context.Context, _ *kgo.Client, all map[string][]int32) {
	for _, n := range all[m.e.cfg.logTopic()] {
		p := newPartition(m, n)
		m.mu.Lock()
		m.parts[n] = p
		m.mu.Unlock()
		m.serving.Go(func() {
			defer close(p.served)
			m.serve(p.ctx, p)
		})
	}
}

// revoked returns once the partitions may be others'.
func (m *member) revoked(ctx context.Context, _ *kgo.Client, all map[string][]int32) {
	m.giveUp(ctx, all, true)
}

func (m *member) lost(ctx context.Context, _ *kgo.Client, all map[string][]int32) {
	m.giveUp(ctx, all, false)
}

func (m *member) giveUp(ctx context.Context, all map[string][]int32, commit bool) {
	var parts []*partition
	for _, n := range all[m.e.cfg.logTopic()] {
		if p := m.part(n); p != nil {
			p.end()
			parts = append(parts, p)
		}
	}
	deadline := time.NewTimer(m.e.cfg.handover)
	defer deadline.Stop()
	late := false
	for _, p := range parts {
		if late {
			break
		}
		select {
		case <-p.served:
		case <-deadline.C:
			late = true
			m.e.logger().WarnContext(ctx, "kafkabridge: handlers still run, and their partitions are given up all the same", "group", m.group)
		}
	}
	if commit {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		m.commit(last, parts)
		cancel()
	}
	m.committing.Lock()
	defer m.committing.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range parts {
		p.giveUp()
		delete(m.parts, p.number)
		delete(m.from, p.number)
	}
}

// commit writes how far the group has got in partitions. What fails is written the next
// time.
func (m *member) commit(ctx context.Context, parts []*partition) {
	m.committing.Lock()
	defer m.committing.Unlock()
	offsets := make(map[int32]kgo.EpochOffset)
	for _, p := range parts {
		if at, ok := p.progress(); ok {
			offsets[p.number] = kgo.EpochOffset{Epoch: -1, Offset: at}
		}
	}
	if len(offsets) == 0 {
		return
	}
	written := make(map[int32]bool)
	m.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{m.e.cfg.logTopic(): offsets},
		onCommit(func(n int32) { written[n] = true }))
	for _, p := range parts {
		if written[p.number] {
			p.written(offsets[p.number].Offset)
		}
	}
}
