package socketio

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLostEvents sends packets that can't be used: which of them were events?
func TestLostEvents(t *testing.T) {
	const hole = `{"_placeholder":true,"num":0}`
	for _, test := range []struct {
		name   string
		text   string
		binary []string
		lost   int
	}{
		{"cut short", `42["message:send",{"content":"Hel`, nil, 1},
		{"no array", `42{"a":1}`, nil, 1},
		{"nothing", `42`, nil, 1},
		{"no name", `42[]`, nil, 1},
		{"a name that is no string", `42[1,2]`, nil, 1},
		{"too many attachments", `4511-["x"]`, []string{"a", "b"}, 1},
		{"no count", `45["x"]`, nil, 1},
		{"binary, cut short", `451-["x",` + hole, []string{"a"}, 1},
		{"a placeholder too many", `451-["x",` + hole + `,` + hole + `]`, []string{"a"}, 1},
		{"never completed", `452-["x",` + hole + `]`, []string{"a"}, 1},
		{"attachments too large", `452-["x",` + hole + `]`, []string{strings.Repeat("a", 600), strings.Repeat("b", 600)}, 1},

		{"junk", `junk`, nil, 0},
		{"empty", ``, nil, 0},
		{"unknown type", `48`, nil, 0},
		{"stray attachment", `6`, []string{"a"}, 0},
		{"another namespace", `42/admin,["x"`, nil, 0},
		{"binary, another namespace", `451-/admin,["x",` + hole, []string{"a"}, 0},
		{"another namespace, never completed", `452-/admin,["x"]`, nil, 0},
		{"acknowledgement", `431[]`, nil, 0},
		{"binary acknowledgement", `461-0[` + hole + `]`, []string{"a"}, 0},
		{"binary acknowledgement, never completed", `462-0[` + hole + `]`, []string{"a"}, 0},
		{"acknowledgement of too many", `4611-0[]`, nil, 0},
		{"an event whose acknowledgement can't be given", `42` + strings.Repeat("9", 100) + `["x"]`, nil, 0},
		{"late connect error", `44{"message":"no"}`, nil, 0},
		{"late open", openPacket, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := startServer(t, func(p *peer) {
				p.handshake()
				p.send(test.text)
				p.sendBinary(test.binary...)
				p.send(`42["after"]`)
				p.drain()
			})
			lost := 0
			c := open(t, client, Options{ReadLimit: 1000, OnSkip: func(s Skip) {
				assert.Error(t, s.Reason)
				if s.Event {
					lost++
				}
			}})
			for nextName(t, c) != "after" {
			}
			assert.Equal(t, test.lost, lost)
		})
	}
}

// TestIncompleteForLong has a server that sends nothing but heartbeats behind an
// incomplete binary packet.
func TestIncompleteForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan Skip, 1)
		client := startServer(t, func(p *peer) {
			p.handshake()
			p.send(`452-["x"]`)
			p.sendBinary("a")
			go p.drain()
			for n := 0; n < 10 && len(lost) == 0; n++ {
				time.Sleep(interval)
				p.send("2")
				synctest.Wait()
			}
			p.sendBinary("b")
			p.send(`42["end"]`)
		})
		c := open(t, client, Options{OnSkip: func(s Skip) {
			select {
			case lost <- s:
			default:
			}
		}})
		start := time.Now()
		assert.Equal(t, "end", nextName(t, c))
		require.NotEmpty(t, lost)
		assert.Equal(t, Skip{Reason: errAttachmentLost, Event: true}, <-lost)
		assert.Equal(t, 2*interval, time.Since(start))
	})
}
