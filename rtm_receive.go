package crisp

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/crisp-go/crisp/internal/backfill"
	"github.com/crisp-go/crisp/internal/clock"
	"github.com/crisp-go/crisp/internal/delivery"
	"github.com/crisp-go/crisp/internal/payload"
	"github.com/crisp-go/crisp/internal/socketio"
)

// receive reads a connection's events until it ends. It returns why it ended, and the span
// that begins to be missed with its end.
func (t *RTM) receive(c *connection) (*span, error) {
	// Closing the connection is what ends a read.
	unlink := context.AfterFunc(t.stopped, func() { _ = c.Close() })
	defer unlink()
	stopBeats := t.heartbeats(c)
	defer stopBeats()

	err := t.read(c)
	missed := &span{from: t.progress.disconnected(c.lastLive), reason: gapReason(err)}
	t.subscription.closed()
	_ = c.Close()

	if cause := context.Cause(t.stopped); cause != nil {
		err = cause
	}
	lived := time.Since(c.since)
	t.client.logger.Info("crisp: RTM disconnected", slog.Any("error", err), slog.Duration("lived", lived))
	notify(t.callbacks, t.cfg.hooks.Disconnected, Disconnected{Err: err, Lived: lived})
	return missed, err
}

// read puts events into the queue. Nothing else reads the connection, so it must never wait
// for user code, except when the queue is full.
func (t *RTM) read(c *connection) error {
	defer t.queue.Flush()
	var (
		name   string // of the last event, which the next is likely to share
		wanted bool
	)
	for t.stopped.Err() == nil { // events that were read ahead count as not received
		ev, err := c.Next()
		c.lastLive = c.PassedOn()
		if err != nil {
			return t.connectionError(err)
		}
		if err := controlEvent(ev); err != nil {
			return t.refusedMeanwhile(err)
		}
		if name == "" || name != string(ev.Name) {
			name, wanted = t.router.wants(ev.Name)
		}
		changes := string(ev.Name) == nameSubscriptionUpdated
		if !wanted && !changes || name == eventAuthenticated {
			continue
		}
		it := newItem(name, ev.LikelyArg())
		it.Received = int64(t.client.clock.At(c.Arrived()))
		it.SentAfter = int64(t.client.clock.At(c.lastLive))
		if changes {
			it.Name = nameSubscriptionUpdated
			t.noteChange(&it)
		}
		if !wanted {
			continue
		}
		t.received.Add(1)
		t.progress.came(it.Received, it.SentAfter)
		if t.router.hearsOf(name) {
			if ev, err := t.eventOf(&it); err == nil { // else handle will report it
				t.router.arrived(ev)
			}
		}
		if t.admit(c, &it) {
			t.queue.Put(&it)
		}
	}
	return context.Cause(t.stopped)
}

// newItem makes an item of an event, whose argument it copies out of the read buffer. The
// key, by which items stay in order, is the conversation, or the website for events that
// belong to none. An event without an argument gets null for its payload.
func newItem(name string, arg []byte) delivery.Item {
	if len(arg) == 0 {
		arg = []byte("null")
	}
	data, head := payload.Keep(arg)
	it := delivery.Item{Key: cmp.Or(head.Session, head.Website), Name: name, Payload: data}
	if head.Enveloped {
		it.Value = enveloped{}
	}
	return it
}

// enveloped is the Value of an item whose payload comes in an envelope.
type enveloped struct{}

// eventOf returns the event of an item. The first call decodes it.
func (t *RTM) eventOf(it *delivery.Item) (Event, error) {
	ev, err := t.decode(it, it.Payload)
	if err == nil {
		return ev, nil
	}
	first := socketio.FirstValue(it.Payload)
	if len(first) == len(it.Payload) {
		return nil, err
	}
	return t.decode(it, first) // LikelyArg took several arguments for one
}

// decode makes the event of an item from its payload, unless the item has it already.
func (t *RTM) decode(it *delivery.Item, data []byte) (Event, error) {
	env := payload.Envelope{Data: data}
	switch value := it.Value.(type) {
	case change:
		return value.PluginSubscriptionUpdated, nil
	case Event:
		return value, nil
	case *backfill.Recovered:
		return value.Value.(Event), nil
	case enveloped:
		if inner, ok := payload.DetectEnvelope(data); ok {
			env = inner
		}
	}
	ev, err := decodeEnvelope(it.Name, env, time.Time{})
	if err != nil {
		return nil, err
	}
	meta := ev.EventMeta()
	meta.Source = SourceRTM
	if meta.Time.IsZero() {
		meta.Time = t.client.clock.Wall(clock.Moment(it.Received))
	}
	it.Value = ev
	return ev, nil
}

// handle dispatches the event of an item, unless it is a message that was handled before. It
// runs on the goroutine of a handler.
func (t *RTM) handle(ctx context.Context, worker int, it *delivery.Item) {
	ev, err := t.eventOf(it)
	if err != nil {
		t.router.onError(ctx, err)
		t.missedEvent(t.client.clock.Stamp(clock.Moment(it.SentAfter)))
		return
	}
	slot := t.slots[worker]
	if t.seen == nil {
		t.dispatch(ctx, slot, ev, it)
		return
	}
	t.handleOnce(ctx, slot, ev, it)
}

// dispatch runs the handlers of an event, and reports false if they gave up because their
// context had ended: the event counts as dropped then. The router has reported their errors.
func (t *RTM) dispatch(ctx context.Context, slot *slot, ev Event, it *delivery.Item) (handled bool) {
	if change, ok := it.Value.(change); ok {
		ctx = context.WithValue(ctx, changeKey{t.subscription}, change.number)
	}
	if slot.dispatch(ctx, ev) == nil || ctx.Err() == nil {
		return true
	}
	if !it.Extra { // what was recovered was not received
		t.gaveUp.Add(1)
	}
	return false
}

// warnSlowHandler warns of a handler that runs long, and says what waits behind it.
func (t *RTM) warnSlowHandler(slow slowHandler) {
	attrs := []slog.Attr{
		slog.String(keyThing, shown(slow.name)),
		slog.Duration("running", slow.ran),
		slog.Int("waiting", max(0, t.queue.Len()-slow.running)),
	}
	if oldest := t.Stats().OldestEvent; !oldest.IsZero() {
		attrs = append(attrs, slog.Duration("longest_wait", t.client.clock.Wall(t.client.clock.Now()).Sub(oldest)))
	}
	t.client.logger.LogAttrs(t.handling, slog.LevelWarn, slowHandlerWarning, attrs...)
}

// report passes an error that belongs to no event to the router's error handler.
func (t *RTM) report(err error) { hear(t.handling, t.router.onError, err) }

// heartbeats posts Hooks.Heartbeat once per ping interval, until stop is called.
func (t *RTM) heartbeats(c *connection) (stop func()) {
	if t.cfg.hooks.Heartbeat == nil {
		return func() {}
	}
	ticker := time.NewTicker(c.Handshake().PingInterval)
	quit := make(chan struct{})
	go func() {
		for {
			select {
			case now := <-ticker.C:
				event := max(t.client.clock.At(c.since), clock.Moment(t.progress.lastEvent.Load()))
				notifyIfShort(t.callbacks, t.cfg.hooks.Heartbeat, Heartbeat{
					SinceEvent: t.client.clock.At(now).Sub(event),
					SinceFrame: now.Sub(c.LastHeard()),
				})
			case <-quit:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(quit)
	}
}
