package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

func TestPayloads(t *testing.T) {
	for _, event := range []string{"message:send", "session:sync:pages"} {
		for _, size := range []int{300, 600, 601, 4096, 100_000} {
			for i := range 50 {
				payload := workload{Event: event, Size: size}.payload(i)
				assert.InDelta(t, size, len(payload), 250, event)
				ev, err := crisp.Decode(event, []byte(payload))
				require.NoError(t, err)
				assert.Empty(t, ev.EventMeta().Problems)
				if event == "message:send" {
					assert.Len(t, payload, size)
				}
			}
		}
	}
}

func TestPathNamesTheWorkload(t *testing.T) {
	want := workload{Event: "message:send", Size: 600, Events: 1000, Rate: 50}
	elements := strings.Split(want.path(), "/")[1:]
	names := []string{"event", "size", "events", "rate"}
	got, err := workloadOf(func(name string) string {
		for i := range names {
			if names[i] == name {
				return elements[i]
			}
		}
		return ""
	})
	require.NoError(t, err)
	assert.Equal(t, want, got)
	_, err = workloadOf(func(string) string { return "many" })
	assert.Error(t, err)
}

// TestReadersReadTheWholeStream runs each client in Go once, in this process.
func TestReadersReadTheWholeStream(t *testing.T) {
	server := httptest.NewServer(streamRoutes())
	defer server.Close()
	for name, task := range map[string]task{
		"read":        {Reader: "read"},
		"reader":      {Reader: "reader"},
		"json":        {Reader: "json"},
		"crisp":       {Reader: "crisp"},
		"concurrency": {Reader: "crisp", Setup: setup{Concurrency: 16}},
		"more":        {Reader: "crisp", Setup: setup{Registered: 40}},
		"unhandled":   {Reader: "crisp", Setup: setup{Unhandled: true}},
		"large":       {Reader: "crisp", Load: workload{Event: "session:sync:pages", Size: 1 << 20, Events: 3}},
		"paced":       {Reader: "crisp", Load: workload{Event: "message:send", Size: 600, Events: 100, Rate: 10_000}},
		"paced raw":   {Reader: "reader", Load: workload{Event: "message:send", Size: 600, Events: 100, Rate: 10_000}},
	} {
		t.Run(name, func(t *testing.T) {
			task.URL = server.URL
			if task.Load.Events == 0 {
				task.Load = workload{Event: "message:send", Size: 600, Events: 2*distinctEvents + 1}
			}
			log := newDelayLog(task.Load)
			read, err := task.prepare(log)
			require.NoError(t, err)
			u, err := reading.Measure(func() error { return read(t.Context()) })
			require.NoError(t, err)
			assert.Positive(t, u.Wall)
			if task.Load.Rate > 0 {
				assert.EqualValues(t, task.Load.Events, log.next.Load())
				assert.LessOrEqual(t, log.summary().P50, log.summary().Max)
			}
		})
	}
}

func TestIncompleteStreamIsAnError(t *testing.T) {
	assert.NoError(t, complete(5, workload{Events: 5}))
	assert.Error(t, complete(4, workload{Events: 5}))
}

func TestHookHandlersAcceptTheRequests(t *testing.T) {
	requests := signedRequests(100)
	for name, handler := range hookHandlers() {
		t.Run(name, func(t *testing.T) {
			h, err := handler()
			require.NoError(t, err)
			server := httptest.NewServer(h)
			defer server.Close()
			connections, err := connectTo(server.Listener.Addr().String(), 3)
			require.NoError(t, err)
			defer connections.close()
			assert.NoError(t, connections.post(requests))
			tampered := [][]byte{bytes.Replace(requests[0], []byte("message:send"), []byte("message:sent"), 1)}
			assert.ErrorContains(t, connections.post(tampered), "401")
		})
	}
}

func TestSummaryTakesMediansAndRatiosByRound(t *testing.T) {
	floors := []usage{{CPU: 1, Wall: 1}, {CPU: 2, Wall: 1}, {CPU: 10, Wall: 1}}
	samples := []usage{
		{CPU: 2, Wall: 2, Allocs: 300, Bytes: 1000},
		{CPU: 6, Wall: 2, Allocs: 300, Bytes: 1000},
		{CPU: 20, Wall: 4, Allocs: 900, Bytes: 1000},
	}
	r := summarize(contestant{name: "x", task: task{Load: workload{Events: 100}}}, samples, floors)
	assert.InDelta(t, 0.06, r.cpu.median, 1e-9)
	assert.InDelta(t, 2, r.ratio.median, 1e-9)
	assert.InDelta(t, 50, r.rate.median, 1e-9)
	assert.InDelta(t, 0.5, r.speed.median, 1e-9)
	assert.InDelta(t, 3, r.allocs.median, 1e-9)
	assert.InDelta(t, 10, r.bytes.median, 1e-9)

	var out strings.Builder
	require.NoError(t, printResults(&out, "Client", []result{r}))
	assert.Contains(t, out.String(), "\n| x | 60,000 | 2.00 (2.00 – 2.50) | 50.0 | 0.50 | 3.00 | 10.0 |\n")
}

func TestPrintResultsTellsOfAFullDisk(t *testing.T) {
	full := errors.New("no space")
	r, w := io.Pipe()
	require.NoError(t, r.CloseWithError(full))
	assert.ErrorIs(t, printResults(w, "", []result{{}}), full)
}

func TestQuantile(t *testing.T) {
	assert.InDelta(t, 2.5, median([]float64{1, 2, 3, 4}), 1e-9)
	assert.InDelta(t, 4, quantile([]float64{1, 2, 3, 4}, 1), 1e-9)
	assert.InDelta(t, 7, quantile([]float64{7}, 0.99), 1e-9)
}

func TestTurnsChangeTheOrder(t *testing.T) {
	var order []int
	samples, err := bench{options: options{rounds: 3}}.turns(3, func(i int) (usage, error) {
		order = append(order, i)
		return usage{Wall: float64(i)}, nil
	})
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 2, 1, 2, 0, 2, 0, 1}, order)
	for i := range samples {
		assert.Equal(t, []usage{{Wall: float64(i)}, {Wall: float64(i)}, {Wall: float64(i)}}, samples[i])
	}
}

func TestFileName(t *testing.T) {
	assert.Equal(t, "bare-coder-websocket-Conn-Reader", fileName("bare coder/websocket, `Conn.Reader`"))
}

func TestStampIsReadBack(t *testing.T) {
	frame := textFrame(eventPacket("message:send", messagePayload(3, 600)))
	at := time.UnixMicro(1_773_569_824_159_123)
	stamp(fingerprintIn(frame), at)
	log := newDelayLog(workload{Rate: 1, Events: 1})
	require.NoError(t, log.frame(frame))
	var ev crisp.MessageSend
	payload := frame[bytes.IndexByte(frame, '{') : len(frame)-1]
	require.NoError(t, json.Unmarshal(payload, &ev))
	assert.Equal(t, at.UnixMicro(), ev.Fingerprint)
}
