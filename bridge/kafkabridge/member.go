package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// member is what a call of Consume has.
type member struct {
	c       *Consumer
	topic   string
	topicID [16]byte
	client  *kgo.Client // set when started is closed
	serve   func(context.Context, bridge.Partition)
	ctx     context.Context // ends with the member
	end     context.CancelCauseFunc
	pulse   pulse

	started chan struct{}

	serving   sync.WaitGroup // the calls of serve
	ticking   sync.WaitGroup
	committed sync.Mutex // held while offsets are on their way, so that none goes back

	mu    sync.Mutex // guards what follows
	owned map[int]*partition
}

func newMember(ctx context.Context, c *Consumer, topicID [16]byte, serve func(context.Context, bridge.Partition)) *member {
	m := &member{c: c, topic: c.e.cfg.logTopic(), topicID: topicID, serve: serve, started: make(chan struct{}), owned: make(map[int]*partition)}
	m.ctx, m.end = context.WithCancelCause(ctx)
	return m
}

func (m *member) options() []kgo.Opt {
	cfg := m.c.e.cfg
	return []kgo.Opt{
		kgo.ConsumerGroup(cfg.groupID(m.c.group)),
		kgo.ConsumeTopics(m.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(),
		kgo.FetchMaxWait(fetchWait), // a partition that was paused waits for the end of the fetch that is under way
		kgo.SessionTimeout(cfg.memberTTL),
		kgo.HeartbeatInterval(min(time.Second, cfg.memberTTL/5)),
		kgo.RebalanceTimeout(cfg.handover + 2*goodbyeTimeout),
		kgo.WithHooks(&m.pulse),
		kgo.AdjustFetchOffsetsFn(m.begin),
		kgo.OnPartitionsAssigned(m.assigned),
		kgo.OnPartitionsRevoked(m.revoked),
		kgo.OnPartitionsLost(m.lost),
	}
}

// fetchWait is how long a broker that has nothing new waits for something.
const fetchWait = 250 * time.Millisecond

var (
	errLeaving = errors.New("the member leaves")
	errClosed  = errors.New("kafkabridge: the engine is closed")
	// errRejoin is why a member ends, and joins again.
	errRejoin = errors.New("kafkabridge: the member joins again")
	// errSilence is why it ends before it is taken for dead.
	errSilence = fmt.Errorf("%w: the brokers do not answer", errRejoin)
	// errWentBack is why it ends when the brokers have lost what was fetched, and have other
	// messages at its offsets.
	errWentBack = fmt.Errorf("%w: the log has become shorter", errRejoin)
)

// start lets the partitions come, with the client that has joined for them.
func (m *member) start(client *kgo.Client) {
	m.client = client
	close(m.started)
	m.ticking.Go(func() {
		tick := time.NewTicker(commitInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.listen()
			case <-m.c.e.closed.Done():
				m.end(errClosed)
				return
			case <-m.ctx.Done():
				return
			}
		}
	})
	m.ticking.Go(func() {
		for m.ctx.Err() == nil {
			m.commit(m.ctx, m.all())
			_ = sleep(m.ctx, commitInterval)
		}
	})
}

// listen ends the member, if it has partitions, before it is taken for dead: then its
// handlers are told, and have a fifth of the time to end before another member begins.
func (m *member) listen() {
	if silence := m.pulse.silence(); silence > m.c.e.cfg.memberTTL*4/5 && len(m.all()) > 0 {
		m.c.e.logger().Warn("kafkabridge: the brokers do not answer; the member gives up its partitions and joins again",
			"group", m.c.group, "silence", silence)
		m.end(errSilence)
	}
}

// leave gives all partitions up, and returns when all calls of serve have.
func (m *member) leave() {
	m.end(errLeaving)
	m.ticking.Wait()
	m.client.CloseAllowingRebalance() // calls revoked
	m.release(m.all(), false)
	m.serving.Wait()
}

func (m *member) of(number int) *partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owned[number]
}

func (m *member) all() []*partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*partition
	for _, p := range m.owned {
		all = append(all, p)
	}
	return all
}

// assigned begins with partitions.
func (m *member) assigned(_ context.Context, _ *kgo.Client, came map[string][]int32) {
	<-m.started // the client joins as soon as it is made
	for _, number := range came[m.topic] {
		p := newPartition(m, int(number))
		m.mu.Lock()
		m.owned[p.number] = p
		m.mu.Unlock()
		m.serving.Go(func() {
			defer close(p.served)
			defer p.end()
			m.serve(p.ctx, p)
		})
	}
}

func (m *member) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	m.release(m.those(gone), true)
}

// lost deals with partitions that may be another member's already.
func (m *member) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	m.release(m.those(gone), false)
}

func (m *member) those(gone map[string][]int32) []*partition {
	var all []*partition
	for _, number := range gone[m.topic] {
		if p := m.of(int(number)); p != nil {
			all = append(all, p)
		}
	}
	return all
}
