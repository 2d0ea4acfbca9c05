package decoders

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/bytedance/sonic"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	goccy "github.com/goccy/go-json"
	"github.com/mailru/easyjson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// payload is a message:send of about 600 bytes.
const payload = `{"website_id":"f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038",` +
	`"session_id":"session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97","inbox_id":null,"type":"text","from":"user",` +
	`"origin":"chat","content":"Hello! I ordered three lamps last week, and two of them came without a bulb. ` +
	`Could you send me the missing ones,\nor tell me where I can find them?","fingerprint":177356982415933,` +
	`"stamped":true,"timestamp":1773569824159,"user":{"type":"participant","nickname":"Camille Example",` +
	`"user_id":"session_9b7d2c64-0e1f-4a53-8c6d-31f5a2e80b97","avatar":"https://example.com/avatar/camille.png"}}`

// decoders read a Message from data that they may hold on to.
func decoders() map[string]func(data []byte, m *Message) error {
	return map[string]func([]byte, *Message) error{
		"encoding-json":   func(data []byte, m *Message) error { return json.Unmarshal(data, m) },
		"json-experiment": func(data []byte, m *Message) error { return jsonv2.Unmarshal(data, m) },
		"goccy":           func(data []byte, m *Message) error { return goccy.Unmarshal(data, m) },
		"sonic-default":   func(data []byte, m *Message) error { return sonic.ConfigDefault.Unmarshal(data, m) },
		"sonic-std":       func(data []byte, m *Message) error { return sonic.ConfigStd.Unmarshal(data, m) },
		"easyjson":        func(data []byte, m *Message) error { return easyjson.Unmarshal(data, m) },
	}
}

// TestDecodersAgree makes sure that all of them do the work.
func TestDecodersAgree(t *testing.T) {
	var want Message
	require.NoError(t, json.Unmarshal([]byte(payload), &want))
	for name, decode := range decoders() {
		var got Message
		require.NoError(t, decode([]byte(payload), &got), name)
		assert.Equal(t, want, got, name)
	}
	ev, err := crisp.Decode("message:send", []byte(payload))
	require.NoError(t, err)
	m := ev.(*crisp.MessageSend)
	assert.Equal(t, want.SessionID, m.SessionID)
	assert.Equal(t, crisp.TextContent(want.Content), m.Content)
	assert.Equal(t, want.Fingerprint, m.Fingerprint)
	assert.Equal(t, want.User.Avatar, m.User.Avatar)
}

// TestInvalidJSON counts what is not JSON, and accepted all the same, in a
// member that nobody asked for.
func TestInvalidJSON(t *testing.T) {
	accepted := make(map[string]int)
	for _, value := range []string{`"\q"`, "\"a\x01b\"", `01`, `-`, `1.`, `tru`, `[1,]`, `{"a" 1}`, `"a`} {
		data := []byte(`{"unknown":` + value + `}`)
		require.False(t, json.Valid(data))
		for name, decode := range decoders() {
			if decode(data, new(Message)) == nil {
				accepted[name]++
			}
		}
		_, err := crisp.Decode("message:send", data)
		assert.Error(t, err, value)
	}
	assert.Equal(t, map[string]int{"easyjson": 5, "sonic-default": 2}, accepted)
}

// BenchmarkDecode decodes the message in memory of its own, as each event is:
// copying the payload is part of it.
func BenchmarkDecode(b *testing.B) {
	b.Run("crisp", func(b *testing.B) {
		run(b, func() error {
			_, err := crisp.Decode("message:send", []byte(payload))
			return err
		})
	})
	for name, decode := range decoders() {
		b.Run(name, func(b *testing.B) {
			run(b, func() error { return decode([]byte(payload), new(Message)) })
		})
	}
	b.Run("jsontext-tokens", func(b *testing.B) { // what a hand-written decoder over jsontext would start from
		var d jsontext.Decoder
		var r bytes.Reader
		run(b, func() error {
			r.Reset([]byte(payload))
			d.Reset(&r)
			for d.PeekKind() != 0 {
				if _, err := d.ReadToken(); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func run(b *testing.B, decode func() error) {
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := decode(); err != nil {
			b.Fatal(err)
		}
	}
}
