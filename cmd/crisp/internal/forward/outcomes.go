package forward

import (
	"errors"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// Outcomes sums up what became of deliveries.
type Outcomes struct {
	Accepted, Refused, Unreached int
	last                         error // why the last unanswered one was not answered
}

// Add counts a delivery.
func (o *Outcomes) Add(d record.Delivery) {
	switch {
	case d.Outcome == record.Accepted:
		o.Accepted++
	case d.Status == 0:
		o.Unreached++
		o.last = errors.New(d.Error)
	default:
		o.Refused++
	}
}

// Unreachable returns why no delivery was answered at all; nil if one was.
func (o *Outcomes) Unreachable() error {
	if o.Accepted+o.Refused > 0 {
		return nil
	}
	return o.last
}
