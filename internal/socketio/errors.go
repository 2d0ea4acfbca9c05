package socketio

import (
	"errors"
	"fmt"
	"net/http"
)

var (
	// ErrClosed is returned by the methods of a connection after [Conn.Close].
	ErrClosed = errors.New("socketio: the connection was closed by its owner")

	// ErrServerDisconnect means that the server ended the connection on purpose,
	// by a Socket.IO disconnect or an Engine.IO close packet.
	ErrServerDisconnect = errors.New("socketio: the server ended the session")

	// ErrTimeout means that the server is gone although the TCP connection looks
	// open: nothing was received, or nothing could be written, for longer than
	// its own heartbeat settings allow.
	ErrTimeout = errors.New("socketio: the server stopped responding")

	// ErrTooLarge means that a message exceeds [Options.ReadLimit], or
	// [Handshake.MaxPayload].
	ErrTooLarge = errors.New("socketio: message too large")

	// ErrHandshake means that the peer accepted the WebSocket, but doesn't behave
	// like an Engine.IO server.
	ErrHandshake = errors.New("socketio: handshake failed")
)

// An UpgradeError means that the server answered the WebSocket request with
// something other than 101 Switching Protocols.
type UpgradeError struct {
	// StatusCode is the HTTP status of the answer.
	StatusCode int
	// RetryAfter is the Retry-After header of the answer, unparsed, or "".
	RetryAfter string
}

func (e *UpgradeError) Error() string {
	return fmt.Sprintf("socketio: the server refused the WebSocket: HTTP %d %s: check the endpoint's host and path",
		e.StatusCode, http.StatusText(e.StatusCode))
}

// A ConnectError means that the server refused the connection to the namespace.
type ConnectError struct {
	// Message is the server's reason, at most 200 bytes of it, or "".
	Message string
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("socketio: the server refused the session: %q", e.Message)
}

// A VersionError means that the server speaks another version of Engine.IO than
// the one it was asked for.
type VersionError struct {
	Wanted, Got int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("socketio: asked for Engine.IO %d, but the server speaks %d: connect with version %d",
		e.Wanted, e.Got, e.Got)
}

// The reasons to skip a packet that [Options.OnSkip] is called with. They are
// allocated once, because a hostile server decides how many are needed.
var (
	errEmptyPacket     = errors.New("socketio: empty packet")
	errUnknownPacket   = errors.New("socketio: packet of an unknown type")
	errUnexpected      = errors.New("socketio: packet that makes no sense at this point of the session")
	errNamespace       = errors.New("socketio: packet for a namespace other than /")
	errAckID           = errors.New("socketio: acknowledgement id too long, the event is not acknowledged")
	errUnaskedAck      = errors.New("socketio: acknowledgement that nobody asked for")
	errAttachmentCount = errors.New("socketio: binary packet with a missing or excessive attachment count")
	errAttachmentSize  = errors.New("socketio: attachments of a binary packet exceed the read limit")
	errAttachmentLost  = errors.New("socketio: binary packet that lacks attachments")
	errPlaceholder     = errors.New("socketio: binary packet with an invalid placeholder")
	errStrayBinary     = errors.New("socketio: binary frame that belongs to no packet")
	errBase64          = errors.New("socketio: binary frame with invalid base64")
	errEventSyntax     = errors.New("socketio: event that is no JSON array")
	errEventName       = errors.New("socketio: event whose name is no JSON string")
)
