// Package stream writes what happens while a command runs to stdout, stderr and a
// capture, and forwards events to targets.
package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Config says where a stream's records go.
type Config struct {
	Printer *output.Printer
	Tell    func(format string, args ...any) // writes a line to stderr
	Note    func(format string, args ...any) // the same, for what is no trouble
	Capture *capture.Writer                  // nil for no capture
	Watch   func(record.Record)              // called with every record, in order; must return at once; may be nil
	Targets forward.Config                   // the stream sets Report and Stalled
	RTMOnly bool                             // also forward events that Crisp sends by no web hook
	Await   bool                             // an event is done only when each target has it
	Count   int                              // events to take; 0 for all

	// Enough is called once, when Count events are done.
	Enough func()
	// Failed is called when something could not be written. The run has to end.
	Failed func(error)
}

// Stream takes events and other records. It is safe for concurrent use.
type Stream struct {
	cfg     Config
	forward *forward.Forwarder

	order sync.Mutex // guards the order of events, from their numbers to the targets' queues; locked before mu

	mu       sync.Mutex  // guards the fields below and the order of what is written
	n        uint64      // number of the last record
	events   int         // events taken
	finished int         // events that are done
	dropped  int         // events that were dropped before they could be taken
	skipped  int         // RTM-only events that were not forwarded
	err      error       // the first failed write; nothing is written after it
	patience *time.Timer // set while the stream closes; when it fires, outstanding deliveries are given up
}

// New makes a stream. The caller closes it.
func New(cfg Config) *Stream {
	s := &Stream{cfg: cfg}
	cfg.Targets.Report = s.delivered
	cfg.Targets.Stalled = func(target string, events int) {
		s.Tell("%s is slower than the events come: %d wait, and others wait for it", target, events)
	}
	s.forward = forward.New(cfg.Targets)
	return s
}

// Tell writes a line to stderr.
func (s *Stream) Tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Tell(format, args...)
}

// Note writes a line to stderr about what is no trouble; -q silences it.
func (s *Stream) Note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Note(format, args...)
}

var errEnough = errors.New("as many events as were asked for have come")

// Event takes an event. It waits for room in the targets' queues and, with Await, until
// the event is delivered. The error says why the event is not done.
func (s *Stream) Event(ctx context.Context, ev *record.Event) error {
	done, err := s.take(ctx, ev)
	if errors.Is(err, errEnough) {
		<-ctx.Done() // returning earlier would let it count as handled
		return err
	}
	if err != nil {
		return err
	}
	if s.cfg.Await {
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	s.mu.Lock()
	s.finished++
	isEnough := s.cfg.Count > 0 && s.finished == s.cfg.Count
	s.mu.Unlock()
	if isEnough {
		s.cfg.Enough()
	}
	return nil
}

// take numbers an event, writes it, and queues it for the targets, in the order of the
// calls. done is closed when each target has accepted it or given it up.
func (s *Stream) take(ctx context.Context, ev *record.Event) (done <-chan struct{}, err error) {
	s.order.Lock()
	defer s.order.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.cfg.Count > 0 && s.events == s.cfg.Count {
		s.mu.Unlock()
		return nil, errEnough
	}
	s.events++
	n, err := s.write(ev)
	isForwarded := s.cfg.RTMOnly || !ev.RTMOnly
	if !isForwarded && len(s.cfg.Targets.Targets) > 0 {
		s.skipped++
		if s.skipped == 1 {
			s.cfg.Note("%s is not forwarded, since Crisp sends it by no web hook: --rtm-only forwards such events, too", ev.Name())
		}
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if !isForwarded {
		none := make(chan struct{})
		close(none)
		return none, nil
	}
	return s.forward.Put(ctx, forward.Job{N: n, Event: ev})
}

// Happened takes a record that is not an event.
func (s *Stream) Happened(what record.What) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if dropped, ok := what.(*record.Dropped); ok {
		if s.cfg.Count > 0 && s.events == s.cfg.Count {
			return // they came after the last event that was wanted
		}
		s.dropped += dropped.Count
	}
	_, _ = s.write(what) // which calls Failed
}

func (s *Stream) delivered(d record.Delivery) {
	s.Happened(&d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.patience != nil && d.Outcome == record.Accepted {
		s.patience.Reset(closing)
	}
}

// Repeat takes what a user sent by hand on the page. It is captured and watched, but
// neither printed nor forwarded. It returns the record.
func (s *Stream) Repeat(what record.What) (record.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keep(what, false)
}

// write numbers, captures, prints and watches a record; s.mu is held.
func (s *Stream) write(what record.What) (n uint64, err error) {
	r, err := s.keep(what, true)
	return r.N, err
}

// keep is write, but prints the record only if isShown; s.mu is held. After an error
// nothing more is written.
func (s *Stream) keep(what record.What, isShown bool) (r record.Record, err error) {
	if s.err != nil {
		return r, s.err
	}
	s.n++
	r = record.Record{N: s.n, At: time.Now(), What: what}
	if s.cfg.Capture != nil {
		err = s.cfg.Capture.Write(r)
	}
	if err == nil && isShown {
		err = s.show(r)
	}
	if err == nil && s.cfg.Watch != nil {
		s.cfg.Watch(r)
	}
	if err != nil {
		s.err = err
		s.cfg.Failed(err)
	}
	return r, err
}

// Waiting returns what waits to be delivered.
func (s *Stream) Waiting() forward.Waiting { return s.forward.Waiting() }

// show prints a record: events and deliveries on stdout, what happens to the connection
// on stderr. With --format json stdout has all of them; with --format raw only events.
func (s *Stream) show(r record.Record) error {
	format := s.cfg.Printer.Format()
	switch r.What.(type) {
	case *record.Event:
		return s.cfg.Printer.Print(r.Item())
	case *record.Delivery:
		if format != output.FormatRaw {
			return s.cfg.Printer.Print(r.Item())
		}
		s.cfg.Note("%s", r.Line(output.Style{}))
		return nil
	case *record.Lost, *record.Retrying, *record.Gap, *record.Dropped:
		s.cfg.Tell("%s", r.Line(output.Style{}))
	default:
		s.cfg.Note("%s", r.Line(output.Style{}))
	}
	if format == output.FormatJSON {
		return s.cfg.Printer.Print(r.Item())
	}
	return nil
}

// closing is how long a closing stream waits while targets accept nothing, before it
// gives up outstanding deliveries.
const closing = 10 * time.Second

// Close waits for outstanding deliveries as long as targets keep accepting them. The
// error says what was lost. The stream can't be used afterwards.
func (s *Stream) Close() error {
	ctx, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	s.mu.Lock()
	s.patience = time.AfterFunc(closing, giveUp)
	s.mu.Unlock()
	news := time.AfterFunc(time.Second, func() {
		s.Tell("%d deliveries are still to be made: waiting until they are, or until nothing is accepted for %s",
			s.Waiting().Deliveries, closing)
	})
	counts := s.forward.Close(ctx)
	news.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patience.Stop()
	if s.err != nil {
		return s.err
	}
	return lost(s.dropped, counts)
}

// LostError says that events or deliveries were lost.
type LostError struct{ What string }

func (e *LostError) Error() string { return e.What }

func lost(dropped int, counts forward.Counts) error {
	switch {
	case counts.Left > 0:
		return &LostError{fmt.Sprintf("%d deliveries were accepted, %d given up, and %d not made", counts.Accepted, counts.GivenUp, counts.Left)}
	case counts.GivenUp > 0:
		return &LostError{fmt.Sprintf("%d deliveries were accepted, and %d given up", counts.Accepted, counts.GivenUp)}
	case dropped > 0:
		return &LostError{fmt.Sprintf("%d events were dropped", dropped)}
	default:
		return nil
	}
}
