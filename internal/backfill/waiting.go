package backfill

import (
	"slices"

	"github.com/crisp-go/crisp/internal/delivery"
)

// waiting is the sequencer's side of a fill: the live events that wait, and what for. It is a
// delivery.Holder. Only the sequencer's goroutine touches it, by the Holder's methods and by
// steps.
type waiting struct {
	queue         *delivery.Queue
	cfg           *Config
	inbox         *inbox                       // of the fetcher
	conversations map[string]*heldConversation // by ID
	unsettled     int                          // how many of them
	partial       bool                         // the list of changed conversations may lack some
	gaps          int                          // how many have had their marks lifted
	behind        int                          // how many of these are waiting for CaughtUp
}

// heldConversation is one that may have missed messages.
type heldConversation struct {
	settled bool           // its live events need not wait any more
	held    []heldEvent    // in the order they came
	live    map[int64]bool // fingerprints of all messages that were ever among held
}

// heldEvent is a live event that waits.
type heldEvent struct {
	delivery.Item
	fingerprint int64 // 0 if it is no message
	gaps        int   // how many of the fill's gaps were before it
}

func newWaiting(queue *delivery.Queue, cfg *Config, inbox *inbox) *waiting {
	return &waiting{queue: queue, cfg: cfg, inbox: inbox, conversations: make(map[string]*heldConversation)}
}

// widen adds a gap, whose mark is lifted next, and what was listed for it.
func (w *waiting) widen(changed []Conversation, partial bool) {
	w.gaps++
	w.behind++
	w.partial = w.partial || partial
	for _, c := range changed {
		if w.conversations[c.ID] == nil {
			w.add(c.ID)
		}
	}
	w.inbox.setOver(false)
}

func (w *waiting) add(id string) *heldConversation {
	c := &heldConversation{live: make(map[int64]bool)}
	w.conversations[id] = c
	w.unsettled++
	return c
}

// Hold takes a live event whose conversation may have missed messages. If the list may lack
// conversations that changed while it was read, all that have events now are suspects, and are
// fetched as well.
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
	c.held = append(c.held, heldEvent{*it, fingerprint, w.gaps})
	w.inbox.add(arrival{of, fingerprint, w.gaps})
	return true
}

// suspect returns the conversation of an event, which it adds if the list lacks it; nil if the
// event belongs to none.
func (w *waiting) suspect(id string) *heldConversation {
	if c := w.conversations[id]; c != nil || id == "" {
		return c
	}
	return w.add(id)
}

// CaughtUp notes that Hold was asked about everything behind the mark.
func (w *waiting) CaughtUp() {
	w.behind--
	w.endIfOver()
}

// ending is the end of a conversation's messages.
type ending struct {
	after func() // to be called when the last was handled; nil = nothing
}

// found inserts a page of what a conversation has missed, between the live events that wait.
// With end it inserts the rest of these, too, and later ones need not wait.
//
// A message that was found although it came live stays in its place among the live events. What
// was found before it goes before it; what was found behind it, missed in a later gap, comes
// behind.
func (w *waiting) found(id string, page []Message, items []delivery.Item, end *ending, cost int64) {
	c := w.conversations[id]
	var next []delivery.Item
	for i, m := range page {
		if c.live[m.Fingerprint] {
			next = append(next, c.upTo(m.Fingerprint)...)
		} else {
			next = append(next, items[i])
		}
	}
	if end != nil {
		if end.after != nil {
			next = append(next, delivery.Item{Key: id, Call: end.after})
		}
		next = append(next, c.take(len(c.held))...)
		*c = heldConversation{settled: true}
		w.unsettled--
	}
	handled := delivery.Item{Key: id, Call: func() { w.inbox.addHandled(cost) }}
	w.queue.Insert(append(next, handled)...)
	w.endIfOver()
}

// upTo takes out the events up to a message, and those right behind it that are no messages and
// came before the next gap. It returns none if the message was taken out before.
func (c *heldConversation) upTo(fingerprint int64) []delivery.Item {
	i := slices.IndexFunc(c.held, func(e heldEvent) bool { return e.fingerprint == fingerprint })
	if i < 0 {
		return nil
	}
	n := i + 1
	for n < len(c.held) && c.held[n].fingerprint == 0 && c.held[n].gaps == c.held[i].gaps {
		n++
	}
	return c.take(n)
}

// take takes out the first n events.
func (c *heldConversation) take(n int) []delivery.Item {
	var items []delivery.Item
	for _, e := range c.held[:n] {
		items = append(items, e.Item)
	}
	c.held = c.held[n:]
	return items
}

// endIfOver ends the wait for the gap once no live event waits for it, and none can
// start to.
func (w *waiting) endIfOver() {
	if w.behind == 0 && w.unsettled == 0 {
		w.queue.Release(w)
		w.inbox.setOver(true)
	}
}
