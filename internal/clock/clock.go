// Package clock keeps three times apart: that of the wall clock, which somebody
// may set at any moment; steady time, which never jumps; and Crisp's, by which
// messages are dated.
//
// What happens is kept as a [Moment] of steady time, and becomes a date only when
// somebody is told, or asked: so a clock that is set moves no beginning of a gap
// behind its end.
package clock

import (
	"sync"
	"sync/atomic"
	"time"
)

// Moment is a point in steady time, in nanoseconds; 0 is none. Moments of one
// [Clock] can be compared and subtracted.
type Moment int64

// Add returns the moment that is so much later.
func (m Moment) Add(d time.Duration) Moment { return m + Moment(d) }

// Sub returns the time from another moment to this one.
func (m Moment) Sub(other Moment) time.Duration { return time.Duration(m - other) }

// Stamp is a moment with all that was known of it when it was stamped. It can be
// dated later, whatever has become of the clocks meanwhile: the wall clock may have
// been set, and the machine, with its steady time, suspended.
type Stamp struct {
	Moment Moment
	wall   time.Time
	crisp  time.Time // zero if it was not known
}

// IsZero reports whether it is the stamp of no moment.
func (s Stamp) IsZero() bool { return s.Moment == 0 }

// Clock is what a client knows of time.
type Clock struct {
	base time.Time // just before the first moment

	mu    sync.Mutex // guards crisp
	crisp anchor
}

// anchor is a moment whose date by Crisp's clock is known.
type anchor struct {
	at   Moment // 0 = none is
	date time.Time
}

// New makes a clock that knows nothing of Crisp's yet.
func New() *Clock { return &Clock{base: time.Now().Add(-1)} }

// step is what tests have set the wall clock by.
var step atomic.Int64

// Step sets the wall clock of all clocks, for tests.
func Step(d time.Duration) { step.Add(int64(d)) }

func wall() time.Time { return time.Now().Add(time.Duration(step.Load())).Round(0) }

// Now is the present moment.
func (c *Clock) Now() Moment { return c.At(time.Now()) }

// At is the moment of a time that [time.Now] has returned, or that was computed of
// one.
func (c *Clock) At(t time.Time) Moment { return Moment(t.Sub(c.base)) }

// Wall dates a moment by the wall clock as it is set now.
func (c *Clock) Wall(m Moment) time.Time { return wall().Add(m.Sub(c.Now())) }

// OfWall is the moment that the wall clock as it is set now dates so.
func (c *Clock) OfWall(t time.Time) Moment { return c.Now().Add(t.Sub(wall())) }

// Crisp dates a moment by Crisp's clock, or by the wall clock as long as no more is
// known.
func (c *Clock) Crisp(m Moment) time.Time {
	if date, ok := c.known(m); ok {
		return date
	}
	return c.Wall(m)
}

// OfCrisp is the moment that Crisp's clock dates so.
func (c *Clock) OfCrisp(t time.Time) Moment {
	now := c.Now()
	return now.Add(t.Sub(c.Crisp(now)))
}

func (c *Clock) known(m Moment) (date time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.crisp.date.Add(m.Sub(c.crisp.at)), c.crisp.at != 0
}

// Stamp stamps a moment, which should not be long ago.
func (c *Clock) Stamp(m Moment) Stamp {
	s := Stamp{Moment: m, wall: c.Wall(m)}
	if date, ok := c.known(m); ok {
		s.crisp = date
	}
	return s
}

// StampOf is the stamp of a moment in another life of the program, by the dates that
// it had then; crisp is zero if it was not known.
func (c *Clock) StampOf(wallThen, crisp time.Time) Stamp {
	return Stamp{Moment: c.OfWall(wallThen), wall: wallThen, crisp: crisp}
}

// Since is how long a stamped moment is ago. If Crisp's clock does not tell, it is
// the most that this machine's clocks say.
func (c *Clock) Since(s Stamp) time.Duration {
	now := c.Now()
	if date, ok := c.known(now); ok && !s.crisp.IsZero() {
		return max(0, date.Sub(s.crisp))
	}
	return max(0, now.Sub(s.Moment), c.Wall(now).Sub(s.wall))
}

// Dates are those of a stamped moment by the wall clock as it is set now, and by
// Crisp's clock, which is zero if it is not known.
func (c *Clock) Dates(s Stamp) (wall, crisp time.Time) {
	return c.Wall(c.Now()).Add(-c.Since(s)), s.crisp
}

// resolution is what a date in a header can't tell: it has whole seconds, and is
// written before the answer is.
const resolution = 2 * time.Second

// Learn takes note of the date that an answer of Crisp's bears, which was asked for
// and came at some moments. What is known already stays as long as the date does
// not contradict it.
func (c *Clock) Learn(date time.Time, asked, came Moment) {
	travel := came.Sub(asked)
	written := asked.Add(travel / 2)
	assumed := c.Crisp(written)
	if (date.Sub(assumed)).Abs() <= travel/2+resolution {
		date = assumed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crisp = anchor{at: written, date: date}
}
