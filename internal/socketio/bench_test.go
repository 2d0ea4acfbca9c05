package socketio

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// messageSend is a typical event, of about 600 bytes.
const messageSend = `42["message:send",{"website_id":"8c842203-7ed8-4e29-a608-7cf78a7d2fcc",` +
	`"session_id":"session_e6a4e2a5-2b0c-4d8e-9a52-0e4ad6a4a5f5","inbox_id":null,"type":"text","from":"user",` +
	`"origin":"chat","content":"Hello, I ordered the \"large\" size two weeks ago and it has not arrived yet. ` +
	`Could you please check where it is? The order number is 4711-0815.","fingerprint":163239623329114,` +
	`"timestamp":1632396148743,"stamped":true,"mentions":[],"user":{"nickname":"Jane Doe",` +
	`"user_id":"session_e6a4e2a5-2b0c-4d8e-9a52-0e4ad6a4a5f5","avatar":"https://storage.crisp.chat/users/avatar/jane.png"},` +
	`"read":false,"delivered":false}]`

// textFrame returns a WebSocket text frame as a server sends it.
func textFrame(payload string) []byte {
	frame := []byte{0x81}
	switch {
	case len(payload) < 126:
		frame = append(frame, byte(len(payload)))
	case len(payload) < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(len(payload)))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(len(payload)))
	}
	return append(frame, payload...)
}

// acceptKey returns the Sec-WebSocket-Accept header for a WebSocket request.
func acceptKey(r *http.Request) string {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + guid))
	return base64.StdEncoding.EncodeToString(accept[:])
}

// upgrade answers a WebSocket request and returns the bare connection.
func upgrade(tb testing.TB, w http.ResponseWriter, r *http.Request) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: "+acceptKey(r)+"\r\n\r\n")
	}
	if err != nil {
		tb.Error(err)
		panic(http.ErrAbortHandler)
	}
	return conn
}

// startFlood starts a TCP server that sends the same event over and over, as fast
// as the client reads, at next to no cost of its own.
func startFlood(tb testing.TB, event string) (url string) {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := upgrade(tb, w, r)
		defer func() { _ = conn.Close() }()
		_, err := conn.Write(append(textFrame(openPacket), textFrame(connectPacket)...))
		frame := textFrame(event)
		chunk := bytes.Repeat(frame, 1+(256<<10)/len(frame))
		for err == nil {
			_, err = conn.Write(chunk)
		}
	}))
	tb.Cleanup(server.Close)
	return server.URL
}

// BenchmarkRead compares Next with a bare WebSocket reader, which only reads the
// frames into a reused buffer.
func BenchmarkRead(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		ws, _, err := websocket.Dial(b.Context(), startFlood(b, messageSend), nil)
		require.NoError(b, err)
		defer func() { _ = ws.CloseNow() }()
		buf := make([]byte, 64<<10)
		benchmarkRead(b, func() error {
			_, r, err := ws.Reader(context.Background())
			for n := 0; err == nil; {
				var m int
				m, err = r.Read(buf[n:])
				n += m
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		})
	})
	b.Run("next", func(b *testing.B) {
		c, err := Dial(b.Context(), startFlood(b, messageSend), Options{})
		require.NoError(b, err)
		defer func() { _ = c.Close() }()
		benchmarkRead(b, func() error {
			_, err := c.Next()
			return err
		})
	})
}

func benchmarkRead(b *testing.B, read func() error) {
	b.SetBytes(int64(len(messageSend)))
	b.ReportAllocs()
	for b.Loop() {
		if err := read(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkArg finds the end of the first argument: when it is the only one, when
// an offset follows, and when it has to be scanned.
func BenchmarkArg(b *testing.B) {
	p, err := parsePacket([]byte(messageSend))
	require.NoError(b, err)
	_, arg, err := parseEvent(p.data)
	require.NoError(b, err)
	for name, args := range map[string]string{
		"single": string(arg),
		"offset": string(arg) + `,"Q81yzXU"`,
		"walk":   string(arg) + `,{}`,
	} {
		b.Run(name, func(b *testing.B) {
			ev := Event{Args: []byte(args)}
			b.SetBytes(int64(len(arg)))
			for b.Loop() {
				if len(ev.Arg()) != len(arg) {
					b.Fatal("wrong end")
				}
			}
		})
	}
}

// BenchmarkParse parses a frame that is in memory.
func BenchmarkParse(b *testing.B) {
	frame := []byte(messageSend)
	for b.Loop() {
		p, err := parsePacket(frame)
		if err == nil {
			_, _, err = parseEvent(p.data)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// TestNextAllocatesNothing bounds the cost of an event without measuring time.
func TestNextAllocatesNothing(t *testing.T) {
	for _, event := range []string{
		messageSend,
		`42["message:send",{"a":[{"b":1},{"c":2}]},"offset"]`,
		strings.Replace(messageSend, "Hello", strings.Repeat("Hello", 1<<15), 1),
	} {
		c, err := Dial(t.Context(), startFlood(t, event), Options{})
		require.NoError(t, err)
		read := func() {
			ev, err := c.Next()
			require.NoError(t, err)
			require.Equal(t, byte('{'), ev.Arg()[0])
		}
		read() // grows the buffer
		assert.Zero(t, testing.AllocsPerRun(200, read))
		require.NoError(t, c.Close())
	}
}
