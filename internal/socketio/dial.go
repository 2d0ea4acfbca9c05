package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// DefaultReadLimit is the default of [Options.ReadLimit], in bytes.
const DefaultReadLimit = 16 << 20

// Options adjust [Dial]. The zero value is fine.
type Options struct {
	// Version is the Engine.IO protocol to speak, 4 (the default) or 3.
	Version int
	// HTTPClient makes the WebSocket request. It follows no redirect, whatever
	// its CheckRedirect says: one could lead from TLS to a plain connection.
	// Nil means [http.DefaultClient].
	HTTPClient *http.Client
	// Header is sent with the WebSocket request.
	Header http.Header
	// ReadLimit bounds a message from the server, in bytes. Zero or less means
	// [DefaultReadLimit].
	ReadLimit int64
	// KeepAlive is how long the network may be without traffic before a WebSocket ping
	// is sent, for a proxy that cuts connections which are idle for less than the
	// server's ping interval. Zero means forever.
	KeepAlive time.Duration
	// OnSkip, if set, is called for every packet from the server that was
	// skipped, or handled only in part, because it is malformed or unsupported.
	// It runs on the goroutine that calls Dial or Next and has to be quick.
	OnSkip func(Skip)
	// OnWait, if set, is called by Next, on its goroutine, before it may have to
	// wait for the network: it has returned every event that has come whole. It
	// has to be quick.
	OnWait func()
}

func (o Options) withDefaults() (Options, error) {
	if o.Version == 0 {
		o.Version = 4
	}
	if o.Version != 3 && o.Version != 4 {
		return o, fmt.Errorf("socketio: Engine.IO version %d is not supported: use 4 or 3", o.Version)
	}
	if o.HTTPClient == nil {
		o.HTTPClient = http.DefaultClient
	}
	if o.ReadLimit <= 0 {
		o.ReadLimit = DefaultReadLimit
	}
	if o.OnSkip == nil {
		o.OnSkip = func(Skip) {}
	}
	if o.OnWait == nil {
		o.OnWait = func() {}
	}
	return o, nil
}

// A Skip is a packet that was skipped.
type Skip struct {
	// Reason says why. It never contains anything that the server sent.
	Reason error
	// Event reports whether it would have been an event for us, which is lost.
	Event bool
}

// A Handshake is what the server said when it opened the connection.
type Handshake struct {
	// SID is the Engine.IO session id.
	SID string
	// PingInterval is the time between two heartbeats, PingTimeout the time to
	// wait for the answer to one.
	PingInterval, PingTimeout time.Duration
	// MaxPayload is the size of the largest message that the server accepts, in
	// bytes, 0 if it didn't say.
	MaxPayload int64
}

// Dial opens a WebSocket to the endpoint, does the Engine.IO handshake, and
// returns when the Socket.IO namespace "/" is connected. The endpoint is an
// http, https, ws or wss URL; its path is the Socket.IO path. The context bounds
// Dial, not the connection.
//
// Errors: [*UpgradeError], [*ProxyError], [*VersionError], [*ConnectError],
// [ErrHandshake], [ErrUnsupported], [ErrServerDisconnect], [ErrTimeout], [ErrTooLarge], the context's error, or
// that of the network. None contains the URL's path, query or user information.
func Dial(ctx context.Context, endpoint string, opt Options) (*Conn, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	target, err := dialURL(endpoint, opt.Version)
	if err != nil {
		return nil, err
	}
	c, err := dialWebSocket(ctx, target, opt)
	if err != nil {
		return nil, err
	}
	if err := c.establish(ctx); err != nil {
		return nil, c.end(err)
	}
	return c, nil
}

// establish does the Engine.IO and the Socket.IO handshake, bounded by the
// context.
func (c *Conn) establish(ctx context.Context) error {
	interrupted := func() error {
		return fmt.Errorf("socketio: the server did not connect the session in time (does it speak Engine.IO %d?): %w",
			c.opt.Version, context.Cause(ctx))
	}
	stop := context.AfterFunc(ctx, func() { _ = c.end(interrupted()) })
	defer stop()
	if err := c.open(); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	if !stop() {
		return interrupted()
	}
	return nil
}

// dialURL returns the URL of the WebSocket request for an endpoint.
func dialURL(endpoint string, version int) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		// The parser's own error quotes the URL, which may hold secrets.
		return nil, errors.New("socketio: the endpoint is not a valid URL")
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
	default:
		return nil, fmt.Errorf("socketio: the endpoint's scheme is %.200q: want https, wss, http or ws", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("socketio: the endpoint has no host")
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
		if u.RawPath != "" {
			u.RawPath += "/"
		}
	}
	query := u.Query()
	query.Set("EIO", strconv.Itoa(version))
	query.Set("transport", "websocket")
	u.RawQuery = query.Encode()
	u.Fragment = ""
	return u, nil
}

func dialWebSocket(ctx context.Context, target *url.URL, opt Options) (*Conn, error) {
	transport := &tapTransport{RoundTripper: opt.HTTPClient.Transport, onWait: opt.OnWait}
	if transport.RoundTripper == nil {
		transport.RoundTripper = http.DefaultTransport
	}
	client := *opt.HTTPClient
	client.Transport = transport
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ws, resp, err := websocket.Dial(ctx, target.String(), &websocket.DialOptions{
		HTTPClient: &client,
		HTTPHeader: opt.Header,
	})
	if err != nil {
		return nil, dialError(opt.Version, resp, err)
	}
	ws.SetReadLimit(opt.ReadLimit)
	transport.tap.limit = opt.ReadLimit
	return newConn(ws, transport.tap, opt), nil
}

// open waits for the Engine.IO open packet, and starts the heartbeat by its settings.
func (c *Conn) open() error {
	if resp := c.tap.httpAnswer(); resp != nil {
		return refused(c.opt.Version, resp)
	}
	f, err := c.read()
	if err != nil {
		return fmt.Errorf("%w: no Engine.IO open packet came (does the server speak Engine.IO %d?): %w",
			ErrHandshake, c.opt.Version, err)
	}
	p, err := parsePacket(f.data)
	if err != nil || f.binary || p.kind != kindOpen {
		return fmt.Errorf("%w: the first packet is not an Engine.IO open packet: check the endpoint", ErrHandshake)
	}
	if c.handshake, err = parseHandshake(p.data); err != nil {
		return err
	}
	c.startHeartbeat()
	return nil
}

// maxHeartbeat bounds the server's heartbeat settings: with longer ones, a dead
// peer would in effect never be noticed.
const maxHeartbeat = 24 * time.Hour

func parseHandshake(data []byte) (Handshake, error) {
	var open struct {
		SID          string  `json:"sid"`
		PingInterval float64 `json:"pingInterval"`
		PingTimeout  float64 `json:"pingTimeout"`
		MaxPayload   float64 `json:"maxPayload"`
	}
	if json.Unmarshal(data, &open) != nil {
		return Handshake{}, fmt.Errorf("%w: the open packet is not the JSON object that it should be", ErrHandshake)
	}
	interval, err := milliseconds("pingInterval", open.PingInterval)
	if err != nil {
		return Handshake{}, err
	}
	timeout, err := milliseconds("pingTimeout", open.PingTimeout)
	if err != nil {
		return Handshake{}, err
	}
	h := Handshake{SID: open.SID, PingInterval: interval, PingTimeout: timeout}
	if 0 < open.MaxPayload && open.MaxPayload < 1<<62 {
		h.MaxPayload = int64(open.MaxPayload)
	}
	return h, nil
}

func milliseconds(field string, ms float64) (time.Duration, error) {
	if ms < 1 || ms > float64(maxHeartbeat/time.Millisecond) {
		return 0, fmt.Errorf("%w: the server's %s is %g ms: want 1 ms to %s", ErrHandshake, field, ms, maxHeartbeat)
	}
	return time.Duration(ms * float64(time.Millisecond)), nil
}

// connect waits until the namespace is connected. An Engine.IO 4 server expects
// the client to ask for that; an Engine.IO 3 server connects by itself and takes
// such a request for a protocol error. Events that come earlier, as they may
// after a recovered connection, are kept for Next.
func (c *Conn) connect() error {
	if c.opt.Version == 4 {
		// If this fails, the next read says why: a server may explain a refusal
		// and close the connection without waiting for the request.
		_ = c.writeControl([]byte("40"))
	}
	for {
		f, err := c.read()
		if err != nil {
			return c.connectError(err)
		}
		done, err := c.connectStep(f)
		if done || err != nil {
			return err
		}
	}
}

func (c *Conn) connectStep(f frame) (done bool, err error) {
	if f.binary {
		if len(c.early) == 0 && isMsgpack(f.data) {
			return false, errMsgpack
		}
		return false, c.keep(f)
	}
	p, err := parsePacket(f.data)
	if err != nil {
		c.skip(err)
		return false, nil
	}
	switch {
	case p.kind == kindEvent || p.kind == kindBinaryEvent || p.kind == kindBinaryAck:
		return false, c.keep(f)
	case p.kind == kindPing && c.opt.Version == 3:
		return false, &VersionError{Wanted: 3, Got: 4} // in 3 it is the client that pings
	case p.kind == kindConnect && !p.foreign:
		return true, c.checkConnect(p.data)
	case p.kind == kindConnectError && !p.foreign:
		return false, &ConnectError{Message: connectMessage(p.data)}
	}
	c.control(p)
	return false, nil
}

var errMsgpack = fmt.Errorf("%w: the server packs its packets with msgpack (socket.io-msgpack-parser): only the default parser is", ErrUnsupported)

// isMsgpack reports whether a binary frame is a packet of msgpack, which is a map
// of a few elements. In Engine.IO 3, a byte for the packet type comes before.
func isMsgpack(data []byte) bool {
	data = bytes.TrimPrefix(data, []byte{4})
	return len(data) > 0 && data[0]&0xf0 == 0x80
}

// connectError adds to an error why the server may have ended the connection: one with another
// parser does, because it can't read our request.
func (c *Conn) connectError(err error) error {
	var closed websocket.CloseError
	if c.opt.Version != 4 || !errors.As(err, &closed) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("%w: in answer to the request to connect the session (a server with another parser than the default, such as msgpack, does so)", err)
}

// checkConnect returns a [*VersionError] if the connect packet is that of another
// version. A 2.x server ignores the version it is asked for, and is recognized
// by a connect packet without a session id.
func (c *Conn) checkConnect(data []byte) error {
	var connected struct {
		SID string `json:"sid"`
	}
	got := 3
	if json.Unmarshal(data, &connected) == nil && connected.SID != "" {
		got = 4
	}
	if got != c.opt.Version {
		return &VersionError{Wanted: c.opt.Version, Got: got}
	}
	return nil
}

// connectMessage returns the reason in a connect error, cut to maxMessage bytes:
// {"message": reason} in Engine.IO 4, a bare string in 3.
func connectMessage(data []byte) string {
	var reason struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &reason) != nil {
		_ = json.Unmarshal(data, &reason.Message)
	}
	const maxMessage = 200
	return reason.Message[:min(len(reason.Message), maxMessage)]
}

// keep stores a frame for Next.
func (c *Conn) keep(f frame) error {
	const overhead = 64 // of a stored frame, so that the limit bounds empty ones, too
	if c.earlySize += int64(len(f.data)) + overhead; c.earlySize > c.opt.ReadLimit {
		return fmt.Errorf("%w: more than %d bytes came before the session was connected", ErrTooLarge, c.opt.ReadLimit)
	}
	f.data = bytes.Clone(f.data)
	c.early = append(c.early, f)
	return nil
}
