package socketio

import (
	"bytes"
	"encoding/base64"
	"strconv"
)

// assembly is a binary packet whose attachments are still coming, each in a
// binary frame of its own.
type assembly struct {
	packet      packet // nothing in it aliases the read buffer
	attachments [][]byte
	size        int
}

func newAssembly(p packet, size int) *assembly {
	p.ackID, p.data = bytes.Clone(p.ackID), bytes.Clone(p.data)
	return &assembly{packet: p, size: size}
}

// wanted says whether the packet will be of any use once it is complete. The
// attachments of the others are counted off and forgotten.
func (a *assembly) wanted() bool {
	return a.packet.kind == kindBinaryEvent && !a.packet.foreign
}

func (a *assembly) complete() bool { return len(a.attachments) == a.packet.attachments }

func (a *assembly) add(attachment []byte) {
	a.size += len(attachment)
	if !a.wanted() {
		attachment = nil
	}
	a.attachments = append(a.attachments, bytes.Clone(attachment))
}

// placeholder is how all known servers spell the start of the object that
// stands for an attachment. These bytes can't occur inside of a JSON string,
// because the quote in them would end it.
var placeholder = []byte(`{"_placeholder":true,"num":`)

// data is the packet's JSON with each placeholder replaced by its attachment as
// a base64 string. An attachment may be used once: otherwise a small packet
// could ask for a huge one.
func (a *assembly) data() ([]byte, error) {
	var out []byte
	rest := a.packet.data
	for {
		before, after, found := bytes.Cut(rest, placeholder)
		out = append(out, before...)
		if !found {
			return out, nil
		}
		digits, after, _ := bytes.Cut(after, []byte{'}'})
		n, err := strconv.ParseUint(string(digits), 10, 8)
		if err != nil || n >= uint64(len(a.attachments)) || a.attachments[n] == nil {
			return nil, errPlaceholder
		}
		out = append(out, '"')
		out = base64.StdEncoding.AppendEncode(out, a.attachments[n])
		out = append(out, '"')
		a.attachments[n] = nil
		rest = after
	}
}
