// Package metrics counts what the bridge does, for Prometheus. No label has a value that
// people or conversations choose.
package metrics

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// Metrics are those of one bridge.
type Metrics struct {
	registry *prometheus.Registry

	published *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	stubs     prometheus.Counter

	connected    prometheus.Gauge
	leader       prometheus.Gauge
	gaps         *prometheus.CounterVec
	gapSeconds   *prometheus.CounterVec
	backfills    *prometheus.CounterVec
	backfilled   prometheus.Counter
	dropped      prometheus.Counter
	engineUp     prometheus.Gauge
	deadLetters  prometheus.Gauge
	roomsRefused prometheus.Counter
}

// New returns metrics that are all zero.
func New() *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		published: counters("published_messages_total", "Messages that were to be stored in the log, by how they came and what became of the attempt.", "source", "outcome"),
		bytes:     counters("published_bytes_total", "Bytes of the payloads that were stored in the log.", "source"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "crisp_bridge_publish_seconds",
			Help:    "How long the engine took to store a message, or to fail.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"source"}),
		stubs:        counter("stubs_total", "Messages that were too large for the engine, in whose place a stub is in the log."),
		connected:    gauge("rtm_connected", "1 while this process is connected to the RTM API."),
		leader:       gauge("rtm_leader", "1 while this process has the lease of the RTM API."),
		gaps:         counters("gaps_total", "Spans of time in which events may have been missed, by why.", "reason"),
		gapSeconds:   counters("gap_seconds_total", "The length of these spans.", "reason"),
		backfills:    counters("backfills_total", "Gaps that were filled, by whether every message was fetched.", "outcome"),
		backfilled:   counter("backfilled_messages_total", "Messages that were fetched after gaps."),
		dropped:      counter("dropped_events_total", "Events that were received and are not in the log."),
		engineUp:     gauge("engine_reachable", "1 if the engine answered when it was last asked."),
		deadLetters:  gauge("dead_letters", "Messages that groups have given up and nobody has replayed or discarded."),
		roomsRefused: counter("refused_websites_total", "Websites that Crisp has refused on the RTM API."),
	}
	m.deadLetters.Set(math.NaN()) // until they are counted
	m.registry.MustRegister(
		m.published, m.bytes, m.seconds, m.stubs, m.connected, m.leader, m.gaps, m.gapSeconds, m.backfills,
		m.backfilled, m.dropped, m.engineUp, m.deadLetters, m.roomsRefused,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crisp_bridge_" + name, Help: help}, labels)
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "crisp_bridge_" + name, Help: help})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "crisp_bridge_" + name, Help: help})
}

// Handler answers with all metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// SetLeader says whether this process has the lease.
func (m *Metrics) SetLeader(leader bool) { setBool(m.leader, leader) }

// SetEngine says whether the engine is reachable.
func (m *Metrics) SetEngine(reachable bool) { setBool(m.engineUp, reachable) }

// SetDeadLetters says how many dead letters there are.
func (m *Metrics) SetDeadLetters(n int) { m.deadLetters.Set(float64(n)) }

func setBool(g prometheus.Gauge, b bool) {
	if b {
		g.Set(1)
	} else {
		g.Set(0)
	}
}

// Hooks are callbacks of an RTM client that count, and then call others.
func (m *Metrics) Hooks(next crisp.Hooks) crisp.Hooks {
	hooks := next
	hooks.Connected = before(next.Connected, func(crisp.Connected) { m.connected.Set(1) })
	hooks.Disconnected = before(next.Disconnected, func(crisp.Disconnected) { m.connected.Set(0) })
	hooks.Gap = before(next.Gap, func(g crisp.Gap) {
		m.gaps.WithLabelValues(string(g.Reason)).Inc()
		m.gapSeconds.WithLabelValues(string(g.Reason)).Add(max(0, g.To.Sub(g.From).Seconds()))
	})
	hooks.Backfilled = before(next.Backfilled, func(b crisp.Backfilled) {
		outcome := "incomplete"
		if b.Complete {
			outcome = "complete"
		}
		m.backfills.WithLabelValues(outcome).Inc()
		m.backfilled.Add(float64(b.Messages))
	})
	hooks.Dropped = before(next.Dropped, func(d crisp.Dropped) { m.dropped.Add(float64(d.Count)) })
	hooks.RoomsRefused = before(next.RoomsRefused, func(r crisp.RoomsRefused) { m.roomsRefused.Add(float64(len(r.Rooms))) })
	return hooks
}

func before[T any](next func(T), first func(T)) func(T) {
	if next == nil {
		return first
	}
	return func(arg T) {
		first(arg)
		next(arg)
	}
}

// RTMEnded says that the RTM client has ended, and with it its connection.
func (m *Metrics) RTMEnded() { m.connected.Set(0) }

// Publisher counts what another one stores.
func (m *Metrics) Publisher(next bridge.Publisher) bridge.Publisher { return publisher{next, m} }

type publisher struct {
	next    bridge.Publisher
	metrics *Metrics
}

// Publish stores a message by the other publisher.
func (p publisher) Publish(ctx context.Context, msg bridge.Message) error {
	began := time.Now()
	err := p.next.Publish(ctx, msg)
	source := sourceOf(msg)
	p.metrics.seconds.WithLabelValues(source).Observe(time.Since(began).Seconds())
	p.metrics.published.WithLabelValues(source, outcomeOf(err)).Inc()
	if err == nil {
		p.metrics.bytes.WithLabelValues(source).Add(float64(len(msg.Data)))
		if msg.Stub != "" {
			p.metrics.stubs.Inc()
		}
	}
	return err
}

// sourceOf is the label of where a message comes from.
func sourceOf(m bridge.Message) string {
	if strings.HasPrefix(m.Type, "crisp.bridge.") {
		return "control"
	}
	switch m.Source {
	case crisp.SourceRTM, crisp.SourceWebhook, crisp.SourceBackfill, crisp.SourceReplay:
		return string(m.Source)
	default:
		return "other"
	}
}

func outcomeOf(err error) string {
	var tooLarge *bridge.TooLargeError
	switch {
	case err == nil:
		return "stored"
	case errors.As(err, &tooLarge):
		return "too_large"
	default:
		return "failed"
	}
}

// Webhook counts what the handler of web hooks answers.
func (m *Metrics) Webhook(hook *crisp.Webhook) { m.registry.MustRegister(answers{hook}) }

var (
	answersDesc = prometheus.NewDesc("crisp_bridge_hook_answers_total", "Web hooks, by the HTTP status that they were answered with.", []string{"status"}, nil)
	runningDesc = prometheus.NewDesc("crisp_bridge_hooks_running", "Web hooks that are not answered yet.", nil, nil)
)

// answers reads the counters that a Webhook has.
type answers struct{ hook *crisp.Webhook }

// Describe implements prometheus.Collector.
func (answers) Describe(descs chan<- *prometheus.Desc) {
	descs <- answersDesc
	descs <- runningDesc
}

// Collect implements prometheus.Collector.
func (a answers) Collect(metrics chan<- prometheus.Metric) {
	stats := a.hook.Stats()
	for status, n := range stats.Answers {
		metrics <- prometheus.MustNewConstMetric(answersDesc, prometheus.CounterValue, float64(n), strconv.Itoa(status))
	}
	metrics <- prometheus.MustNewConstMetric(runningDesc, prometheus.GaugeValue, float64(stats.Running))
}
