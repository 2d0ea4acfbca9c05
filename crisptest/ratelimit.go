package crisptest

import (
	"net/http"
	"time"
)

// rateLimit limits the requests to REST. Server.mu guards the counts.
type rateLimit struct {
	max   int // per period; 0 means no limit
	per   time.Duration
	quota int // in total; 0 means no quota

	spanEnds time.Time
	inSpan   int
	inAll    int
}

// admit counts a request and returns 200, or the status to refuse it with, and
// the time until the next may be sent if that is known.
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
		return http.StatusLocked, 0
	}
	l.inAll++
	return http.StatusOK, 0
}

// LimitREST makes REST answer with status 429 and a Retry-After header after n
// requests within a period of time, until [Server.Heal]. A period begins with its
// first request. [WithRateLimit] does so forever.
func (s *Server) LimitREST(n int, per time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.rate = rateLimit{max: max(n, 1), per: per}
}

// admit counts a request within all limits; s.mu is held.
func (s *Server) admit(now time.Time) (status int, retryAfter time.Duration) {
	status, retryAfter = s.rate.admit(now)
	if status != http.StatusOK {
		return status, retryAfter
	}
	return s.faults.rate.admit(now)
}
