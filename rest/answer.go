package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"sync"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/payload"
)

// Answer is what each answer, and each element of a list, has besides its fields. It is empty where
// a type is a part of another answer.
type Answer struct {
	// Raw is the answer as it came, with everything that has no field. Strings share its
	// memory: read it, don't write to it.
	Raw json.RawMessage
	// Problems lists fields whose JSON type was not the expected one, which were
	// left zero.
	Problems []crisp.FieldProblem
}

func (a *Answer) set(raw json.RawMessage, problems []payload.Problem) {
	a.Raw, a.Problems = raw, fieldProblems(problems)
}

// identifier returns the name of the member that identifies an element of a list in pages; empty
// if there is none. Generated types have their own.
func (a *Answer) identifier() string { return "" }

func fieldProblems(problems []payload.Problem) []crisp.FieldProblem {
	var all []crisp.FieldProblem
	for _, p := range problems {
		all = append(all, crisp.FieldProblem{Path: p.Path, Wanted: p.Wanted, Got: p.Got})
	}
	return all
}

// answerType is a pointer to a generated type of answers, which embeds Answer.
type answerType[T any] interface {
	*T
	decode(d *payload.Decoder, p payload.Presence)
	set(raw json.RawMessage, problems []payload.Problem)
	identifier() string
}

func decode[T any, P answerType[T]](raw json.RawMessage) *T {
	v := P(new(T))
	d := decoders.Get().(*payload.Decoder)
	d.Reset(raw)
	v.decode(d, payload.Required)
	v.set(raw, d.Problems())
	d.Reset(nil)
	decoders.Put(d)
	return (*T)(v)
}

// decoders are reused, with their stacks for nested values.
var decoders = sync.Pool{New: func() any { return new(payload.Decoder) }}

// fetch makes a call that is answered by an object.
func fetch[T any, P answerType[T]](ctx context.Context, c call) (*T, error) {
	raw, err := c.raw(ctx)
	if err != nil {
		return nil, err
	}
	return decode[T, P](raw), nil
}

// fetchText makes a call that is answered by an object of which one member counts, such
// as the identifier of what was made.
func fetchText(ctx context.Context, c call, member string) (string, error) {
	raw, err := c.raw(ctx)
	if err != nil {
		return "", err
	}
	text := textOf(raw, member)
	if text == "" {
		return "", c.unusable("the call succeeded, but " + member + " is missing from the answer")
	}
	return text, nil
}

// fetchMessage makes a call that is answered by a message.
func fetchMessage(ctx context.Context, c call) (*crisp.ConversationMessage, error) {
	raw, err := c.raw(ctx)
	if err != nil {
		return nil, err
	}
	m := new(crisp.ConversationMessage)
	if err := m.UnmarshalJSON(raw); err != nil {
		return nil, c.unusable("the data are no message")
	}
	if len(c.at.ids) == 2 { // website and conversation, in case the answer lacks them
		m.WebsiteID, m.SessionID = cmp.Or(m.WebsiteID, c.at.ids[0]), cmp.Or(m.SessionID, c.at.ids[1])
		m.Meta.WebsiteID = m.WebsiteID
	}
	return m, nil
}

// textOf returns the member of an object with a name, if it is a text; else "".
func textOf(raw json.RawMessage, name string) (text string) {
	d := payload.NewDecoder(raw)
	if name == "" || !d.Object(payload.Optional) {
		return ""
	}
	for key, ok := d.Next(); ok; key, ok = d.Next() {
		if key == name {
			text = d.String(payload.Optional)
		} else {
			d.Skip()
		}
	}
	return text
}
