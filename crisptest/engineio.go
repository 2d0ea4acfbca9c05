package crisptest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// The defaults of a socket.io 4 server.
const (
	defaultPingInterval = 25 * time.Second
	defaultPingTimeout  = 20 * time.Second
	maxPayload          = 1_000_000 // bytes that a client may send in one frame
)

// heartbeat is the settings for pings that the handshake sends to the client.
type heartbeat struct {
	interval time.Duration
	timeout  time.Duration
}

// engine is an Engine.IO connection over a WebSocket. What it sends goes through
// an unbounded queue, as in socket.io, so that a client that stops reading holds
// up nobody else.
type engine struct {
	version   int // 4 or 3
	sid       string
	ws        *websocket.Conn
	raw       net.Conn // below ws
	heartbeat heartbeat
	onChange  func() // called when the queue has been written and when the connection ends

	wake chan struct{} // holds a token while there is something to write
	done chan struct{} // closed when this side ends the connection

	mu       sync.Mutex // guards what follows
	queue    []frame
	backlog  Backlog
	muted    bool        // nothing is sent any more, see mute
	closed   bool        // this side has ended the connection
	polite   bool        // it is to send a close frame; set before done is closed
	timer    *time.Timer // for the next step of the heartbeat
	awaiting bool        // version 4: a ping was sent and no pong received yet
	extended bool        // version 4: the time for the pong was extended, which is done once
}

// frame is a WebSocket message to be written.
type frame struct {
	kind    websocket.MessageType
	data    []byte
	bare    bool   // write the data below WebSocket
	last    bool   // close the connection instead of writing
	written func() // called after writing, unless nil
}

// Backlog is what waits to be written to a session, because its client has not
// read what came before.
type Backlog struct {
	Frames int
	Bytes  int // without the headers of frames
}

// errProtocol ends the connection of a client that violates the protocol.
var errProtocol = errors.New("crisptest: the client broke the Engine.IO protocol")

func newEngine(version int, ws *websocket.Conn, raw net.Conn, hb heartbeat, onChange func()) *engine {
	ws.SetReadLimit(maxPayload)
	e := &engine{
		version:   version,
		sid:       newSID(),
		ws:        ws,
		raw:       raw,
		heartbeat: hb,
		onChange:  onChange,
		wake:      make(chan struct{}, 1),
		done:      make(chan struct{}),
	}
	e.send(e.openFrame())
	e.startHeartbeat()
	return e
}

// newSID returns a random ID of the length of socket.io's.
func newSID() string { return rand.Text()[:20] }

// openFrame returns the open packet, which has the client's ID and the heartbeat.
// The field maxPayload exists since version 4.
func (e *engine) openFrame() []byte {
	type handshake struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int      `json:"maxPayload,omitempty"`
	}
	h := handshake{
		SID:          e.sid,
		Upgrades:     []string{},
		PingInterval: e.heartbeat.interval.Milliseconds(),
		PingTimeout:  e.heartbeat.timeout.Milliseconds(),
	}
	if e.version == 4 {
		h.MaxPayload = maxPayload
	}
	return append([]byte{engineOpen}, mustJSON(h)...)
}

// run serves the connection until it ends, and waits for its goroutines.
func (e *engine) run(handle messageHandler) {
	var wg sync.WaitGroup
	wg.Go(e.writeLoop)
	wg.Go(e.closeWhenDone)
	e.readLoop(handle)
	e.giveUp(false)
	wg.Wait()
}

// send queues a text frame. Nobody may change the data afterwards.
func (e *engine) send(data []byte) { e.sendFrame(frame{kind: websocket.MessageText, data: data}) }

// finish closes the connection once the queue has been written.
func (e *engine) finish() { e.sendFrame(frame{last: true}) }

func (e *engine) sendFrame(f frame) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.push(f)
}

// push appends to the queue; e.mu is held.
func (e *engine) push(f frame) {
	if e.muted || e.closed {
		return
	}
	e.queue = append(e.queue, f)
	e.backlog.Frames++
	e.backlog.Bytes += len(f.data)
	select {
	case e.wake <- struct{}{}:
	default: // the writer is awake already
	}
}

// writeLoop writes the queue until the connection ends.
func (e *engine) writeLoop() {
	for {
		select {
		case <-e.wake:
		case <-e.done:
			return
		}
		for _, f := range e.takeQueue() {
			if !e.write(f) {
				return
			}
		}
		e.onChange()
	}
}

func (e *engine) takeQueue() []frame {
	e.mu.Lock()
	defer e.mu.Unlock()
	queue := e.queue
	e.queue = nil
	return queue
}

// write writes a frame and reports whether more can be written.
func (e *engine) write(f frame) bool {
	if f.last {
		e.closePolitely()
		return false
	}
	if e.isMuted() {
		return false
	}
	if err := e.transmit(f); err != nil {
		return false
	}
	e.mu.Lock()
	e.backlog.Frames--
	e.backlog.Bytes -= len(f.data)
	e.mu.Unlock()
	if f.written != nil {
		f.written()
	}
	return true
}

func (e *engine) transmit(f frame) error {
	if f.bare {
		_, err := e.raw.Write(f.data)
		return err
	}
	return e.ws.Write(context.Background(), f.kind, f.data)
}

// pending returns what has not been written to the network yet.
func (e *engine) pending() Backlog {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.muted {
		return Backlog{}
	}
	return e.backlog
}

// messageHandler handles an Engine.IO message. It returns an error if the client
// violates the protocol, which ends the connection as in socket.io servers.
type messageHandler func(kind websocket.MessageType, message []byte) error

// readLoop calls handle for each message until the connection ends or the client
// violates the protocol.
func (e *engine) readLoop(handle messageHandler) {
	for {
		kind, data, err := e.ws.Read(context.Background())
		if err != nil {
			return
		}
		if e.isMuted() {
			continue
		}
		if kind == websocket.MessageBinary {
			err = e.receiveBinary(data, handle)
		} else {
			err = e.receive(data, handle)
		}
		if err != nil {
			e.closePolitely()
			return
		}
	}
}

// receiveBinary handles a binary frame, which is always a message. In version 3 it
// begins with a byte for the packet type.
func (e *engine) receiveBinary(data []byte, handle messageHandler) error {
	e.heard(engineMessage)
	if e.version == 3 {
		if len(data) == 0 || data[0] != engineMessage-'0' {
			return errProtocol
		}
		data = data[1:]
	}
	return handle(websocket.MessageBinary, data)
}

func (e *engine) receive(text []byte, handle messageHandler) error {
	if len(text) == 0 {
		return errProtocol
	}
	kind := text[0]
	e.heard(kind)
	switch kind {
	case engineMessage:
		return handle(websocket.MessageText, text[1:])
	case enginePing:
		if e.version == 4 {
			return errProtocol // since version 4 only the server pings
		}
		e.send([]byte{enginePong})
	case enginePong:
		if e.version == 3 {
			return errProtocol
		}
	case engineOpen, engineClose, engineUpgrade, engineNoop:
	default:
		return errProtocol
	}
	return nil
}

// startHeartbeat starts the timer: in version 4 for the server's first ping, in
// version 3 for the latest time at which the client may ping.
func (e *engine) startHeartbeat() {
	first := e.heartbeat.interval
	if e.version == 3 {
		first += e.heartbeat.timeout
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timer = time.AfterFunc(first, func() {
		if overdue := e.beat(); overdue {
			e.closePolitely()
		}
	})
}

// beat is called by the timer. It sends a ping, or reports that the client has
// sent nothing in time.
func (e *engine) beat() (overdue bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed || e.muted:
		return false
	case e.version == 3 || e.awaiting:
		return true
	}
	e.awaiting, e.extended = true, false
	e.timer.Reset(e.heartbeat.timeout)
	e.push(frame{kind: websocket.MessageText, data: []byte{enginePing}})
	return false
}

// heard extends the time that the client has, after a packet of that kind. Version
// 3 accepts any packet; version 4 wants a pong, but extends the time once for
// another packet.
func (e *engine) heard(kind byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed || e.muted:
	case e.version == 3:
		e.timer.Reset(e.heartbeat.interval + e.heartbeat.timeout)
	case kind == enginePong:
		e.awaiting = false
		e.timer.Reset(e.heartbeat.interval)
	case e.awaiting && !e.extended:
		e.extended = true
		e.timer.Reset(e.heartbeat.timeout)
	}
}

// mute makes the connection like that of a host that has vanished: it stays open,
// but nothing is sent on it, and what is received is ignored.
func (e *engine) mute() {
	e.mu.Lock()
	e.muted = true
	e.queue = nil
	e.timer.Stop()
	e.mu.Unlock()
	e.onChange()
}

func (e *engine) isMuted() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.muted
}

// alive reports whether events can still reach the client.
func (e *engine) alive() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.closed && !e.muted
}

// giveUp ends the connection, which closeWhenDone then closes. Only the first
// call has an effect.
func (e *engine) giveUp(politely bool) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return
	}
	e.closed, e.polite = true, politely
	e.queue = nil
	e.timer.Stop()
	e.mu.Unlock()
	close(e.done)
	e.onChange()
}

// closePolitely ends the connection with a WebSocket close frame.
func (e *engine) closePolitely() { e.giveUp(true) }

// cut ends the TCP connection without a WebSocket close frame.
func (e *engine) cut() {
	_ = e.raw.Close()
	e.giveUp(false)
}

// reset ends the connection with a TCP reset.
func (e *engine) reset() {
	resetConn(e.raw)
	e.giveUp(false)
}

// closeWhenDone closes the WebSocket when done is closed. It has a goroutine of
// its own, because the writer may be stuck while the client doesn't read; closing
// releases it.
func (e *engine) closeWhenDone() {
	<-e.done
	if e.polite {
		_ = e.ws.Close(websocket.StatusNoStatusRcvd, "") // without a code, as socket.io servers do
		return
	}
	_ = e.ws.CloseNow()
}

// refuseHandshake reports whether a request is no Engine.IO handshake over
// WebSocket. Such a request it answers as socket.io servers do.
func refuseHandshake(w http.ResponseWriter, r *http.Request) bool {
	const (
		unknownTransport = 0
		unknownSID       = 1
		badMethod        = 2
		badRequest       = 3
	)
	query := r.URL.Query()
	switch {
	case query.Get("transport") != "websocket":
		writeEngineError(w, r, unknownTransport, "Transport unknown")
	case query.Get("sid") != "":
		writeEngineError(w, r, unknownSID, "Session ID unknown")
	case r.Method != http.MethodGet:
		writeEngineError(w, r, badMethod, "Bad handshake method")
	case r.Header.Get("Upgrade") == "":
		writeEngineError(w, r, badRequest, "Bad request")
	default:
		return false
	}
	return true
}

func writeEngineError(w http.ResponseWriter, r *http.Request, code int, message string) {
	if r.Header.Get("Upgrade") != "" {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, message)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(mustJSON(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, message}))
}

// engineVersion returns the version that a handshake requests. As in socket.io
// servers, whatever is not 4 is 3.
func engineVersion(query url.Values) int {
	if query.Get("EIO") == "4" {
		return 4
	}
	return 3
}
