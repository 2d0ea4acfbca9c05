package crisp

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
)

// PastMessage is a message of a conversation's history, of either side. It has
// the fields of [MessageSend]; From tells the side.
type PastMessage MessageSend

// Event is the event by which the message was told of when it was sent:
// [*MessageReceived] if it came from an operator, else [*MessageSend]. It shares
// the message's memory.
func (m *PastMessage) Event() SessionEvent {
	if m.From == FromOperator {
		return (*MessageReceived)(m)
	}
	return (*MessageSend)(m)
}

// MarshalJSON writes the wire form.
func (m PastMessage) MarshalJSON() ([]byte, error) { return MessageSend(m).MarshalJSON() }

// UnmarshalJSON reads the wire form.
func (m *PastMessage) UnmarshalJSON(data []byte) error {
	return (*MessageSend)(m).UnmarshalJSON(data)
}

// Messages iterates over a conversation's messages, the newest first, fetching
// them as the loop goes on. Messages that are sent meanwhile are not among them.
// An error is the last that the loop gets. A message's fields of unexpected types
// are left zero and listed in its Problems.
func (c *Client) Messages(ctx context.Context, ref SessionRef) iter.Seq2[*PastMessage, error] {
	h := history{client: c, ref: ref, backwards: true}
	return h.iterate(ctx)
}

// MessagesSince iterates over the messages that were sent at or after a time,
// the oldest first, until there are no more. Otherwise it is as [Client.Messages].
func (c *Client) MessagesSince(ctx context.Context, ref SessionRef, since time.Time) iter.Seq2[*PastMessage, error] {
	// Crisp does not say whether the time itself is included. It will be.
	h := history{client: c, ref: ref, bound: max(since.UnixMilli(), 1) - 1}
	return h.iterate(ctx)
}

// MessagesAround gets the messages next to a time, before and after it, the
// oldest first: as many as Crisp gives at once.
func (c *Client) MessagesAround(ctx context.Context, ref SessionRef, at time.Time) ([]*PastMessage, error) {
	var check checks
	check.session(ref)
	if err := check.err(); err != nil {
		return nil, err
	}
	return c.messagePage(ctx, ref, "?timestamp_around="+strconv.FormatInt(at.UnixMilli(), 10))
}

// messagePage gets one page of messages, oldest first.
func (c *Client) messagePage(ctx context.Context, ref SessionRef, query string) ([]*PastMessage, error) {
	var raws []json.RawMessage
	if err := c.Do(ctx, http.MethodGet, ref.path("messages")+query, nil, &raws); err != nil {
		return nil, err
	}
	page := make([]*PastMessage, 0, len(raws))
	for _, raw := range raws {
		m := &MessageSend{WebsiteID: ref.WebsiteID, SessionID: ref.SessionID}
		if err := decodePayload(m, payload.Envelope{Data: raw}, time.Now()); err != nil {
			return nil, err // can't be: it was part of valid JSON
		}
		page = append(page, (*PastMessage)(m))
	}
	slices.SortStableFunc(page, func(a, b *PastMessage) int { return a.Timestamp.Compare(b.Timestamp) })
	return page, nil
}

// history walks through a conversation's messages by their time.
type history struct {
	client    *Client
	ref       SessionRef
	backwards bool
	bound     int64 // ms: how far it has got; 0 = not begun

	last map[int64]bool // fingerprints of the page before: pages may overlap by a moment
}

func (h history) iterate(ctx context.Context) iter.Seq2[*PastMessage, error] {
	return func(yield func(*PastMessage, error) bool) {
		h := h // each loop walks anew
		var check checks
		check.session(h.ref)
		if err := check.err(); err != nil {
			yield(nil, err)
			return
		}
		for {
			page, err := h.client.messagePage(ctx, h.ref, h.query())
			if err != nil {
				yield(nil, err)
				return
			}
			fresh := h.fresh(page)
			for _, m := range fresh {
				if !yield(m, nil) {
					return
				}
			}
			if len(fresh) == 0 || !h.advance(page) {
				return
			}
		}
	}
}

func (h *history) query() string {
	switch {
	case !h.backwards:
		return "?timestamp_after=" + strconv.FormatInt(h.bound, 10)
	case h.bound > 0:
		return "?timestamp_before=" + strconv.FormatInt(h.bound, 10)
	}
	return ""
}

// fresh leaves out of a page what was on the one before, and puts the rest in
// the order of the walk.
func (h *history) fresh(page []*PastMessage) []*PastMessage {
	before := h.last
	h.last = make(map[int64]bool)
	for _, m := range page {
		h.last[m.Fingerprint] = true
	}
	fresh := slices.DeleteFunc(slices.Clone(page), func(m *PastMessage) bool {
		return m.Fingerprint != 0 && before[m.Fingerprint] // 0: not known
	})
	if h.backwards {
		slices.Reverse(fresh)
	}
	return fresh
}

// advance moves the bound to the end of a page, overlapping by a millisecond,
// since other messages of that moment may be on the next page. It is false if
// that is no progress.
func (h *history) advance(page []*PastMessage) bool {
	before := h.bound
	if h.backwards {
		i := slices.IndexFunc(page, func(m *PastMessage) bool { return !m.Timestamp.IsZero() })
		if i < 0 {
			return false
		}
		h.bound = page[i].Timestamp.UnixMilli() + 1
		return before == 0 || h.bound < before
	}
	h.bound = page[len(page)-1].Timestamp.UnixMilli() - 1
	return h.bound > before
}
