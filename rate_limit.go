package crisp

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// RateLimit is what Crisp said last about its limits, in the headers of an answer. It documents
// none of these headers; the usual names are understood: Retry-After, and X-RateLimit-Limit,
// -Remaining and -Reset, with or without the X.
type RateLimit struct {
	// Limit is how many calls are allowed in the current period; 0 = not said, and then
	// Remaining means nothing.
	Limit int
	// Remaining is how many of them are left.
	Remaining int
	// Reset is when the next period begins; zero = not said.
	Reset time.Time
	// RetryAt is when a call that was refused may be sent again; zero = not said.
	RetryAt time.Time
	// Told is when Crisp said this; zero = never.
	Told time.Time
}

// RateLimit returns what Crisp said last about its limits. The client keeps to them by itself;
// this is for programs that want to leave some of them to others.
func (c *Client) RateLimit() RateLimit {
	c.told.mu.Lock()
	defer c.told.mu.Unlock()
	return c.told.last
}

// toldLimits keeps the RateLimit of a client.
type toldLimits struct {
	mu   sync.Mutex // guards last
	last RateLimit
}

// hear notes what the headers of an answer say about limits, if they do.
func (t *toldLimits) hear(h http.Header, now time.Time) {
	told := parseRateLimit(h, now)
	if told.Limit == 0 && told.Reset.IsZero() && told.RetryAt.IsZero() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = told
}

// parseRateLimit reads what the headers of an answer that came now say about limits.
func parseRateLimit(h http.Header, now time.Time) RateLimit {
	told := RateLimit{Told: now}
	told.Limit = int(limitHeader(h, "Limit", strconv.IntSize))
	if told.Limit > 0 {
		told.Remaining = int(limitHeader(h, "Remaining", strconv.IntSize))
	}
	if reset := limitHeader(h, "Reset", 64); reset > 0 {
		told.Reset = resetTime(reset, now)
	}
	if wait := parseRetryAfter(h.Get("Retry-After"), now); wait > 0 {
		told.RetryAt = now.Add(wait)
	}
	return told
}

// limitHeader reads the number in a header, which must fit into so many bits; 0 if it is absent
// or makes no sense. What may follow the number, as in "100, 100;w=60", is ignored.
func limitHeader(h http.Header, name string, bits int) int64 {
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		value, _, _ := strings.Cut(h.Get(prefix+name), ",")
		if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, bits); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// resetTime interprets a number by its magnitude: as seconds from now, or as the UNIX time in
// seconds or milliseconds.
func resetTime(n int64, now time.Time) time.Time {
	switch {
	case n < 1e9:
		return now.Add(time.Duration(n) * time.Second)
	case n < 1e11:
		return time.Unix(n, 0)
	default:
		return time.UnixMilli(n)
	}
}
