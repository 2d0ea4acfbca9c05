package socketio

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A doubt is about the age of what is read. Bytes that come late may have been sent long
// before. By now the server may have given up the connection, and thrown away what it had yet
// to send, without a sign of that here. That can happen after the process was frozen, after
// something on the way held bytes back, and after the reader was kept from reading.
//
// The doubt is over when the server has answered pings that were sent after it arose: whatever
// it had written before has been read by then. For a server that answers no pings, it is over
// when something comes after the reader has listened for as long as a living server may be
// silent. Only listening counts: while nobody reads, an answer may wait behind other bytes, and
// the connection may be long dead.
type doubt struct {
	began    atomic.Int64 // in the tap's time; 0 = there is none
	lateTime atomic.Int64 // how long the network may be silent before what comes is late; 0 = maxLateTime

	mu       sync.Mutex    // guards what follows, and writing began
	asking   bool          // settle's goroutine runs
	later    int64         // when another doubt arose, which the pings underway won't settle; 0 = none did
	travel   time.Duration // the shortest round trip of a ping so far; 0 = none has been answered
	silence  time.Duration // how long a living server may send nothing; 0 = not known
	giveUp   func()        // ends the pings underway; nil = there are none
	asked    time.Time     // when these began
	listened time.Duration // how long the reader has listened since asked
}

// maxLateTime is longer than a peer with more to send would pause, and longer than TCP takes to
// send a lost segment again.
const maxLateTime = 500 * time.Millisecond

// setPatience sets how often the server pings, and how long it waits for the answer before it
// gives up a client.
func (d *doubt) setPatience(interval, timeout time.Duration) {
	d.lateTime.Store(int64(min(maxLateTime, timeout/4)))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silence = interval + timeout
}

// arise begins a doubt: what is read from now on may have been sent at any time since a moment,
// in the tap's time.
func (d *doubt) arise(since int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.began.Load() == 0:
		d.began.Store(since)
	case d.asking && d.later == 0:
		d.later = since
	}
}

// late reports whether bytes that come after a silence are late. An answer to a ping is not, if
// it takes no more than twice the shortest round trip.
func (d *doubt) late(after time.Duration) bool {
	late := time.Duration(d.lateTime.Load())
	if late == 0 {
		late = maxLateTime
	}
	if after < late {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return after >= 2*d.travel
}

// settle pings the server, on a goroutine of its own, until there is no doubt or the connection
// fails. ping sends one ping and waits for the answer.
func (d *doubt) settle(ping func(context.Context) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asking || d.began.Load() == 0 {
		return
	}
	d.asking = true
	go func() {
		for again := true; again; {
			again = d.answered(d.ask(ping))
		}
	}()
}

// ask sends two pings, one after the other, since the answer to the first may overtake what the
// server has not written to its socket yet. It returns nil once they were answered or given up.
func (d *doubt) ask(ping func(context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d.mu.Lock()
	d.giveUp, d.asked, d.listened = cancel, time.Now(), 0
	d.mu.Unlock()
	for range 2 {
		sent := time.Now()
		err := ping(ctx)
		if err != nil && ctx.Err() != nil {
			return nil // given up: the server lives, but answers no pings
		}
		if err != nil {
			return err
		}
		d.measure(time.Since(sent))
	}
	return nil
}

// heard notes that bytes came after the reader had listened for some time.
func (d *doubt) heard(after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.giveUp == nil {
		return
	}
	// The read may have begun before the server was asked.
	d.listened += min(after, time.Since(d.asked))
	if d.silence > 0 && d.listened >= d.silence {
		d.giveUp()
	}
}

// measure notes the round trip of a ping.
func (d *doubt) measure(travel time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.travel == 0 || travel < d.travel {
		d.travel = travel
	}
}

// answered ends the doubt that the pings were about, and reports whether there is a later one.
// After an error it ends none.
func (d *doubt) answered(err error) (again bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.giveUp = nil
	if err != nil { // the connection has ended; what is left of it is as doubtful as before
		d.asking = false
		return false
	}
	d.began.Store(d.later)
	d.later = 0
	d.asking = d.began.Load() != 0
	return d.asking
}
