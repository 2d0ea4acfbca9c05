package socketio

import "bytes"

// kind is the type of a packet: the Engine.IO type or, for an Engine.IO
// message, the type of the Socket.IO packet in it.
type kind uint8

const (
	kindOpen kind = iota
	kindClose
	kindPing
	kindPong
	kindUpgrade
	kindNoop

	kindConnect // from here on in the order of Socket.IO's packet types
	kindDisconnect
	kindEvent
	kindAck
	kindConnectError
	kindBinaryEvent
	kindBinaryAck
)

const (
	// maxAttachments bounds what a binary packet may announce.
	maxAttachments = 10
	// maxAckDigits is the length of the largest 64-bit id. Servers count from
	// zero: only a hostile one sends a longer id.
	maxAckDigits = 20
)

// packet is a parsed text frame. Its slices alias the frame.
type packet struct {
	kind        kind
	foreign     bool   // for a namespace other than "/"
	attachments int    // of a binary packet
	ackID       []byte // the digits of the acknowledgement id, empty if there is none
	data        []byte // the JSON that follows, not parsed yet
}

// parsePacket parses a text frame except for its JSON. Trailing white space is
// removed, because one known server ends its frames with a newline. With an
// error, the packet says what it would have been, as far as that is known.
func parsePacket(frame []byte) (packet, error) {
	frame = trimRight(frame)
	if len(frame) == 0 {
		return packet{}, errEmptyPacket
	}
	switch frame[0] {
	case '0':
		return packet{kind: kindOpen, data: frame[1:]}, nil
	case '1':
		return packet{kind: kindClose}, nil
	case '2':
		return packet{kind: kindPing}, nil
	case '3':
		return packet{kind: kindPong}, nil
	case '4':
		return parseMessage(frame[1:])
	case '5':
		return packet{kind: kindUpgrade}, nil
	case '6':
		return packet{kind: kindNoop}, nil
	}
	return packet{}, errUnknownPacket
}

// parseMessage parses a Socket.IO packet:
//
//	type [attachments "-"] ["/" namespace ","] [ack id] [JSON]
func parseMessage(b []byte) (packet, error) {
	if len(b) == 0 || b[0] < '0' || b[0] > '6' {
		return packet{}, errUnknownPacket
	}
	p := packet{kind: kindConnect + kind(b[0]-'0')}
	b = b[1:]
	if p.kind == kindBinaryEvent || p.kind == kindBinaryAck {
		n, rest, ok := cutAttachmentCount(b)
		if !ok {
			return packet{kind: p.kind}, errAttachmentCount
		}
		p.attachments, b = n, rest
	}
	if len(b) > 0 && b[0] == '/' {
		namespace, rest, _ := bytes.Cut(b, []byte{','})
		p.foreign, b = len(namespace) > 1, rest
	}
	digits := 0
	for digits < len(b) && isDigit(b[digits]) {
		digits++
	}
	p.ackID, p.data = b[:digits], b[digits:]
	return p, nil
}

// cutAttachmentCount parses the "N-" that a binary packet begins with.
func cutAttachmentCount(b []byte) (n int, rest []byte, ok bool) {
	for i, c := range b {
		switch {
		case isDigit(c):
			if n = n*10 + int(c-'0'); n > maxAttachments {
				return 0, nil, false
			}
		case c == '-' && i > 0:
			return n, b[i+1:], true
		default:
			return 0, nil, false
		}
	}
	return 0, nil, false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func trimLeft(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}

func trimRight(b []byte) []byte {
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}
