package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/crisp-go/crisp"
)

// plan is what a seed makes of a round. Its times are in units: seconds in
// virtual time, less over real sockets.
type plan struct {
	seed uint64
	unit time.Duration

	engineIO    int
	concurrency int
	backfill    bool
	overflow    crisp.Overflow
	queue       int // bytes
	sessions    int
	heartbeat   time.Duration // ping interval; the timeout is a little less
	length      time.Duration
	pause       time.Duration // between two messages of anybody, on average
	faults      time.Duration // between two faults, on average
	handling    time.Duration // the most that a handler takes, usually
	restarts    bool
	polite      bool          // it reconnects by the library's own policy
	patience    time.Duration // of a backfill
	wall        time.Duration // how far this machine's clock is ahead in the beginning
	crisp       time.Duration // and Crisp's
	freezes     bool          // the process is frozen, too
}

func newPlan(seed uint64, unit time.Duration) plan {
	rng := rand.New(rand.NewPCG(seed, 0))
	p := plan{
		seed:        seed,
		unit:        unit,
		engineIO:    pick(rng, 3, 4, 4),
		concurrency: pick(rng, 1, 1, 4, 16),
		backfill:    rng.IntN(2) == 0,
		overflow:    pick(rng, crisp.OverflowBlock, crisp.OverflowBlock, crisp.OverflowDrop),
		queue:       pick(rng, 20_000, 200_000, 64<<20),
		sessions:    pick(rng, 3, 20, 60),
		heartbeat:   unit * time.Duration(pick(rng, 5, 10, 25)),
		length:      unit * time.Duration(pick(rng, 300, 600, 1200)),
		pause:       unit / time.Duration(pick(rng, 2, 10, 30)),
		faults:      unit * time.Duration(pick(rng, 10, 30, 60)),
		restarts:    rng.IntN(3) == 0,
	}
	// One handler at a time must bear it in the long run.
	p.handling = p.pause / time.Duration(pick(rng, 1, 2, 50))
	p.length = min(p.length, mostMessages*p.pause)
	p.polite = unit == time.Second && rng.IntN(3) == 0 // its waits are real ones
	p.patience = unit * time.Duration(pick(rng, 600, 600, 60))
	p.wall, p.crisp = pick(rng, aheads...), pick(rng, aheads...)
	p.freezes = rng.IntN(2) == 0
	return p
}

// mostMessages is how many messages a round has, bursts aside. An RTM client knows
// again no more than the last 32,768: a longer round might be a single gap.
const mostMessages = 20_000

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func (p plan) heartbeatTimeout() time.Duration { return p.heartbeat * 4 / 5 }

func (p plan) String() string {
	overflow := map[crisp.Overflow]string{crisp.OverflowBlock: "block", crisp.OverflowDrop: "drop"}[p.overflow]
	return fmt.Sprintf("seed %d: Engine.IO %d, %d at a time, backfill %t, queue %d bytes that %s, %d sessions, heartbeat %s, %s of messages each %s and faults each %s, handlers up to %s, restarts %t, own backoff %t, patience %s, clocks ahead by %s and Crisp's by %s, freezes %t",
		p.seed, p.engineIO, p.concurrency, p.backfill, p.queue, overflow, p.sessions, p.heartbeat, p.length, p.pause, p.faults, p.handling, p.restarts, !p.polite, p.patience, p.wall, p.crisp, p.freezes)
}

// most is the largest delay of a chunk on the network, which is what an event
// takes from Crisp to the client at most, give or take how many chunks wait. Where
// the process is frozen it is what the client still takes for a delay.
func (p plan) most() time.Duration {
	if p.freezes {
		return p.unnoticed()
	}
	return 2 * p.unit
}

// unnoticed is for how long the process can be frozen without the client's noticing: a
// quarter of Crisp's patience, and half a second at most.
func (p plan) unnoticed() time.Duration { return min(p.heartbeatTimeout()/4, time.Second/2) }
