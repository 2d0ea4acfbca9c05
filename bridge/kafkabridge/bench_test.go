package kafkabridge

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// What the bridge adds to a bare client, with brokers within the program: those cost more
// than either.

const benchPublishers = 64

func message(b *testing.B, n int) bridge.Message {
	b.Helper()
	ev, err := crisp.Decode("message:send", fmt.Appendf(nil,
		`{"website_id":"8c842203","session_id":"session_%d","type":"text","from":"user","origin":"chat","content":"Hello","fingerprint":%d,"timestamp":1700000000000}`, n%100, n+1))
	require.NoError(b, err)
	return bridge.NewMessage(ev)
}

// sideBySide calls do b.N times, of so many goroutines.
func sideBySide(b *testing.B, do func(n int) error) {
	b.Helper()
	var all sync.WaitGroup
	b.ResetTimer()
	for first := range benchPublishers {
		all.Go(func() {
			for n := first; n < b.N; n += benchPublishers {
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkPublish(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		i := start(b, 16)
		client := bare(b, i, kgo.ProducerLinger(0))
		sideBySide(b, func(n int) error {
			m := message(b, n)
			return client.ProduceSync(b.Context(), &kgo.Record{Topic: "crisp.v1", Key: []byte(m.Key()), Value: m.Data}).FirstErr()
		})
	})
	b.Run("bridge", func(b *testing.B) {
		i := start(b, 16)
		p := i.Connect(b).Publisher()
		sideBySide(b, func(n int) error { return p.Publish(b.Context(), message(b, n)) })
	})
}

func bare(b *testing.B, i *instance, options ...kgo.Opt) *kgo.Client {
	b.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(i.cluster.ListenAddrs()...)}, options...)...)
	require.NoError(b, err)
	b.Cleanup(client.Close)
	return client
}

// fill stores b.N messages.
func fill(b *testing.B, i *instance) {
	b.Helper()
	p := i.Connect(b).Publisher()
	sideBySide(b, func(n int) error { return p.Publish(b.Context(), message(b, n)) })
}

func BenchmarkConsume(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		i := start(b, 16)
		fill(b, i)
		b.ResetTimer()
		client := bare(b, i, kgo.ConsumerGroup("bare"), kgo.ConsumeTopics("crisp.v1"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		for n := 0; n < b.N; {
			n += client.PollFetches(b.Context()).NumRecords()
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	})
	b.Run("bridge", func(b *testing.B) {
		i := start(b, 16)
		fill(b, i)
		b.ResetTimer()
		consumeAll(b, i)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	})
}

// consumeAll has b.N messages handled by a router.
func consumeAll(b *testing.B, i *instance) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var mu sync.Mutex
	n := 0
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.MessageSend) error {
		mu.Lock()
		defer mu.Unlock()
		if n++; n == b.N {
			cancel()
		}
		return nil
	})
	require.NoError(b, bridge.Consume(ctx, i.Connect(b).Consumer("bridge"), router))
}
