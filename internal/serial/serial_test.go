package serial_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/internal/leakcheck"
	"github.com/crisp-go/crisp/internal/serial"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestGoOutlivesGoexit(t *testing.T) {
	steps, exits := 0, 0
	done := make(chan struct{})
	loop := func() {
		for steps < 5 {
			steps++
			if steps%2 == 0 {
				runtime.Goexit()
			}
		}
		close(done)
	}
	serial.Go(loop, func() {
		exits++
		runtime.Goexit() // nothing is sacred
	})
	<-done
	assert.Equal(t, 5, steps, "it goes on where it was ended")
	assert.Equal(t, 2, exits)
}

// events is what a queue has done, in order. All of it happens on one goroutine
// at a time.
type events struct{ list []string }

func (e *events) add(what string) { e.list = append(e.list, what) }

func newQueue(e *events) *serial.Queue {
	return serial.NewQueue(
		func(value any) { e.add("panicked: " + value.(error).Error()) },
		func() { e.add("exited") },
	)
}

func TestQueueOutlivesWhatItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got events
		q := newQueue(&got)
		q.Post(func() { got.add("a") })
		q.Post(func() { panic(errors.New("boom")) })
		q.Post(func() { runtime.Goexit() })
		q.Post(func() { got.add("b") })
		q.Flush(t.Context())
		assert.Equal(t, []string{"a", "panicked: boom", "exited", "b"}, got.list)
	})
}

func TestQueueRunsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got events
		q := newQueue(&got)
		for _, name := range []string{"a", "b"} {
			q.Post(func() {
				got.add(name + " begins")
				<-time.After(time.Second)
				got.add(name + " ends")
			})
		}
		assert.Empty(t, got.list, "nobody waits")
		q.Flush(t.Context())
		assert.Equal(t, []string{"a begins", "a ends", "b begins", "b ends"}, got.list)
	})
}

func TestQueueHasABoundForWhoWantsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got events
		q := newQueue(&got)
		release := make(chan struct{})
		q.Post(func() { <-release })
		synctest.Wait()
		for range 5 {
			q.PostIfShort(func() { got.add("short") }, 2)
		}
		q.Post(func() { got.add("always") })
		close(release)
		q.Flush(t.Context())
		assert.Equal(t, []string{"short", "short", "always"}, got.list)
	})
}

func TestFlushEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(new(events))
		release := make(chan struct{})
		q.Post(func() { <-release })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		q.Flush(ctx)
		assert.Equal(t, time.Second, time.Since(began))
		close(release)
	})
}
