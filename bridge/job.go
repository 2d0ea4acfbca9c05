package bridge

import (
	"time"

	"github.com/crisp-go/crisp"
)

// job is a message that the engine handed over, and how far its handling has got.
type job struct {
	id      crisp.DeliveryKey
	key     string // of its lane
	size    int    // about what it takes in memory, in bytes
	message Message
	event   crisp.Event // nil if the message is none
	control Control     // nil if the message is none
	broken  error       // why the message can't be decoded; nil if it can

	// Guarded by serving.mu.
	delivery Delivery // the last one: the message may be handed over again
	state    jobState
	begun    bool      // a turn has begun
	told     time.Time // when the engine last learned that it is in hand

	// For the turns of its lane alone, which come one after the other.
	handled  bool      // it was done before, and came again
	attempts int       // of its handlers, that failed
	failure  error     // of the last attempt
	failures int       // of burials
	givenUp  time.Time // when it was first to be buried; zero = not yet
}

// jobState says whether a job is in hand, or why it no longer is.
type jobState int

const (
	jobInHand jobState = iota
	jobDone
	jobForgotten // the message comes again
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

// outcome is how a turn has ended: the message is done, or there is another turn after delay.
type outcome struct {
	done   bool
	buried bool // done by its burial, and the engine knows
	delay  time.Duration
}

// state returns the state of a job that is done. If its message was buried and comes again,
// somebody has put it back: it is to be handled.
func (o outcome) state() jobState {
	if o.buried {
		return jobForgotten
	}
	return jobDone
}

// messageKey is the key of the Message in a handler's context.
type messageKey struct{}
