package bridgetest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/crisp-go/crisp/bridge"
)

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
