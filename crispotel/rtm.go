package crispotel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/crisp-go/crisp"
)

var (
	rtmConnected  = instrument{"crisp.rtm.connected", "", "1 while the RTM client is connected, so that events flow, else 0."}
	rtmReconnects = instrument{"crisp.rtm.reconnects", "{connection}", "Connections of the RTM client after its first."}
	rtmDropped    = instrument{"crisp.rtm.dropped", "{message}", "Events that were received but not handled."}
	rtmQueueBytes = instrument{"crisp.rtm.queue.bytes", "By", "What the events that are not handled count towards the queue's bound."}
	rtmOldest     = instrument{"crisp.rtm.queue.oldest", "s", "For how long the oldest event that is not handled has waited; 0 if none does."}
	rtmSilence    = instrument{"crisp.rtm.silence", "s", "For how long no event has come."}

	gapDuration      = instrument{"crisp.rtm.gap.duration", "s", "Spans in which events may have been missed."}
	backfillGaps     = instrument{"crisp.backfill.gaps", "{gap}", "Gaps that were backfilled."}
	backfillMessages = instrument{"crisp.backfill.messages", "{message}", "Missed messages that were fetched."}
	backfillRequests = instrument{"crisp.backfill.requests", "{request}", "REST calls that backfills have sent."}
)

// gapBounds go from a lost connection to a night.
var gapBounds = []float64{1, 5, 15, 30, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600}

// Hooks are callbacks for [crisp.WithHooks] that measure gaps and backfills, and then call those
// of next. [Observe] has the rest of what there is to know of an RTM client. A client that has them no longer warns
// of gaps in its log: watch crisp.rtm.gap.duration.
func Hooks(next crisp.Hooks, opts ...Option) crisp.Hooks {
	t := newTelemetry(opts)
	h := hooks{
		client:   t.client(),
		gap:      t.histogram(gapDuration, gapBounds...),
		gaps:     t.counter(backfillGaps),
		messages: t.counter(backfillMessages),
		requests: t.counter(backfillRequests),
	}
	for _, complete := range []bool{true, false} {
		h.addBackfill(0, crisp.Backfilled{Complete: complete})
	}
	all := next
	all.Gap = func(g crisp.Gap) {
		h.measureGap(g)
		if next.Gap != nil {
			next.Gap(g)
		}
	}
	all.Backfilled = func(b crisp.Backfilled) {
		h.addBackfill(1, b)
		if next.Backfilled != nil {
			next.Backfilled(b)
		}
	}
	return all
}

// hooks measure what an RTM client tells.
type hooks struct {
	client                   []attribute.KeyValue
	gap                      metric.Float64Histogram
	gaps, messages, requests metric.Int64Counter
}

func (h *hooks) measureGap(g crisp.Gap) {
	reason := other
	switch g.Reason {
	case crisp.GapDisconnected, crisp.GapOverflow, crisp.GapSkipped, crisp.GapRestarted:
		reason = string(g.Reason)
	}
	h.gap.Record(context.Background(), max(0, g.To.Sub(g.From)).Seconds(), h.with(keyReason.String(reason)))
}

func (h *hooks) addBackfill(n int64, b crisp.Backfilled) {
	ctx, with := context.Background(), h.with(keyComplete.Bool(b.Complete))
	h.gaps.Add(ctx, n, with)
	h.messages.Add(ctx, int64(b.Messages), with)
	h.requests.Add(ctx, int64(b.Requests), with)
}

func (h *hooks) with(more attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(h.client[:len(h.client):len(h.client)], more)...)
}

// client are the attributes that name a client, if it has a name.
func (t *telemetry) client() []attribute.KeyValue {
	if t.clientID == "" {
		return nil
	}
	return []attribute.KeyValue{semconv.MessagingClientID(t.clientID)}
}

// Observe measures what an RTM client is doing ([crisp.RTM.Stats]) whenever metrics are read,
// until Unregister of what it returns is called: for a client that has ended, before another is observed in its
// place, as their counters would be added up. Of several clients, each needs a [WithClientID]. It panics if rtm is nil.
func Observe(rtm *crisp.RTM, opts ...Option) (metric.Registration, error) {
	if rtm == nil {
		panic("crispotel: Observe(nil): needs an RTM client")
	}
	return newTelemetry(opts).observeRTM(rtm.Stats, time.Now())
}

func (t *telemetry) observeRTM(stats func() crisp.Stats, since time.Time) (metric.Registration, error) {
	o := t.observables()
	connected, queued := o.gauge(rtmConnected), o.gauge(rtmQueueBytes)
	reconnects, dropped := o.count(rtmReconnects), o.count(rtmDropped)
	oldest, silence := o.float(rtmOldest), o.float(rtmSilence)
	with := metric.WithAttributes(t.client()...)
	return o.register(func(_ context.Context, to metric.Observer) error {
		s, now := stats(), time.Now()
		isConnected := int64(0)
		if s.State == crisp.StateConnected {
			isConnected = 1
		}
		to.ObserveInt64(connected, isConnected, with)
		to.ObserveInt64(reconnects, int64(s.Reconnects), with)
		to.ObserveInt64(dropped, int64(s.Dropped), with)
		to.ObserveInt64(queued, s.QueuedBytes, with)
		waited := time.Duration(0)
		if !s.OldestEvent.IsZero() {
			waited = max(0, now.Sub(s.OldestEvent))
		}
		to.ObserveFloat64(oldest, waited.Seconds(), with)
		last := s.LastEvent
		if last.IsZero() {
			last = since
		}
		to.ObserveFloat64(silence, max(0, now.Sub(last)).Seconds(), with)
		return nil
	})
}
