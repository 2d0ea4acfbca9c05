package socketio

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBinaryEvents sends binary packets, each followed by a text event that
// must arrive all the same.
func TestBinaryEvents(t *testing.T) {
	const hole = `{"_placeholder":true,"num":%d}`
	tests := []struct {
		name   string
		text   string
		binary []string
		want   string // event name and arguments, "" if it is skipped
		skips  []error
	}{
		{"one", `451-["x",` + fmt.Sprintf(hole, 0) + `]`, []string{"hello"}, `x "aGVsbG8="`, nil},
		{"nested", `452-["x",{"a":[` + fmt.Sprintf(hole, 0) + `],"b":` + fmt.Sprintf(hole, 1) + `},2]`, []string{"\x00", ""},
			`x {"a":["AA=="],"b":""},2`, nil},
		{"out of order", `452-["x",` + fmt.Sprintf(hole, 1) + `,` + fmt.Sprintf(hole, 0) + `]`, []string{"0", "1"}, `x "MQ==","MA=="`, nil},
		{"none", `450-["x",1]`, nil, `x 1`, nil},
		{"without a placeholder", `451-["x",1]`, []string{"a"}, `x 1`, nil},
		{"placeholder in a string", `450-["x","` + strings.ReplaceAll(fmt.Sprintf(hole, 0), `"`, `\"`) + `"]`, nil,
			`x "{\"_placeholder\":true,\"num\":0}"`, nil},
		{"ten", `4510-["x"]`, strings.Split("0123456789", ""), `x `, nil},

		{"number out of range", `451-["x",` + fmt.Sprintf(hole, 1) + `]`, []string{"a"}, "", []error{errPlaceholder}},
		{"number over 64 bits", `451-["x",{"_placeholder":true,"num":18446744073709551616}]`, []string{"a"}, "", []error{errPlaceholder}},
		{"number negative", `451-["x",` + fmt.Sprintf(hole, -1) + `]`, []string{"a"}, "", []error{errPlaceholder}},
		{"number no number", `451-["x",{"_placeholder":true,"num":"0"}]`, []string{"a"}, "", []error{errPlaceholder}},
		{"number unfinished", `451-["x",{"_placeholder":true,"num":0`, []string{"a"}, "", []error{errPlaceholder}},
		{"used twice", `451-["x",` + fmt.Sprintf(hole, 0) + `,` + fmt.Sprintf(hole, 0) + `]`, []string{"a"}, "", []error{errPlaceholder}},
		{"no event", `451-{"a":1}`, []string{"a"}, "", []error{errEventSyntax}},
		{"another namespace", `451-/admin,["x",` + fmt.Sprintf(hole, 0) + `]`, []string{"a"}, "", []error{errNamespace}},
		{"acknowledgement", `461-0["x",` + fmt.Sprintf(hole, 0) + `]`, []string{"a"}, "", []error{errUnaskedAck}},
		{"too few", `452-["x",1]`, []string{"a"}, "", []error{errAttachmentLost}},
		{"too many", `451-["x",1]`, []string{"a", "b", ""}, `x 1`, []error{errStrayBinary, errStrayBinary}},
		{"too many announced", `4511-["x",1]`, []string{"a", "b"}, "", []error{errAttachmentCount, errStrayBinary, errStrayBinary}},
		{"stray", `6`, []string{"a"}, "", []error{errStrayBinary}},
		{"too large", `452-["x",1]`, []string{strings.Repeat("a", 600), strings.Repeat("b", 600)}, "", []error{errAttachmentSize}},
	}
	for _, version := range []int{3, 4} {
		client := startServer(t, func(p *peer) {
			p.handshakeVersion(version)
			for _, test := range tests {
				p.send(test.text)
				for i, attachment := range test.binary {
					if version == 4 {
						p.sendBinary(attachment)
					} else {
						p.sendAttachment3(attachment, i%2 == 1)
					}
				}
				p.send(`42["after"]`)
			}
			p.send(`41`)
			p.drain()
		})
		var skipped skips
		c := open(t, client, Options{Version: version, OnSkip: skipped.add, ReadLimit: 1000})
		for _, test := range tests {
			skipped = nil
			if test.want != "" {
				ev, err := c.Next()
				require.NoError(t, err)
				require.Equal(t, test.want, fmt.Sprintf("%s %s", ev.Name, ev.Args), test.name)
			}
			require.Equal(t, "after", nextName(t, c), test.name)
			assert.Equal(t, skips(test.skips), skipped, test.name)
		}
	}
}

func TestEngine3AttachmentForms(t *testing.T) {
	client := startServer(t, func(p *peer) {
		p.handshakeVersion(3)
		p.send(`451-["x",{"_placeholder":true,"num":0}]`)
		p.sendBinary("", "\x00a", "raw") // each without the packet type of a message
		p.send("b4%%%", "b2aGVsbG8=", "b")
		p.send("b4aGVsbG8=\n")
		p.drain()
	})
	var skipped skips
	c := open(t, client, Options{Version: 3, OnSkip: skipped.add})
	ev, err := c.Next()
	require.NoError(t, err)
	assert.Equal(t, `"aGVsbG8="`, string(ev.Args))
	assert.Equal(t, skips{
		errUnknownPacket, errUnknownPacket, errUnknownPacket,
		errBase64, errUnknownPacket, errUnknownPacket,
	}, skipped)
}

// TestHeartbeatBetweenAttachments sends control packets in the middle of a binary
// packet.
func TestHeartbeatBetweenAttachments(t *testing.T) {
	client := startServer(t, func(p *peer) {
		p.handshake()
		p.send(`452-["x",{"_placeholder":true,"num":0}]`)
		p.sendBinary("a")
		p.send(`2`, `6`)
		p.expect(`3`)
		p.sendBinary("b")
		p.drain()
	})
	c := open(t, client, Options{})
	ev, err := c.Next()
	require.NoError(t, err)
	assert.Equal(t, `x "YQ=="`, fmt.Sprintf("%s %s", ev.Name, ev.Args))
}
