// Package pace keeps the calls of a client to the rate that a server bears, which
// the server shows by refusing what exceeds it.
package pace

import "time"

const (
	// MaxInFlight is how many calls are under way at a time: few enough to lose
	// little when a limit is reached.
	MaxInFlight = 16

	// firstHold and maxHold are how long all calls wait after the first refusal that
	// names no time, and at most, before jitter. maxHold also bounds what a Retry-After does to other calls
	// than the refused one, as there may be limits for single routes, and how long
	// the gap is remembered without a call.
	firstHold = 100 * time.Millisecond
	maxHold   = 30 * time.Second

	// stretch makes the gap a little longer than the rate that was accepted would
	// allow, and each acceptance shrinks it: the rate doubles within 70 calls, and
	// yet a server with a fixed rate accepts dozens between two refusals.
	stretch = 1.1
	shrink  = 0.99

	// maxGap bounds the gap, and how long the others wait for the answer to a probe.
	maxGap = 10 * time.Second

	// futile is how many times what an acceptance takes without a gap it may take
	// with one. At a server with a rate both take the same; where several clients
	// share a rate, their parts of it vary by less.
	futile = 10
)

// Pace decides when calls may be sent, judging by which of them the server accepts
// and which it refuses for their rate. It asks no clock and has no lock; the only
// randomness is that of [Backoff]. The zero Pace is ready for use.
//
// A refusal makes a cut: nothing is sent for a while, then one call alone, the
// probe, and once one is accepted the others follow, with a gap between them.
// That keeps to the rate that the server accepted between this cut and the one
// before: as it had no more to give at either of them, that is what it bears.
// Acceptances shrink the gap, so the rate rises until the next cut.
//
// Of the time between two cuts only that counts in which the pace held calls
// back. The rest, in which they could have been sent but weren't, says nothing
// of what the server bears.
//
// Some servers refuse whatever the rate is: at random, or because they are
// closed for a while. A gap avoids no refusal there, and adds to the time that
// each acceptance takes, which the next gap would keep to, and so on without
// end. So when acceptances take much longer than they did without a gap, it is
// given up, and measured anew.
type Pace struct {
	inFlight int
	hold     time.Time     // nothing is sent before
	latest   time.Time     // when a call was sent last
	gap      time.Duration // between two calls; 0 = none
	cuts     int           // so far, each refused probe being one, too
	row      int           // of cuts, without an acceptance between them; if there is one, the next call is a probe

	// The measure: what there was since the gap was set.
	held     time.Duration // for how long the pace held calls back
	accepted int

	gapless time.Duration // the part of held that an acceptance took when there was no gap
}

// Next returns when the next call may be sent; ok is false if not before there
// is an answer to one in flight.
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

// Sent counts a call that is being sent, and returns the number of cuts so far:
// it has to be given back with the answer.
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
	if cuts < p.cuts { // it says nothing of how things are since the last cut
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
	if cuts == p.cuts { // else the last cut was for this one, too
		p.cuts++
		p.row++
		if retryAfter == 0 || p.row > 2 { // in the latter case the time that is named may be wrong every time
			wait += Backoff(p.row, p.firstHold(), maxHold)
		}
	}
	p.hold = later(p.hold, now.Add(min(wait, maxHold)))
	return now.Add(wait)
}

// firstHold is how long calls wait at most after a first refusal: where the rate is
// known, a few gaps are enough.
func (p *Pace) firstHold() time.Duration {
	if p.gap == 0 {
		return firstHold
	}
	return min(firstHold, 4*p.gap)
}

// learn sets the gap by the measure, and begins another.
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

// setGap sets the gap, within bounds.
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
