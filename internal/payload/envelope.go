package payload

import (
	"encoding/json"
	"time"
)

// Envelope is what a web hook's body, and at times an RTM argument, wraps the
// payload in.
type Envelope struct {
	WebsiteID string
	Event     string
	Data      json.RawMessage // the payload; nil if there is none
	Timestamp time.Time
	Problems  []Problem // of the envelope's own fields
}

// ParseEnvelope reads an object as an envelope, whatever else is in it. The
// error is a [*SyntaxError]; a value that is no object makes an empty envelope
// with a problem.
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
// payload: an object that has a website_id, data that are an object, and no
// member that envelopes don't have. On a payload it stops at the first sign, so
// that it costs next to nothing; it says nothing of the validity of the JSON.
func DetectEnvelope(data []byte) (Envelope, bool) {
	if !isEnvelope(data) {
		return Envelope{}, false
	}
	env, err := ParseEnvelope(data)
	if err != nil || len(env.Data) == 0 || env.Data[0] != '{' {
		return Envelope{}, false
	}
	return env, true
}

// isEnvelope tells whether an object has a website_id and data, and nothing
// that envelopes don't have.
func isEnvelope(data []byte) bool {
	var d Decoder
	d.Reset(data)
	if d.char() != '{' || !d.open() {
		return false
	}
	var hasWebsite, hasData bool
	for first := true; d.another('}', first); first = false {
		switch string(d.rawKey()) {
		case "website_id":
			hasWebsite = true
		case "data":
			hasData = true
		case "event", "timestamp":
		default:
			return false
		}
		d.skip()
	}
	return hasWebsite && hasData
}

// member reads the member at the cursor.
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

// LookupString finds a string among the members of an object, without looking
// into nested values. The value is what stands between the quotes, escapes
// unresolved: good to tell values apart, at no allocation. It is not ok if the
// data are no object, or have no such member that is a string. What is behind
// the member is not read.
func LookupString(obj []byte, key string) (val []byte, ok bool) {
	var d Decoder
	d.Reset(obj)
	if d.char() != '{' || !d.open() {
		return nil, false
	}
	for first := true; d.another('}', first); first = false {
		if string(d.rawKey()) != key {
			d.skip()
			continue
		}
		if d.char() != '"' {
			return nil, false
		}
		val = d.quoted()
		return val, d.err == nil
	}
	return nil, false
}
