package crisp

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/fifo"
)

// Unless the program has set a logger or an error handler, trouble is logged by slog.Default, at
// a limited rate: the same thing once in a warningPause, with the number of times that were left
// out meanwhile.
const (
	warningPause = time.Minute
	maxWarnings  = 256 // how many different things are remembered at a time
)

// sparing decides what is logged, and counts what isn't.
type sparing struct {
	mu   sync.Mutex                 // guards told
	told *fifo.Map[string, telling] // by thing
}

// telling is when a thing was last logged, and how often it was left out since.
type telling struct {
	at         time.Time
	suppressed int
}

func newSparing() *sparing { return &sparing{told: fifo.New[string, telling](maxWarnings)} }

// due reports whether a thing is to be logged now, and how often it was left out before.
func (s *sparing) due(thing string) (suppressed int, ok bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	last, known := s.told.Get(thing)
	if known && now.Sub(last.at) < warningPause {
		last.suppressed++
		s.told.Put(thing, last)
		return 0, false
	}
	s.told.Put(thing, telling{at: now})
	return last.suppressed, true
}

// log passes a record to slog.Default if it is due. The error is that of its handler, which is
// code of users.
func (s *sparing) log(ctx context.Context, thing string, record slog.Record) error {
	return callUser("slog.Default", func() error { return s.pass(ctx, thing, record) })
}

// pass is log without protection from the handler's panics.
func (s *sparing) pass(ctx context.Context, thing string, record slog.Record) error {
	handler := slog.Default().Handler()
	if !handler.Enabled(ctx, record.Level) {
		return nil
	}
	suppressed, ok := s.due(thing)
	if !ok {
		return nil
	}
	if suppressed > 0 {
		record = record.Clone()
		record.AddAttrs(slog.Int("suppressed", suppressed))
	}
	return handler.Handle(ctx, record)
}

// defaultLogger makes a logger that passes warnings and errors to slog.Default, whichever that is
// by then.
func defaultLogger() *slog.Logger { return slog.New(&warningHandler{sparing: newSparing()}) }

// warningHandler is the handler of a defaultLogger. Two records are the same thing if they have
// the same message and the same attribute keyThing.
type warningHandler struct {
	sparing *sparing
	attrs   []slog.Attr
}

// keyThing is the attribute by which warnings of the same message differ.
const keyThing = "event"

func (*warningHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

func (h *warningHandler) Handle(ctx context.Context, record slog.Record) error {
	thing := record.Message
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == keyThing {
			thing += "\x00" + a.Value.String()
		}
		return true
	})
	if len(h.attrs) > 0 {
		record = record.Clone()
		record.AddAttrs(h.attrs...)
	}
	return h.sparing.log(ctx, thing, record)
}

func (h *warningHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &warningHandler{sparing: h.sparing, attrs: slices.Concat(h.attrs, attrs)}
}

// WithGroup is not needed: the library has no groups.
func (h *warningHandler) WithGroup(string) slog.Handler { return h }

// isDefault reports whether a logger is a defaultLogger.
func isDefault(logger *slog.Logger) bool {
	_, ok := logger.Handler().(*warningHandler)
	return ok
}
