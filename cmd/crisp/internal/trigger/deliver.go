package trigger

import (
	"context"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/internal/secrets"
)

// Delivery says how to deliver events.
type Delivery struct {
	Attempt, Limit int // of the first delivery of each event
	BadSignature   bool
	Stale          bool
	Duplicate      bool    // deliver each event twice
	Rate           float64 // events per second; 0 for one right after the other
}

// Signing returns the secrets to sign with: the right ones, or wrong ones of the same
// kind for BadSignature.
func (d Delivery) Signing(right forward.Signing) forward.Signing {
	if !d.BadSignature {
		return right
	}
	wrong := forward.Signing{URLParam: right.URLParam}
	if right.Secret != "" {
		wrong.Secret = secrets.New()
	}
	if right.URLParam != "" {
		wrong.URLSecret = secrets.New()
	}
	return wrong
}

// staleness is the age of stale signatures: far beyond any tolerance.
const staleness = time.Hour

// Attempts returns the attempts to make for an event.
func (d Delivery) Attempts(event Made, now time.Time) []forward.Attempt {
	attempt := forward.Attempt{Event: event.Name, Body: event.Body, Number: d.Attempt, Limit: d.Limit, SignedAt: now}
	if d.Stale {
		attempt.SignedAt = now.Add(-staleness)
	}
	attempts := []forward.Attempt{attempt}
	if d.Duplicate { // as Crisp does when it missed the answer
		attempt.Number++
		attempt.Limit = max(attempt.Limit, attempt.Number)
		attempts = append(attempts, attempt)
	}
	return attempts
}

// Pace calls each with the indices below count, at d's rate, until it returns an error.
func (d Delivery) Pace(ctx context.Context, count int, each func(index int) error) error {
	began := time.Now()
	for i := range count {
		if d.Rate > 0 {
			due := began.Add(time.Duration(float64(i) / d.Rate * float64(time.Second)))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := each(i); err != nil {
			return err
		}
	}
	return nil
}
