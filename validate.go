package crisp

import (
	"encoding/json"
	"fmt"
	"net/url"
)

// InvalidError is an argument that was refused before anything was sent. Find
// it with [errors.As].
type InvalidError struct {
	Field  string // where, named as on the wire: "session_id", "content.targets[0].title"
	Reason string // what is wrong with it; never quotes a text of a message
}

// Error names the field and what is wrong with it.
func (e *InvalidError) Error() string { return "crisp: invalid " + e.Field + ": " + e.Reason }

// maxFingerprint is the largest integer that JavaScript, and so Crisp, can hold.
const maxFingerprint = 1<<53 - 1

// checks collects what is wrong with the arguments of a call: the first thing.
type checks struct{ first *InvalidError }

func (c *checks) err() error {
	if c.first == nil {
		return nil
	}
	return c.first
}

// that refuses a field, for a reason, unless a condition holds.
func (c *checks) that(ok bool, field, reason string) {
	if !ok && c.first == nil {
		c.first = &InvalidError{Field: field, Reason: reason}
	}
}

func (c *checks) present(field, value string) { c.that(value != "", field, "missing") }

// url refuses what is no absolute URL.
func (c *checks) url(field, value string) {
	c.present(field, value)
	u, err := url.Parse(value)
	c.that(err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != ""), field, "not an absolute URL")
}

func (c *checks) session(ref SessionRef) {
	c.website(ref.WebsiteID)
	c.present("session_id", ref.SessionID)
	c.that(!hasSpace(ref.SessionID), "session_id", "white space around it")
	c.that(ref.SessionID != ref.WebsiteID, "session_id", "the same as website_id: needs the conversation's, session_…")
}

// website refuses what can't be a website's identifier.
func (c *checks) website(id string) {
	c.present("website_id", id)
	c.that(!hasSpace(id), "website_id", "white space around it")
	c.that(!isSessionID(id), "website_id", "a session's identifier (session_…): are website and session swapped?")
}

func (c *checks) from(from From) {
	c.that(from == FromUser || from == FromOperator, "from", fmt.Sprintf("%q is neither user nor operator", string(from)))
}

func (c *checks) fingerprint(field string, fingerprint int64) {
	c.that(fingerprint > 0 && fingerprint <= maxFingerprint, field, "not between 1 and 2^53 - 1")
}

func (c *checks) user(field string, user User) {
	if user.Avatar != "" {
		c.url(field+".avatar", user.Avatar)
	}
}

// content refuses what Crisp would refuse, as far as that is documented.
func (c *checks) content(content Content) {
	const field = "content"
	switch content := content.(type) {
	case nil:
		c.that(false, field, "missing")
	case TextContent:
		c.present(field, string(content))
	case NoteContent:
		c.present(field, string(content))
	case *FileContent:
		checkObject(c, content, (*checks).file)
	case *AnimationContent:
		checkObject(c, content, (*checks).animation)
	case *AudioContent:
		checkObject(c, content, (*checks).audio)
	case *PickerContent:
		checkObject(c, content, (*checks).picker)
	case *FieldContent:
		checkObject(c, content, (*checks).field)
	case *CarouselContent:
		checkObject(c, content, (*checks).carousel)
	case *EventContent:
		checkObject(c, content, (*checks).event)
	case *UnknownContent:
		checkObject(c, content, (*checks).unknown)
	}
}

// checkObject refuses a nil pointer in an interface, or else checks what it points to.
func checkObject[T any](c *checks, content *T, check func(*checks, *T)) {
	if content == nil {
		c.that(false, "content", "missing")
		return
	}
	check(c, content)
}

func (c *checks) file(v *FileContent) {
	c.present("content.name", v.Name)
	c.url("content.url", v.URL)
	c.present("content.type", v.Type)
}

func (c *checks) animation(v *AnimationContent) {
	c.url("content.url", v.URL)
	c.present("content.type", v.Type)
}

func (c *checks) audio(v *AudioContent) {
	c.url("content.url", v.URL)
	c.present("content.type", v.Type)
	c.that(v.Duration > 0, "content.duration", "not more than 0")
}

func (c *checks) picker(v *PickerContent) {
	c.present("content.id", v.ID)
	c.present("content.text", v.Text)
	c.that(len(v.Choices) > 0, "content.choices", "none: a picker needs at least one")
	for i, choice := range v.Choices {
		at := fmt.Sprintf("content.choices[%d].", i)
		c.present(at+"value", choice.Value)
		c.present(at+"label", choice.Label)
		if choice.Action != (PickerAction{}) {
			c.present(at+"action.type", choice.Action.Type)
			c.present(at+"action.target", choice.Action.Target)
		}
	}
}

func (c *checks) field(v *FieldContent) {
	c.present("content.id", v.ID)
	c.present("content.text", v.Text)
	c.present("content.explain", v.Explain)
}

func (c *checks) carousel(v *CarouselContent) {
	c.present("content.text", v.Text)
	c.that(len(v.Targets) > 0, "content.targets", "none: a carousel needs at least one")
	for i, target := range v.Targets {
		at := fmt.Sprintf("content.targets[%d].", i)
		c.present(at+"title", target.Title)
		c.present(at+"description", target.Description)
		if target.Image != "" {
			c.url(at+"image", target.Image)
		}
		for j, action := range target.Actions {
			at := fmt.Sprintf("%sactions[%d].", at, j)
			c.present(at+"label", action.Label)
			c.url(at+"url", action.URL)
		}
	}
}

func (c *checks) event(v *EventContent) { c.present("content.namespace", v.Namespace) }

func (c *checks) unknown(v *UnknownContent) {
	c.that(json.Valid(v.Raw), "content", "not JSON")
}

func (c *checks) references(references []Reference) {
	for i, r := range references {
		at := fmt.Sprintf("references[%d].", i)
		c.present(at+"type", r.Type)
		c.present(at+"name", r.Name)
		c.present(at+"target", r.Target)
	}
}

// noneEmpty refuses a list with an empty element.
func (c *checks) noneEmpty(field string, list []string) {
	for i, s := range list {
		c.present(fmt.Sprintf("%s[%d]", field, i), s)
	}
}
