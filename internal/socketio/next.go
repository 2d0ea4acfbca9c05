package socketio

// Next waits for the next event and returns it. On the way it answers the
// server's pings and requests for acknowledgement, and skips packets that it
// can't use. An error ends the connection, and all further calls return the
// same: [ErrClosed], [ErrServerDisconnect], [ErrTimeout], [ErrTooLarge], or that
// of the network.
func (c *Conn) Next() (Event, error) {
	for {
		f, err := c.nextFrame()
		if err != nil {
			return Event{}, c.end(err)
		}
		ev, ok := c.accept(f)
		if c.assembly == nil {
			c.arrived.Store(c.tap.heard.Load())
		}
		if ok {
			return ev, nil
		}
	}
}

func (c *Conn) nextFrame() (frame, error) {
	if len(c.early) == 0 {
		return c.read()
	}
	f := c.early[0]
	if c.early = c.early[1:]; len(c.early) == 0 {
		c.early = nil // frees the array
	}
	return f, c.err()
}

// accept handles a frame. It returns the event that the frame completes, if any.
func (c *Conn) accept(f frame) (Event, bool) {
	if f.binary {
		return c.acceptBinary(f.data)
	}
	p, err := parsePacket(f.data)
	if err != nil {
		return c.acceptText(f.data, p, err)
	}
	switch p.kind {
	case kindEvent:
		c.dropAssembly()
		return c.event(p)
	case kindBinaryEvent, kindBinaryAck:
		return c.beginAssembly(p, len(f.data))
	default:
		c.control(p)
		return Event{}, false
	}
}

// skip reports a packet that can't be used, and returns no event.
func (c *Conn) skip(reason error) (Event, bool) {
	c.opt.OnSkip(Skip{Reason: reason})
	return Event{}, false
}

// lose reports an event that can't be used, and returns none.
func (c *Conn) lose(reason error) (Event, bool) {
	c.opt.OnSkip(Skip{Reason: reason, Event: true})
	return Event{}, false
}

// event turns a complete event packet into an Event.
func (c *Conn) event(p packet) (Event, bool) {
	if p.foreign {
		return c.skip(errNamespace)
	}
	name, args, err := parseEvent(p.data)
	if err != nil {
		return c.lose(err)
	}
	if len(p.ackID) > 0 {
		c.acknowledge(p.ackID)
	}
	return Event{Name: name, Args: args}, true
}

// control handles the packets that carry no event.
func (c *Conn) control(p packet) {
	c.dropStaleAssembly()
	switch {
	case p.foreign:
		c.skip(errNamespace)
	case p.kind == kindClose, p.kind == kindDisconnect:
		_ = c.end(ErrServerDisconnect) // which the next read returns
	case p.kind == kindPing && c.opt.Version == 4:
		c.beat()
	case p.kind == kindPong, p.kind == kindNoop:
	case p.kind == kindAck:
		c.skip(errUnaskedAck)
	default:
		c.skip(errUnexpected)
	}
}
