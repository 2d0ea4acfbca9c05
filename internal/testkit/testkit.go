// Package testkit has what the tests of package crisp need wherever they are:
// beside the code, or in the folder test.
package testkit

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
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

// Texts makes a router that collects the texts of the visitors' messages.
func Texts(opts ...crisp.RouterOption) (*crisp.Router, *Log[string]) {
	router, got := crisp.NewRouter(opts...), new(Log[string])
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		text, _ := ev.Content.(crisp.TextContent)
		got.Add(string(text))
		return nil
	})
	return router, got
}

// SampleOf is the payload of an event in which every property has a value.
func SampleOf(name string) string { return string(crisptest.Sample(name).EventMeta().Raw) }

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
