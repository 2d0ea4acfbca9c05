package backfill

import (
	"slices"

	"github.com/crisp-go/crisp/internal/delivery"
)

// waiting is the sequencer's side of a gap: what live events wait for, and which
// do. Only the sequencer's goroutine touches it, by the methods of a
// delivery.Holder and by steps.
type waiting struct {
	queue         *delivery.Queue
	cfg           *Config
	inbox         *inbox // of the fetcher
	conversations map[string]*heldConversation
	unsettled     int  // of the conversations
	partial       bool // the list may lack some
	caughtUp      bool // no event is behind the mark any more
}

// heldConversation is one that may have missed messages.
type heldConversation struct {
	settled bool            // its live events need not wait any more
	held    []delivery.Item // live events
	live    map[int64]bool  // fingerprints of the messages among them
	reached bool            // a message that came live was among those that were found
	later   []delivery.Item // what was found behind that
}

func newWaiting(queue *delivery.Queue, cfg *Config, inbox *inbox, list []Conversation, partial bool) *waiting {
	w := &waiting{queue: queue, cfg: cfg, inbox: inbox, partial: partial, conversations: make(map[string]*heldConversation)}
	for _, c := range list {
		w.add(c.ID)
	}
	return w
}

func (w *waiting) add(id string) *heldConversation {
	c := &heldConversation{live: make(map[int64]bool)}
	w.conversations[id] = c
	w.unsettled++
	return c
}

// Hold takes a live event whose conversation may have missed messages before it.
// If the list may lack conversations because they changed while it was read, those
// that have events now are suspects: they are fetched, too.
func (w *waiting) Hold(it *delivery.Item) bool {
	of := Conversation{ID: it.Key}
	c := w.conversations[it.Key]
	if c == nil && w.partial {
		of = w.cfg.Conversation(it)
		c = w.suspect(of.ID)
	}
	if c == nil || c.settled {
		return false
	}
	fingerprint := w.cfg.Fingerprint(it)
	if fingerprint != 0 {
		c.live[fingerprint] = true
	}
	c.held = append(c.held, *it)
	w.inbox.add(arrival{of, fingerprint})
	return true
}

// suspect returns the conversation of an event that the list may lack; nil if it
// belongs to none.
func (w *waiting) suspect(id string) *heldConversation {
	if c := w.conversations[id]; c != nil || id == "" {
		return c
	}
	return w.add(id)
}

// CaughtUp notes that Hold was asked about everything behind the mark.
func (w *waiting) CaughtUp() {
	w.caughtUp = true
	w.endIfOver()
}

// found lines up what a conversation has missed and, behind the last of it, the
// live events that waited; later ones need not wait then.
//
// Messages that were found and yet came live stay where they came, among the
// other events of the conversation. What was found behind such a one, missed in a
// later gap perhaps, comes behind the live events.
func (w *waiting) found(id string, page []Message, items []delivery.Item, last bool, cost int64) {
	c := w.conversations[id]
	var next []delivery.Item
	for i, m := range page {
		switch {
		case c.live[m.Fingerprint]:
			c.reached = true
		case c.reached:
			c.later = append(c.later, items[i])
		default:
			next = append(next, items[i])
		}
	}
	if last {
		next = slices.Concat(next, c.held, c.later)
		*c = heldConversation{settled: true}
		w.unsettled--
	}
	handled := delivery.Item{Key: id, Call: func() { w.inbox.addHandled(cost) }}
	w.queue.Insert(append(next, handled)...)
	w.endIfOver()
}

// endIfOver ends the wait for the gap once no live event waits for it, and none can
// start to.
func (w *waiting) endIfOver() {
	if w.caughtUp && w.unsettled == 0 {
		w.queue.Release(w)
		w.inbox.addOver()
	}
}
