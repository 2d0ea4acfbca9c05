package test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// memberTTL is that of the tests' members.
const memberTTL = 2 * time.Second

// dialer makes the connections of a peer, and cuts them when that is killed.
type dialer struct {
	dial func(address string) (net.Conn, error)

	mu    sync.Mutex // guards what follows
	conns []net.Conn
	dead  bool
}

func (d *dialer) Dial(_, address string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, errors.New("killed")
	}
	conn, err := d.dial(address)
	if err == nil {
		d.conns = append(d.conns, conn)
	}
	return conn, err
}

// cut closes the connections that there are.
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

// peer is a [bridgetest.Peer].
type peer struct {
	*natsbridge.Engine
	t      testing.TB
	conn   *nats.Conn
	dialer *dialer
}

func (p *peer) Consumer(group string) bridge.Consumer {
	c, err := p.Engine.Consumer(group)
	require.NoError(p.t, err)
	return c
}

func (p *peer) Kill()  { p.dialer.kill() }
func (p *peer) Close() { p.conn.Close() }

// instance is a [bridgetest.Instance] but for what the servers are.
type instance struct {
	config  bridgetest.Config
	options []natsbridge.Option
	connect func(options ...nats.Option) (*nats.Conn, *dialer, error)

	mu      sync.Mutex // guards dialers
	dialers []*dialer
}

// open makes an engine with a connection of its own.
func (i *instance) open(t testing.TB, options ...natsbridge.Option) (*peer, error) {
	conn, d, err := i.connect(nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(10*time.Millisecond, 0))
	if err != nil {
		return nil, err
	}
	t.Cleanup(conn.Close)
	all := append([]natsbridge.Option{
		natsbridge.WithMemberTTL(memberTTL),
		natsbridge.WithAckWait(i.Limits().Patience),
		natsbridge.WithHandover(5 * time.Second),
	}, i.options...)
	engine, err := natsbridge.New(conn, append(all, options...)...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = engine.Setup(ctx)
	i.mu.Lock()
	i.dialers = append(i.dialers, d)
	i.mu.Unlock()
	return &peer{engine, t, conn, d}, err
}

func (i *instance) Connect(t testing.TB) bridgetest.Peer {
	p, err := i.open(t)
	require.NoError(t, err)
	return p
}

func (i *instance) ConnectWith(t testing.TB, partitions int) error {
	_, err := i.open(t, natsbridge.WithPartitions(partitions))
	return err
}

func (i *instance) DeadLetters(t testing.TB, group string) []bridge.DeadLetter {
	p, err := i.open(t)
	require.NoError(t, err)
	letters, err := p.DeadLetters(group)
	require.NoError(t, err)
	list, err := letters.List(t.Context(), 0, 0)
	require.NoError(t, err)
	var all []bridge.DeadLetter
	for _, letter := range list {
		all = append(all, letter.DeadLetter)
	}
	return all
}

// Disturb cuts the connections of one of the peers.
func (i *instance) Disturb(_ testing.TB, rnd *rand.Rand) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.dialers) > 0 {
		i.dialers[rnd.IntN(len(i.dialers))].cut()
	}
}

func (i *instance) Limits() bridgetest.Limits {
	return bridgetest.Limits{
		MaxPayload: maxPayload,
		Patience:   max(time.Second, i.config.Patience),
		TakeOver:   3 * memberTTL,
	}
}

// maxPayload is what the tests' servers take.
const maxPayload = 1 << 20

var _ interface {
	Lease(name string) crisp.Lease
	Position(name string) crisp.PositionStore
} = (*natsbridge.Engine)(nil)
