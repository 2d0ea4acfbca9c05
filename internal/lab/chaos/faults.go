package chaos

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/crisp-go/crisp/crisptest"
)

// fault is something that goes wrong.
type fault func(r *round, ctx context.Context, rng *rand.Rand)

// kinds are all that may happen: of each kind as much. Those that last end by
// themselves.
func (r *round) kinds() [][]fault {
	kinds := [][]fault{faults, faults, clockSteps, gateways, {(*round).shortLives}}
	if r.freezes {
		kinds = append(kinds, []fault{(*round).freeze}, []fault{(*round).freeze})
	}
	return kinds
}

// faults are the plain ones.
var faults = []fault{
	// The network.
	func(r *round, _ context.Context, _ *rand.Rand) { r.network.each((*link).close) },
	func(r *round, _ context.Context, _ *rand.Rand) { r.network.each((*link).reset) },
	func(r *round, _ context.Context, _ *rand.Rand) { r.network.each((*link).halfOpen) },
	func(r *round, _ context.Context, _ *rand.Rand) { r.network.each((*link).cutShort) },
	func(r *round, ctx context.Context, rng *rand.Rand) {
		r.network.setDelay(rand.N(r.most()))
		_ = sleep(ctx, r.upTo(rng, 30))
		r.network.setDelay(0)
	},
	func(r *round, ctx context.Context, rng *rand.Rand) {
		r.network.setDown(true)
		r.network.each((*link).close)
		_ = sleep(ctx, r.upTo(rng, 60))
		r.network.setDown(false)
	},
	// Crisp.
	func(r *round, _ context.Context, rng *rand.Rand) {
		r.server.DropConnections(pick(rng, crisptest.DropClose, crisptest.DropCut, crisptest.DropReset, crisptest.DropPacket))
	},
	func(r *round, _ context.Context, _ *rand.Rand) { r.server.GoSilent() },
	func(r *round, _ context.Context, _ *rand.Rand) { r.server.MoveEndpoint() },
	func(r *round, ctx context.Context, rng *rand.Rand) {
		r.server.TakeDown()
		_ = sleep(ctx, r.upTo(rng, 60))
		r.server.BringUp()
	},
	func(r *round, _ context.Context, rng *rand.Rand) {
		r.server.RefuseUpgrade(http.StatusServiceUnavailable, rng.IntN(4))
		r.server.DropConnections()
	},
	func(r *round, _ context.Context, rng *rand.Rand) {
		r.server.HangUp(rng.IntN(4))
		r.server.DropConnections()
	},
	func(r *round, _ context.Context, rng *rand.Rand) {
		r.server.FailREST(http.StatusBadGateway, rng.IntN(6))
		r.server.DropConnections()
	},
	func(r *round, _ context.Context, rng *rand.Rand) {
		r.server.GarbleREST("<html>", rng.IntN(4))
		r.server.DropConnections(crisptest.DropCut)
	},
	func(r *round, ctx context.Context, rng *rand.Rand) {
		r.server.SlowREST(r.upTo(rng, 3))
		r.server.DropConnections(crisptest.DropReset)
		_ = sleep(ctx, r.upTo(rng, 30))
		r.server.SlowREST(0)
	},
	// What no server should send.
	func(r *round, _ context.Context, rng *rand.Rand) {
		for range rng.IntN(50) {
			r.server.SendFrame(pick(rng, "", "z", "6", "44{}", "4599999-[]", `42["message:send",null`, "42/x,[]", "45", "43", strings.Repeat("[", 1000)))
			r.server.SendBinary([]byte("stray"))
		}
	},
	func(r *round, _ context.Context, rng *rand.Rand) {
		r.server.SendBytes([]byte(pick(rng, "\xff\xff\xff", "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "\x81\x7e\x04\x00half")))
	},
	func(r *round, _ context.Context, _ *rand.Rand) {
		r.server.SendFrame("42" + strings.Repeat("x", 17<<20))
	},
	// The program itself.
	func(r *round, _ context.Context, rng *rand.Rand) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.blocked = time.Now().Add(r.upTo(rng, 30))
	},
	func(r *round, ctx context.Context, _ *rand.Rand) {
		rtm, _ := r.client()
		ctx, cancel := context.WithTimeout(ctx, 5*r.unit)
		defer cancel()
		_ = rtm.Rebind(ctx)
	},
	func(r *round, ctx context.Context, rng *rand.Rand) {
		if !r.restarts {
			return
		}
		r.restart(ctx, rng.IntN(2) == 0, r.upTo(rng, 60))
	},
}

// clockSteps set the wall clock at different moments.
var clockSteps = []fault{
	// During a connection, if there is one.
	func(r *round, _ context.Context, rng *rand.Rand) { r.wall.set(pick(rng, aheads...)) },
	// During a gap.
	func(r *round, ctx context.Context, rng *rand.Rand) {
		r.network.setDown(true)
		r.network.each((*link).close)
		_ = sleep(ctx, r.upTo(rng, 20))
		r.wall.set(pick(rng, aheads...))
		_ = sleep(ctx, r.upTo(rng, 20))
		r.network.setDown(false)
	},
	// During a backfill, if there is one.
	func(r *round, ctx context.Context, rng *rand.Rand) {
		r.server.SlowREST(r.upTo(rng, 3))
		r.server.DropConnections(crisptest.DropCut)
		for range 30 {
			if r.ledger.filling() || sleep(ctx, r.unit) != nil {
				break
			}
		}
		_ = sleep(ctx, r.upTo(rng, 3))
		r.wall.set(pick(rng, aheads...))
		_ = sleep(ctx, r.upTo(rng, 10))
		r.server.SlowREST(0)
	},
	// While the program does not run.
	func(r *round, ctx context.Context, rng *rand.Rand) {
		if !r.restarts {
			return
		}
		r.stopAnd(ctx, rng.IntN(2) == 0, func() {
			_ = sleep(ctx, r.upTo(rng, 30))
			r.wall.set(pick(rng, aheads...))
			_ = sleep(ctx, r.upTo(rng, 30))
		})
	},
}

// gateways answer in Crisp's place, to a few requests or for minutes, while the
// client connects anew or starts.
var gateways = []fault{
	func(r *round, ctx context.Context, rng *rand.Rand) {
		where := rng.IntN(3)
		r.box.answer(pick(rng, foreigners...), 1+rng.IntN(3), where != 0, where != 1)
		r.loseConnection(ctx, rng)
	},
	func(r *round, ctx context.Context, rng *rand.Rand) {
		where := rng.IntN(3)
		r.box.answer(pick(rng, foreigners...), -1, where != 0, where != 1)
		r.loseConnection(ctx, rng)
		_ = sleep(ctx, r.upTo(rng, 180))
		r.box.stepAside()
	},
	func(r *round, ctx context.Context, rng *rand.Rand) { // another one each time
		r.server.DropConnections(crisptest.DropCut)
		for range 1 + rng.IntN(10) {
			r.box.answer(pick(rng, foreigners...), -1, true, true)
			_ = sleep(ctx, r.upTo(rng, 20))
		}
		r.box.stepAside()
	},
}

// loseConnection makes the client connect, or even start, anew.
func (r *round) loseConnection(ctx context.Context, rng *rand.Rand) {
	if r.restarts && rng.IntN(3) == 0 {
		r.restart(ctx, rng.IntN(2) == 0, r.upTo(rng, 10))
		return
	}
	r.server.DropConnections(pick(rng, crisptest.DropClose, crisptest.DropCut, crisptest.DropReset))
}

// restart lets the program not run for some time.
func (r *round) restart(ctx context.Context, drain bool, pause time.Duration) {
	r.stopAnd(ctx, drain, func() { _ = sleep(ctx, pause) })
}

// stopAnd does something while the program does not run.
func (r *round) stopAnd(ctx context.Context, drain bool, do func()) {
	if err := r.stop(context.WithoutCancel(ctx), drain); err != nil {
		panic(err)
	}
	do()
	if err := r.start(); err != nil {
		panic(err)
	}
}

func (r *round) upTo(rng *rand.Rand, units int) time.Duration {
	return time.Duration(rng.Int64N(int64(units) * int64(r.unit)))
}

// disturb lets one thing after the other go wrong, some of them at once.
func (r *round) disturb(ctx context.Context) {
	rng, kinds := rand.New(rand.NewPCG(r.seed, 2)), r.kinds()
	for sleep(ctx, time.Duration(rng.ExpFloat64()*float64(r.faults))) == nil {
		for range 1 + rng.IntN(3)/2 {
			pick(rng, pick(rng, kinds...)...)(r, ctx, rng)
		}
	}
}
