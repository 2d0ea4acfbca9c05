package backfill

import (
	"slices"

	"github.com/crisp-go/crisp/internal/delivery"
)

// waiting is the sequencer's side of a fill: what live events wait for, and which
// do. Only the sequencer's goroutine touches it, by the methods of a
// delivery.Holder and by steps.
type waiting struct {
	queue         *delivery.Queue
	cfg           *Config
	inbox         *inbox // of the fetcher
	conversations map[string]*heldConversation
	unsettled     int  // of the conversations
	partial       bool // the list may lack some
	gaps          int  // whose marks were lifted
	behind        int  // of them, those with events behind their marks that did not come to Hold yet
}

// heldConversation is one that may have missed messages.
type heldConversation struct {
	settled bool           // its live events need not wait any more
	held    []heldEvent    // in the order they came
	live    map[int64]bool // fingerprints of the messages that were among them
}

// heldEvent is a live event that waits.
type heldEvent struct {
	delivery.Item
	fingerprint int64 // 0 if it is no message
	gaps        int   // before it
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
	c.held = append(c.held, heldEvent{*it, fingerprint, w.gaps})
	w.inbox.add(arrival{of, fingerprint, w.gaps})
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
	w.behind--
	w.endIfOver()
}

// ending is the end of a conversation's messages.
type ending struct {
	after func() // to be called when the last was handled; nil = nothing
}

// found lines up what a conversation has missed, and the live events that waited;
// behind the last of it, later ones need not wait.
//
// Messages that were found and yet came live stay where they came, among the other
// events of the conversation. So those that were found before such a one go before
// it, and those behind it, missed in a later gap, come behind.
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

// upTo takes the events out up to a message, with those behind it that are none and
// came before the next gap. There are none if the message was taken out before.
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

// take takes the first events out.
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
