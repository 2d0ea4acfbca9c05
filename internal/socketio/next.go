package socketio

import "encoding/base64"

// Next waits for the next event. On the way it answers the server's pings and
// requests for acknowledgement, and skips packets that it can't use. An error
// ends the session, and all further calls return the same: [ErrClosed],
// [ErrServerDisconnect], [ErrTimeout], [ErrTooLarge], or that of the network.
func (c *Conn) Next() (Event, error) {
	for {
		f, err := c.nextFrame()
		if err != nil {
			return Event{}, c.end(err)
		}
		ev, ok, err := c.accept(f)
		if err != nil {
			return Event{}, c.end(err)
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
	c.early = c.early[1:]
	return f, c.err()
}

// accept handles a frame and says whether it completed an event.
func (c *Conn) accept(f frame) (ev Event, ok bool, err error) {
	if f.binary {
		ev, ok = c.acceptAttachment(f.data)
		return ev, ok, nil
	}
	p, err := parsePacket(f.data)
	if err != nil {
		return c.acceptText(f.data, err)
	}
	switch p.kind {
	case kindEvent:
		c.dropAssembly()
		ev, ok = c.event(p, len(f.data))
		return ev, ok, nil
	case kindBinaryEvent, kindBinaryAck:
		c.dropAssembly()
		c.assembly = newAssembly(p, len(f.data))
		ev, ok = c.finishAssembly()
		return ev, ok, nil
	}
	return Event{}, false, c.control(p)
}

// acceptText handles a text frame that is no packet: an attachment in the text
// form of Engine.IO 3, or something to skip.
func (c *Conn) acceptText(data []byte, reason error) (ev Event, ok bool, err error) {
	if c.opt.Version == 3 && len(data) > 1 && data[0] == 'b' && data[1] == '4' {
		data = trimRight(data[2:])
		n, err := base64.StdEncoding.Decode(data, data)
		if err == nil {
			ev, ok = c.attachment(data[:n])
			return ev, ok, nil
		}
		reason = errBase64
	}
	c.opt.OnSkip(reason)
	return Event{}, false, nil
}

// event turns a complete event packet into an Event.
func (c *Conn) event(p packet, size int) (Event, bool) {
	if p.foreign {
		c.opt.OnSkip(errNamespace)
		return Event{}, false
	}
	name, args, err := parseEvent(p.data)
	if err != nil {
		c.opt.OnSkip(err)
		return Event{}, false
	}
	if len(p.ackID) > 0 {
		c.acknowledge(p.ackID)
	}
	return Event{Name: name, Args: args, Size: size}, true
}

// acknowledge tells the server that an event has arrived. If that fails the
// connection is broken, which the next read notices, after what is still to be
// read.
func (c *Conn) acknowledge(id []byte) {
	if len(id) > maxAckDigits {
		c.opt.OnSkip(errAckID)
		return
	}
	ack := append(make([]byte, 0, len("43[]")+maxAckDigits), "43"...)
	ack = append(ack, id...)
	_ = c.writeControl(append(ack, "[]"...))
}

// acceptAttachment handles a binary frame. Engine.IO 3 puts the packet type in
// front of it.
func (c *Conn) acceptAttachment(data []byte) (Event, bool) {
	if c.opt.Version == 3 {
		if len(data) == 0 || data[0] != 4 {
			c.opt.OnSkip(errUnknownPacket)
			return Event{}, false
		}
		data = data[1:]
	}
	return c.attachment(data)
}

func (c *Conn) attachment(data []byte) (Event, bool) {
	if c.assembly == nil {
		c.opt.OnSkip(errStrayBinary)
		return Event{}, false
	}
	if int64(c.assembly.size)+int64(len(data)) > c.opt.ReadLimit {
		c.assembly = nil
		c.opt.OnSkip(errAttachmentSize)
		return Event{}, false
	}
	c.assembly.add(data)
	return c.finishAssembly()
}

// finishAssembly makes an event of the binary packet, if it is complete.
func (c *Conn) finishAssembly() (Event, bool) {
	a := c.assembly
	if !a.complete() {
		return Event{}, false
	}
	c.assembly = nil
	if a.packet.kind == kindBinaryAck {
		c.opt.OnSkip(errUnaskedAck)
		return Event{}, false
	}
	data, err := a.data()
	if err != nil {
		c.opt.OnSkip(err)
		return Event{}, false
	}
	a.packet.data = data
	return c.event(a.packet, a.size)
}

func (c *Conn) dropAssembly() {
	if c.assembly != nil {
		c.assembly = nil
		c.opt.OnSkip(errAttachmentLost)
	}
}

// control handles the packets that carry no event.
func (c *Conn) control(p packet) error {
	switch p.kind {
	case kindClose:
		return ErrServerDisconnect
	case kindPing:
		if c.opt.Version == 3 {
			c.opt.OnSkip(errUnexpected)
			return nil
		}
		go c.beat() // reading doesn't wait for writing
	case kindPong, kindNoop:
	case kindAck:
		c.opt.OnSkip(errUnaskedAck)
	case kindDisconnect:
		if !p.foreign {
			return ErrServerDisconnect
		}
		c.opt.OnSkip(errNamespace)
	default:
		c.opt.OnSkip(errUnexpected)
	}
	return nil
}
