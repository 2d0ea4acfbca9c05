package doctor

import (
	"context"
	"slices"
	"time"
)

// Answers don't show whether handlers ran again. Their effects do, if the user says where
// to look (--effect); otherwise it is guessed from how long the answers take.

const (
	adviceOnRepeated = "remember which deliveries are done, by a hash of the body, and answer 200 to them at once (crisp.NewWebhook does; crisp.WithDedupe has a store that " +
		"outlives the process): Crisp delivers again whatever was not answered in time"
	adviceOnEffect = "say where to look: --effect CMD, a command whose output changes when the handlers have run, such as one that counts rows or lines of a log"
)

func (e *examination) checkHookRepeated(ctx context.Context) Finding {
	switch {
	case e.byURL():
		return skipped("Crisp does not repeat deliveries of a website's hook")
	case e.Effect != nil:
		return e.checkEffect(ctx)
	default:
		return e.checkRepeatedTime(ctx)
	}
}

// checkEffect looks for the handlers' effect after a delivery and its repetition.
func (e *examination) checkEffect(ctx context.Context) Finding {
	before, err := e.Effect(ctx)
	if err != nil {
		return skipped("--effect fails: %v", err).do("have it print something, and end with 0")
	}
	body := e.hook.bodies.next()
	if answer := e.deliver(ctx, e.good(body)); !answer.accepted() {
		return skipped("a delivery was answered %v", answer)
	}
	once, changed := e.effectBeside(ctx, before)
	if !changed {
		return skipped("the first delivery has changed nothing that --effect shows").do("%s", adviceOnEffect)
	}
	again := e.good(body)
	again.attempt = 2
	if answer := e.deliver(ctx, again); !answer.accepted() {
		return wrong("a repeated delivery is refused: %v", answer).do(adviceOnRepeated)
	}
	if _, changed := e.effectBeside(ctx, once); changed {
		return wrong("a repeated delivery has run the handlers again").do(adviceOnRepeated)
	}
	return ok("accepted, and its handlers did not run again")
}

// effectBeside returns the effect once it has settled, and whether it differs from before.
func (e *examination) effectBeside(ctx context.Context, before string) (effect string, changed bool) {
	ctx, cancel := context.WithTimeout(ctx, e.Limits.EffectSettles)
	defer cancel()
	effect = before
	poll := time.NewTicker(e.Limits.EffectSettles / 10)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return effect, effect != before
		case <-poll.C:
			if now, err := e.Effect(ctx); err == nil {
				effect = now
			}
		}
	}
}

// timed is how many deliveries of each kind are timed. The shortest times are compared,
// since they are the least disturbed.
const timed = 3

// leastWork is the time that handlers must take to stand out from chance.
const leastWork = 20 * time.Millisecond

// checkRepeatedTime compares how long first and repeated deliveries take, beyond the
// time for an event without a handler.
func (e *examination) checkRepeatedTime(ctx context.Context) Finding {
	var idle, first, again []time.Duration
	unknown := bodies{event: "doctor:nothing", website: e.hook.bodies.website, payload: map[string]any{}}
	for range timed {
		idle = append(idle, e.deliver(ctx, e.good(unknown.next())).took)
		body := e.hook.bodies.next()
		fresh := e.deliver(ctx, e.good(body))
		repeated := e.good(body)
		repeated.attempt = 2
		second := e.deliver(ctx, repeated)
		switch {
		case !fresh.accepted():
			return skipped("a delivery was answered %v", fresh)
		case !second.accepted():
			return wrong("a repeated delivery is refused: %v", second).do(adviceOnRepeated)
		}
		first, again = append(first, fresh.took), append(again, second.took)
	}
	overhead := slices.Min(idle)
	work, workAgain := slices.Min(first)-overhead, slices.Min(again)-overhead
	switch {
	case work < leastWork:
		return skipped("accepted; whether its handlers run again can't be told from outside: they take no time").do(adviceOnEffect)
	case workAgain > work/2:
		return warning("accepted, but its handlers seem to run again: it takes %s, the first %s", rounded(slices.Min(again)), rounded(slices.Min(first))).
			do("%s. To be sure, %s", adviceOnRepeated, adviceOnEffect)
	default:
		return ok("accepted, and answered at once: within %s, the first within %s", rounded(slices.Min(again)), rounded(slices.Min(first)))
	}
}
