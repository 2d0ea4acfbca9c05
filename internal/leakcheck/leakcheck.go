// Package leakcheck makes a test binary fail if its tests leave goroutines
// behind. Each package that starts goroutines has this in one of its test files:
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

// grace is the time that goroutines may take to end after the tests: when a
// connection is closed, for example, its reader returns a moment later.
const grace = 5 * time.Second

// Main runs the tests and exits with their code. If they pass but goroutines are
// left, it prints the stacks of these and exits with 1.
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

// wait waits until no goroutine is left that was not there before, or until the
// timeout, and returns the stacks of those that are left. It polls, because the
// runtime doesn't announce the end of a goroutine.
func wait(before map[string][]byte, timeout time.Duration) [][]byte {
	deadline := time.After(timeout)
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

// since returns the stacks of the goroutines that were not there before.
func since(before map[string][]byte) [][]byte {
	var leaked [][]byte
	for id, stack := range goroutines() {
		if _, old := before[id]; !old && !permanent(stack) {
			leaked = append(leaked, stack)
		}
	}
	return leaked
}

// permanent reports whether a stack is of the goroutine that os/signal starts
// when it is first used and never ends.
func permanent(stack []byte) bool {
	return bytes.Contains(stack, []byte("created by os/signal.Notify"))
}

// goroutines returns the stack of every goroutine except the calling one, by its
// name, "goroutine N", which the runtime never reuses.
func goroutines() map[string][]byte {
	stacks := bytes.Split(allStacks(), []byte("\n\n"))[1:] // the caller's comes first
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
