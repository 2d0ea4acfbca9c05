package inspect

import (
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Stats are how things go now.
type Stats struct {
	At           string         `json:"at"`
	Waiting      int            `json:"waiting"` // deliveries that are to be made
	WaitingBytes int64          `json:"waiting_bytes"`
	OldestWaitMS int64          `json:"oldest_wait_ms"`
	Latency      latency        `json:"latency_ms"` // of the deliveries of the last second
	Rates        map[string]int `json:"rates"`      // events of the last second, by namespace
	Oldest       string         `json:"oldest"`     // ID of the oldest entry that there is
}

type latency struct {
	P50 int64 `json:"p50"`
	P95 int64 `json:"p95"`
}

func (s *Server) stats(now time.Time) Stats {
	stats := Stats{At: now.Format(milliseconds), Rates: make(map[string]int), Oldest: s.cfg.Ring.Size().Oldest}
	if s.cfg.Waiting != nil {
		w := s.cfg.Waiting()
		stats.Waiting, stats.WaitingBytes = w.Deliveries, w.Bytes
		if !w.Oldest.IsZero() {
			stats.OldestWaitMS = max(now.Sub(w.Oldest).Milliseconds(), 0)
		}
	}
	var took []int64
	for _, e := range s.cfg.Ring.since(now.Add(-time.Second)) {
		switch sum := &e.Summary; record.Kind(sum.Kind) {
		case record.KindEvent:
			namespace, _, _ := strings.Cut(sum.Event, ":")
			stats.Rates[namespace]++
		case record.KindDelivery:
			if sum.TookMS != nil {
				took = append(took, *sum.TookMS)
			}
		default:
		}
	}
	slices.Sort(took)
	stats.Latency = latency{P50: quantile(took, 50), P95: quantile(took, 95)}
	return stats
}

// quantile returns the smallest value that so many percent do not exceed.
func quantile(sorted []int64, percent int) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*percent+99)/100-1]
}
