package crisp

import (
	"maps"
	"sync"
	"time"
)

// WebhookStats are counters of a [Webhook] since it was made.
type WebhookStats struct {
	// Answers is how many requests were answered, by HTTP status: see [Webhook].
	Answers map[int]uint64
	// Running is how many are not answered yet: their handlers run, or their bodies
	// have not arrived.
	Running int
	// LastAnswer is when the last one was answered; zero if none was.
	LastAnswer time.Time
}

// Stats returns the counters.
func (h *Webhook) Stats() WebhookStats {
	h.counts.mu.Lock()
	defer h.counts.mu.Unlock()
	stats := h.counts.stats
	stats.Answers = maps.Clone(stats.Answers)
	if stats.Answers == nil {
		stats.Answers = map[int]uint64{}
	}
	return stats
}

// webhookCounts count requests.
type webhookCounts struct {
	mu    sync.Mutex // guards stats
	stats WebhookStats
}

// begin counts a request that has come.
func (c *webhookCounts) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Running++
}

// answered counts the answer to a request, by its status.
func (c *webhookCounts) answered(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Running--
	if c.stats.Answers == nil {
		c.stats.Answers = make(map[int]uint64)
	}
	c.stats.Answers[status]++
	c.stats.LastAnswer = time.Now()
}
