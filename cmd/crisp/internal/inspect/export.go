package inspect

import (
	"io"
	"net/http"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
)

// export writes the entries that match a query as a capture. It leaves out entries that
// captures have no record for.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	q, err := ParseQuery(r.URL.Query().Get("q"))
	if err != nil {
		fail(w, err)
		return
	}
	list, _, _ := s.cfg.Ring.Find(q, 0, s.cfg.Ring.Size().Records)
	w.Header().Set("Content-Type", "application/jsonl")
	w.Header().Set("Content-Disposition", `attachment; filename="crisp-`+s.cfg.Run+`.jsonl"`)
	run := s.cfg.Run
	if len(list) > 0 {
		run = list[0].Run
	}
	out, err := capture.NewWriter(leftOpen{w}, capture.Options{Now: time.Now(), Run: run})
	for _, e := range list {
		if err != nil {
			return // the client has gone
		}
		if e.Run != run { // each run has its own numbers
			run = e.Run
			if out, err = capture.NewWriter(leftOpen{w}, capture.Options{Now: e.At, Run: run}); err != nil {
				return
			}
		}
		if record, broken := e.Record(); broken == nil && record.What != nil {
			err = out.Write(record)
		}
	}
}

// leftOpen is a writer that is closed elsewhere.
type leftOpen struct{ io.Writer }

func (leftOpen) Close() error { return nil }
