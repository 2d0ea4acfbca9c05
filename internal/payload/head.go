package payload

import (
	"bytes"
	"slices"
)

// Head is the part of a payload that says where it belongs.
type Head struct {
	Session   string // session_id, also inside an envelope; empty if there is none
	Website   string // website_id, likewise; may be left out where there is a Session
	Enveloped bool   // it looks like an envelope: see DetectEnvelope
}

// Keep copies a payload out of a buffer that will be used again, and finds its head, for which it
// reads no further than the session. The head's strings share the copy's memory. The JSON may
// still be invalid.
func Keep(data []byte) (kept []byte, h Head) {
	at := scan(data, false) // not the copy, which is not in the cache yet
	if at.enveloped {
		at.session = scan(data[at.data.from:at.data.to], false).session.within(at.data)
	}
	kept = slices.Clone(data)
	return kept, Head{Session: at.session.in(kept), Website: at.website.in(kept), Enveloped: at.enveloped}
}

// DetectEnvelope reads the data as an envelope if they are one rather than a bare payload: an
// object that has a website_id, data that are an object, and no member that envelopes don't have.
// It stops at the first member that only a payload has. So it costs next to nothing for a payload,
// and says nothing of whether its JSON is valid.
func DetectEnvelope(data []byte) (Envelope, bool) {
	if !scan(data, true).enveloped {
		return Envelope{}, false
	}
	env, err := ParseEnvelope(data)
	if err != nil || len(env.Data) == 0 || env.Data[0] != '{' {
		return Envelope{}, false
	}
	return env, true
}

// headPlaces is a Head as positions in the data.
type headPlaces struct {
	session, website span
	data             span // the member of an envelope
	enveloped        bool
}

// span is a string in data: where it stands between its quotes or, if it has escapes,
// what it says.
type span struct {
	from, to int
	text     string
}

func (s span) in(data []byte) string {
	if s.from == s.to {
		return s.text
	}
	return alias(data[s.from:s.to])
}

// within converts s, which is relative to outer, to positions in the data around that.
func (s span) within(outer span) span {
	if s.from == s.to {
		return s
	}
	return span{from: outer.from + s.from, to: outer.from + s.to}
}

func (s span) empty() bool { return s.from == s.to && s.text == "" }

// scan goes through the members of an object up to its session or, with forEnvelope, up to the
// first sign that it is no envelope.
func scan(data []byte, forEnvelope bool) headPlaces {
	var h headPlaces
	d := Decoder{data: data}
	if d.peek() != '{' || !d.open() {
		return h
	}
	var hasWebsite, hasData, foreign bool // foreign: a member that no envelope has
	for first := true; d.another('}', first); first = false {
		key, value, plain := d.plainMember()
		if !plain {
			key = d.rawKey()
		}
		switch string(key) {
		case "website_id":
			hasWebsite = true
			h.website = d.peekText(value, plain)
		case "session_id":
			foreign = true
			h.session = d.peekText(value, plain)
		case "event", "timestamp":
			d.skipUnless(plain)
		case "data":
			hasData = true
			h.data = span{from: d.pos}
			d.skipUnless(plain)
			h.data.to = d.pos
		default:
			foreign = true
			d.skipUnless(plain || forEnvelope)
		}
		if !h.session.empty() || foreign && forEnvelope {
			return h
		}
	}
	h.enveloped = hasWebsite && hasData && !foreign && d.err == nil
	return h
}

// plainMember moves past a member whose value is a string, if neither that nor its
// name has escapes, and there is no white space between them: it is what most
// members are, and found three times as fast by the vector instructions of
// IndexByte.
func (d *Decoder) plainMember() (key []byte, value span, ok bool) {
	const between = `":"`
	if d.char() != '"' {
		return nil, span{}, false
	}
	start := d.pos + 1
	n := bytes.IndexByte(d.data[start:], '"')
	if n < 0 || !bytes.HasPrefix(d.data[start+n:], []byte(between)) {
		return nil, span{}, false
	}
	from := start + n + len(between)
	length := bytes.IndexByte(d.data[from:], '"')
	if length < 0 || bytes.IndexByte(d.data[start:from+length], '\\') >= 0 {
		return nil, span{}, false
	}
	d.pos = from + length + 1
	return d.data[start : start+n], span{from: from, to: from + length}, true
}

// skipUnless moves past the value at the cursor, unless that was done before.
func (d *Decoder) skipUnless(done bool) {
	if !done {
		d.skip()
	}
}

// peekText moves past the value at the cursor, and returns it if it is a string. With done, it has
// been passed before, and is value.
func (d *Decoder) peekText(value span, done bool) span {
	switch {
	case done:
		return value
	case d.char() != '"':
		d.skip()
		return span{}
	}
	from := d.pos + 1
	text := d.quoted()
	switch {
	case d.err != nil:
		return span{}
	case bytes.IndexByte(text, '\\') >= 0:
		return span{text: unquote(text)}
	}
	return span{from: from, to: from + len(text)}
}
