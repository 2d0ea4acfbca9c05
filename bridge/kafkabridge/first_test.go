package kafkabridge

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/crisp-go/crisp/bridge"
)

func TestPublishConsume(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	e, err := New(cluster.ListenAddrs(), WithPartitions(4))
	require.NoError(t, err)
	defer e.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, e.Setup(ctx))
	m := bridge.Message{ID: "1", Type: "message:send", WebsiteID: "w", SessionID: "s", Data: []byte("{}")}
	require.NoError(t, e.Publisher().Publish(ctx, m))
	c, err := e.Consumer("group")
	require.NoError(t, err)
	var got bridge.Message
	require.NoError(t, c.Consume(ctx, func(ctx context.Context, p bridge.Partition) {
		d, err := p.Next(ctx)
		if err != nil {
			return
		}
		got = d.Message()
		_ = d.Done(ctx)
		cancel()
	}))
	require.Equal(t, m, got)
}
