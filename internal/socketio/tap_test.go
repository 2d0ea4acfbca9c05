package socketio

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canned is an [http.RoundTripper] that opens a WebSocket from which a given
// stream of bytes is read, whatever is written.
type canned struct {
	stream string
	atOnce int   // how many bytes a read returns at most
	end    error // at the end of the stream
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols,
		Header: http.Header{
			"Connection":           {"Upgrade"},
			"Upgrade":              {"websocket"},
			"Sec-Websocket-Accept": {acceptKey(r)},
		},
		Body: &cannedConn{c, strings.NewReader(c.stream)},
	}, nil
}

type cannedConn struct {
	canned
	rest *strings.Reader
}

func (c *cannedConn) Read(p []byte) (int, error) {
	if c.rest.Len() == 0 {
		return 0, c.end
	}
	return c.rest.Read(p[:min(len(p), c.atOnce)])
}

func (c *cannedConn) Write(p []byte) (int, error) { return len(p), nil }
func (c *cannedConn) Close() error                { return nil }

// message is what is read of a connection; kind 0 stands for its end.
type message struct {
	kind websocket.MessageType
	text string
}

// readsOfLibrary lists what the WebSocket library reads by itself.
func readsOfLibrary(t *testing.T, network canned, limit int64) (all []message) {
	t.Helper()
	options := &websocket.DialOptions{HTTPClient: &http.Client{Transport: network}}
	ws, _, err := websocket.Dial(t.Context(), endpoint, options)
	require.NoError(t, err)
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(limit)
	for {
		kind, text, err := ws.Read(context.Background())
		if err != nil {
			return append(all, message{text: endOf(new(Conn).readError(err))})
		}
		all = append(all, message{kind, string(text)})
	}
}

// readsOfConn lists what a Conn reads, in place where it can.
func readsOfConn(t *testing.T, network canned, limit int64) (all []message) {
	t.Helper()
	c := dialCanned(t, network, Options{ReadLimit: limit})
	for {
		f, err := c.read()
		if err != nil {
			return append(all, message{text: endOf(err)})
		}
		kind := websocket.MessageText
		if f.binary {
			kind = websocket.MessageBinary
		}
		all = append(all, message{kind, string(f.data)})
	}
}

// assertAgrees asserts that both read the same. But a Conn may find out earlier
// that a frame is too large, from its header, and it reads no masked frames.
func assertAgrees(t *testing.T, network canned, limit int64) {
	t.Helper()
	want, got := readsOfLibrary(t, network, limit), readsOfConn(t, network, limit)
	if end := &got[len(got)-1]; end.text == endOf(ErrTooLarge) && len(got) == len(want) {
		*end = want[len(want)-1]
	} else if end.text == endOf(errMasked) {
		got, want = got[:len(got)-1], want[:min(len(got)-1, len(want))]
	}
	assert.Equal(t, want, got)
}

// dialCanned opens a WebSocket without any handshake above it.
func dialCanned(t *testing.T, network canned, opt Options) *Conn {
	t.Helper()
	target, err := url.Parse(endpoint)
	require.NoError(t, err)
	opt.HTTPClient = &http.Client{Transport: network}
	opt, err = opt.withDefaults()
	require.NoError(t, err)
	c, err := dialWebSocket(t.Context(), target, opt)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

// endOf returns an error's text without its details, which may say how much came
// of a header that was cut off.
func endOf(err error) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "socketio: "), ":")
	return text
}

// TestTooLargeByItsHeader announces a large frame whose payload never comes.
func TestTooLargeByItsHeader(t *testing.T) {
	c := dialCanned(t, canned{"\x81\x7f\x00\x00\x00\x00\x00\x00\x03\xe9ab", 1 << 20, io.ErrNoProgress}, Options{ReadLimit: 1000})
	_, err := c.read()
	assert.ErrorIs(t, err, ErrTooLarge)
}

// TestMaskedFrames ends the connection of a server that masks as clients do, in
// place of handing out what is masked.
func TestMaskedFrames(t *testing.T) {
	for _, frame := range []string{maskedText, "\x82\x82\x01\x02\x03\x04ab", "\x89\x80\x01\x02\x03\x04", "\x81\xfe\x00\x02\x00\x00\x00\x00ab"} {
		c := dialCanned(t, canned{string(textFrame("plain")) + frame, 1 << 20, io.ErrNoProgress}, Options{})
		f, err := c.read()
		require.NoError(t, err)
		assert.Equal(t, "plain", string(f.data))
		_, err = c.read()
		assert.ErrorIs(t, err, ErrHandshake)
		assert.ErrorContains(t, err, "the server masks its frames", "%q", frame)
	}
}

// TestTooLargeInFragments sends fragments that are each within the limit, while
// their message is not.
func TestTooLargeInFragments(t *testing.T) {
	fragment := "\x7e\x02\x58" + strings.Repeat("x", 600)
	c := dialCanned(t, canned{"\x01" + fragment + "\x80" + fragment, 1 << 20, io.ErrNoProgress}, Options{ReadLimit: 1000})
	_, err := c.read()
	assert.ErrorIs(t, err, ErrTooLarge)
}

// What is not plain text in a single frame.
const (
	fragments  = "\x01\x02ab\x00\x02cd\x80\x02ef"
	pinged     = "\x01\x02ab\x89\x02hi\x80\x02ef"
	maskedText = "\x81\x82\x00\x00\x00\x00ab"
	binaryData = "\x82\x02\x01\x02"
	closing    = "\x88\x02\x03\xe8"
)

// TestReadAgreesWithLibrary compares reading in place with the WebSocket library:
// both must read the same messages, and end for the same reason. The connection
// ends as it does below a tap.
func TestReadAgreesWithLibrary(t *testing.T) {
	const limit = 2 * readAhead
	text := func(size int) string { return string(textFrame(strings.Repeat("x", size))) }
	plain := text(5)
	for name, stream := range map[string]string{
		"nothing":                    "",
		"plain":                      plain + plain,
		"empty":                      text(0) + plain,
		"each size of the length":    text(125) + text(126) + text(1<<16-1) + text(1<<16) + plain,
		"as large as the buffer":     text(readAhead-4) + plain,
		"larger than the buffer":     text(readAhead-3) + plain + text(readAhead+1) + plain,
		"across the buffer's end":    strings.Repeat(text(1000), 2*readAhead/1000) + plain,
		"as large as may be":         text(limit) + plain,
		"too large":                  plain + text(limit+1) + plain,
		"small, 64-bit length":       "\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x02ab" + plain,
		"fragments":                  plain + fragments + plain,
		"ping, pong":                 plain + "\x89\x00\x8a\x00" + plain,
		"ping between fragments":     pinged + plain,
		"text between fragments":     "\x01\x02ab" + plain + "\x80\x02ef",
		"continuation of nothing":    plain + "\x80\x02ef" + plain,
		"binary":                     binaryData + plain + binaryData,
		"masked":                     maskedText + plain,
		"reserved bit":               plain + "\xc1\x02ab" + plain,
		"unknown opcode":             plain + "\x83\x02ab" + plain,
		"close":                      plain + closing + plain,
		"ping of impossible length":  plain + "\x89\x7e\x01\x00" + plain,
		"negative length":            plain + "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff" + plain,
		"enormous length":            plain + "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" + plain,
		"cut off in the header":      plain + "\x81",
		"cut off in the length":      plain + "\x81\x7e\x01",
		"cut off in the payload":     plain + "\x81\x05ab",
		"cut off in a large payload": text(readAhead + 1)[:readAhead],
		"cut off between fragments":  "\x01\x02ab",
		"cut off in the mask":        "\x81\x82\x00",
		"cut off in a continuation":  "\x01\x02ab\x80\x02e",
		"masked, 16-bit length":      "\x81\xfe\x00\x02\x00\x00\x00\x00ab" + plain,
	} {
		t.Run(name, func(t *testing.T) {
			for _, atOnce := range []int{7, 1000, 1 << 20} {
				assertAgrees(t, canned{stream, atOnce, io.ErrUnexpectedEOF}, limit)
			}
		})
	}
}

// FuzzReadAgreesWithLibrary does the same with any bytes.
func FuzzReadAgreesWithLibrary(f *testing.F) {
	for _, stream := range []string{
		"\x81\x05hello", fragments, pinged, maskedText, binaryData, closing, "\x89\x00\x81\x02ab",
		"\x81\x7e\x00\x02ab", "\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x02ab", "\xc1\x02ab", "\x81",
	} {
		f.Add([]byte(stream+"\x81\x03end"), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, atOnce uint8) {
		const limit = 1000
		assertAgrees(t, canned{string(stream), 1 + int(atOnce), io.ErrUnexpectedEOF}, limit)
	})
}

// TestCutOffIsNoMessage ends the connection within a message.
func TestCutOffIsNoMessage(t *testing.T) {
	for _, stream := range []string{"\x81", "\x81\x05", "\x81\x05ab", "\x01\x02ab", "\x01\x02ab\x80\x02", "\x82\x02"} {
		for _, atOnce := range []int{1, 100} {
			c := dialCanned(t, canned{stream, atOnce, io.EOF}, Options{})
			_, err := c.read()
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", stream)
		}
	}
}

// TestTextIsReadInPlace checks that usual messages don't go through the WebSocket
// library.
func TestTextIsReadInPlace(t *testing.T) {
	stream := string(textFrame("hello")) + fragments + string(textFrame(messageSend))
	c := dialCanned(t, canned{stream, 1 << 20, io.EOF}, Options{})
	for _, want := range []struct {
		text    string
		inPlace bool
	}{{"hello", true}, {"abcdef", false}, {messageSend, true}} {
		c.buf = readBuffer{}
		f, err := c.read()
		require.NoError(t, err)
		assert.Equal(t, want.text, string(f.data))
		assert.Equal(t, want.inPlace, c.buf.bytes == nil)
	}
}

// TestOnWait has three events arrive in one read, with the beginning of a fourth.
func TestOnWait(t *testing.T) {
	event := string(textFrame(`42["a"]`))
	returned := 0
	var waits []int
	network := canned{event + event + event + event[:5], 1 << 20, io.EOF}
	c := dialCanned(t, network, Options{OnWait: func() { waits = append(waits, returned) }})
	for range 3 {
		nextName(t, c)
		returned++
	}
	_, err := c.Next()
	require.Error(t, err)
	assert.Equal(t, 0, waits[0])
	assert.Equal(t, 3, waits[1], "only once all that came has been returned")
}
