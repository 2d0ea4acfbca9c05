package crisp

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
)

// ConversationMessage is a message of a conversation, from either side: a new one, or one of its
// history. It has the fields of [MessageSend]; From says which side it is from.
type ConversationMessage MessageSend

// Event returns the event that the message came as when it was sent:
// [*MessageReceived] if it is from an operator, else [*MessageSend]. It shares
// the message's memory.
func (m *ConversationMessage) Event() SessionEvent {
	if m.From == FromOperator {
		return (*MessageReceived)(m)
	}
	return (*MessageSend)(m)
}

// MessageEvent is an event that brings a message: [*MessageSend], the visitor's, or
// [*MessageReceived], the operators'.
type MessageEvent interface {
	SessionEvent
	// Message is the message, of which From says which side it is from. It shares
	// the event's memory.
	Message() *ConversationMessage
	// Text is what a message of type text or note says, and empty for others.
	Text() string
}

// Message returns the message of the event, whose memory it shares.
func (v *MessageSend) Message() *ConversationMessage { return (*ConversationMessage)(v) }

// Message returns the message of the event, whose memory it shares.
func (v *MessageReceived) Message() *ConversationMessage { return (*ConversationMessage)(v) }

// Text returns what a message of type text or note says, and "" for others.
func (v *MessageSend) Text() string { return v.Message().Text() }

// Text returns what a message of type text or note says, and "" for others.
func (v *MessageReceived) Text() string { return v.Message().Text() }

// Text returns what a message of type text or note says, and "" for others.
func (m *ConversationMessage) Text() string {
	switch content := m.Content.(type) {
	case TextContent:
		return string(content)
	case NoteContent:
		return string(content)
	default:
		return ""
	}
}

// messageOf returns the message that an event brings; ok is false if it brings none.
func messageOf(ev Event) (*ConversationMessage, bool) {
	switch ev := ev.(type) {
	case *MessageSend:
		return (*ConversationMessage)(ev), true
	case *MessageReceived:
		return (*ConversationMessage)(ev), true
	}
	return nil, false
}

// MarshalJSON writes the wire form.
//
// A struct that embeds the type has the method, too, and none of its own fields in
// JSON: give the field a name.
func (m ConversationMessage) MarshalJSON() ([]byte, error) { return MessageSend(m).MarshalJSON() }

// UnmarshalJSON reads the wire form.
//
// A struct that embeds the type has the method, too, and none of its own fields in
// JSON: give the field a name.
func (m *ConversationMessage) UnmarshalJSON(data []byte) error {
	return (*MessageSend)(m).UnmarshalJSON(data)
}

// Messages iterates over a conversation's messages, the newest first, fetching
// them as the loop goes on. Messages that are sent meanwhile are not among them.
// An error ends the iteration. A message's fields of unexpected types
// are left zero and listed in its Problems.
func (c *Client) Messages(ctx context.Context, ref SessionRef) iter.Seq2[*ConversationMessage, error] {
	return c.messages(ctx, ref, messageWalk{backwards: true})
}

// MessagesSince iterates over the messages that were sent at or after a time,
// the oldest first, until there are no more. Otherwise it is as [Client.Messages].
func (c *Client) MessagesSince(ctx context.Context, ref SessionRef, since time.Time) iter.Seq2[*ConversationMessage, error] {
	return c.messages(ctx, ref, messageWalk{after: since})
}

func (c *Client) messages(ctx context.Context, ref SessionRef, w messageWalk) iter.Seq2[*ConversationMessage, error] {
	var check checks
	check.session(ref)
	if err := check.err(); err != nil {
		return failedSeq[*ConversationMessage](err)
	}
	w.get, w.ref = c.get, ref
	return flatten(w.pages(ctx))
}

// MessagesAround returns the messages next to a time, before and after it, the
// oldest first: as many as Crisp returns at once.
func (c *Client) MessagesAround(ctx context.Context, ref SessionRef, at time.Time) ([]*ConversationMessage, error) {
	var check checks
	check.session(ref)
	if err := check.err(); err != nil {
		return nil, err
	}
	return messagePage(ctx, c.get, ref, "?timestamp_around="+strconv.FormatInt(at.UnixMilli(), 10))
}

// messagePage fetches one page of messages, oldest first.
func messagePage(ctx context.Context, get getter, ref SessionRef, query string) ([]*ConversationMessage, error) {
	var raws list
	if err := get(ctx, ref.path("messages")+query, &raws); err != nil {
		return nil, err
	}
	page := make([]*ConversationMessage, 0, len(raws))
	for _, raw := range raws {
		m := new(MessageSend)
		if err := decodePayload(m, payload.Envelope{Data: raw}, time.Now()); err != nil {
			return nil, err // impossible: raw is a part of valid JSON
		}
		m.WebsiteID, m.SessionID = cmp.Or(m.WebsiteID, ref.WebsiteID), cmp.Or(m.SessionID, ref.SessionID)
		m.Meta.WebsiteID = m.WebsiteID
		page = append(page, (*ConversationMessage)(m))
	}
	slices.SortStableFunc(page, func(a, b *ConversationMessage) int { return a.Timestamp.Compare(b.Timestamp) })
	return page, nil
}

// messageWalk pages through a conversation's messages by their time. Crisp does not say whether
// the time that it is asked for is included, and a page may end between two messages of one
// millisecond: so pages overlap by a millisecond, and messages that repeat are dropped.
type messageWalk struct {
	get       getter
	ref       SessionRef
	backwards bool      // the newest first, else the oldest
	after     time.Time // where it begins; forwards only

	bound int64             // the time that the next page is asked for by, in ms since 1970
	begun bool              // there is a bound
	seen  map[sighting]bool // messages that the next page may repeat
}

// pages iterates over the pages, each without what was on one before, in the order of the walk. An
// error ends the iteration.
func (w messageWalk) pages(ctx context.Context) iter.Seq2[[]*ConversationMessage, error] {
	return func(yield func([]*ConversationMessage, error) bool) {
		w := w // each loop walks anew
		w.begun, w.bound = !w.backwards, max(w.after.UnixMilli(), 1)-1
		w.seen = make(map[sighting]bool)
		for {
			page, err := messagePage(ctx, w.get, w.ref, w.query())
			if err != nil {
				yield(nil, err)
				return
			}
			fresh := slices.DeleteFunc(slices.Clone(page), w.repeats)
			if w.backwards {
				slices.Reverse(fresh)
			}
			if len(fresh) > 0 && !yield(fresh, nil) {
				return
			}
			if !w.advance(page, len(fresh) > 0) {
				return
			}
		}
	}
}

func (w *messageWalk) query() string {
	switch {
	case !w.begun:
		return ""
	case w.backwards:
		return "?timestamp_before=" + strconv.FormatInt(w.bound, 10)
	default:
		return "?timestamp_after=" + strconv.FormatInt(w.bound, 10)
	}
}

// repeats reports whether a message was on a page before.
func (w *messageWalk) repeats(m *ConversationMessage) bool {
	return w.seen[sightingOf(m)]
}

// sighting identifies a message of the conversation, even one without a fingerprint. It does not
// keep the message in memory.
type sighting struct {
	fingerprint int64
	at          int64 // ms since 1970
}

func sightingOf(m *ConversationMessage) sighting {
	return sighting{m.Fingerprint, m.Timestamp.UnixMilli()}
}

// advance moves the bound to the end of a page, and reports whether there may be more. fresh says
// that the page had new messages.
func (w *messageWalk) advance(page []*ConversationMessage, fresh bool) bool {
	timed := slices.DeleteFunc(slices.Clone(page), func(m *ConversationMessage) bool { return m.Timestamp.IsZero() })
	if len(timed) == 0 {
		return false
	}
	oldest, newest := timed[0].Timestamp.UnixMilli(), timed[len(timed)-1].Timestamp.UnixMilli()
	end, beyond := newest, newest-1
	if w.backwards {
		end, beyond = oldest, oldest+1
	}
	var moved bool
	switch {
	case fresh:
		moved = w.moveTo(beyond)
	case len(page) > 1 && newest-oldest <= 1:
		// All of the page is of one moment: it may be full of messages that were there before,
		// with others behind that moment.
		if moved = w.moveTo(end); !moved {
			return false
		}
	default:
		return false
	}
	if moved {
		maps.DeleteFunc(w.seen, func(m sighting, _ bool) bool { return w.passed(m.at) })
	}
	for _, m := range page {
		w.seen[sightingOf(m)] = true
	}
	return true
}

// passed reports whether no later page has messages of a time in ms.
func (w *messageWalk) passed(at int64) bool {
	if w.backwards {
		return at > w.bound
	}
	return at > 0 && at < w.bound // messages without a time stay known: any page may repeat them
}

// moveTo moves the bound, but never back, and reports whether it has moved.
func (w *messageWalk) moveTo(bound int64) bool {
	if w.begun && (w.backwards && bound >= w.bound || !w.backwards && bound <= w.bound) {
		return false
	}
	w.begun, w.bound = true, bound
	return true
}
