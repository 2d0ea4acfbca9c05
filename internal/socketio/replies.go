package socketio

import (
	"bytes"
	"sync"
)

// replies are the packets that the protocol demands of us: heartbeats and acknowledgements. One
// goroutine writes them, which lives while there are some, so that reading doesn't wait for
// writing, however many the server asks for.
//
// Heartbeats that are due while one is being written are merged: they say no more than that we
// are alive. Acknowledgements can't be merged, and so their number is bounded: see
// Conn.acknowledge.
type replies struct {
	taken chan struct{} // capacity 1: there is room for acknowledgements again, or no use for them

	mu      sync.Mutex // guards what follows
	writing bool       // the goroutine runs
	broken  bool       // nothing can be written any more
	beat    bool       // a heartbeat is due
	acks    []byte     // packets that are due, each followed by ackEnd
}

// maxAcks bounds the acknowledgements that wait, in bytes. Some thousands fit.
const maxAcks = 64 << 10

// ackEnd can't occur within an acknowledgement.
const ackEnd = '\n'

func newReplies() *replies { return &replies{taken: make(chan struct{}, 1)} }

// addBeat adds a heartbeat and reports whether a goroutine has to be started.
func (r *replies) addBeat() (start bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return false
	}
	r.beat = true
	return r.begin()
}

// addAck adds an acknowledgement and reports whether a goroutine has to be
// started, and whether there was room.
func (r *replies) addAck(id []byte) (start, fits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return false, true
	}
	if len(r.acks) >= maxAcks {
		return false, false
	}
	r.acks = append(append(append(r.acks, "43"...), id...), '[', ']', ackEnd)
	return r.begin(), true
}

// begin reports whether a goroutine has to be started; mu is held.
func (r *replies) begin() bool {
	start := !r.writing
	r.writing = true
	return start
}

// takeBeat reports whether a heartbeat is due. If so, the caller has to write it.
func (r *replies) takeBeat() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := r.beat
	r.beat = false
	return due
}

// takeAcks returns all acknowledgements; the buffer of those taken before is used again. It
// reports whether there is anything to write: if not, the goroutine has to end.
func (r *replies) takeAcks(written []byte) (acks []byte, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	acks, r.acks = r.acks, written[:0]
	r.writing = r.beat || len(acks) > 0
	r.signal()
	return acks, r.writing
}

// fail drops what is due, and whatever may become due.
func (r *replies) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken, r.writing, r.beat, r.acks = true, false, false, nil
	r.signal()
}

// signal wakes acknowledge.
func (r *replies) signal() {
	select {
	case r.taken <- struct{}{}:
	default:
	}
}

// beat sends a heartbeat, without waiting for it: a ping in Engine.IO 3, a pong in 4.
func (c *Conn) beat() {
	c.heartbeat.last.Store(c.tap.now())
	if c.replies.addBeat() {
		go c.reply()
	}
}

// acknowledge confirms to the server that an event has arrived. Where the server
// asks for more than it reads, this waits until it reads some, or until the
// connection ends because it doesn't.
func (c *Conn) acknowledge(id []byte) {
	if len(id) > maxAckDigits {
		c.skip(errAckID)
		return
	}
	for {
		start, fits := c.replies.addAck(id)
		if start {
			go c.reply()
		}
		if fits {
			return
		}
		select {
		case <-c.replies.taken:
		case <-c.done:
			return
		}
	}
}

// reply writes replies until none is left. An error needs no handling: it has
// ended the connection, or the reader will notice, once it has read what came
// before.
func (c *Conn) reply() {
	acks, more := c.replies.takeAcks(nil)
	for more {
		if !c.writeReplies(acks) {
			c.replies.fail()
			return
		}
		acks, more = c.replies.takeAcks(acks)
	}
}

// writeReplies writes acknowledgements, and before each a heartbeat if one is due.
// It reports whether that went well.
func (c *Conn) writeReplies(acks []byte) bool {
	for {
		if c.replies.takeBeat() && c.writeControl(c.heartbeat.packet) != nil {
			return false
		}
		ack, rest, found := bytes.Cut(acks, []byte{ackEnd})
		if !found {
			return true
		}
		if c.writeControl(ack) != nil {
			return false
		}
		acks = rest
	}
}
