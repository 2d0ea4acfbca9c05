package test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/bridge/natsembed"
)

func TestEmbedded(t *testing.T) {
	t.Parallel() // with those tests that wait, too
	bridgetest.Run(t, embedded{})
}

// embedded is the engine with a server within the program.
type embedded struct{}

func (embedded) Start(t testing.TB, c bridgetest.Config) bridgetest.Instance {
	e := &embeddedInstance{
		instance: instance{config: c, options: []natsbridge.Option{natsbridge.WithPartitions(c.Partitions)}},
		dir:      t.TempDir(),
	}
	e.connect = e.dial
	e.start(t)
	t.Cleanup(func() { assert.NoError(t, e.server.Shutdown(context.Background())) })
	return e
}

type embeddedInstance struct {
	instance
	dir string

	serverMu sync.Mutex // guards server
	server   *natsembed.Server
}

func (e *embeddedInstance) start(t testing.TB) {
	server, err := natsembed.Start(natsembed.Options{Dir: e.dir, MaxPayload: maxPayload, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	e.server = server
}

// dial connects by loopback: a server that starts again has another address.
func (e *embeddedInstance) dial(options ...nats.Option) (*nats.Conn, *dialer, error) {
	d := &dialer{dial: func(string) (net.Conn, error) {
		e.serverMu.Lock()
		defer e.serverMu.Unlock()
		return net.Dial("tcp", e.server.URL()[len("nats://"):])
	}}
	conn, err := natsbridge.Connect(nats.DefaultURL, append(options, nats.SetCustomDialer(d), nats.IgnoreDiscoveredServers())...)
	return conn, d, err
}

// Disturb cuts connections, or restarts the server.
func (e *embeddedInstance) Disturb(t testing.TB, rnd *rand.Rand) {
	if rnd.IntN(2) == 0 {
		e.instance.Disturb(t, rnd)
		return
	}
	e.serverMu.Lock()
	defer e.serverMu.Unlock()
	assert.NoError(t, e.server.Shutdown(context.Background()))
	e.start(t)
}
