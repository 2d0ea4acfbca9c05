package crisp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
)

// ConversationMeta is what is known of the visitor of a conversation.
type ConversationMeta struct {
	Nickname string
	Email    string
	Phone    string
	Address  string
	Subject  string // of the conversation
	Origin   string // the channel that the conversation came through
	Avatar   string // URL of the image
	// Data is custom data by key: strings, numbers (float64) and booleans.
	Data map[string]any
	// Segments are what the conversation is classed by.
	Segments   []string
	IP         string // of the visitor
	Connection NetworkConnection
	Device     Device

	// Raw is what came, with what has no field here; nil inside a Conversation.
	// Strings share its memory: read it, don't write to it.
	Raw json.RawMessage
	// Problems lists fields whose JSON type was not the expected one, which were
	// left zero. Those of a meta inside a Conversation are among the
	// Conversation's.
	Problems []FieldProblem
}

// Device is what is known of the visitor's device.
type Device struct {
	Capabilities []string // such as "browsing" or "call"
	Geolocation  Geolocation
	System       System
	Timezone     time.Duration // offset from UTC as the browser tells it, in whole minutes
	Locales      []string      // languages, such as "en"
}

func (m *ConversationMeta) decode(d *payload.Decoder) {
	if !d.Object(payload.Optional) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "nickname":
			m.Nickname = d.String(payload.Optional)
		case "email":
			m.Email = d.String(payload.Optional)
		case "phone":
			m.Phone = d.String(payload.Optional)
		case "address":
			m.Address = d.String(payload.Optional)
		case "subject":
			m.Subject = d.String(payload.Optional)
		case "origin":
			m.Origin = d.String(payload.Optional)
		case "avatar":
			m.Avatar = d.String(payload.Optional)
		case "data":
			m.Data = d.AnyMap(payload.Optional)
		case "segments":
			m.Segments = d.Strings(payload.Optional)
		case "ip":
			m.IP = d.String(payload.Optional)
		case "connection":
			m.Connection.decode(d, payload.Optional)
		case "device":
			m.Device.decode(d)
		default:
			d.Skip()
		}
	}
}

func (v *Device) decode(d *payload.Decoder) {
	if !d.Object(payload.Optional) {
		return
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "capabilities":
			v.Capabilities = d.Strings(payload.Optional)
		case "geolocation":
			v.Geolocation.decode(d, payload.Optional)
		case "system":
			v.System.decode(d, payload.Optional)
		case "timezone":
			v.Timezone = d.Duration(payload.Optional, time.Minute)
		case "locales":
			v.Locales = d.Strings(payload.Optional)
		default:
			d.Skip()
		}
	}
}

// ConversationMeta gets what is known of the visitor of a conversation. A field
// of it that came in an unexpected type is left zero and listed in its Problems.
func (c *Client) ConversationMeta(ctx context.Context, ref SessionRef) (*ConversationMeta, error) {
	var check checks
	check.session(ref)
	if err := check.err(); err != nil {
		return nil, err
	}
	var raw json.RawMessage
	if err := c.Do(ctx, http.MethodGet, ref.path("meta"), nil, &raw); err != nil {
		return nil, err
	}
	meta := &ConversationMeta{Raw: raw}
	meta.Problems = decodeData(raw, meta.decode)
	return meta, nil
}

// MetaUpdate is what [Client.UpdateConversationMeta] changes. Zero fields stay
// as they are; an empty list or map that is not nil is sent. To clear a text,
// send null with [Client.Do].
type MetaUpdate struct {
	Nickname string `json:"nickname,omitzero"`
	Email    string `json:"email,omitzero"`
	Phone    string `json:"phone,omitzero"`
	Address  string `json:"address,omitzero"`
	Subject  string `json:"subject,omitzero"` // of the conversation
	Avatar   string `json:"avatar,omitzero"`  // URL of the image
	// Data is custom data by key: strings, numbers and booleans.
	Data map[string]any `json:"data,omitzero"`
	// Segments replace those that the conversation has.
	Segments []string `json:"segments,omitzero"`
}

func (u *MetaUpdate) check(c *checks) {
	something := u.Nickname != "" || u.Email != "" || u.Phone != "" || u.Address != "" || u.Subject != "" ||
		u.Avatar != "" || u.Data != nil || u.Segments != nil
	c.that(something, "meta", "nothing to update")
	if u.Avatar != "" {
		c.url("avatar", u.Avatar)
	}
	for key, value := range u.Data {
		c.that(key != "", "data", "an empty key")
		c.that(isPlain(value), "data."+key, fmt.Sprintf("a %T, not a string, number or boolean", value))
	}
	c.noneEmpty("segments", u.Segments)
}

// isPlain tells whether a value is a string, a number or a boolean.
func isPlain(value any) bool {
	switch value.(type) {
	case string, bool, json.Number, float32, float64,
		int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return true
	}
	return false
}

// UpdateConversationMeta changes what is known of the visitor of a
// conversation.
func (c *Client) UpdateConversationMeta(ctx context.Context, ref SessionRef, update MetaUpdate) error {
	var check checks
	update.check(&check)
	return c.change(ctx, http.MethodPatch, ref, "meta", check, update)
}
