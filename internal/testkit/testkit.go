// Package testkit has what tests of several packages need. It imports nothing of
// the library, so that those of any layer can use it.
package testkit

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Log collects what a test wants to see later, from any goroutine.
type Log[T any] struct {
	mu  sync.Mutex // guards all
	all []T
}

// Add appends a value.
func (l *Log[T]) Add(v T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, v)
}

// List returns the values so far, in the order in which they came.
func (l *Log[T]) List() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// HookBody is the body of a web hook with a data of message:send.
func HookBody(text string) []byte {
	return fmt.Appendf(nil, `{"website_id":"w-1","event":"message:send","data":{"website_id":"w-1","session_id":"session_1",`+
		`"type":"text","from":"user","origin":"chat","content":%q,"fingerprint":163408807910334,"timestamp":1700000000000},`+
		`"timestamp":1700000000123}`, text)
}

// Elapse waits for a time, or for the end of the context.
func Elapse(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Heap is how many bytes of the heap are in use when all garbage is gone.
func Heap() int64 {
	runtime.GC()
	runtime.GC() // what has finalizers, or is in a sync.Pool, goes with the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Output collects what is logged, from any goroutine.
type Output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write appends to what was logged.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns what was logged so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Lines returns the lines that were logged so far.
func (o *Output) Lines() []string {
	text := strings.TrimSuffix(o.String(), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// Printed collects what slog.Default gets until undo is called, but for messages
// that have one of the parts in them.
func Printed(except ...string) (out *Output, undo func()) {
	out, before := new(Output), slog.Default()
	text := slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})
	slog.SetDefault(slog.New(sieve{text, except}))
	return out, func() { slog.SetDefault(before) }
}

// sieve leaves records out.
type sieve struct {
	slog.Handler
	except []string
}

func (s sieve) Handle(ctx context.Context, r slog.Record) error {
	for _, part := range s.except {
		if strings.Contains(r.Message, part) {
			return nil
		}
	}
	return s.Handler.Handle(ctx, r)
}
