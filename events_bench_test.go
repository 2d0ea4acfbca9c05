package crisp_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

// messageSend is a message:send as visitors' chats send them, of about 600
// bytes.
const messageSend = `{"website_id":"f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038",` +
	`"session_id":"session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97","inbox_id":null,"type":"text","from":"user",` +
	`"origin":"chat","content":"Hello! I ordered three lamps last week, and two of them came without a bulb. ` +
	`Could you send me the missing ones, or tell me where I can find them?","fingerprint":177356982415933,` +
	`"stamped":true,"timestamp":1773569824159,"user":{"type":"participant","nickname":"Camille Example",` +
	`"user_id":"session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97","avatar":"https://example.com/avatar/camille.png"}}`

func BenchmarkDecode(b *testing.B) {
	payloads := map[string]string{"message:send": messageSend}
	for _, name := range []string{"session:set_state", "message:received", "people:profile:updated", "session:sync:pages"} {
		payloads[name] = testkit.SampleOf(name)
	}
	for name, payload := range payloads {
		b.Run(name, func(b *testing.B) {
			data := []byte(payload)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := crisp.Decode(name, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecodeEncodingJSON is what encoding/json takes for the same
// message, into a struct without Meta, drift or typed content.
func BenchmarkDecodeEncodingJSON(b *testing.B) {
	type message struct {
		WebsiteID   string  `json:"website_id"`
		SessionID   string  `json:"session_id"`
		InboxID     *string `json:"inbox_id"`
		Type        string  `json:"type"`
		From        string  `json:"from"`
		Origin      string  `json:"origin"`
		Content     any     `json:"content"`
		Fingerprint int64   `json:"fingerprint"`
		Stamped     bool    `json:"stamped"`
		Timestamp   int64   `json:"timestamp"`
		User        struct {
			Type     string `json:"type"`
			UserID   string `json:"user_id"`
			Nickname string `json:"nickname"`
			Avatar   string `json:"avatar"`
		} `json:"user"`
	}
	data := []byte(messageSend)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, json.Unmarshal(data, new(message)))
	}
}
