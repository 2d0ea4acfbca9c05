package test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge/natsbridge"
)

// door decides who may connect.
type door struct {
	open    atomic.Bool
	refused chan struct{}
}

func (d *door) Check(server.ClientAuthentication) bool {
	if d.open.Load() {
		return true
	}
	d.refused <- struct{}{}
	return false
}

// TestAServerThatRefusesForAWhile: a server may refuse credentials that are good, such as
// while it does not know the accounts yet. The client gives up then when it is told twice.
func TestAServerThatRefusesForAWhile(t *testing.T) {
	d := &door{refused: make(chan struct{}, 100)}
	d.open.Store(true)
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, CustomClientAuthentication: d,
	})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(10*time.Second))
	conn, err := natsbridge.Connect(s.ClientURL(), nats.ReconnectWait(10*time.Millisecond))
	require.NoError(t, err)
	defer conn.Close()
	id, err := conn.GetClientID()
	require.NoError(t, err)

	d.open.Store(false)
	require.NoError(t, s.DisconnectClientByID(id))
	patience := time.After(30 * time.Second)
	for range 5 {
		select {
		case <-d.refused:
		case <-patience:
			require.FailNow(t, "it does not try again", conn.Status().String())
		}
	}
	d.open.Store(true)
	assert.Eventually(t, conn.IsConnected, 30*time.Second, 10*time.Millisecond)
}
