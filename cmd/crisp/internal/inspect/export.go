package inspect

import (
	"io"
	"net/http"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// export answers with the records that meet a query, as a capture.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	query, err := ParseQuery(r.FormValue("q"))
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	found, _, _ := s.cfg.Ring.Find(query, s.cfg.Ring.Begin(), int(^uint(0)>>1))
	w.Header().Set("Content-Type", "application/jsonl")
	w.Header().Set("Content-Disposition", `attachment; filename="crisp-`+time.Now().Format("20060102-150405")+`.jsonl"`)
	writer, err := capture.NewWriter(nopCloser{w}, capture.Options{Now: time.Now()})
	if err != nil {
		return // the page has gone
	}
	for _, e := range found {
		rec := record.Record{N: e.N, At: e.Time, What: e.what}
		if e.body != nil {
			ev, err := e.event()
			if err != nil {
				continue // it was one when it was recorded
			}
			rec.What = ev
		}
		if _, isNote := rec.What.(*record.Note); isNote {
			continue // captures have none
		}
		if writer.Write(rec) != nil {
			return
		}
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
