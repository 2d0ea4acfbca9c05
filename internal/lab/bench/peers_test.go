package main

import (
	"net/http/httptest"
	"path/filepath"
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

func TestPeersThatFailAreOut(t *testing.T) {
	load := workload{Events: 1}
	shell := func(name, script string) contestant {
		return contestant{name: name, task: task{Load: load}, command: []string{"sh", "-c", script}}
	}
	b := bench{options: options{rounds: 2}}
	mark := filepath.Join(t.TempDir(), "began")
	again := "test -e " + mark + " && exit 3; touch " + mark + `; echo '{"CPU":1,"Wall":1}'`
	results, err := b.compete(t.Context(), []contestant{
		shell("floor", `echo '{"CPU":1,"Wall":1}'`),
		shell("one that fails", `echo dialing >&2; echo no such door >&2; exit 1`),
		shell("one that dies later", again),
		shell("one that talks", `echo hello`),
		shell("one that reads", `echo '{"CPU":3,"Wall":1}'`),
	})
	require.NoError(t, err)
	require.Len(t, results, 5)
	assert.Equal(t, "no such door", results[1].trouble)
	assert.Equal(t, "exit status 3", results[2].trouble)
	assert.Contains(t, results[3].trouble, `said "hello\n"`)
	assert.Empty(t, results[4].trouble)
	assert.InDelta(t, 3, results[4].ratio.median, 1e-9)
	slow := shell("one that takes its time", `echo "$1" | grep -q '"Events":25,' && echo '{"CPU":0.5,"Wall":1,"Allocs":50}'`)
	slow.command = append(slow.command, "sh")
	slow.slow, slow.task.Load.Events = true, 100
	u, err := slow.run(t.Context(), b)
	require.NoError(t, err)
	assert.Equal(t, usage{CPU: 2, Wall: 4, Allocs: 200}, u, "of the whole stream")
	assert.Equal(t, "| one that fails | out: no such door | | | | | |", results[1].row())
}
