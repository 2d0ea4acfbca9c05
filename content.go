package crisp

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/crisp-go/crisp/internal/payload"
)

// Content is what a message holds: one of [TextContent], [NoteContent],
// [*FileContent], [*AnimationContent], [*AudioContent], [*PickerContent],
// [*FieldContent], [*CarouselContent], [*EventContent] and [*UnknownContent].
// The set is sealed: a type switch over it can be complete.
//
// The Content of an event is nil only if its payload had none, or null. In a
// message:updated, which does not tell the message's type, it is what its members
// and its MIME type make it.
//
//sumtype:decl
type Content interface {
	// ContentType is the message's type on the wire, such as "text".
	ContentType() string

	encodeContent(e *payload.Encoder)
}

// TextContent is the content of a message of type text: what was said.
type TextContent string

// NoteContent is the content of a message of type note: what operators tell
// each other, unseen by the visitor.
type NoteContent string

// UnknownContent is content that has no type of its own: of a message whose
// type is not documented, or whose content is not what its type asks for.
type UnknownContent struct {
	Type string          // of the message; empty in a message:updated, which does not tell it
	Raw  json.RawMessage // the content as it came
}

// ContentType is "text".
func (TextContent) ContentType() string { return string(MessageTypeText) }

// ContentType is "note".
func (NoteContent) ContentType() string { return string(MessageTypeNote) }

// ContentType is "file".
func (*FileContent) ContentType() string { return string(MessageTypeFile) }

// ContentType is "animation".
func (*AnimationContent) ContentType() string { return string(MessageTypeAnimation) }

// ContentType is "audio".
func (*AudioContent) ContentType() string { return string(MessageTypeAudio) }

// ContentType is "picker".
func (*PickerContent) ContentType() string { return string(MessageTypePicker) }

// ContentType is "field".
func (*FieldContent) ContentType() string { return string(MessageTypeField) }

// ContentType is "carousel".
func (*CarouselContent) ContentType() string { return string(MessageTypeCarousel) }

// ContentType is "event".
func (*EventContent) ContentType() string { return string(MessageTypeEvent) }

// ContentType is the message's type, which may be empty.
func (c *UnknownContent) ContentType() string { return c.Type }

func (c TextContent) encodeContent(e *payload.Encoder)       { e.Text(string(c)) }
func (c NoteContent) encodeContent(e *payload.Encoder)       { e.Text(string(c)) }
func (c *FileContent) encodeContent(e *payload.Encoder)      { c.encode(e) }
func (c *AnimationContent) encodeContent(e *payload.Encoder) { c.encode(e) }
func (c *AudioContent) encodeContent(e *payload.Encoder)     { c.encode(e) }
func (c *PickerContent) encodeContent(e *payload.Encoder)    { c.encode(e) }
func (c *FieldContent) encodeContent(e *payload.Encoder)     { c.encode(e) }
func (c *CarouselContent) encodeContent(e *payload.Encoder)  { c.encode(e) }
func (c *EventContent) encodeContent(e *payload.Encoder)     { c.encode(e) }
func (c *UnknownContent) encodeContent(e *payload.Encoder)   { e.RawValue(c.Raw) }

// MarshalJSON writes the content as it came.
//
// A struct that embeds the type has the method, too, and none of its own fields in
// JSON: give the field a name.
func (c UnknownContent) MarshalJSON() ([]byte, error) { return c.Raw.MarshalJSON() }

// UnmarshalJSON keeps the content as it is; the type stays.
//
// A struct that embeds the type has the method, too, and none of its own fields in
// JSON: give the field a name.
func (c *UnknownContent) UnmarshalJSON(data []byte) error {
	c.Raw = slices.Clone(data) // what was there may be the memory of an event
	return nil
}

// objectContent is content that is an object on the wire.
type objectContent interface {
	Content
	decode(d *payload.Decoder, p payload.Presence)
}

// newContent makes empty content for a type of message whose content is an object; nil for other
// types.
func newContent(typ MessageType) objectContent {
	switch typ {
	case MessageTypeFile:
		return new(FileContent)
	case MessageTypeAnimation:
		return new(AnimationContent)
	case MessageTypeAudio:
		return new(AudioContent)
	case MessageTypePicker:
		return new(PickerContent)
	case MessageTypeField:
		return new(FieldContent)
	case MessageTypeCarousel:
		return new(CarouselContent)
	case MessageTypeEvent:
		return new(EventContent)
	case MessageTypeText, MessageTypeNote:
		return nil
	default:
		return nil
	}
}

// decodeContent reads the content at a place, as that of the message's type, or by its own shape
// if typ is empty.
func decodeContent(d *payload.Decoder, at *payload.Place, typ MessageType) (content Content) {
	if !at.Found() || at.Raw[0] == 'n' {
		return nil
	}
	shape := typ
	if shape == "" {
		shape = shapeOf(at.Raw)
	}
	switch text, ok := at.Text(); {
	case ok && shape == MessageTypeText:
		return TextContent(text)
	case ok && shape == MessageTypeNote:
		return NoteContent(text)
	}
	d.Revisit(at, func(d *payload.Decoder) { content = decodeShape(d, shape, at.Raw) })
	if content == nil {
		return &UnknownContent{Type: string(typ), Raw: at.Raw}
	}
	return content
}

// decodeShape reads content of a shape other than text. It returns nil if the shape is not known,
// or if the content is not of that shape, which it notes as a problem.
func decodeShape(d *payload.Decoder, shape MessageType, raw json.RawMessage) Content {
	kind := d.Kind()
	if shape == MessageTypeText || shape == MessageTypeNote {
		d.String(payload.Required)
		return nil
	}
	content := newContent(shape)
	if content == nil {
		return nil
	}
	content.decode(d, payload.Required)
	if kind != payload.Object {
		return nil
	}
	if reflect.ValueOf(content).Elem().IsZero() {
		if other := shapeOf(raw); other != "" && other != shape {
			d.Note("content of "+string(shape), "content of "+string(other))
			return nil
		}
	}
	return content
}

// members are those members of a content that show its type.
type members struct {
	id, text, name, url, explain, value, duration, namespace, choices, targets bool

	mime string // the member type
}

// shapeOf returns the type of message that content belongs to, by its members and
// its MIME type; empty if they don't show it.
func shapeOf(raw json.RawMessage) MessageType {
	d := payload.NewDecoder(raw)
	switch d.Kind() {
	case payload.String:
		return MessageTypeText
	case payload.Object:
		return membersOf(d).shape()
	default:
		return ""
	}
}

func membersOf(d *payload.Decoder) members {
	var m members
	d.Object(payload.Required)
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		switch key {
		case "id":
			m.id = true
		case "text":
			m.text = true
		case "name":
			m.name = true
		case "url":
			m.url = true
		case "explain":
			m.explain = true
		case "value":
			m.value = true
		case "duration":
			m.duration = true
		case "namespace":
			m.namespace = true
		case "choices":
			m.choices = true
		case "targets":
			m.targets = true
		case "type":
			m.mime = d.String(payload.Optional)
			continue
		}
		d.Skip()
	}
	return m
}

func (m members) shape() MessageType {
	switch {
	case m.choices:
		return MessageTypePicker
	case m.targets:
		return MessageTypeCarousel
	case m.namespace:
		return MessageTypeEvent
	case m.explain, m.id && m.text && m.value:
		return MessageTypeField
	case m.duration:
		return MessageTypeAudio
	case m.url && m.name:
		return MessageTypeFile
	case m.url:
		return shapeOfMIME(m.mime)
	default:
		return ""
	}
}

// shapeOfMIME returns the type of content that has a URL, but neither a name, as files do, nor a
// duration, as audio does. Only images that can move are animations.
func shapeOfMIME(mime string) MessageType {
	mime, _, _ = strings.Cut(strings.ToLower(mime), ";")
	switch mime = strings.TrimSpace(mime); {
	case strings.HasPrefix(mime, "audio/"):
		return MessageTypeAudio
	case mime == "image/gif", mime == "image/webp", mime == "image/apng", mime == "":
		return MessageTypeAnimation
	default:
		return MessageTypeFile
	}
}

// encodeContent writes a message's content.
func encodeContent(e *payload.Encoder, key string, content Content, p payload.Presence) {
	if !e.Member(key, content == nil, p) {
		return
	}
	if content == nil {
		e.Null()
		return
	}
	content.encodeContent(e)
}

// Receipt says whether a message was read or delivered, and by which way if that
// is known. On the wire it is that way, or a bare true or false.
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
//
// A struct that embeds the type has the method, too, and none of its own fields in
// JSON: give the field a name.
func (r Receipt) MarshalJSON() ([]byte, error) { return marshal(&r) }

// UnmarshalJSON reads an origin or a boolean.
//
// A struct that embeds the type has the method, too, and none of its own fields in
// JSON: give the field a name.
func (r *Receipt) UnmarshalJSON(data []byte) error { return unmarshalValue(r, data) }
