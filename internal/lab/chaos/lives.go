package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/crisp-go/crisp/crisptest"
)

// shortLives let no connection live longer than some seconds, for minutes, while
// REST may be slow, so that one gap's backfill is not over when the next gap is
// told of. Where REST is prompt, events are handled all the same.
func (r *round) shortLives(ctx context.Context, rng *rand.Rand) {
	slow := rng.IntN(2) == 0
	if slow {
		r.server.SlowREST(r.upTo(rng, 3))
	}
	before, lives := r.ledger.count(), 0
	for end := time.Now().Add(60*r.unit + r.upTo(rng, 240)); time.Now().Before(end) && ctx.Err() == nil; {
		if r.authenticated(ctx, 10*r.unit) {
			lives++
			_ = sleep(ctx, r.unit+r.upTo(rng, 9))
			r.server.DropConnections(pick(rng, crisptest.DropClose, crisptest.DropCut, crisptest.DropReset, crisptest.DropPacket))
		}
	}
	r.server.SlowREST(0)
	if said, handled := r.ledger.count().since(before); !slow && lives >= 5 && said > 100 && handled == 0 && ctx.Err() == nil {
		r.ledger.note("%d connections that each lived some seconds, %d events said meanwhile, and none handled", lives, said)
	}
}

// authenticated waits for a session, for some time.
func (r *round) authenticated(ctx context.Context, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.server.WaitAuthenticated(ctx) == nil
}
