package socketio

import (
	"errors"
	"fmt"
	"net/http"
)

var (
	// ErrClosed is what a connection returns after [Conn.Close].
	ErrClosed = errors.New("socketio: the connection was closed by its owner")

	// ErrServerDisconnect means that the server ended the session in so many
	// words, by a Socket.IO disconnect or an Engine.IO close packet.
	ErrServerDisconnect = errors.New("socketio: the server ended the session")

	// ErrTimeout means that the peer is gone although the TCP connection looks
	// open: nothing was heard, or nothing could be written, for as long as the
	// server's own heartbeat settings allow.
	ErrTimeout = errors.New("socketio: the server stopped responding")

	// ErrTooLarge means that a message exceeds [Options.ReadLimit], or the
	// size that the server said it accepts.
	ErrTooLarge = errors.New("socketio: message too large")

	// ErrHandshake means that the peer accepted the WebSocket, but doesn't talk
	// like an Engine.IO server.
	ErrHandshake = errors.New("socketio: handshake failed")
)

// An UpgradeError tells that the server answered the WebSocket request with
// something else than 101 Switching Protocols.
type UpgradeError struct {
	// StatusCode is the HTTP status of the answer.
	StatusCode int
	// RetryAfter is the Retry-After header of the answer as it was sent, or "".
	RetryAfter string
}

func (e *UpgradeError) Error() string {
	return fmt.Sprintf("socketio: the server refused the WebSocket: HTTP %d %s: check the endpoint's host and path",
		e.StatusCode, http.StatusText(e.StatusCode))
}

// A ConnectError tells that the server refused the connection to the namespace.
type ConnectError struct {
	// Message is the server's reason, possibly "".
	Message string
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("socketio: the server refused the session: %q", e.Message)
}

// A VersionError tells that the server speaks another version of Engine.IO
// than the one that it was asked for.
type VersionError struct {
	Wanted, Got int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("socketio: asked for Engine.IO %d, but the server speaks %d: connect with version %d",
		e.Wanted, e.Got, e.Got)
}

// Reasons to skip a packet, as [Options.OnSkip] gets them. They are values made
// once because a hostile server chooses how many of them there are.
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
