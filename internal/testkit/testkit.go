// Package testkit has what tests of several packages need. It imports nothing of
// the library, so that those of any layer can use it.
package testkit

import (
	"context"
	"fmt"
	"runtime"
	"slices"
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

// Heap is how many bytes of the heap are in use.
func Heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
