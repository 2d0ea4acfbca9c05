// Package pace keeps the calls of a client to the rate that a server bears, which
// the server shows by refusing what exceeds it.
package pace

import "time"

const (
	// MaxInFlight is how many calls are under way at a time: few enough to lose
	// little when a limit is reached.
	MaxInFlight = 16

	// After a refusal that names no time, all calls wait for firstHold, and longer after
	// each further one, up to maxHold, before jitter. maxHold also bounds how long a
	// Retry-After holds back other calls than the refused one, as there may be limits for
	// single routes, and how long the gap is remembered without a call.
	firstHold = 100 * time.Millisecond
	maxHold   = 30 * time.Second

	// stretch makes the gap a little longer than the accepted rate would allow, and each
	// acceptance shrinks it: the rate can double within 70 calls, and yet a server with a
	// fixed rate accepts dozens between two refusals.
	stretch = 1.1
	shrink  = 0.99

	// maxGap bounds the gap, and how long other calls wait for the answer to a probe.
	maxGap = 10 * time.Second

	// futile is how many times as long an acceptance may take with a gap as without. At a
	// server with a fixed rate both take the same; where several clients share a rate, their
	// shares vary by less.
	futile = 10
)

// Pace decides when calls may be sent, by which of them the server accepts and which it refuses
// for their rate. It has no clock and no lock; the only randomness is that of [Backoff]. The
// zero Pace is ready for use.
//
// A refusal makes a cut: nothing is sent for a while, then one call alone, the probe. Once it is
// accepted the others follow, with a gap between them. The gap is set so that the rate is the
// one that the server accepted between this cut and the one before: at both it was at its limit,
// so that is what it bears. Acceptances shrink the gap, and the rate rises until the next cut.
//
// Of the time between two cuts, only that counts in which the pace held calls back. The rest, in
// which calls could have been sent but weren't, says nothing of what the server bears.
//
// Some servers refuse calls whatever the rate is: at random, or because they are closed for a
// while. There a gap avoids no refusal. It makes each acceptance take longer, from which a
// longer gap would follow, and so on without end. So when acceptances take much longer than they
// did without a gap, it is given up, and measured anew.
type Pace struct {
	inFlight int
	hold     time.Time     // nothing is sent before
	latest   time.Time     // when the last call was sent
	gap      time.Duration // between two calls; 0 = none
	cuts     int           // so far; each refused probe is one, too
	row      int           // cuts in a row without an acceptance between them; unless it is 0, the next call is a probe

	// What was measured since the gap was set.
	held     time.Duration // how long the pace held calls back
	accepted int           // calls

	gapless time.Duration // held per acceptance, when there was no gap
}

// Next returns when the next call may be sent; ok is false if a call in flight has to be
// answered first.
func (p *Pace) Next() (at time.Time, ok bool) {
	if p.inFlight >= MaxInFlight {
		return time.Time{}, false
	}
	at = p.due()
	if p.row > 0 && p.inFlight > 0 {
		at = later(at, p.latest.Add(maxGap))
	}
	return at, true
}

func (p *Pace) due() time.Time { return later(p.hold, p.latest.Add(p.gap)) }

// Sent counts a call that is being sent. It returns the number of cuts so far, which Accepted
// or Refused needs when the call is answered.
func (p *Pace) Sent(now time.Time) (cuts int) {
	p.inFlight++
	if now.Sub(p.due()) > maxHold {
		p.gap, p.held, p.accepted, p.latest = 0, 0, 0, now
	}
	if p.row == 1 { // by now, most of what was under way at the cut is answered
		p.learn()
	}
	p.held += max(0, p.due().Sub(p.latest))
	p.latest = now
	return p.cuts
}

// Lost ends the flight of a call whose outcome says nothing of the rate.
func (p *Pace) Lost() { p.inFlight-- }

// Accepted ends the flight of a call that was not refused for the rate.
func (p *Pace) Accepted(cuts int) {
	p.inFlight--
	p.accepted++
	if cuts < p.cuts { // sent before the last cut: it says nothing of the time since
		return
	}
	p.row = 0
	p.setGap(float64(p.gap) * shrink)
}

// Refused ends the flight of a call that was refused for the rate, and returns
// when it may be sent again. retryAfter is what the server asks for; 0 = nothing.
func (p *Pace) Refused(now time.Time, cuts int, retryAfter time.Duration) (again time.Time) {
	p.inFlight--
	wait := retryAfter
	if cuts == p.cuts { // else a cut was made since this call was sent
		p.cuts++
		p.row++
		if retryAfter == 0 || p.row > 2 { // or the times that the server names are wrong
			wait += Backoff(p.row, p.firstHold(), maxHold)
		}
	}
	p.hold = later(p.hold, now.Add(min(wait, maxHold)))
	return now.Add(wait)
}

// firstHold returns how long calls wait after a first refusal, at most: a few gaps, where the
// rate is known.
func (p *Pace) firstHold() time.Duration {
	if p.gap == 0 {
		return firstHold
	}
	return min(firstHold, 4*p.gap)
}

// learn sets the gap by what was measured, and begins to measure anew.
func (p *Pace) learn() {
	if p.accepted == 0 {
		return
	}
	each := p.held / time.Duration(p.accepted)
	if p.gap == 0 {
		p.gapless = each
	}
	if each > futile*p.gapless {
		p.gap = 0
	} else {
		p.setGap(float64(each) * stretch)
	}
	p.held, p.accepted = 0, 0
}

// setGap sets the gap, in nanoseconds, at most maxGap. One below a millisecond is none.
func (p *Pace) setGap(gap float64) {
	p.gap = min(time.Duration(gap), maxGap)
	if p.gap < time.Millisecond {
		p.gap = 0
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
