package crisp

import (
	"strconv"

	"github.com/crisp-go/crisp/internal/payload"
)

// Receipt tells whether a message was read or delivered, and by which way if
// that is known. On the wire it is that way, or a bare true or false.
type Receipt struct {
	Done   bool
	Origin string // the channel, such as "chat" or "email"; empty if not known
}

func (r *Receipt) decode(d *payload.Decoder, p payload.Presence) {
	*r = Receipt{}
	if d.Kind() == payload.Boolean {
		r.Done = d.Bool(p)
		return
	}
	r.Origin = d.String(p)
	r.Done = r.Origin != ""
}

func (r *Receipt) encode(e *payload.Encoder) {
	if r.Origin != "" {
		e.Text(r.Origin)
		return
	}
	e.RawValue(strconv.AppendBool(nil, r.Done))
}

// MarshalJSON writes the origin, or a boolean where there is none.
func (r Receipt) MarshalJSON() ([]byte, error) { return marshal(&r) }

// UnmarshalJSON reads an origin or a boolean.
func (r *Receipt) UnmarshalJSON(data []byte) error { return unmarshalValue(r, data) }
