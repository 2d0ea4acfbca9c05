package kafkabridge_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/bridge/kafkabridge"
)

// One round of chaos takes long enough, unless more are asked for.
func init() { _ = flag.Set("bridgetest.rounds", "1") }

func TestKafka(t *testing.T) { bridgetest.Run(t, engine{}) }

// memberTTL is that of the tests' members.
const memberTTL = time.Second

type engine struct{}

func (engine) Start(t testing.TB, c bridgetest.Config) bridgetest.Instance {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(100*time.Millisecond),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	i := &instance{cluster: cluster, partitions: c.Partitions}
	_, err = i.open(t, kafkabridge.WithPartitions(c.Partitions))
	require.NoError(t, err)
	return i
}

// instance is an imitated cluster.
type instance struct {
	cluster    *kfake.Cluster
	partitions int

	mu      sync.Mutex // guards dialers
	dialers []*dialer
}

// open makes an engine with connections of its own.
func (i *instance) open(t testing.TB, options ...kafkabridge.Option) (*peer, error) {
	d := new(dialer)
	e, err := kafkabridge.New([]kgo.Opt{
		kgo.SeedBrokers(i.cluster.ListenAddrs()...),
		kgo.Dialer(d.dial),
		kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.FetchMaxWait(250 * time.Millisecond),
	}, append([]kafkabridge.Option{
		kafkabridge.WithMemberTTL(memberTTL),
		kafkabridge.WithHandover(5 * time.Second),
		kafkabridge.WithLogger(slog.New(slog.DiscardHandler)),
	}, options...)...)
	require.NoError(t, err)
	i.mu.Lock()
	i.dialers = append(i.dialers, d)
	i.mu.Unlock()
	p := &peer{Engine: e, t: t, dialer: d}
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return p, e.Setup(ctx)
}

func (i *instance) Connect(t testing.TB) bridgetest.Peer {
	p, err := i.open(t)
	require.NoError(t, err)
	return p
}

func (i *instance) ConnectWith(t testing.TB, partitions int) error {
	_, err := i.open(t, kafkabridge.WithPartitions(partitions))
	return err
}

func (i *instance) DeadLetters(t testing.TB, group string) []bridge.DeadLetter {
	p, err := i.open(t)
	require.NoError(t, err)
	var all []bridge.DeadLetter
	for _, letter := range letters(t, p.Engine, group) {
		all = append(all, letter.DeadLetter)
	}
	return all
}

func letters(t testing.TB, e *kafkabridge.Engine, group string) []kafkabridge.Letter {
	dead, err := e.DeadLetters(group)
	require.NoError(t, err)
	list, err := dead.List(t.Context(), 0, 0)
	require.NoError(t, err)
	return list
}

// Disturb does one of what happens to clusters.
func (i *instance) Disturb(_ testing.TB, rnd *rand.Rand) {
	switch rnd.IntN(4) {
	case 0:
		i.mu.Lock()
		i.dialers[rnd.IntN(len(i.dialers))].cut()
		i.mu.Unlock()
	case 1:
		i.cluster.ShufflePartitionLeaders()
	case 2:
		i.cluster.RehashCoordinators()
	default:
		i.cluster.Fault(
			kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: 3},
			kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: 3},
			kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: 2},
		)
	}
}

func (i *instance) Limits() bridgetest.Limits {
	return bridgetest.Limits{MaxPayload: 1_000_000, TakeOver: 3 * memberTTL}
}

// peer is a process.
type peer struct {
	*kafkabridge.Engine
	t      testing.TB
	dialer *dialer
	once   sync.Once
}

func (p *peer) Consumer(group string) bridge.Consumer {
	c, err := p.Engine.Consumer(group)
	require.NoError(p.t, err)
	return c
}

func (p *peer) Kill()  { p.dialer.kill() }
func (p *peer) Close() { p.once.Do(p.Engine.Close) }

// dialer makes the connections of a process, and cuts them.
type dialer struct {
	mu    sync.Mutex // guards what follows
	conns []net.Conn
	dead  bool
	lose  bool // the next answer to a Produce
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		_ = conn.Close()
		return nil, errors.New("killed")
	}
	conn = &lossy{Conn: conn, d: d}
	d.conns = append(d.conns, conn)
	return conn, nil
}

func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.conns {
		_ = conn.Close()
	}
	d.conns = nil
}

func (d *dialer) kill() {
	d.mu.Lock()
	d.dead = true
	d.mu.Unlock()
	d.cut()
}

// lossy is a connection of which an answer can be lost.
type lossy struct {
	net.Conn
	d *dialer

	mu      sync.Mutex // guards produce
	produce bool       // a Produce is under way
}

func (l *lossy) Write(b []byte) (int, error) {
	if len(b) >= 6 && b[4] == 0 && b[5] == byte(kmsg.Produce) {
		l.mu.Lock()
		l.produce = true
		l.mu.Unlock()
	}
	return l.Conn.Write(b)
}

func (l *lossy) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if n > 0 && l.produce && l.d.lose {
		l.d.lose = false
		_ = l.Close()
		return 0, net.ErrClosed
	}
	return n, err
}
