package bridgetest

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// Engine is what is tested by [Run].
type Engine interface {
	// Start makes an engine with an empty log, and ends it with the test.
	Start(t testing.TB, c Config) Instance
}

// Config is what a test wants of an engine.
type Config struct {
	Partitions int
	// Patience is how long the engine waits for a message to be done until it comes again.
	// An engine that can't have it so short takes the shortest that it can, and says so in
	// its Limits.
	Patience time.Duration
}

// Instance is an engine that runs.
type Instance interface {
	// Connect makes what another process would have: connections of its own. It is closed
	// with the test at the latest.
	Connect(t testing.TB) Peer

	// ConnectWith tries to connect as a process would that was told another number of
	// partitions than the log has, and returns the error of that.
	ConnectWith(t testing.TB, partitions int) error

	// DeadLetters are those that a group has buried.
	DeadLetters(t testing.TB, group string) []bridge.DeadLetter

	// Disturb does something to the engine that it has to bear, such as to kill one of its
	// servers, and start it again. It returns once that is over, or does nothing.
	Disturb(t testing.TB, rnd *rand.Rand)

	Limits() Limits
}

// Limits are what an engine can.
type Limits struct {
	// MaxPayload is how many bytes of a payload it takes, about: what has twice as
	// many is too large, what has half as many is not.
	MaxPayload int
	// Patience is how long it waits for a message to be done; 0 = forever.
	Patience time.Duration
	// TakeOver is after which time, at most, a partition of a process that was killed is
	// another's.
	TakeOver time.Duration
}

// Peer is what a process has of an engine.
type Peer interface {
	Publisher() bridge.Publisher
	Consumer(group string) bridge.Consumer
	Lease(name string) crisp.Lease
	Position(name string) crisp.PositionStore

	// Kill ends it as the death of its process would: nothing that it does from then on
	// reaches the engine, and there is no goodbye. It returns at once, may be called
	// again, and while anything else runs.
	Kill()
	// Close ends it in order, after all that it did has returned.
	Close()
}

// Memory is the engine of [NewLog].
type Memory struct {
	broken fault // for the tests of Run
}

// Start makes a log.
func (m Memory) Start(_ testing.TB, c Config) Instance {
	return memoryInstance{NewLog(withFault(m.broken), WithPartitions(c.Partitions), WithPatience(c.Patience), WithTakeOver(time.Second), WithMaxPayload(64<<10))}
}

// virtual: its tests run in bubbles.
func (Memory) virtual() {}

type memoryInstance struct{ log *Log }

func (m memoryInstance) Connect(testing.TB) Peer { return memoryPeer{m.log.Join()} }

func (m memoryInstance) ConnectWith(_ testing.TB, partitions int) error {
	_, err := m.log.JoinWith(partitions)
	return err
}

func (m memoryInstance) DeadLetters(_ testing.TB, group string) []bridge.DeadLetter {
	return m.log.DeadLetters(group)
}

// Disturb lets the log fail for a while.
func (m memoryInstance) Disturb(t testing.TB, rnd *rand.Rand) {
	m.log.Fail(errAway)
	defer m.log.Fail(nil)
	_ = pause(t.Context(), time.Duration(rnd.IntN(1000))*time.Millisecond) // the test's end ends it, too
}

func (m memoryInstance) Limits() Limits {
	return Limits{MaxPayload: m.log.cfg.maxPayload, Patience: m.log.cfg.patience, TakeOver: m.log.cfg.takeOver}
}

type memoryPeer struct{ *Process }

func (memoryPeer) Close() {}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
