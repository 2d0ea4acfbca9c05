package crisptest

import (
	"net/http"
	"time"
)

// rateLimit is how many requests REST takes; Server.mu guards what changes.
type rateLimit struct {
	max   int // per span; 0: no limit
	per   time.Duration
	quota int // in all; 0: none

	spanEnds time.Time
	inSpan   int
	inAll    int
}

// admit counts a request, and tells how to refuse it if it is one too many:
// with a status, and when to come again if that is known.
func (l *rateLimit) admit(now time.Time) (status int, retryAfter time.Duration) {
	if l.max > 0 {
		if !now.Before(l.spanEnds) {
			l.spanEnds, l.inSpan = now.Add(l.per), 0
		}
		if l.inSpan >= l.max {
			return http.StatusTooManyRequests, l.spanEnds.Sub(now)
		}
		l.inSpan++
	}
	if l.quota > 0 && l.inAll >= l.quota {
		return statusQuota, 0
	}
	l.inAll++
	return http.StatusOK, 0
}

// statusQuota is the status of a quota that is used up.
const statusQuota = 420
