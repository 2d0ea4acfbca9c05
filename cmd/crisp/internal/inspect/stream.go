package inspect

import (
	"fmt"
	"net/http"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
)

const (
	batch      = 500              // entries per write
	statsEvery = time.Second      // also while entries keep coming
	aliveEvery = 15 * time.Second // for comments that keep proxies from closing an idle stream
)

// hole says that entries were removed from the ring before the page had read them.
type hole struct {
	From  string `json:"from"` // ID of the last entry that it read
	To    string `json:"to"`   // ID of the next entry that is left
	Count uint64 `json:"count"`
}

// stream sends the ring's entries, and each new one, as server-sent events. It reads the
// ring only as fast as the page takes them, so that a slow page holds up nobody.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	next, restarted := s.place(after)
	info := s.info()
	info.Restarted = restarted
	w.Header().Set("Content-Type", "text/event-stream")
	out := events{w: w, control: http.NewResponseController(w)}
	_ = out.control.SetReadDeadline(time.Time{}) // the request has been read
	out.event("hello", info)
	stats, alive := time.NewTicker(statsEvery), time.NewTicker(aliveEvery)
	defer stats.Stop()
	defer alive.Stop()
	out.event("stats", s.stats(time.Now()))
	for out.err == nil {
		next = s.sendFrom(&out, next, &after)
		if out.err != nil {
			return
		}
		select {
		case <-s.cfg.Ring.Changed(next):
		case now := <-stats.C:
			out.event("stats", s.stats(now))
		case <-alive.C:
			out.write([]byte(": alive\n\n"))
		case <-r.Context().Done():
			return
		}
		select { // so that stats and the end are not starved while entries keep coming
		case now := <-stats.C:
			out.event("stats", s.stats(now))
		case <-r.Context().Done():
			return
		default:
		}
	}
}

// sendFrom sends a batch of entries from a place on, and returns the place after it.
// last holds the ID of the last entry that was sent.
func (s *Server) sendFrom(out *events, from uint64, last *string) (next uint64) {
	list, next, oldest := s.cfg.Ring.Read(from, batch)
	if from != 0 && oldest > from && len(list) > 0 {
		out.event("hole", hole{From: *last, To: list[0].ID(), Count: oldest - from})
	}
	for _, e := range list {
		*last = e.ID()
		out.add("record", *last, e)
	}
	out.flush()
	return next
}

// events writes server-sent events. After an error it writes nothing more.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	pending []byte
	err     error
}

// add appends an event to those that flush will write.
func (o *events) add(name, id string, data any) {
	text, err := output.Encode(data)
	if err != nil {
		o.err = err
		return
	}
	o.pending = fmt.Appendf(o.pending, "event: %s\n", name)
	if id != "" {
		o.pending = fmt.Appendf(o.pending, "id: %s\n", id)
	}
	o.pending = append(append(append(o.pending, "data: "...), text...), "\n\n"...)
}

// event writes an event without an ID.
func (o *events) event(name string, data any) {
	o.add(name, "", data)
	o.flush()
}

func (o *events) flush() {
	if len(o.pending) > 0 {
		o.write(o.pending)
		o.pending = o.pending[:0]
	}
}

func (o *events) write(text []byte) {
	if o.err != nil {
		return
	}
	_ = o.control.SetWriteDeadline(time.Now().Add(tooSlow)) // best effort
	if _, o.err = o.w.Write(text); o.err == nil {
		o.err = o.control.Flush()
	}
}
