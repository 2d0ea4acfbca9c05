package bridge_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// supply is an engine that costs nothing.
type supply struct {
	messages []bridge.Message
	n        int
}

func (s *supply) Consume(ctx context.Context, serve func(context.Context, bridge.Partition)) error {
	serve(ctx, s)
	return nil
}

func (s *supply) Bury(context.Context, bridge.DeadLetter) error { return nil }

func (s *supply) Number() int { return 0 }

func (s *supply) Next(ctx context.Context) (bridge.Delivery, error) {
	if s.n == len(s.messages) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s.n++
	return &handed{script: costless, message: s.messages[s.n-1]}, nil
}

var costless = newScript()

// BenchmarkConsume is what the bridge adds to an engine that hands messages over.
func BenchmarkConsume(b *testing.B) {
	s := &supply{messages: make([]bridge.Message, b.N)}
	for i := range s.messages {
		s.messages[i] = text(fmt.Sprint("session_", i%100), fmt.Sprint(i))
	}
	costless.doneErr = func() error { return errAway } // which keeps no list
	ctx, cancel := context.WithCancel(b.Context())
	router, left := crisp.NewRouter(), atomic.Int64{}
	left.Store(int64(b.N))
	crisp.On(router, func(context.Context, *crisp.MessageSend) error {
		if left.Add(-1) == 0 {
			cancel()
		}
		return nil
	})
	b.ReportAllocs()
	b.ResetTimer()
	if err := bridge.Consume(ctx, s, router, bridge.WithErrorHandler(func(context.Context, error) {})); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPublish is what the bridge adds to an engine that stores messages.
func BenchmarkPublish(b *testing.B) {
	router := crisp.NewRouter()
	bridge.Publish(router, publisherFunc(func(context.Context, bridge.Message) error { return nil }))
	ev := said("session", "hello", 1, crisp.SourceRTM)
	b.ReportAllocs()
	for b.Loop() {
		if err := router.Dispatch(b.Context(), ev); err != nil {
			b.Fatal(err)
		}
	}
}
