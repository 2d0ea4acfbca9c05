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

// loadPosition returns what another run has got to; zero if there was none.
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

// missedSince is what was missed since another run, up to a connection.
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

// saveSoon saves the position without waiting for the interval: a program that is killed
// in its first seconds shall know in its next life from when on it has missed something.
func (t *RTM) saveSoon() {
	select {
	case t.saveNow <- struct{}{}:
	default:
	}
}

// savePositions saves the position while it changes, at a new connection, and once more
// when stop is called.
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

// savedPosition is what is known of the position that was saved last.
type savedPosition struct {
	at       clock.Moment
	messages uint64 // handled up to then
}

// savePosition saves the position if it is not the one that is saved, and returns
// what is saved now. It may be at the same time as before: while a gap is being
// filled, it is the messages handled that change.
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
		// A backfill looks for what was sent up to an overlap before, by Crisp's
		// clock, and the clocks may differ by as much.
		p.Handled = t.seen.Since(now.at.Add(-2 * t.cfg.backfill.Overlap))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.stopped), saveTimeout)
	defer cancel()
	// A position that is not saved costs a longer gap after a restart; the
	// program that runs need not end for it.
	if err := callUser("PositionStore.Save", func() error { return t.cfg.position.Save(ctx, p) }); err != nil {
		t.report(err)
		return saved
	}
	return now
}
