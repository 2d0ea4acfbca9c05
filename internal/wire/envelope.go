package wire

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
		for d.Next() {
			if !env.member(&d) {
				d.skip()
			}
		}
	}
	if err := d.End(); err != nil {
		return Envelope{}, err
	}
	env.Problems = d.Problems()
	return env, nil
}

// DetectEnvelope tells whether the data are an envelope rather than a payload:
// an object that has a website_id, data that are an object, and no member that
// envelopes don't have. It stops at the first sign that they aren't, so that
// it costs next to nothing on a payload, and its word on the validity of the
// JSON is no.
func DetectEnvelope(data []byte) (Envelope, bool) {
	var env Envelope
	var d Decoder
	d.Reset(data)
	if d.char() != '{' || !d.Object(Required) {
		return Envelope{}, false
	}
	website := false
	for d.Next() {
		website = website || d.Key() == "website_id"
		if !env.member(&d) {
			return Envelope{}, false
		}
	}
	if d.End() != nil || !website || len(env.Data) == 0 || env.Data[0] != '{' {
		return Envelope{}, false
	}
	env.Problems = d.Problems()
	return env, true
}

// member reads the member at the cursor, if envelopes have it.
func (env *Envelope) member(d *Decoder) bool {
	switch d.Key() {
	case "website_id":
		env.WebsiteID = d.String(Optional)
	case "event":
		env.Event = d.String(Required)
	case "data":
		env.Data = d.Skip()
	case "timestamp":
		env.Timestamp = d.Time(Optional)
	default:
		return false
	}
	return true
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
		val, _ = d.quoted()
		return val, d.err == nil
	}
	return nil, false
}
