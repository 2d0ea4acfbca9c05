package inspect

import (
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Stats are figures about the last second and about what waits.
type Stats struct {
	At           string         `json:"at"`
	Waiting      int            `json:"waiting"` // deliveries that wait or are under way
	WaitingBytes int64          `json:"waiting_bytes"`
	OldestWaitMS int64          `json:"oldest_wait_ms"`
	Latency      latency        `json:"latency_ms"` // of the last second's deliveries
	Rates        map[string]int `json:"rates"`      // the last second's events, by namespace
	Oldest       string         `json:"oldest"`     // ID of the oldest entry in the ring
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

// quantile returns the smallest value that the given percentage does not exceed.
func quantile(sorted []int64, percent int) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*percent+99)/100-1]
}
