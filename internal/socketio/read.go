package socketio

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/coder/websocket"
)

// A frame is a WebSocket message.
type frame struct {
	data   []byte
	binary bool
}

// The read buffer doubles until the message fits. After a run of messages that
// fit into retainedBuffer, a larger one is replaced.
const (
	initialBuffer  = 4 << 10
	retainedBuffer = 64 << 10
	smallRun       = 64 // messages
)

// readBuffer holds the message being read.
type readBuffer struct {
	bytes []byte // the whole buffer
	size  int    // of the message so far
	small int    // how many messages in a row have fit into retainedBuffer
}

// reset makes room for a new message.
func (b *readBuffer) reset() {
	if len(b.bytes) > retainedBuffer {
		if b.small++; b.size > retainedBuffer {
			b.small = 0
		}
	}
	if b.bytes == nil || b.small == smallRun {
		b.bytes, b.small = make([]byte, initialBuffer), 0
	}
	b.size = 0
}

// free returns the unused part of the buffer, which is never empty.
func (b *readBuffer) free() []byte {
	if b.size == len(b.bytes) {
		b.bytes = append(b.bytes, make([]byte, len(b.bytes))...)
	}
	return b.bytes[b.size:]
}

// read reads the next frame, which stays valid until the next read.
func (c *Conn) read() (frame, error) {
	if text, ok := c.tap.text(c.opt.ReadLimit); ok {
		c.tap.packetRead()
		return frame{data: text}, c.err()
	}
	return c.readByLibrary()
}

// readByLibrary reads the next message into the buffer, by the WebSocket library.
// All errors come from here: on an error tap.text leaves the frame to it.
func (c *Conn) readByLibrary() (frame, error) {
	typ, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return frame{}, c.readError(err)
	}
	c.buf.reset()
	for {
		n, err := r.Read(c.buf.free())
		c.buf.size += n
		if err == io.EOF {
			c.tap.packetReadByLibrary()
			return frame{data: c.buf.bytes[:c.buf.size], binary: typ == websocket.MessageBinary}, nil
		}
		if err != nil {
			return frame{}, c.readError(err)
		}
	}
}

// readError turns an error of the WebSocket library into one of this package.
func (c *Conn) readError(err error) error {
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return fmt.Errorf("socketio: the server closed the WebSocket: %w", closed)
	case errors.Is(err, websocket.ErrMessageTooBig), errors.Is(err, errFrameTooLarge):
		return fmt.Errorf("%w: more than %d bytes from the server", ErrTooLarge, c.opt.ReadLimit)
	case errors.Is(err, errMasked):
		return errMasked
	case errors.Is(err, context.DeadlineExceeded): // the library's own, of five seconds
		return errControlTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("socketio: the server closed the connection: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("socketio: read: %w", briefError{err})
}
