package payload

import (
	"encoding/json"
	"time"
)

// Envelope is the object around the payload in the body of a web hook, and
// sometimes in the argument of an RTM event.
type Envelope struct {
	WebsiteID string
	Event     string
	Data      json.RawMessage // the payload; nil if there is none
	Timestamp time.Time
	Problems  []Problem // of the envelope's own fields
}

// ParseEnvelope reads an object as an envelope, whatever else is in it. A value
// that is no object makes an empty envelope with a problem; the error is a
// [*SyntaxError].
func ParseEnvelope(data []byte) (Envelope, error) {
	var env Envelope
	var d Decoder
	d.Reset(data)
	if d.Object(Required) {
		for key, ok := d.Next(); ok; key, ok = d.Next() {
			env.member(&d, key)
		}
	}
	if err := d.End(); err != nil {
		return Envelope{}, err
	}
	env.Problems = d.Problems()
	return env, nil
}

// DetectEnvelope reads the data as an envelope if they are one rather than a
// bare payload: an object that has a website_id, data that are an object, and
// no member that envelopes don't have. It stops at the first member that only a
// payload has, so that it costs next to nothing for a payload, whose JSON may
// therefore still be invalid.
func DetectEnvelope(data []byte) (Envelope, bool) {
	if !scan(data, true).Enveloped {
		return Envelope{}, false
	}
	env, err := ParseEnvelope(data)
	if err != nil || len(env.Data) == 0 || env.Data[0] != '{' {
		return Envelope{}, false
	}
	return env, true
}

// member reads the value at the cursor into the field for key.
func (env *Envelope) member(d *Decoder, key string) {
	switch key {
	case "website_id":
		env.WebsiteID = d.String(Optional)
	case "event":
		env.Event = d.String(Required)
	case "data":
		env.Data = d.Skip()
	case "timestamp":
		env.Timestamp = d.Time(Optional)
	default:
		d.skip()
	}
}

// Head is what of a payload says where it belongs.
type Head struct {
	Session   string // session_id, also inside an envelope; empty if there is none
	Website   string // website_id, likewise; may be left out where there is a Session
	Enveloped bool   // it looks like an envelope: see DetectEnvelope
}

// Peek looks for the head of a payload, and stops when it has a session. The
// strings share the data's memory. It says nothing of the validity of the JSON.
func Peek(data []byte) Head {
	h := scan(data, false)
	if h.Enveloped {
		if env, err := ParseEnvelope(data); err == nil {
			h.Session = scan(env.Data, false).Session
		}
	}
	return h
}

// scan goes through the members of an object up to its session, or up to the
// first sign that it is no envelope.
func scan(data []byte, forEnvelope bool) Head {
	var h Head
	d := Decoder{data: data}
	if d.peek() != '{' || !d.open() {
		return h
	}
	var hasWebsite, hasData, foreign bool // foreign: a member that no envelope has
	for first := true; d.another('}', first); first = false {
		switch name := string(d.rawKey()); name {
		case "website_id":
			hasWebsite = true
			h.Website = d.peekString()
		case "data":
			hasData = true
			d.skip()
		case "event", "timestamp":
			d.skip()
		default:
			if foreign = true; forEnvelope {
				return h
			}
			if name != "session_id" {
				d.skip()
			} else if h.Session = d.peekString(); h.Session != "" {
				return h
			}
		}
	}
	h.Enveloped = hasWebsite && hasData && !foreign && d.err == nil
	return h
}

// peekString skips a value, and returns it if it is a string.
func (d *Decoder) peekString() string {
	if d.char() == '"' {
		return d.text()
	}
	d.skip()
	return ""
}
