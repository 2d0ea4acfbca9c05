package kafkabridge_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// Each publishes from many goroutines at once, and waits for each acknowledgement.
func BenchmarkPublish(b *testing.B) {
	b.Run("bridge", func(b *testing.B) {
		_, p := start(b)
		publisher := p.Publisher()
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := publisher.Publish(context.Background(), message(1)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
	b.Run("bare", func(b *testing.B) {
		i, _ := start(b)
		client, err := kgo.NewClient(kgo.SeedBrokers(i.cluster.ListenAddrs()...))
		require.NoError(b, err)
		defer client.Close()
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r := &kgo.Record{Topic: "crisp.v1", Key: []byte("session_1"), Value: message(1).Data}
				if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkConsume(b *testing.B) {
	fill := func(b *testing.B) (*instance, *peer) {
		i, p := start(b)
		c, err := kgo.NewClient(kgo.SeedBrokers(i.cluster.ListenAddrs()...))
		require.NoError(b, err)
		defer c.Close()
		for n := range b.N {
			c.Produce(context.Background(), p.Record(message(n)), nil)
		}
		require.NoError(b, c.Flush(context.Background()))
		b.ResetTimer()
		return i, p
	}
	b.Run("bridge", func(b *testing.B) {
		_, p := fill(b)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		require.NoError(b, p.Consumer("group").Consume(ctx, func(ctx context.Context, part bridge.Partition) {
			for n := 0; ; n++ { // all are of one conversation, and so of one partition
				d, err := part.Next(ctx)
				if err != nil {
					return
				}
				_ = d.Done(ctx)
				if n+1 == b.N {
					cancel()
				}
			}
		}))
	})
	b.Run("bare", func(b *testing.B) {
		i, _ := fill(b)
		client, err := kgo.NewClient(kgo.SeedBrokers(i.cluster.ListenAddrs()...), kgo.ConsumerGroup("bare"), kgo.ConsumeTopics("crisp.v1"))
		require.NoError(b, err)
		defer client.Close()
		for n := 0; n < b.N; {
			n += client.PollFetches(context.Background()).NumRecords()
		}
	})
}
