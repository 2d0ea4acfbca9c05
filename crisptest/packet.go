package crisptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
)

// Engine.IO packet types, the first byte of each text frame.
const (
	engineOpen    = '0'
	engineClose   = '1'
	enginePing    = '2'
	enginePong    = '3'
	engineMessage = '4'
	engineUpgrade = '5'
	engineNoop    = '6'
)

// Socket.IO packet types, the first byte of an Engine.IO message.
const (
	packetConnect      = '0'
	packetDisconnect   = '1'
	packetEvent        = '2'
	packetAck          = '3'
	packetConnectError = '4'
	packetBinaryEvent  = '5'
	packetBinaryAck    = '6'
)

// mainNamespace is the only namespace that Crisp serves.
const mainNamespace = "/"

// packet is a Socket.IO packet as a client sends it.
type packet struct {
	kind        byte
	attachments int // binary frames that follow
	namespace   string
	data        []byte // JSON, or empty
}

// maxAttachments is socket.io's own limit.
const maxAttachments = 10

var errPacket = errors.New("crisptest: not a Socket.IO packet")

// parsePacket parses <type>[<attachments>-][<namespace>,][<ack id>][<JSON>].
func parsePacket(text []byte) (packet, error) {
	if len(text) == 0 || text[0] < packetConnect || text[0] > packetBinaryAck {
		return packet{}, errPacket
	}
	p := packet{kind: text[0], namespace: mainNamespace}
	rest := text[1:]
	if p.kind == packetBinaryEvent || p.kind == packetBinaryAck {
		count, after, ok := bytes.Cut(rest, []byte("-"))
		n, err := strconv.Atoi(string(count))
		if !ok || err != nil || n < 0 || n > maxAttachments {
			return packet{}, errPacket
		}
		p.attachments, rest = n, after
	}
	if len(rest) > 0 && rest[0] == '/' {
		name, after, _ := bytes.Cut(rest, []byte(","))
		p.namespace, rest = string(name), after
	}
	p.data = bytes.TrimLeft(rest, "0123456789") // skips the ack id: Crisp sends no acks
	if len(p.data) > 0 && !json.Valid(p.data) {
		return packet{}, errPacket
	}
	return p, nil
}

// reservedEvents are the names that socket.io reserves.
var reservedEvents = []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}

// event returns the name and the first argument of an event packet, whose data are
// ["name", argument, …]. A name may also be a number, whose text is returned.
func (p packet) event() (name string, argument json.RawMessage, err error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(p.data, &parts); err != nil || len(parts) == 0 {
		return "", nil, errPacket
	}
	switch first := parts[0][0]; {
	case first == '"':
		_ = json.Unmarshal(parts[0], &name) // can't fail: it is a string
	case first == '-' || first >= '0' && first <= '9':
		name = string(parts[0])
	default:
		return "", nil, errPacket
	}
	if slices.Contains(reservedEvents, name) {
		return "", nil, errPacket
	}
	if len(parts) > 1 {
		argument = parts[1]
	}
	return name, argument, nil
}

// eventFrame returns the Engine.IO frame of an event with one argument, which is
// not validated, so that tests can send invalid JSON.
func eventFrame(name string, argument []byte) []byte {
	quoted, _ := json.Marshal(name) // can't fail: it is a string
	frame := make([]byte, 0, len(quoted)+len(argument)+5)
	frame = append(frame, engineMessage, packetEvent, '[')
	frame = append(frame, quoted...)
	if len(argument) > 0 {
		frame = append(frame, ',')
		frame = append(frame, argument...)
	}
	return append(frame, ']')
}

// connectFrame returns the frame that connects a client to the main namespace. In
// Socket.IO 3 and later it has the session's ID.
func connectFrame(version int, sid string) []byte {
	if version == 3 {
		return []byte{engineMessage, packetConnect}
	}
	return append([]byte{engineMessage, packetConnect}, mustJSON(struct {
		SID string `json:"sid"`
	}{sid})...)
}

// refuseFrame returns the frame that refuses a namespace, whose form depends on
// the version.
func refuseFrame(version int, namespace string) []byte {
	const message = "Invalid namespace"
	frame := append([]byte{engineMessage, packetConnectError}, namespace...)
	frame = append(frame, ',')
	if version == 3 {
		return append(frame, mustJSON(message)...)
	}
	return append(frame, mustJSON(struct {
		Message string `json:"message"`
	}{message})...)
}

var disconnectFrame = []byte{engineMessage, packetDisconnect}

// mustJSON encodes a value without escaping for HTML, as JSON.stringify does. It
// panics if that fails: of what this package encodes, only content and payloads
// that come from the test can.
func mustJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("crisptest: " + err.Error())
	}
	return withSeparators(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// withSeparators returns JSON with the line and paragraph separators that
// encoding/json always escapes. JavaScript, in which Crisp is written, does not, and
// Crisp's own SDK verifies web hooks by what JavaScript makes of the decoded body.
func withSeparators(encoded []byte) []byte {
	if !bytes.Contains(encoded, []byte(`\u202`)) {
		return encoded
	}
	plain := make([]byte, 0, len(encoded))
	for len(encoded) > 0 {
		size := 1
		switch {
		case bytes.HasPrefix(encoded, []byte(`\u2028`)):
			plain, size = append(plain, "\u2028"...), 6
		case bytes.HasPrefix(encoded, []byte(`\u2029`)):
			plain, size = append(plain, "\u2029"...), 6
		case encoded[0] == '\\': // and what it escapes, such as another
			plain, size = append(plain, encoded[:2]...), 2
		default:
			plain = append(plain, encoded[0])
		}
		encoded = encoded[size:]
	}
	return plain
}
