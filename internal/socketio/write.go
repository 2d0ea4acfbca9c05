package socketio

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/coder/websocket"
)

// Emit sends an event, its arguments encoded by encoding/json. The context
// bounds the time to wait for other writers and for the network; if it ends in
// the middle of the frame, the connection ends, too, because the rest of the
// frame can no longer be sent. A message larger than the server accepts is not
// sent, and Emit returns an [*OversizeError].
func (c *Conn) Emit(ctx context.Context, name string, args ...any) error {
	msg, err := encodeEvent(name, args)
	if err != nil {
		return err
	}
	if limit := c.handshake.MaxPayload; limit > 0 && int64(len(msg)) > limit {
		return &OversizeError{Event: name, Size: int64(len(msg)), Limit: limit}
	}
	return c.write(ctx, msg)
}

func encodeEvent(name string, args []any) ([]byte, error) {
	msg := []byte("42[")
	encoded, err := json.Marshal(name)
	if err != nil {
		return nil, fmt.Errorf("socketio: event name: %w", err)
	}
	msg = append(msg, encoded...)
	for i, arg := range args {
		encoded, err := json.Marshal(arg)
		if err != nil {
			return nil, fmt.Errorf("socketio: event %q, argument %d: %w", name, i, err)
		}
		msg = append(append(msg, ','), encoded...)
	}
	return append(msg, ']'), nil
}

// errWriteTimeout ends a connection when the network accepts no more data.
var errWriteTimeout = fmt.Errorf("%w: a frame could not be written in time", ErrTimeout)

// errControlTimeout ends a connection whose peer doesn't read, or sends only a part of a
// WebSocket ping. The library answers those on the reading goroutine.
var errControlTimeout = fmt.Errorf("%w: a WebSocket ping could not be read and answered in time", ErrTimeout)

// writeControl writes a frame of the protocol itself. If that takes longer than
// pingTimeout, it ends the connection: the server has given it up by then.
func (c *Conn) writeControl(msg []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.handshake.PingTimeout)
	defer cancel()
	err := c.write(ctx, msg)
	if err != nil && ctx.Err() != nil {
		return c.end(errWriteTimeout)
	}
	return err
}

// write writes a text frame. An error doesn't end the connection unless the
// context ends in the middle of the frame: what the server sent before it closed
// the connection can still be read, and then the reader notices.
func (c *Conn) write(ctx context.Context, msg []byte) error {
	select {
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-c.done:
		return c.err()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return fmt.Errorf("socketio: waiting to write: %w", context.Cause(ctx))
	}
	err := c.ws.Write(ctx, websocket.MessageText, msg)
	switch {
	case err == nil:
		return nil
	case c.err() != nil:
		return c.err()
	case ctx.Err() != nil:
		_ = c.end(errWriteTimeout)
		return fmt.Errorf("socketio: write cut off: %w", context.Cause(ctx))
	}
	return fmt.Errorf("socketio: write: %w", briefError{err})
}
