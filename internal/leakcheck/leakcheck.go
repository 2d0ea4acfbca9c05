// Package leakcheck fails a test binary that leaves goroutines behind. Each
// package that starts goroutines has this in one of its test files:
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
package leakcheck

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// grace is how long goroutines that were told to end may take to do so: a
// connection that was closed has its reader return a moment later.
const grace = 5 * time.Second

// Main runs the tests and exits with their code, or with 1 and the stacks of
// the goroutines that are still there once all tests have passed.
func Main(m *testing.M) {
	before := goroutines()
	code := m.Run()
	if code == 0 {
		if leaked := wait(before, grace); len(leaked) > 0 {
			fmt.Fprintf(os.Stderr, "leakcheck: %d goroutines left behind by the tests:\n\n", len(leaked))
			for _, stack := range leaked {
				fmt.Fprintf(os.Stderr, "%s\n\n", stack)
			}
			code = 1
		}
	}
	os.Exit(code)
}

// wait gives the stacks of the goroutines that were not there before, once
// there are none or the patience is over. It polls, since the runtime tells
// nobody of a goroutine's end.
func wait(before map[string][]byte, patience time.Duration) [][]byte {
	deadline := time.After(patience)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		leaked := since(before)
		if len(leaked) == 0 {
			return nil
		}
		select {
		case <-poll.C:
		case <-deadline:
			return leaked
		}
	}
}

// since lists the stacks of goroutines that are not among those of before.
func since(before map[string][]byte) [][]byte {
	var leaked [][]byte
	for id, stack := range goroutines() {
		if _, old := before[id]; !old && !permanent(stack) {
			leaked = append(leaked, stack)
		}
	}
	return leaked
}

// permanent tells the goroutine that os/signal starts at its first use and
// never ends.
func permanent(stack []byte) bool {
	return bytes.Contains(stack, []byte("created by os/signal.Notify"))
}

// goroutines gives the stack of every goroutine but the calling one, by
// "goroutine N", a name that the runtime never gives twice.
func goroutines() map[string][]byte {
	stacks := bytes.Split(allStacks(), []byte("\n\n"))[1:] // the caller's is the first
	byID := make(map[string][]byte, len(stacks))
	for _, stack := range stacks {
		id, _, _ := bytes.Cut(stack, []byte(" ["))
		byID[string(id)] = bytes.TrimSpace(stack)
	}
	return byID
}

func allStacks() []byte {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return buf[:n]
		}
	}
}
