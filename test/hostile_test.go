package test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

// What comes off the wire is not trusted. These tests send what no server
// should, in the middle of a session.

// hostile sends something that it should not.
type hostile func(srv *crisptest.Server)

func sendText(frames ...string) hostile {
	return func(srv *crisptest.Server) {
		for _, frame := range frames {
			srv.SendFrame(frame)
		}
	}
}

func sendBinary(data string) hostile {
	return func(srv *crisptest.Server) { srv.SendBinary([]byte(data)) }
}

func sendBytes(bytes string) hostile {
	return func(srv *crisptest.Server) { srv.SendBytes([]byte(bytes)) }
}

func sendAll(parts ...hostile) hostile {
	return func(srv *crisptest.Server) {
		for _, part := range parts {
			part(srv)
		}
	}
}

// fate is what becomes of a hostile packet.
type fate int

const (
	ignored  fate = iota // in silence: it is part of the protocol, or means nothing
	skipped              // and told to Hooks.Skipped
	reported             // to the error handler
	handled              // it is an event after all
)

var (
	deep      = strings.Repeat("[", 100_000)
	deepWhole = deep + strings.Repeat("]", 100_000)
)

func hostilePackets() map[string]struct {
	send hostile
	fate fate
} {
	type packet = struct {
		send hostile
		fate fate
	}
	return map[string]packet{
		"an empty frame":                   {sendText(""), skipped},
		"white space":                      {sendText(" \n"), skipped},
		"an unknown Engine.IO type":        {sendText("z"), skipped},
		"a NUL":                            {sendText("\x00"), skipped},
		"an unknown Socket.IO type":        {sendText("49"), skipped},
		"no Socket.IO type":                {sendText("4"), skipped},
		"an event of nothing":              {sendText("42"), skipped},
		"an event that is an object":       {sendText(`42{"a":1}`), skipped},
		"an event without a name":          {sendText("42[]"), skipped},
		"an event named by a number":       {sendText("42[7,{}]"), skipped},
		"an event named by null":           {sendText("42[null]"), skipped},
		"an event that breaks off":         {sendText(`42["message:send"`), skipped},
		"an argument that breaks off":      {sendText(`42["message:send",{"content":"x]`), reported},
		"an event without an argument":     {sendText(`42["message:send"]`), handled},
		"a name with a bad escape":         {sendText(`42["message\qsend",{}]`), skipped},
		"a name of another event":          {sendText(`42["never:heard:of",{"x":1}]`), ignored},
		"an empty name":                    {sendText(`42["",{}]`), ignored},
		"a payload of null":                {sendText(`42["message:send",null]`), handled},
		"a payload that is a number":       {sendText(`42["message:send",7]`), handled},
		"a payload that is an array":       {sendText(`42["message:send",[1,2]]`), handled},
		"a payload that is text":           {sendText(`42["message:send","x"]`), handled},
		"fields of other types":            {sendText(`42["message:send",{"session_id":[],"content":{"a":{}},"fingerprint":"x","timestamp":{},"user":3}]`), handled},
		"duplicate keys":                   {sendText(`42["message:send",{"type":"text","content":"a","content":"b","session_id":"x","session_id":"y"}]`), handled},
		"numbers beyond any type":          {sendText(`42["message:send",{"timestamp":1e999,"fingerprint":99999999999999999999999999}]`), handled},
		"a lone surrogate":                 {sendText(`42["message:send",{"type":"text","content":"\ud800"}]`), handled},
		"invalid UTF-8 in the payload":     {sendText("42[\"message:send\",{\"type\":\"text\",\"content\":\"\xff\xfe\"}]"), handled},
		"invalid UTF-8 in the name":        {sendText("42[\"message\xff\",{}]"), ignored},
		"more arguments":                   {sendText(`42["message:send",{"type":"text"},{"more":1},"offset"]`), handled},
		"deep nesting":                     {sendText(`42["message:send",` + deepWhole + `]`), reported},
		"deep nesting in a field":          {sendText(`42["message:send",{"properties":` + strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000) + `}]`), reported},
		"deep nesting that breaks off":     {sendText(`42["message:send",` + deep + `]`), reported},
		"a large acknowledgement id":       {sendText(`4218446744073709551616["message:send",{}]`), handled},
		"an absurd acknowledgement id":     {sendText("42" + strings.Repeat("9", 10_000) + `["message:send",{}]`), handled},
		"an acknowledgement nobody wants":  {sendText("431[]"), skipped},
		"a binary acknowledgement":         {sendAll(sendText(`461-1[{"_placeholder":true,"num":0}]`), sendBinary("x")), skipped},
		"billions of attachments":          {sendText(`459999999999-["x",1]`), skipped},
		"2^64 attachments":                 {sendText(`4518446744073709551615-["x",1]`), skipped},
		"minus one attachment":             {sendText(`45-1-["x",1]`), skipped},
		"no number of attachments":         {sendText(`45-["x"]`), skipped},
		"a binary event of nothing":        {sendText("45"), skipped},
		"attachments that do not come":     {sendText(`452-["message:send",{}]`), skipped},
		"a placeholder out of range":       {sendAll(sendText(`451-["message:send",{"a":{"_placeholder":true,"num":7}}]`), sendBinary("x")), skipped},
		"a placeholder below range":        {sendAll(sendText(`451-["message:send",{"a":{"_placeholder":true,"num":-1}}]`), sendBinary("x")), skipped},
		"a placeholder used twice":         {sendAll(sendText(`451-["message:send",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]]`), sendBinary("x")), skipped},
		"a stray binary frame":             {sendBinary("\x04stray"), skipped},
		"an empty binary frame":            {sendBinary(""), skipped},
		"noop":                             {sendText("6"), ignored},
		"an upgrade":                       {sendText("5"), skipped},
		"a pong":                           {sendText("3"), ignored},
		"a probe":                          {sendText("3probe"), ignored},
		"a connect error":                  {sendText(`44{"message":"x","data":{}}`), skipped},
		"a connect error of nothing":       {sendText("44"), skipped},
		"a second open packet":             {sendText(`0{"sid":"x","pingInterval":1,"pingTimeout":1}`), skipped},
		"a second connect":                 {sendText(`40{"sid":"x"}`), skipped},
		"an event of another namespace":    {sendText(`42/admin,["message:send",{}]`), skipped},
		"a disconnect of another one":      {sendText("41/admin,"), skipped},
		"a connect error of another one":   {sendText(`44/admin,{"message":"x"}`), skipped},
		"a namespace that does not end":    {sendText("42/" + strings.Repeat("a", 10_000)), skipped},
		"authenticated, again":             {sendText(`42["authenticated",true]`), ignored},
		"a mebibyte of white space":        {sendText(strings.Repeat(" ", 1<<20)), skipped},
		"a mebibyte of digits":             {sendText("42" + strings.Repeat("1", 1<<20)), skipped},
		"a mebibyte of opening brackets":   {sendText("42" + strings.Repeat("[", 1<<20)), skipped},
		"a mebibyte of backslashes":        {sendText(`42["message:send","` + strings.Repeat(`\`, 1<<20+1) + `"]`), reported},
		"an envelope around nothing":       {sendText(`42["message:send",{"website_id":"w","data":{}}]`), handled},
		"an envelope around an envelope":   {sendText(`42["message:send",{"website_id":"w","data":{"website_id":"w","data":{}}}]`), handled},
		"an envelope with a broken inside": {sendText(`42["message:send",{"website_id":"w","data":{"a":}}]`), reported},
	}
}

func TestHostilePackets(t *testing.T) {
	for _, version := range []int{3, 4} {
		for name, tt := range hostilePackets() {
			t.Run(fmt.Sprintf("%s, Engine.IO %d", name, version), func(t *testing.T) {
				bubble(t, func(t *testing.T, srv *crisptest.Server) {
					var (
						skips  testkit.Log[error]
						errs   testkit.Log[error]
						ended  testkit.Log[crisp.Disconnected]
						events testkit.Log[*crisp.MessageSend]
					)
					router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { errs.Add(err) }))
					crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error { events.Add(ev); return nil })
					run(t, srv, router, crisp.WithEngineIO(version),
						crisp.WithHooks(crisp.Hooks{Skipped: skips.Add, Disconnected: ended.Add}))
					authenticated(t, srv)
					tt.send(srv)
					emit(srv, "session_a", 0, 1)
					pass(10 * time.Minute)

					assert.Empty(t, ended.List(), "the session goes on")
					list := events.List()
					require.NotEmpty(t, list, "and so do its events")
					assert.Equal(t, crisp.TextContent("0"), list[len(list)-1].Content)
					assert.Equal(t, tt.fate == handled, len(list) == 2)
					if tt.fate == skipped {
						assert.NotEmpty(t, skips.List())
					}
					if tt.fate == reported {
						assert.NotEmpty(t, errs.List())
					}
					for _, err := range append(skips.List(), errs.List()...) {
						assert.Less(t, len(err.Error()), 500, "errors do not quote what came")
					}
				})
			})
		}
	}
}

// frame makes a WebSocket frame of a server's by hand.
func frame(header string, payload string) hostile { return sendBytes(header + payload) }

func TestHostileEndsOfSessions(t *testing.T) {
	tests := map[string]hostile{
		"41":                              sendText("41"),
		"41 with data":                    sendText(`41{"x":1}`),
		"an Engine.IO close":              sendText("1"),
		"a frame over the limit":          sendText("42" + strings.Repeat("x", 1<<20)),
		"a reserved opcode":               frame("\x83\x01", "x"),
		"a reserved bit":                  frame("\xc1\x01", "x"),
		"a length of 2^63":                frame("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "x"),
		"a length of 2^63-1":              frame("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "x"),
		"a ping that is too long":         frame("\x89\x7e\x00\x80", strings.Repeat("x", 128)),
		"a ping in pieces":                frame("\x09\x01", "x"),
		"a continuation of nothing":       frame("\x80\x01", "x"),
		"a frame within another's pieces": frame("\x01\x01", "4\x81\x016"),
		"a close frame of one byte":       frame("\x88\x01", "x"),
		"a close frame with bad UTF-8":    frame("\x88\x04", "\x03\xe8\xff\xfe"),
		"no WebSocket":                    sendBytes("HTTP/1.1 400 Bad Request\r\n\r\n"),
	}
	for name, send := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				var (
					ended testkit.Log[crisp.Disconnected]
					gaps  testkit.Log[crisp.Gap]
				)
				router, got := texts()
				run(t, srv, router, crisp.WithReadLimit(256<<10),
					crisp.WithHooks(crisp.Hooks{Disconnected: ended.Add, Gap: gaps.Add}))
				authenticated(t, srv)
				send(srv)
				pass(10 * time.Minute)
				emit(srv, "session_a", 0, 1)
				synctest.Wait()
				assert.Equal(t, numbers(0, 1), got.List())
				assert.Len(t, gaps.List(), 1)
				require.Len(t, ended.List(), 1, "one packet, one reconnection")
				assert.Error(t, ended.List()[0].Err)
				assert.Less(t, len(ended.List()[0].Err.Error()), 500)
			})
		})
	}
}

// A frame that does not end is only known to be dead by its silence.
func TestHostileFrameThatDoesNotEnd(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		var ended testkit.Log[crisp.Disconnected]
		router, got := texts()
		run(t, srv, router, crisp.WithHooks(crisp.Hooks{Disconnected: ended.Add}))
		authenticated(t, srv)
		srv.SendBytes([]byte("\x81\x7e\x01\x00" + `42["message:send",`))
		srv.GoSilent()
		pass(46 * time.Second)
		require.Len(t, ended.List(), 1)
		authenticated(t, srv)
		emit(srv, "session_a", 0, 1)
		synctest.Wait()
		assert.Equal(t, numbers(0, 1), got.List())
	}, crisptest.WithHeartbeat(25*time.Second, 20*time.Second))
}

func TestHostileFloodsTakeNoMemory(t *testing.T) {
	floods := map[string]func(srv *crisptest.Server, n int){
		"packets that make no sense": func(srv *crisptest.Server, n int) { srv.SendFrame(fmt.Sprint("z", n)) },
		"binary events that are not completed": func(srv *crisptest.Server, n int) {
			srv.SendFrame(fmt.Sprintf(`4510-["message:send",{"a":%d}]`, n))
			srv.SendBinary(make([]byte, 100))
		},
		"events of ever new names": func(srv *crisptest.Server, n int) {
			srv.SendFrame(fmt.Sprintf(`42["event:%d",{}]`, n))
		},
		"requests for acknowledgement": func(srv *crisptest.Server, n int) {
			srv.SendFrame(fmt.Sprintf(`42%d["other",{}]`, n))
		},
		"pings": func(srv *crisptest.Server, _ int) { srv.SendFrame("2") },
	}
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *crisptest.Server) {
				const frames = 30_000
				router, got := texts()
				run(t, srv, router, crisp.WithHooks(crisp.Hooks{Skipped: func(error) {}}))
				authenticated(t, srv)
				batch := func(from, to int) {
					for n := from; n < to; n++ {
						flood(srv, n)
						if n%1000 == 0 {
							synctest.Wait()
						}
					}
					synctest.Wait()
				}
				batch(0, frames/3)
				before, goroutines := testkit.Heap(), runtime.NumGoroutine()
				batch(frames/3, frames)
				assert.Less(t, testkit.Heap(), before+1<<20)
				assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines+1)
				emit(srv, "session_a", 0, 1)
				synctest.Wait()
				assert.Equal(t, numbers(0, 1), got.List())
			})
		})
	}
}

// FuzzRTM sends any two frames to a running client. Whatever they are, the
// client takes the events that follow, after one reconnection at most.
func FuzzRTM(f *testing.F) {
	for _, p := range []string{
		"", "2", "3", "6", "41", "44{}", `42["message:send",{}]`, `420["message:send",null]`,
		`451-["message:send",{"a":{"_placeholder":true,"num":0}}]`, `42["unauthorized",{"message":"no"}]`, `42/x,["a"]`,
	} {
		f.Add(true, p, []byte("\x04x"))
		f.Add(false, p, []byte(p))
	}
	f.Fuzz(func(t *testing.T, newer bool, frame string, attachment []byte) {
		if len(frame)+len(attachment) > 64<<10 {
			return
		}
		version := 3
		if newer {
			version = 4
		}
		bubble(t, func(t *testing.T, srv *crisptest.Server) {
			var ended testkit.Log[crisp.Disconnected]
			router, got := texts(crisp.WithErrorHandler(func(context.Context, error) {}))
			rtm := run(t, srv, router, crisp.WithEngineIO(version), crisp.WithHooks(crisp.Hooks{Disconnected: ended.Add}))
			authenticated(t, srv)
			srv.SendFrame(frame)
			srv.SendBinary(attachment)
			pass(time.Second)
			select {
			case err := <-rtm.err: // it was told that it has no business here
				require.ErrorIs(t, err, crisp.ErrUnauthorized)
				return
			default:
			}
			emit(srv, "session_fuzz", 0, 1)
			synctest.Wait()
			list := got.List()
			require.NotEmpty(t, list)
			assert.Equal(t, "0", list[len(list)-1])
			assert.LessOrEqual(t, len(ended.List()), 1)
		})
	})
}
