package main

import (
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSessionsOfBothProtocols holds the conversation of each Engine.IO: a packet
// that the client sends is behind "> ".
func TestSessionsOfBothProtocols(t *testing.T) {
	const authentication, event = `> 42["authentication",{}]`, `42["message:send",`
	for version, conversation := range map[string][]string{
		"4": {`0{"sid":`, "> 40", `40{"sid":`, authentication, `42["authenticated",true]`, event, event, `42["session:removed",`},
		"3": {`0{"sid":`, "40", authentication, `42["authenticated",true]`, `> 42["socket:bind",""]`, event, event, `42["session:removed",`},
	} {
		t.Run(version, func(t *testing.T) {
			server := httptest.NewServer(streamRoutes())
			defer server.Close()
			load := workload{Event: "message:send", Size: 600, Events: 2}
			conn, _, err := websocket.Dial(t.Context(), server.URL+load.path()+"/rtm/?EIO="+version, nil) //nolint:bodyclose // the connection owns it
			require.NoError(t, err)
			defer func() { _ = conn.CloseNow() }()
			for _, packet := range conversation {
				if sent, ok := cut(packet); ok {
					require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(sent)))
					continue
				}
				_, received, err := conn.Read(t.Context())
				require.NoError(t, err)
				assert.Contains(t, string(received), packet)
			}
		})
	}
}

func cut(packet string) (sent string, ok bool) {
	const mark = "> "
	if len(packet) < len(mark) || packet[:len(mark)] != mark {
		return "", false
	}
	return packet[len(mark):], true
}

func TestTryOutLeavesOutWhoCanNotRead(t *testing.T) {
	shell := func(name, script string) contestant {
		return contestant{name: name, task: task{Load: workload{Events: 1_000_000}}, command: []string{"sh", "-c", script}}
	}
	able, unable := bench{}.tryOut(t.Context(), []contestant{
		shell("one that reads", `echo '{"CPU":1}'`),
		shell("one that fails", `echo dialing >&2; echo no such door >&2; exit 1`),
		shell("one that dies", `exit 3`),
		shell("one that talks", `echo hello`),
	})
	require.Len(t, able, 1)
	assert.Equal(t, "one that reads", able[0].name)
	assert.Equal(t, 1_000_000, able[0].task.Load.Events)
	require.Len(t, unable, 3)
	assert.Equal(t, "no such door", unable[0].trouble)
	assert.Equal(t, "exit status 3", unable[1].trouble)
	assert.Contains(t, unable[2].trouble, `said "hello\n"`)
	assert.Equal(t, "| one that fails | takes no part: no such door | | | | | |", unable[0].row())
}
