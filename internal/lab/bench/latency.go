package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

// delayLog takes the delays of a paced stream, whose events tell when they were
// sent. Of other streams it takes none.
type delayLog struct {
	delays []float64
	next   atomic.Int64
}

func newDelayLog(load workload) *delayLog {
	if load.Rate == 0 {
		return &delayLog{}
	}
	return &delayLog{delays: make([]float64, load.Events)}
}

// add notes an event by the time of its sending, in microseconds since 1970.
func (l *delayLog) add(sent int64) {
	l.delays[l.next.Add(1)-1] = float64(time.Now().UnixMicro() - sent)
}

func (l *delayLog) message(ev *crisp.MessageSend) {
	if l.delays != nil {
		l.add(ev.Fingerprint)
	}
}

func (l *delayLog) frame(frame []byte) error {
	if l.delays == nil {
		return nil
	}
	sent, err := strconv.ParseInt(string(fingerprintIn(frame)), 10, 64)
	if err != nil {
		return err
	}
	l.add(sent)
	return nil
}

func (l *delayLog) summary() reading.Delays {
	if l.delays == nil {
		return reading.Delays{}
	}
	slices.Sort(l.delays)
	return reading.Delays{P50: median(l.delays), P99: quantile(l.delays, 0.99), Max: l.delays[len(l.delays)-1]}
}

// latency measures how long events take from the server's write to the
// handler's start, the loopback interface included: at most what goal they have
// from the frame's arrival.
func (b bench) latency(ctx context.Context, w io.Writer) error {
	const perSecond, seconds = 10_000, 3
	load := workload{Event: "message:send", Size: messageBytes, Events: perSecond * seconds, Rate: perSecond}
	clients := []contestant{
		floor(load),
		library("**this library**, a conversation at a time", load, setup{Concurrency: 1}),
		library("**this library**, 16 conversations at a time", load, setup{Concurrency: 16}),
	}
	samples, err := b.read(ctx, clients)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n| Client at %s events/s | p50 µs | p99 µs | p99 µs, best round |\n|---|--:|--:|--:|\n", grouped(perSecond))
	for i, c := range clients {
		p50 := sortedBy(samples[i], func(u usage) float64 { return u.Delays.P50 })
		p99 := sortedBy(samples[i], func(u usage) float64 { return u.Delays.P99 })
		fmt.Fprintf(w, "| %s | %.0f | %.0f | %.0f |\n", c.name, median(p50), median(p99), p99[0])
		b.record.add("latency", c.name, row{Samples: samples[i], Values: map[string]figure{
			"p50_us": figureOf(p50), "p99_us": figureOf(p99),
		}})
	}
	return nil
}
