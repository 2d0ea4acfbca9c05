package bridge

import (
	"time"

	"github.com/crisp-go/crisp"
)

// job is a message that was handed over, and what becomes of it.
type job struct {
	id      crisp.DeliveryKey
	key     string
	size    int
	message Message
	event   crisp.Event // nil if it is none
	control Control     // likewise
	broken  error       // why it can't be decoded

	// Guarded by serving.mu.
	delivery Delivery // the last
	state    jobState
	begun    bool
	told     time.Time // when the engine heard of it last

	// For the turns of its lane alone, which come one after the other.
	handled  bool // before it came again
	attempts int  // of handlers that failed
	failure  error
	failures int       // of the engine that was to bury it
	givenUp  time.Time // zero = not yet
}

type jobState int

const (
	jobInHand jobState = iota
	jobDone
	jobForgotten // it comes again
)

func newJob(d Delivery) *job {
	m := d.Message()
	j := &job{id: m.digest(), key: m.Key(), size: m.size(), message: m, delivery: d, told: time.Now()}
	control, isControl, err := ParseControl(m)
	switch {
	case isControl:
		j.control, j.broken = control, err
	default:
		j.event, j.broken = m.Event()
	}
	return j
}

// outcome is how a turn has ended: the message is done, or there is another turn after a
// while.
type outcome struct {
	done   bool
	buried bool // and the engine knows that it is done
	delay  time.Duration
}

// state is that of a message that is done. Where one that was buried comes again,
// somebody may have asked for it.
func (o outcome) state() jobState {
	if o.buried {
		return jobForgotten
	}
	return jobDone
}

// messageKey is where the context of a handler has the message.
type messageKey struct{}
