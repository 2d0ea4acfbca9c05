package socketio

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
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

	// ErrUnsupported means that the server, or the HTTP client that the owner gave
	// us, lacks something that is needed. Trying again doesn't help.
	ErrUnsupported = errors.New("socketio: not supported")
)

// An UpgradeError means that the server answered the WebSocket request with
// something other than 101 Switching Protocols. It matches [ErrUnsupported] if an
// Engine.IO server said that it has no WebSockets.
type UpgradeError struct {
	// StatusCode is the HTTP status of the answer.
	StatusCode int
	// RetryAfter is the Retry-After header of the answer, unparsed, or "".
	RetryAfter string
	// Reason is what an Engine.IO server refused the request for, "" if the
	// answer isn't that of an Engine.IO server.
	Reason Refusal
}

func (e *UpgradeError) Error() string {
	status := fmt.Sprintf("socketio: the server refused the WebSocket: HTTP %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	if e.Reason != "" {
		return fmt.Sprintf("%s: Engine.IO says %q: %s", status, e.Reason, e.Reason.advice())
	}
	if advice := upgradeAdvice(e.StatusCode); advice != "" {
		return status + ": " + advice
	}
	return status
}

func (e *UpgradeError) Unwrap() error {
	if e.Reason == RefusedTransport {
		return ErrUnsupported
	}
	return nil
}

func upgradeAdvice(status int) string {
	switch {
	case status == http.StatusNotModified:
		return "a cache answered in place of the server: it must pass on WebSocket requests"
	case 300 <= status && status < 400:
		return "redirects are not followed: connect to where it leads"
	case status == http.StatusProxyAuthRequired:
		return proxyAdvice
	case status >= 500:
		return "" // the server's fault, or a gateway's
	}
	return "check the endpoint's host and path"
}

// A Refusal is the reason that an Engine.IO server gives for not opening a
// connection.
type Refusal string

// The reasons, in Engine.IO's words.
const (
	RefusedTransport Refusal = "Transport unknown"
	RefusedSession   Refusal = "Session ID unknown"
	RefusedMethod    Refusal = "Bad handshake method"
	RefusedRequest   Refusal = "Bad request"
	RefusedForbidden Refusal = "Forbidden"
	RefusedVersion   Refusal = "Unsupported protocol version"
)

// refusals are in the order of their codes on the wire.
var refusals = []Refusal{RefusedTransport, RefusedSession, RefusedMethod, RefusedRequest, RefusedForbidden, RefusedVersion}

func (r Refusal) advice() string {
	switch r {
	case RefusedTransport:
		return "the server has only HTTP long-polling, not WebSockets, which are needed"
	case RefusedForbidden:
		return "the server's own rules forbid it (allowRequest)"
	case RefusedSession, RefusedMethod, RefusedRequest, RefusedVersion:
	}
	return "a proxy or gateway in between may have removed the Upgrade header"
}

// A ProxyError means that an HTTP proxy refused to connect to the server.
type ProxyError struct {
	// StatusCode is the HTTP status of the proxy's answer to CONNECT.
	StatusCode int
}

const proxyAdvice = "the proxy refuses its credentials: check user and password in the proxy's URL"

func (e *ProxyError) Error() string {
	text := fmt.Sprintf("socketio: the HTTP proxy refused to connect to the server: HTTP %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	if e.StatusCode == http.StatusProxyAuthRequired {
		text += ": " + proxyAdvice
	}
	return text
}

// An OversizeError means that an event was not sent, because the server accepts
// no messages of its size. It matches [ErrTooLarge].
type OversizeError struct {
	Event       string
	Size, Limit int64 // in bytes
}

func (e *OversizeError) Error() string {
	return fmt.Sprintf("%v: event %.200q takes %d bytes, the server accepts %d", ErrTooLarge, e.Event, e.Size, e.Limit)
}

func (e *OversizeError) Unwrap() error { return ErrTooLarge }

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

// A briefError is another's error whose text may have come from the peer: it is
// cut, and holds no control characters.
type briefError struct{ error }

func (e briefError) Error() string { return brief(e.error.Error()) }

func (e briefError) Unwrap() error { return e.error }

// brief shortens a text in its middle, since errors say at their end what was
// wrong.
func brief(text string) string {
	const head, tail = 140, 60
	if len(text) > head+tail {
		text = strings.ToValidUTF8(text[:head], "") + "…" + strings.ToValidUTF8(text[len(text)-tail:], "")
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
