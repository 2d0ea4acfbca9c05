package kafkabridge

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// memberTTL is that of the tests' members.
const memberTTL = 2 * time.Second

// dialer makes the connections of a peer, and cuts them when that is killed.
type dialer struct {
	mu    sync.Mutex // guards what follows
	conns []net.Conn
	dead  bool

	mute atomic.Bool // what is written gets nowhere
}

// mutable is a connection that can be mute.
type mutable struct {
	net.Conn
	mute *atomic.Bool
}

func (c mutable) Write(p []byte) (int, error) {
	if c.mute.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, errors.New("killed")
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		d.conns = append(d.conns, conn)
	}
	return mutable{conn, &d.mute}, err
}

// cut closes the connections that there are.
func (d *dialer) cut(dead bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = d.dead || dead
	for _, conn := range d.conns {
		_ = conn.Close()
	}
	d.conns = nil
}

// fake is an engine whose brokers are within the program.
type fake struct{}

func (fake) Start(t testing.TB, c bridgetest.Config) bridgetest.Instance {
	i := start(t, c.Partitions)
	hastenRebalances(i.cluster)
	return i
}

func start(t testing.TB, partitions int) *instance {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(time.Second))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	i := &instance{cluster: cluster, partitions: partitions}
	i.Connect(t)
	return i
}

// hastenRebalances has kfake end a rebalance before the session of a member that waits in it
// does. Brokers take a member that waits for the answer to its join or sync for alive; kfake
// lets its session expire, leaves it without an answer, and counts one joining member too
// few from then on, so that the others wait until they expire as well. Nobody can commit
// meanwhile. That begins when a member dies while it joins, above all the leader.
func hastenRebalances(cluster *kfake.Cluster) {
	const atMost = memberTTL * 3 / 4
	cluster.ControlKey(kmsg.JoinGroup.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		join := req.(*kmsg.JoinGroupRequest)
		join.RebalanceTimeoutMillis = min(join.RebalanceTimeoutMillis, int32(atMost.Milliseconds()))
		return nil, nil, false
	})
}

type instance struct {
	cluster    *kfake.Cluster
	partitions int

	mu    sync.Mutex // guards what follows
	peers []*peer
}

func (i *instance) engine(t testing.TB, options ...Option) (*peer, error) {
	t.Helper()
	p := &peer{dialer: new(dialer)}
	options = append([]Option{
		WithMemberTTL(memberTTL), WithHandover(time.Second), WithLogger(quiet()),
		// kfake waits for a member that has died while it joined until the others give up.
		WithClient(kgo.Dialer(p.dialer.dial), kgo.RequestTimeoutOverhead(2*time.Second)),
	}, options...)
	e, err := New(i.cluster.ListenAddrs(), options...)
	require.NoError(t, err)
	p.Engine = e
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return p, e.Setup(ctx)
}

func (i *instance) Connect(t testing.TB) bridgetest.Peer {
	t.Helper()
	p, err := i.engine(t, WithPartitions(i.partitions))
	require.NoError(t, err)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.peers = append(i.peers, p)
	return p
}

func (i *instance) ConnectWith(t testing.TB, partitions int) error {
	_, err := i.engine(t, WithPartitions(partitions))
	return err
}

func (i *instance) DeadLetters(t testing.TB, group string) []bridge.DeadLetter {
	t.Helper()
	p, err := i.engine(t)
	require.NoError(t, err)
	defer p.Close()
	all, err := p.DeadLetters(group)
	require.NoError(t, err)
	letters, err := all.List(t.Context(), 0, 0)
	require.NoError(t, err)
	var out []bridge.DeadLetter
	for _, letter := range letters {
		out = append(out, letter.DeadLetter)
	}
	return out
}

// Disturb cuts connections, moves what brokers lead, or has them answer with errors.
func (i *instance) Disturb(_ testing.TB, rnd *rand.Rand) {
	switch rnd.IntN(4) {
	case 0:
		i.mu.Lock()
		defer i.mu.Unlock()
		for _, p := range i.peers {
			if rnd.IntN(2) == 0 {
				p.dialer.cut(false)
			}
		}
	case 1:
		i.cluster.ShufflePartitionLeaders()
		i.cluster.RehashCoordinators()
	case 2: // stored, and said not to be
		i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 1 + rnd.IntN(20)})
	default:
		i.cluster.Fault(
			kfake.Fault{Keys: []kmsg.Key{kmsg.Produce, kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: 1 + rnd.IntN(20)},
			kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit, kmsg.OffsetFetch}, Err: kerr.CoordinatorLoadInProgress, Count: 1 + rnd.IntN(5)},
			kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.UnknownMemberID, Count: 1 + rnd.IntN(2)},
			kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn, kmsg.InitProducerID}, TopLevel: true, Err: kerr.NotCoordinator, Count: 1 + rnd.IntN(2)},
		)
	}
}

func (i *instance) Limits() bridgetest.Limits {
	return bridgetest.Limits{MaxPayload: 1 << 20, TakeOver: memberTTL + 15*time.Second}
}

type peer struct {
	*Engine
	dialer *dialer
}

func (p *peer) Consumer(group string) bridge.Consumer {
	c, err := p.Engine.Consumer(group)
	if err != nil {
		panic(err)
	}
	return c
}

func (p *peer) Lease(name string) crisp.Lease            { return p.Engine.Lease(name) }
func (p *peer) Position(name string) crisp.PositionStore { return p.Engine.Position(name) }
func (p *peer) Kill()                                    { p.dialer.cut(true) }

func TestFake(t *testing.T) { bridgetest.Run(t, fake{}) }
