package crisp

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/delivery"
)

const (
	// knownOverlap is the default of Backfill.Overlap where Crisp's time is known, to within
	// seconds.
	knownOverlap = 30 * time.Second

	// Recovered messages on their way to the handlers may take 1/aheadShare of the queue's
	// bound, or minAhead if that is more, in addition to it.
	aheadShare = 4
	minAhead   = 1 << 20 // bytes

	// sideBySide is how many conversations are fetched at a time, at most. How fast the
	// server can take that, the REST client's pace finds out.
	sideBySide = 8
)

// WithBackfill fetches, after each [Gap], the messages that were missed, by
// REST, and passes them to the same handlers as [*MessageSend] and
// [*MessageReceived] with [SourceBackfill]: in order within each conversation,
// before newer live events of that conversation, without those that also came live.
// Hooks.Backfilled tells the outcome.
//
// Live events wait until it is known which conversations have changed; those of
// the others go on then, and those of a conversation that has changed wait until
// its messages are fetched, which is done first where events wait.
//
// Without [WithPosition], the end of the client cuts a backfill short. With it,
// [RTM.Shutdown] waits for the backfill: otherwise live events that wait here would
// be handled before the older messages. Only [RTM.Close], Shutdown's deadline and the
// end of Run's context cut it short then, and the next run goes on with it.
//
// Only messages can be recovered: Crisp keeps no other events. A user token
// needs [WithFilter] with Rooms, which says what websites to ask for; for a
// plugin that many websites have installed, Rooms saves requests.
func WithBackfill(b Backfill) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if b.Overlap < 0 || b.MaxRequests < 0 || b.MaxRequestsPerHour < 0 || b.MaxAge < 0 || b.Patience < 0 {
			return errors.New("crisp: WithBackfill: Overlap, MaxRequests, MaxRequestsPerHour, MaxAge and Patience can't be negative")
		}
		c.ownOverlap = b.Overlap != 0
		c.backfill = &Backfill{
			Overlap:            cmp.Or(b.Overlap, defaultOverlap),
			MaxRequests:        cmp.Or(b.MaxRequests, defaultMaxRequests),
			MaxRequestsPerHour: cmp.Or(b.MaxRequestsPerHour, gapsPerHour*cmp.Or(b.MaxRequests, defaultMaxRequests)),
			MaxAge:             cmp.Or(b.MaxAge, defaultMaxAge),
			Patience:           cmp.Or(b.Patience, defaultPatience),
		}
		return nil
	})
}

// checkBackfill returns, before any network, what a backfill would lack.
func checkBackfill(f Filter, tier Tier) error {
	if !slices.Contains(f.Events, nameMessageSend) && !slices.Contains(f.Events, nameMessageReceived) {
		return errors.New("crisp: WithBackfill recovers message:send and message:received, but neither is subscribed to")
	}
	if tier == TierUser && len(f.Rooms) == 0 {
		return errNoRooms
	}
	return nil
}

// The events that bring messages.
var (
	nameMessageSend     = (*MessageSend)(nil).EventName()
	nameMessageReceived = (*MessageReceived)(nil).EventName()
)

// newBackfill makes the backfill of a run. If a position is kept, fetching goes on when the
// client stops receiving. Otherwise live events that wait here would be handled, and the
// messages before them would be recovered by the next run, out of order.
func (t *RTM) newBackfill() *backfill.Backfill {
	fetching := t.stopped
	if t.cfg.position != nil {
		fetching = t.handling
	}
	cfg := backfill.Config{
		Overlap:      t.cfg.backfill.Overlap,
		MaxAge:       t.cfg.backfill.MaxAge,
		MaxRequests:  t.cfg.backfill.MaxRequests,
		MaxAhead:     max(t.cfg.queueBytes/aheadShare, minAhead),
		SideBySide:   sideBySide,
		Fingerprint:  t.itemFingerprint,
		Conversation: t.itemConversation,
	}
	if t.router.looksAtRecovered() {
		cfg.Whole = t.recoveredAll
	}
	return backfill.New(t.handling, fetching, t.queue, t.seen, cfg)
}

// recoveredAll passes all missed messages of a conversation to the router before the first of
// them is handled, except those that were handled already.
func (t *RTM) recoveredAll(c backfill.Conversation, messages []backfill.Message) (after func()) {
	var events []Event
	for _, m := range messages {
		ev := m.Value.(Event)
		if key, ok := messageKey(ev); !ok || !t.seen.Repeats(key, true) {
			events = append(events, ev)
		}
	}
	ref := SessionRef{WebsiteID: c.Website, SessionID: c.ID}
	return t.router.recoveredAll(recovered{ref, SessionState(c.State), c.Changed, events}, &t.recoveredPlace)
}

// itemFingerprint returns the fingerprint of an item's message, 0 if it is none.
func (t *RTM) itemFingerprint(it *delivery.Item) int64 {
	if it.Name != nameMessageSend && it.Name != nameMessageReceived {
		return 0
	}
	ev, err := t.eventOf(it)
	if err != nil {
		return 0 // handle will report it
	}
	m, _ := messageOf(ev)
	return m.Fingerprint
}

// itemConversation returns the conversation that an item's event belongs to; zero if there is
// none.
func (t *RTM) itemConversation(it *delivery.Item) backfill.Conversation {
	ev, err := t.eventOf(it)
	if err != nil {
		return backfill.Conversation{}
	}
	of, _ := ev.(SessionEvent)
	if of == nil {
		return backfill.Conversation{}
	}
	ref := of.Session()
	return backfill.Conversation{Website: strings.Clone(ref.WebsiteID), ID: strings.Clone(ref.SessionID)}
}

var errFillStopped = fmt.Errorf("%w during the backfill", ErrClosed)

// fill begins to recover a gap, which it closes when the gap is filled as far as it can be. A
// gap that the end of the client cut short stays open, so that the stored position stays
// before it.
func (t *RTM) fill(gap Gap, open *openGap, told <-chan struct{}) {
	source := &fillSource{client: t.client, cfg: t.cfg.backfill, filter: t.subscription.current(), budget: &t.budget}
	to := t.client.clock.Crisp(t.client.clock.Now())
	missed := backfill.Gap{From: to.Add(gap.From.Sub(gap.To)), To: to, Began: open.from.Moment, Overlap: t.overlap(open.from)}
	t.backfill.Start(missed, source, told, func(o backfill.Outcome) {
		err := o.Err
		switch {
		case o.Abandoned || err != nil && errors.Is(err, context.Cause(t.stopped)):
			err = errFillStopped
		case err != nil && t.stopped.Err() != nil: // REST failed while the client was draining: live events were handled before what the next run recovers
			err = fmt.Errorf("%w: %w", errFillStopped, err)
		default:
			open.close()
			t.saveSoon() // what was missed need not be looked for again
		}
		if err != nil && !errors.Is(err, ErrClosed) { // the end of the client is nothing to warn of
			t.client.logger.Warn("crisp: backfill incomplete", "error", err)
		}
		notify(t.callbacks, t.cfg.hooks.Backfilled, Backfilled{
			Gap:           gap,
			Complete:      err == nil,
			Messages:      o.Messages,
			Conversations: o.Conversations,
			Requests:      o.Requests,
			Err:           err,
		})
	})
}

// overlap returns how far before a gap its backfill begins to search.
func (t *RTM) overlap(began clock.Stamp) time.Duration {
	if _, crisp := t.client.clock.Dates(began); t.cfg.ownOverlap || crisp.IsZero() {
		return t.cfg.backfill.Overlap
	}
	return knownOverlap
}

// handleOnce dispatches an event, unless it is a message that was handled before: live and
// then recovered, or the other way round. A message whose handlers gave up because the client
// was closed is not remembered, so that it comes again after a restart.
func (t *RTM) handleOnce(ctx context.Context, slot *slot, ev Event, it *delivery.Item) {
	recovered, _ := it.Value.(*backfill.Recovered)
	key, isMessage := messageKey(ev)
	if isMessage && (recovered != nil && recovered.HandledBefore(key) || t.seen.Repeats(key, recovered != nil)) {
		return
	}
	if recovered != nil {
		recovered.Count()
	}
	interrupted := false
	defer func() { // also if a handler ends the goroutine
		if isMessage && !interrupted {
			t.seen.Add(key, recovered != nil)
		}
	}()
	interrupted = !t.dispatch(ctx, slot, ev, it)
}

// messageKey returns a hash that identifies a message, the same in every run of a program; ok
// is false if the event is no message or has no fingerprint. Fingerprints are unique in a
// conversation. 64 bits are enough: a message is compared with some ten thousand others, and
// taken for one of them only if one of the two was recovered.
func messageKey(ev Event) (key uint64, ok bool) {
	m, ok := messageOf(ev)
	if !ok || m.Fingerprint == 0 {
		return 0, false
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(m.SessionID))
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(m.Fingerprint)))
	return h.Sum64(), true
}
