//go:build !race

package operations

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/util/teststorage"
	"github.com/stretchr/testify/require"
)

// target names what is scraped, as Prometheus does.
var target = map[string]string{"job": "crisp", "instance": "bot-1:9464"}

// history is what Prometheus has got from a program, scrape by scrape.
type history struct {
	samples []sample
	last    map[string]labels.Labels // what the last scrape had
}

type sample struct {
	series labels.Labels
	at     time.Time
	value  float64
}

// add adds what a scrape has got, as the program has written it.
func (h *history) add(t *testing.T, at time.Time, text []byte) {
	t.Helper()
	h.put("up", at, 1)
	got := make(map[string]labels.Labels)
	parser := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "the text of metrics")
		if entry != textparse.EntrySeries {
			continue
		}
		var series labels.Labels
		parser.Labels(&series)
		b := labels.NewBuilder(series)
		for name, value := range target {
			b.Set(name, value)
		}
		series = b.Labels()
		_, _, v := parser.Series()
		h.samples = append(h.samples, sample{series, at, v})
		got[series.String()] = series
	}
	h.end(at, got)
}

// fail notes a scrape that nobody has answered.
func (h *history) fail(at time.Time) {
	h.put("up", at, 0)
	h.end(at, nil)
}

// end marks the time series that the last scrape had, and this one has not, as Prometheus does.
func (h *history) end(at time.Time, got map[string]labels.Labels) {
	for key, series := range h.last {
		if _, ok := got[key]; !ok {
			h.samples = append(h.samples, sample{series, at, math.Float64frombits(value.StaleNaN)})
		}
	}
	h.last = got
}

func (h *history) put(name string, at time.Time, v float64) {
	b := labels.NewScratchBuilder(3)
	for name, value := range target {
		b.Add(name, value)
	}
	b.Add(model.MetricNameLabel, name)
	b.Sort()
	h.samples = append(h.samples, sample{b.Labels(), at, v})
}

// store makes Prometheus' own storage of it.
func (h *history) store(t *testing.T) *teststorage.TestStorage {
	t.Helper()
	storage := teststorage.New(t)
	appender := storage.Appender(t.Context())
	for _, s := range h.samples {
		_, err := appender.Append(0, s.series, s.at.UnixMilli(), s.value)
		require.NoError(t, err)
	}
	require.NoError(t, appender.Commit())
	return storage
}

// restarted is the history of a program that ends, cannot be reached for two scrapes, and begins anew. It returns when it
// answers again.
func (h *history) restarted(next *history) time.Time {
	at := h.samples[len(h.samples)-1].at
	for range 2 {
		at = at.Add(interval)
		h.fail(at)
	}
	at = at.Add(interval)
	later := at.Sub(next.samples[0].at)
	for _, s := range next.samples {
		h.samples = append(h.samples, sample{s.series, s.at.Add(later), s.value})
	}
	h.last = next.last
	return at
}

// names are those of all metrics that were ever there.
func (h *history) names() map[string]bool {
	all := make(map[string]bool)
	for _, s := range h.samples {
		all[s.series.Get(model.MetricNameLabel)] = true
	}
	return all
}

// labelsOf are the labels that a metric has ever had.
func (h *history) labelsOf(name string) map[string]bool {
	all := make(map[string]bool)
	for _, s := range h.samples {
		if s.series.Get(model.MetricNameLabel) == name {
			s.series.Range(func(l labels.Label) { all[l.Name] = true })
		}
	}
	return all
}

func TestHistory(t *testing.T) {
	h := new(history)
	at := time.Unix(1000, 0)
	h.add(t, at, []byte("# TYPE a counter\na{b=\"c\"} 3\nd 4\n"))
	h.add(t, at.Add(time.Second), []byte("d 5\n"))
	h.fail(at.Add(2 * time.Second))
	var text bytes.Buffer
	for _, s := range h.samples {
		text.WriteString(s.series.String() + "\n")
	}
	require.Len(t, h.samples, 1+2+1+1+1+1+1, text.String())
	require.True(t, value.IsStaleNaN(h.samples[5].value), text.String())
}
