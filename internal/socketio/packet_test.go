package socketio

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParsePacket(t *testing.T) {
	tests := []struct {
		frame string
		want  packet
	}{
		{`0{"sid":"x"}`, packet{kind: kindOpen, data: []byte(`{"sid":"x"}`)}},
		{`1`, packet{kind: kindClose}},
		{`2`, packet{kind: kindPing}},
		{`2probe`, packet{kind: kindPing}},
		{`3`, packet{kind: kindPong}},
		{"3\n", packet{kind: kindPong}},
		{`5`, packet{kind: kindUpgrade}},
		{`6`, packet{kind: kindNoop}},
		{`40`, packet{kind: kindConnect, data: []byte{}}},
		{`40{"sid":"x"}`, packet{kind: kindConnect, data: []byte(`{"sid":"x"}`)}},
		{`40/admin,{"sid":"x"}`, packet{kind: kindConnect, foreign: true, data: []byte(`{"sid":"x"}`)}},
		{`40/admin?token=1`, packet{kind: kindConnect, foreign: true, data: nil}},
		{`41`, packet{kind: kindDisconnect, data: []byte{}}},
		{`41/admin,`, packet{kind: kindDisconnect, foreign: true, data: []byte{}}},
		{`42["a",1]`, packet{kind: kindEvent, data: []byte(`["a",1]`)}},
		{"42[\"a\",1] \t\r\n", packet{kind: kindEvent, data: []byte(`["a",1]`)}},
		{`42/,["a",1]`, packet{kind: kindEvent, data: []byte(`["a",1]`)}},
		{`42/admin,["a"]`, packet{kind: kindEvent, foreign: true, data: []byte(`["a"]`)}},
		{`4217["a"]`, packet{kind: kindEvent, ackID: []byte("17"), data: []byte(`["a"]`)}},
		{`42/admin,17["a"]`, packet{kind: kindEvent, foreign: true, ackID: []byte("17"), data: []byte(`["a"]`)}},
		{`42`, packet{kind: kindEvent, data: []byte{}}},
		{`433[]`, packet{kind: kindAck, ackID: []byte("3"), data: []byte(`[]`)}},
		{`44{"message":"no"}`, packet{kind: kindConnectError, data: []byte(`{"message":"no"}`)}},
		{`44"no"`, packet{kind: kindConnectError, data: []byte(`"no"`)}},
		{`451-["a"]`, packet{kind: kindBinaryEvent, attachments: 1, data: []byte(`["a"]`)}},
		{`4510-/admin,7["a"]`, packet{kind: kindBinaryEvent, attachments: 10, foreign: true, ackID: []byte("7"), data: []byte(`["a"]`)}},
		{`450000000000001-["a"]`, packet{kind: kindBinaryEvent, attachments: 1, data: []byte(`["a"]`)}},
		{`460-5[]`, packet{kind: kindBinaryAck, ackID: []byte("5"), data: []byte(`[]`)}},
	}
	for _, test := range tests {
		t.Run(test.frame, func(t *testing.T) {
			got, err := parsePacket([]byte(test.frame))
			assert.NoError(t, err)
			assert.Equal(t, test.want.kind, got.kind)
			assert.Equal(t, test.want.foreign, got.foreign, "foreign")
			assert.Equal(t, test.want.attachments, got.attachments, "attachments")
			assert.Equal(t, string(test.want.ackID), string(got.ackID), "ack id")
			assert.Equal(t, string(test.want.data), string(got.data), "data")
		})
	}
}

func TestParsePacketRejects(t *testing.T) {
	tests := []struct {
		frame string
		want  error
	}{
		{"", errEmptyPacket},
		{" \r\n", errEmptyPacket},
		{"7", errUnknownPacket},
		{"x", errUnknownPacket},
		{"\x00", errUnknownPacket},
		{"4", errUnknownPacket},
		{"47", errUnknownPacket},
		{`4["a"]`, errUnknownPacket},
		{`45["a"]`, errAttachmentCount},
		{`45`, errAttachmentCount},
		{`451`, errAttachmentCount},
		{`45-["a"]`, errAttachmentCount},
		{`4511-["a"]`, errAttachmentCount},
		{`45-1-["a"]`, errAttachmentCount},
		{`451.5-["a"]`, errAttachmentCount},
		{`459999999999-["x",1]`, errAttachmentCount},
		{`4518446744073709551615-["x",1]`, errAttachmentCount},
		{`4618446744073709551617-[]`, errAttachmentCount},
		{"45" + strings.Repeat("9", 1<<16) + "-[]", errAttachmentCount},
	}
	for _, test := range tests {
		t.Run(test.frame[:min(len(test.frame), 40)], func(t *testing.T) {
			_, err := parsePacket([]byte(test.frame))
			assert.ErrorIs(t, err, test.want)
		})
	}
}
