package chaos

import (
	"context"
	"math/rand/v2"

	"github.com/crisp-go/crisp/crisptest"
)

// freeze holds all that is read and written, as if the process did not run, while
// Crisp goes on, and may lose its patience: what it has written by then waits in
// the kernel's buffer, and what it has sent after that is lost. The process's timers
// do run, so that what is longer than a heartbeat is seen as silence.
//
// It is longer than what the client takes for a delay of the network, of which a gap
// knows nothing.
func (r *round) freeze(ctx context.Context, rng *rand.Rand) {
	longest := pick(rng, 5, 20, 300)
	r.network.setFrozen(true)
	_ = sleep(ctx, r.unnoticed()+r.unit+r.upTo(rng, longest))
	if rng.IntN(4) > 0 {
		r.server.DropConnections(pick(rng, crisptest.DropClose, crisptest.DropCut))
		_ = sleep(ctx, r.upTo(rng, longest))
	}
	r.network.setFrozen(false)
}
