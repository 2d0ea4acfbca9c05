package crisp

import (
	"math"
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

	// stretch makes the gap a little longer than the server's own rate would
	// allow, and each acceptance shrinks it: the rate doubles within 70 calls,
	// and yet a server with a fixed rate accepts dozens between two refusals.
	stretch = 1.1
	shrink  = 0.99

	// minGap and maxGap bound the gap; a smaller one is none.
	minGap = time.Millisecond
	maxGap = 10 * time.Second

	// probePatience is how long the others wait for the answer to a call that is
	// sent alone.
	probePatience = 10 * time.Second

	// forgetAfter is how long without a call makes the gap worthless.
	forgetAfter = time.Minute

	// A cut that buys fewer acceptances than this was futile: a server with a fixed
	// rate gives about 30. If those are maxFutile more than the others, refusals are
	// taken to be scattered.
	fewAcceptances = 20
	maxFutile      = 3

	// scatteredRun is how many refusals in a row chance may give where every
	// other call is refused, and scatteredHold how long a longer run holds back
	// at most.
	scatteredRun  = 8
	scatteredHold = time.Second

	// perCallRun is for how many calls in a row it has to be true that they are
	// refused when they come first and accepted when they come again, until it is
	// taken for a rule.
	perCallRun = 16

	// Of 64 answers, refusals that are scattered are not more than these, and the
	// flips between refusal and acceptance are not fewer than a third of what
	// chance would give.
	manyRefusals = 48
)

// pace decides how fast a client sends REST calls, from which of them the server
// accepts and which it refuses for their rate. It asks no clock and has no lock.
//
// A refusal makes a cut: nothing is sent for a while, then one call alone, and
// once that is accepted the others follow at the rate that the server accepted
// between this cut and the one before. As it had no more to give at either of
// them, that is the rate it can bear. Acceptances raise the rate, slowly.
//
// Some servers refuse whatever the rate is, such as one that sheds load at
// random. A cut there avoids not one refusal; cutting again and again would only
// slow down without end. So when cuts prove futile, refusals are taken to be
// scattered: a refusal then concerns only the call that was refused, unless too
// many come in a row that are not each call's first.
type pace struct {
	hold     time.Time     // nothing is sent before
	next     time.Time     // nor before this, which keeps the gap
	latest   time.Time     // when a call was sent last
	gap      time.Duration // between two calls; 0 = none
	probing  bool          // one call at a time, until one is accepted
	refusals int           // since the last acceptance
	named    bool          // the last of them named the time until which nothing is sent

	cuts     int       // so far
	since    time.Time // the last cut after an acceptance; before the first, when the first call was sent; later by what was idle
	idle     time.Time // since when there is nothing to send; zero = there is
	accepted int       // since the last cut
	last     span      // before that
	futile   int       // cuts, less those that were not

	scattered bool
	first     int    // calls in a row that were refused when they came first
	again     int    // and that were accepted when they came again
	history   uint64 // the last answers while scattered, 1 = refused
	answers   int    // how many those are
}

// span is the time between two cuts.
type span struct {
	length   time.Duration
	accepted int
	gap      time.Duration
}

// wait tells whether a call may be sent, and if not, after what time; 0 if that
// depends on the calls in flight.
func (p *pace) wait(now time.Time, inFlight int) (time.Duration, bool) {
	if inFlight >= maxInFlight {
		return 0, false
	}
	left := max(p.hold.Sub(now), p.next.Sub(now))
	if p.probing && inFlight > 0 {
		left = max(left, p.latest.Add(probePatience).Sub(now))
	}
	return left, left <= 0
}

// rest takes note that there is nothing to send.
func (p *pace) rest(now time.Time) { p.idle = now }

// busy takes note that there is something to send. The time without tells
// nothing of the rate that the server bears, and doesn't count.
func (p *pace) busy(now time.Time) {
	if !p.idle.IsZero() {
		p.since = p.since.Add(now.Sub(p.idle))
		p.idle = time.Time{}
	}
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
	p.next, p.latest = now.Add(p.gap), now
	return p.cuts
}

// accept counts an answer that is not a refusal for the rate.
func (p *pace) accept(cuts, tries int) {
	if tries > 1 {
		p.again++
	} else {
		p.first = 0
	}
	if cuts < p.cuts {
		p.acceptLate(cuts)
		return
	}
	p.refusals = 0
	p.probing = false
	p.accepted++
	if p.gap = time.Duration(float64(p.gap) * shrink); p.gap < minGap {
		p.gap = 0
	}
	p.remember(0)
}

// acceptLate counts the acceptance of a call that was sent before a cut. It does
// not tell how things are since, but what was accepted until then.
func (p *pace) acceptLate(cuts int) {
	if cuts == p.cuts-1 && p.refusals == 1 && !p.scattered {
		p.last.accepted++
		p.setGap()
	}
}

// refuse counts a refusal for the rate, and tells when the call may be sent
// again.
func (p *pace) refuse(now time.Time, cuts, tries int, retryAfter time.Duration) time.Time {
	if tries > 1 {
		p.again = 0
	} else {
		p.first++
	}
	if cuts < p.cuts { // the last cut was for this one, too
		again := now.Add(retryAfter)
		p.holdUntil(now, again)
		return later(again, p.hold)
	}
	p.refusals++
	p.remember(1)
	if p.named && p.refusals > 1 && !p.scattered {
		p.blame() // it came when it was told to, and alone
	}
	p.named = retryAfter > 0 && retryAfter <= maxHold
	again := now.Add(retryAfter)
	if retryAfter == 0 || tries > 2 { // in the latter case the time that is named may be always a bad one
		again = again.Add(p.backoff())
	}
	if p.scattered && (p.refusals <= scatteredRun || p.perCall()) {
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
	p.learn(span{length: now.Sub(p.since), accepted: p.accepted, gap: p.gap})
	p.since, p.accepted = now, 0
}

// learn draws the conclusions from the time between two cuts.
func (p *pace) learn(last span) {
	p.last = last
	p.setGap()
	if last.accepted < fewAcceptances {
		p.blame()
	} else {
		p.futile = max(0, p.futile-1)
	}
}

// blame counts a cut that was futile.
func (p *pace) blame() {
	if p.futile++; p.futile > maxFutile {
		p.scattered = true
		p.gap, p.futile, p.answers, p.first, p.again = 0, 0, 0, 0, 0
	}
}

// perCall tells whether the server refuses each call when it comes first, and
// accepts it when it comes again: to hold back the others avoids nothing then.
func (p *pace) perCall() bool { return p.first >= perCallRun && p.again >= perCallRun }

// setGap keeps to the rate that was accepted last.
func (p *pace) setGap() {
	if p.last.accepted > 0 {
		gap := float64(p.last.length) / float64(p.last.accepted) * stretch
		p.gap = min(max(p.last.gap, time.Duration(gap)), maxGap)
	}
}

// remember watches whether scattered refusals still are: they may have ceased,
// prevail, or come in long runs.
func (p *pace) remember(refused uint64) {
	p.history = p.history<<1 | refused
	if p.answers++; p.answers < 64 {
		return
	}
	refusals, flips := bits.OnesCount64(p.history), bits.OnesCount64(p.history^p.history<<1)
	byChance := refusals * (64 - refusals) / 32
	if p.scattered && !p.perCall() && (3*flips < byChance || refusals > manyRefusals) {
		p.scattered = false
		p.futile = maxFutile - 1 // it was so before
	}
}

func (p *pace) holdUntil(now, until time.Time) {
	if latest := now.Add(maxHold); until.After(latest) {
		until = latest
	}
	p.hold = later(p.hold, until)
}

// backoffAfter grows by half from failure to failure, up to a maximum. A random
// half is taken off it, so that programs that failed together don't come back
// together.
func backoffAfter(failures int, first, longest time.Duration) time.Duration {
	d := min(float64(first)*math.Pow(1.5, float64(failures-1)), float64(longest))
	return time.Duration(d - d/2*rand.Float64())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
