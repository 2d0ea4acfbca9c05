package bridgetest

import (
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

// Limits are those of an engine.
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
