package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// frames are seeds: each kind of packet, good and bad.
var frames = []string{
	openPacket, connectPacket, `1`, `2`, `2probe`, `3`, `5`, `6`, `40`, `41`, `42`, "42[\"a\"]\n",
	messageSend, `42["a",{"b":[1,{"c":"d,e"},{}]},"offset"]`, `42["a",{"b":"\\\""},{"c":2}]`,
	`42["caf\u00e9",1]`, "42[\"\xff\",1]", `42["\ud800"]`, `42[1,2]`, `42["a",]`, `42["a",[[[[`,
	`4212["a"]`, `42/admin,12["a"]`, `42/,["a"]`, `4299999999999999999999999["a"]`,
	`431[]`, `44{"message":"no"}`, `44"no"`,
	`451-["a",{"_placeholder":true,"num":0}]`, `4510-["a",{"_placeholder":true,"num":9}]`,
	`459999999999-["x",1]`, `4518446744073709551615-["x",1]`, `461-3[]`, `b4aGVsbG8=`, "\x04binary", "",
}

// FuzzPacket compares what is parsed of an event with encoding/json.
func FuzzPacket(f *testing.F) {
	for _, frame := range frames {
		f.Add([]byte(frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, err := parsePacket(frame)
		if err != nil {
			return
		}
		require.LessOrEqual(t, p.attachments, maxAttachments)
		name, args, err := parseEvent(p.data)
		arg := Event{Args: args}.Arg()
		var array []json.RawMessage
		if json.Unmarshal(p.data, &array) != nil || len(array) == 0 {
			return // not valid JSON: whoever decodes the argument notices
		}
		var want string
		if array[0][0] != '"' {
			require.ErrorIs(t, err, errEventName)
			return
		}
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(array[0], &want))
		require.Equal(t, want, string(name))
		if len(array) == 1 {
			require.Nil(t, args)
			return
		}
		require.Equal(t, string(array[1]), string(arg))
		require.True(t, json.Valid(append(append([]byte("["), args...), ']')))
	})
}

// FuzzSession sends any sequence of frames, one per line, and then an event,
// which must arrive unless a frame has ended the connection. A line that starts
// with a 0x04 byte is sent as a binary frame.
func FuzzSession(f *testing.F) {
	for _, frame := range frames {
		f.Add([]byte(frame), true)
	}
	f.Add([]byte(strings.Join(frames, "\n")), true)
	f.Add([]byte("452-[\"a\",{\"_placeholder\":true,\"num\":1}]\n\x04one\n2\n\x04two"), true)
	f.Add([]byte("452-[\"a\",{\"_placeholder\":true,\"num\":1}]\n\x04one\nb4dHdv"), false)
	f.Fuzz(func(t *testing.T, lines []byte, version4 bool) {
		version := 3
		if version4 {
			version = 4
		}
		client := startServer(t, func(p *peer) {
			go p.drain()
			p.send(openPacket, map[int]string{3: `40`, 4: connectPacket}[version])
			for line := range bytes.SplitSeq(lines, []byte("\n")) {
				if bytes.HasPrefix(line, []byte{4}) {
					p.sendBinary(string(line))
				} else {
					p.send(string(line))
				}
			}
			p.send(`42["the end"]`)
		})
		c := open(t, client, Options{Version: version})
		for {
			ev, err := c.Next()
			if errors.Is(err, ErrServerDisconnect) {
				return
			}
			require.NoError(t, err)
			if string(ev.Name) == "the end" {
				return
			}
			assert.LessOrEqual(t, len(ev.Arg()), len(ev.Args))
		}
	})
}
