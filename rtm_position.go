package crisp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crisp-go/crisp/internal/clock"
)

// WithPosition keeps the client's position in a store: it is loaded by
// [RTM.Run], saved every few seconds while it changes, and at the end. A
// stored position makes the time since then a [Gap] with [GapRestarted].
func WithPosition(store PositionStore) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if store == nil {
			return errors.New("crisp: WithPosition(nil): needs a store")
		}
		if file, ok := store.(*filePosition); ok && file.path == "" {
			return errors.New(`crisp: FilePosition(""): needs the path of a file`)
		}
		c.position = store
		return nil
	})
}

const (
	// positionInterval is how often a changed position is saved.
	positionInterval = 5 * time.Second
	// saveTimeout is how long that may take, also at the end of a run.
	saveTimeout = 10 * time.Second
)

// loadPosition returns the position of the run before; zero if there was none, or if it is not
// usable, which is reported.
func (t *RTM) loadPosition() (Position, error) {
	if t.cfg.position == nil {
		return Position{}, nil
	}
	if file, ok := t.cfg.position.(*filePosition); ok {
		if err := file.prepare(); err != nil {
			return Position{}, err
		}
	}
	var p Position
	err := callUser("PositionStore.Load", func() (err error) {
		p, err = t.cfg.position.Load(t.stopped)
		return err
	})
	if errors.Is(err, ErrPosition) {
		t.report(err)
		return Position{}, nil
	}
	if err == nil && t.seen != nil {
		t.seen.Restore(p.Handled)
	}
	return p, err
}

// missedSince returns what was missed between the run before and the first connection of this one.
func (t *RTM) missedSince(p Position, c *connection) *span {
	k := t.client.clock
	now := k.Stamp(k.At(c.lastLive))
	if p.Time.IsZero() {
		return &span{from: now}
	}
	then := k.StampOf(p.Time, p.Crisp)
	if since := k.Since(then); then.Moment > now.Moment && since == 0 { // the clock was set back
		ahead := then.Moment.Sub(now.Moment).Round(time.Second)
		t.report(fmt.Errorf("%w: it is %s ahead of the clock", ErrPosition, ahead))
		then = now
	}
	return &span{from: then, reason: GapRestarted}
}

// saveSoon has the position saved without waiting for the interval: if the program is killed in
// its first seconds, the next run has to know from when on it has missed something.
func (t *RTM) saveSoon() {
	select {
	case t.saveNow <- struct{}{}:
	default:
	}
}

// savePositions saves the position every positionInterval if it has changed, at once after
// saveSoon, and once more when stop is called, which waits for that.
func (t *RTM) savePositions() (stop func()) {
	if t.cfg.position == nil {
		return func() {}
	}
	ticker := time.NewTicker(positionInterval)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var saved savedPosition
		for {
			select {
			case <-ticker.C:
				saved = t.savePosition(saved)
			case <-t.saveNow:
				saved = t.savePosition(saved)
			case <-quit:
				t.savePosition(saved)
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(quit)
		<-ended
	}
}

// savedPosition identifies the position that was saved last.
type savedPosition struct {
	at       clock.Moment
	messages uint64 // handled by then: while a gap is being filled, only that changes
}

// savePosition saves the position unless it is saved already, and returns which is saved now.
func (t *RTM) savePosition(saved savedPosition) savedPosition {
	upTo := t.progress.handledUpTo(t.queue.Oldest)
	now := savedPosition{at: upTo.Moment}
	if t.seen != nil {
		now.messages = t.seen.Added()
	}
	if upTo.IsZero() || now == saved {
		return saved
	}
	var p Position
	p.Time, p.Crisp = t.client.clock.Dates(upTo)
	if t.seen != nil {
		// A backfill searches from an overlap before the position on, by Crisp's clock, and
		// the clocks may differ by as much again.
		p.Handled = t.seen.Since(now.at.Add(-2 * t.cfg.backfill.Overlap))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.stopped), saveTimeout)
	defer cancel()
	// A position that is not saved costs a longer gap after a restart, which is no reason to
	// end.
	if err := callUser("PositionStore.Save", func() error { return t.cfg.position.Save(ctx, p) }); err != nil {
		t.report(err)
		return saved
	}
	return now
}
