package inspect

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	batch      = 500              // records that are written at a time
	statsEvery = time.Second      // how often figures are sent
	writeLimit = 10 * time.Second // a page that takes nothing for so long is hung up on
)

// stream sends what happens as it happens, from where the page was before. A page that
// is slow reads on at its own pace, and is told what was forgotten meanwhile.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.FormValue("after")
	}
	cursor, restarted, err := s.cursor(after)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	out := &eventWriter{w: w, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/event-stream")
	hello := s.newInfo()
	hello.Restarted = restarted
	out.send("hello", "", hello)

	ticks := time.NewTicker(statsEvery)
	defer ticks.Stop()
	for out.flush() == nil {
		part := s.cfg.Ring.Read(cursor, batch)
		if part.Missed > 0 {
			out.send("hole", "", struct {
				Count uint64 `json:"count"`
			}{part.Missed})
		}
		for _, e := range part.Entries {
			out.send("record", e.ID.String(), e.Summary)
		}
		cursor = part.Next
		if len(part.Entries) > 0 {
			continue
		}
		select {
		case <-part.Changed:
		case <-ticks.C:
			out.send("stats", "", s.stats())
		case <-r.Context().Done():
			return
		}
	}
}

// eventWriter writes server-sent events.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

// send writes an event whose data are JSON, which has no line breaks.
func (o *eventWriter) send(name, id string, data any) {
	text, err := encode(data)
	if o.err = first(o.err, err); o.err != nil {
		return
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	_ = o.control.SetWriteDeadline(time.Now().Add(writeLimit)) // else the write waits
	_, o.err = fmt.Fprintf(o.w, "event: %s\n%sdata: %s\n\n", name, id, text)
}

func (o *eventWriter) flush() error {
	if o.err == nil {
		o.err = o.control.Flush()
	}
	return o.err
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// stats are figures for the plot.
type stats struct {
	At           time.Time      `json:"at"`
	Waiting      int            `json:"waiting"`
	WaitingBytes int64          `json:"waiting_bytes"`
	OldestWaitMS int64          `json:"oldest_wait_ms"`
	Latency      latency        `json:"latency_ms"` // of the deliveries of the last second
	Rates        map[string]int `json:"rates"`      // events of the last second by the namespaces of their names
	Oldest       *ID            `json:"oldest,omitempty"`
}

type latency struct {
	P50 int64 `json:"p50"`
	P95 int64 `json:"p95"`
}

func (s *Server) stats() stats {
	now := time.Now()
	state := s.cfg.Ring.State()
	figures := stats{At: now}
	if state.Records > 0 {
		figures.Oldest = &state.Oldest
	}
	var took []int64
	figures.Rates, took = s.cfg.Ring.since(now.Add(-statsEvery))
	if len(took) > 0 {
		slices.Sort(took)
		figures.Latency = latency{took[len(took)/2], took[len(took)*95/100]}
	}
	if s.cfg.Waiting != nil {
		waiting := s.cfg.Waiting()
		figures.Waiting, figures.WaitingBytes, figures.OldestWaitMS = waiting.Events, waiting.Bytes, waiting.Oldest.Milliseconds()
	}
	return figures
}
