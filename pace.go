package crisp

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

const (
	// maxInFlight is how many REST calls a client sends at a time: few enough
	// to lose little when a limit is reached, and no more connections than are
	// kept for the next calls.
	maxInFlight = maxIdleConns

	// minHold and maxHold bound how long all calls wait after a refusal that
	// names no time. maxHold also bounds what a Retry-After does to other calls
	// than the refused one: Crisp has limits for single routes, too.
	minHold = 100 * time.Millisecond
	maxHold = 30 * time.Second

	// stretch is what a refusal does to the gap that the server's own rate would
	// allow, shrink what an acceptance does: the rate doubles within 70 calls,
	// and yet a server with a fixed rate accepts dozens between two refusals.
	stretch = 1.1
	shrink  = 0.99

	// minGap and maxGap bound the gap; a smaller one is none.
	minGap = time.Millisecond
	maxGap = 10 * time.Second

	// forgetAfter is how long without a call makes the gap worthless.
	forgetAfter = time.Minute

	// A cut that buys fewer acceptances than this was futile. One more than
	// maxFutile in a row, and refusals are taken to be scattered.
	fewAcceptances = 8
	maxFutile      = 2

	// scatteredRun is how many refusals in a row chance may give where every
	// other call is refused, and scatteredHold how long a longer run holds back.
	scatteredRun  = 8
	scatteredHold = time.Second

	// fewFlips between refusal and acceptance in 64 answers are not scattered:
	// by chance there would be 32.
	fewFlips = 12
)

// pace decides how fast a client sends REST calls, from which of them the
// server accepts and which it refuses for their rate. It asks no clock and has
// no lock.
//
// A refusal makes a cut: nothing is sent for a while, then one call alone, and
// once that is accepted the others follow at the rate that the server accepted
// between this cut and the one before. As it had no more to give at either of
// them, that is the rate it can bear. Acceptances raise the rate, slowly.
//
// Some servers refuse whatever the rate is, such as one that sheds load at
// random. A cut there avoids not one refusal; cutting again and again would
// only slow down without end. So when cuts prove futile, refusals are taken to
// be scattered: a refusal then concerns only the call that was refused, unless
// too many come in a row.
type pace struct {
	hold     time.Time     // nothing is sent before
	next     time.Time     // nor before this, which keeps the gap
	gap      time.Duration // between two calls; 0 = none
	probing  bool          // one call at a time, until one is accepted
	refusals int           // since the last acceptance

	cuts     int       // so far
	since    time.Time // the last cut after an acceptance; before the first, when the first call was sent
	accepted int       // since then
	futile   int       // cuts in a row

	scattered bool
	history   uint64 // the last answers while scattered, 1 = refused
	answers   int    // how many those are
}

// wait tells whether a call may be sent, and if not, after what time; 0 if that
// depends on the calls in flight.
func (p *pace) wait(now time.Time, inFlight int) (time.Duration, bool) {
	if inFlight >= maxInFlight || p.probing && inFlight > 0 {
		return 0, false
	}
	left := max(p.hold.Sub(now), p.next.Sub(now))
	return left, left <= 0
}

// sent counts a call that is being sent, and gives the number of cuts so far:
// what the answer is told with.
func (p *pace) sent(now time.Time) (cuts int) {
	if now.Sub(p.next) > forgetAfter {
		p.gap = 0
	}
	if p.since.IsZero() {
		p.since = now
	}
	p.next = now.Add(p.gap)
	return p.cuts
}

// accept counts an answer that is not a refusal for the rate.
func (p *pace) accept(cuts int) {
	if cuts < p.cuts {
		return // sent before the last cut, so it does not tell how things are since
	}
	p.refusals = 0
	p.probing = false
	p.accepted++
	if p.gap = time.Duration(float64(p.gap) * shrink); p.gap < minGap {
		p.gap = 0
	}
	p.remember(0)
}

// refuse counts a refusal for the rate, and tells when the call may be sent
// again.
func (p *pace) refuse(now time.Time, cuts int, retryAfter time.Duration) time.Time {
	again := now.Add(retryAfter)
	if cuts < p.cuts { // the last cut was for this one, too
		p.holdUntil(now, again)
		return later(again, p.hold)
	}
	p.refusals++
	p.remember(1)
	again = later(again, now.Add(p.backoff()))
	if p.scattered && p.refusals <= scatteredRun {
		return again
	}
	p.cut(now)
	p.holdUntil(now, again)
	return again
}

func (p *pace) backoff() time.Duration {
	if p.scattered {
		return backoffAfter(max(1, p.refusals-scatteredRun), minHold, scatteredHold)
	}
	return backoffAfter(p.refusals, minHold, maxHold)
}

func (p *pace) cut(now time.Time) {
	p.cuts++
	p.probing = true
	if p.scattered || p.refusals > 1 { // in the latter case it is still the cut before that counts
		return
	}
	p.learn(now)
	p.since, p.accepted = now, 0
}

// learn draws the conclusion from what was accepted since the last cut.
func (p *pace) learn(now time.Time) {
	if p.accepted < fewAcceptances {
		p.futile++
	} else {
		p.futile = 0
	}
	if p.futile > maxFutile {
		p.scattered = true
		p.gap, p.futile, p.answers = 0, 0, 0
		return
	}
	if p.accepted > 0 {
		gap := now.Sub(p.since) / time.Duration(p.accepted)
		p.gap = min(max(p.gap, time.Duration(float64(gap)*stretch)), maxGap)
	}
}

// remember watches whether scattered refusals still are: they may have ceased,
// prevail, or come in long runs.
func (p *pace) remember(refused uint64) {
	p.history = p.history<<1 | refused
	p.answers++
	if p.answers >= 64 && bits.OnesCount64(p.history^p.history<<1) < fewFlips {
		p.scattered = false
	}
}

func (p *pace) holdUntil(now, until time.Time) {
	if latest := now.Add(maxHold); until.After(latest) {
		until = latest
	}
	p.hold = later(p.hold, until)
}

// backoffAfter doubles from failure to failure up to a maximum. A random half
// is taken off it, so that programs that failed together don't come back
// together.
func backoffAfter(failures int, first, longest time.Duration) time.Duration {
	d := longest
	if failures <= 16 { // more would overflow, and are beyond any maximum here
		d = min(first<<(failures-1), longest)
	}
	return d - rand.N(d/2)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
