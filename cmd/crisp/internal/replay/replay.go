// Package replay sends the events of a capture again, as they came or faster.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Config says which events to send again, and when.
type Config struct {
	Speed       float64        // a multiple of the speed at which events came; 0 for as fast as possible
	From, Until Moment         // from From, and before Until
	Select      *Selection     // nil for all
	RTMOnly     bool           // also send events that Crisp sends by no web hook
	Edits       jsontext.Edits // of the payloads

	// Send sends an event. An error ends the replay.
	Send func(ctx context.Context, n uint64, came time.Time, ev *record.Event) error
	// Note is called for each line that can't be read, and once if an edit's path was
	// missing in an event.
	Note func(text string)
}

// Counts says what a replay has done.
type Counts struct {
	Sent    int
	RTMOnly int // left out, since Crisp sends them by no web hook
}

// Run sends the events of a capture in order, at the speed that was asked for.
func Run(ctx context.Context, from *capture.Reader, cfg Config) (Counts, error) {
	r := run{cfg: cfg}
	for ctx.Err() == nil {
		next, err := from.Next()
		var note *capture.NoteError
		switch {
		case errors.Is(err, io.EOF):
			return r.counts, nil
		case errors.As(err, &note):
			cfg.Note(note.Error())
			continue
		case err != nil:
			return r.counts, err
		}
		if ev, ok := next.What.(*record.Event); ok {
			if err := r.event(ctx, next, ev); err != nil {
				return r.counts, err
			}
		}
	}
	return r.counts, context.Cause(ctx)
}

type run struct {
	cfg    Config
	counts Counts
	origin time.Time // when the first event of the capture came
	came   time.Time // when the first event that was sent again had come
	began  time.Time // when that event was sent again
	noted  bool      // Note was called about an edit's missing path
}

func (r *run) event(ctx context.Context, of record.Record, ev *record.Event) error {
	if r.origin.IsZero() {
		r.origin = of.At
	}
	isWanted, err := r.wants(of)
	if err != nil || !isWanted {
		return err
	}
	if ev.RTMOnly && !r.cfg.RTMOnly {
		r.counts.RTMOnly++
		return nil
	}
	if ev, err = r.edited(ev); err != nil {
		return fmt.Errorf("event %d: %w", of.N, err)
	}
	if err := r.await(ctx, of.At); err != nil {
		return err
	}
	r.counts.Sent++
	return r.cfg.Send(ctx, of.N, of.At, ev)
}

func (r *run) wants(of record.Record) (bool, error) {
	if from := r.cfg.From; !from.IsZero() && of.At.Before(from.In(r.origin)) {
		return false, nil
	}
	if until := r.cfg.Until; !until.IsZero() && !of.At.Before(until.In(r.origin)) {
		return false, nil
	}
	if r.cfg.Select == nil {
		return true, nil
	}
	return r.cfg.Select.Has(of)
}

// edited returns the event with the edits applied. All other bytes stay as they are.
func (r *run) edited(ev *record.Event) (*record.Event, error) {
	if len(r.cfg.Edits) == 0 {
		return ev, nil
	}
	body, missing, err := r.cfg.Edits.Within("data").Apply(ev.Body)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 && !r.noted {
		r.noted = true
		r.cfg.Note(fmt.Sprintf("there was no %s in %s before", missing[0], ev.Name()))
	}
	return record.Parse(body)
}

// await waits until an event is due.
func (r *run) await(ctx context.Context, came time.Time) error {
	if r.began.IsZero() {
		r.began, r.came = time.Now(), came
	}
	if r.cfg.Speed == 0 {
		return nil
	}
	due := r.began.Add(time.Duration(float64(came.Sub(r.came)) / r.cfg.Speed))
	select {
	case <-time.After(time.Until(due)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Moment is a time, or a distance from a capture's first event.
type Moment struct {
	at     time.Time
	offset time.Duration
	isSet  bool
}

// ParseMoment reads a moment: RFC 3339, or a duration such as 10m.
func ParseMoment(text string) (Moment, error) {
	if text == "" {
		return Moment{}, nil
	}
	if offset, err := time.ParseDuration(text); err == nil {
		return Moment{offset: offset, isSet: true}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return Moment{}, fmt.Errorf("%q is no time such as 2026-03-15T10:00:00Z, nor a distance from the first event such as 10m", text)
	}
	return Moment{at: at, isSet: true}, nil
}

// IsZero reports whether no moment was given.
func (m Moment) IsZero() bool { return !m.isSet }

// In returns the moment's time in a capture whose first event came at origin.
func (m Moment) In(origin time.Time) time.Time {
	if m.at.IsZero() {
		return origin.Add(m.offset)
	}
	return m.at
}

// ParseSpeed reads a speed such as 1x, 10x or 0.5x. For max it returns 0.
func ParseSpeed(text string) (float64, error) {
	if text == "max" {
		return 0, nil
	}
	number, found := strings.CutSuffix(text, "x")
	speed, err := strconv.ParseFloat(number, 64)
	if !found || err != nil || !(speed >= 0.001 && speed <= 1e6) {
		return 0, fmt.Errorf("%q is no speed such as 1x, 10x or max", text)
	}
	return speed, nil
}
