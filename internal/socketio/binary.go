package socketio

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"
)

// assembly is a binary packet whose attachments are still coming, each in a
// binary frame of its own.
type assembly struct {
	packet      packet   // doesn't alias the read buffer
	attachments [][]byte // each nil once used
	size        int      // in bytes, of all frames so far
	began       int64    // when the packet came, in the tap's time
}

func newAssembly(p packet, size int, began int64) *assembly {
	p.ackID, p.data = bytes.Clone(p.ackID), bytes.Clone(p.data)
	return &assembly{packet: p, size: size, began: began}
}

func (a *assembly) complete() bool { return len(a.attachments) == a.packet.attachments }

func (a *assembly) add(attachment []byte) {
	a.size += len(attachment)
	a.attachments = append(a.attachments, append([]byte{}, attachment...)) // not nil, even if empty
}

// placeholder is the start of the object that stands for an attachment, as all
// known servers write it. These bytes can't occur inside a JSON string, because
// their first quote would end it.
var placeholder = []byte(`{"_placeholder":true,"num":`)

// data returns the packet's JSON with each placeholder replaced by its attachment
// as a base64 string. An attachment can be used only once: otherwise a small
// packet could expand to a huge one.
func (a *assembly) data() ([]byte, error) {
	var out []byte
	rest := a.packet.data
	for {
		before, after, found := bytes.Cut(rest, placeholder)
		out = append(out, before...)
		if !found {
			return out, nil
		}
		digits, after, closed := bytes.Cut(after, []byte{'}'})
		n, err := strconv.ParseUint(string(digits), 10, 8)
		if !closed || err != nil || n >= uint64(len(a.attachments)) || a.attachments[n] == nil {
			return nil, errPlaceholder
		}
		out = append(out, '"')
		out = base64.StdEncoding.AppendEncode(out, a.attachments[n])
		out = append(out, '"')
		a.attachments[n] = nil
		rest = after
	}
}

// acceptBinary handles a binary frame, which is an attachment. In Engine.IO 3 it
// begins with a byte for the packet type.
func (c *Conn) acceptBinary(data []byte) (Event, bool) {
	if c.opt.Version == 3 {
		if len(data) == 0 || data[0] != 4 {
			return c.skip(errUnknownPacket)
		}
		data = data[1:]
	}
	return c.attachment(data)
}

// acceptText handles a text frame that could not be parsed, for the given reason; p is as much
// as could be. It may be an attachment in the base64 form of Engine.IO 3.
func (c *Conn) acceptText(data []byte, p packet, reason error) (Event, bool) {
	if p.kind == kindBinaryEvent && !p.foreign {
		c.dropAssembly()
		return c.lose(reason)
	}
	encoded, found := bytes.CutPrefix(data, []byte("b4"))
	if !found || c.opt.Version != 3 {
		return c.skip(reason)
	}
	decoded, err := base64.StdEncoding.AppendDecode(nil, encoded)
	if err != nil {
		return c.skip(errBase64)
	}
	return c.attachment(decoded)
}

// attachment adds an attachment to the packet that it belongs to.
func (c *Conn) attachment(data []byte) (Event, bool) {
	if c.assembly == nil {
		return c.skip(errStrayBinary)
	}
	if int64(c.assembly.size)+int64(len(data)) > c.opt.ReadLimit {
		return c.giveUp(errAttachmentSize)
	}
	c.assembly.add(data)
	return c.finishAssembly()
}

// beginAssembly starts collecting the attachments of a binary packet.
func (c *Conn) beginAssembly(p packet, size int) (Event, bool) {
	c.dropAssembly()
	c.assembly = newAssembly(p, size, c.tap.heard.Load())
	return c.finishAssembly()
}

// finishAssembly returns the event of the binary packet if it is complete.
func (c *Conn) finishAssembly() (Event, bool) {
	a := c.assembly
	if !a.complete() {
		return Event{}, false
	}
	c.assembly = nil
	if a.packet.foreign {
		return c.skip(errNamespace)
	}
	if a.packet.kind == kindBinaryAck {
		return c.skip(errUnaskedAck)
	}
	data, err := a.data()
	if err != nil {
		return c.lose(err)
	}
	a.packet.data = data
	return c.event(a.packet)
}

// dropAssembly gives up an incomplete binary packet, because another packet has
// begun.
func (c *Conn) dropAssembly() {
	if c.assembly != nil {
		c.giveUp(errAttachmentLost)
	}
}

// giveUp gives up an incomplete binary packet.
func (c *Conn) giveUp(reason error) (Event, bool) {
	p := c.assembly.packet
	c.assembly = nil
	if p.kind == kindBinaryEvent && !p.foreign {
		return c.lose(reason)
	}
	return c.skip(reason)
}

// dropStaleAssembly gives up a binary packet whose attachments should have come long ago: the
// server sends heartbeats instead.
func (c *Conn) dropStaleAssembly() {
	if a := c.assembly; a != nil && time.Duration(c.tap.heard.Load()-a.began) > c.heartbeat.watchdog.limit {
		c.dropAssembly()
	}
}
