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
