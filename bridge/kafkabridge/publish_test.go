package kafkabridge

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crisp-go/crisp/bridge"
)

// records is how many records a topic has, by the brokers' count.
func records(i *instance, topic string, partitions int) (n int64) {
	for p := range partitions {
		n += i.cluster.PartitionInfo(topic, int32(p)).HighWatermark
	}
	return n
}

// Whatever the brokers answer to a message, it is in the log once, and in its order.
func TestAnswersOfBrokers(t *testing.T) {
	for name, err := range map[string]*kerr.Error{
		"stored, and said not to be in time":      kerr.RequestTimedOut,
		"stored, and said to be on too few":       kerr.NotEnoughReplicasAfterAppend,
		"too few replicas":                        kerr.NotEnoughReplicas,
		"another leader":                          kerr.NotLeaderForPartition,
		"a disk":                                  kerr.KafkaStorageError,
		"a topic that is not known for the while": kerr.UnknownTopicOrPartition,
	} {
		t.Run(name, func(t *testing.T) {
			i := start(t, 1)
			p := connect(t, i)
			faults := i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: 2})
			var all sync.WaitGroup
			for _, conversation := range []string{"a", "b"} {
				all.Go(func() {
					for n := range 5 {
						assert.NoError(t, p.Publisher().Publish(within(t, 20*time.Second), text(conversation, n)))
					}
				})
			}
			all.Wait()
			assert.Equal(t, 2, faults.Hits())
			assert.EqualValues(t, 10, records(i, "crisp.v1", 1))
			next := map[string]int{}
			for _, id := range take(t, p, "group", 10, nil) {
				conversation, n, _ := strings.Cut(id, " ")
				assert.Equal(t, strconv.Itoa(next[conversation]), n, conversation)
				next[conversation]++
			}
		})
	}
}

// While the brokers are away, each attempt to publish a message waits for the same record.
func TestPublishWhileTheBrokersAreAway(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	publish(t, p, text("a", 0))
	away := i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		assert.ErrorIs(t, p.Publisher().Publish(ctx, text("a", 1)), context.DeadlineExceeded)
		cancel()
	}
	away.Remove()
	publish(t, p, text("a", 1), text("a", 2), text("a", 1))
	assert.EqualValues(t, 3, records(i, "crisp.v1", 1))
	assert.Equal(t, []string{"a 0", "a 1", "a 2"}, take(t, p, "group", 3, nil))
}

func TestPartitionOfAMessage(t *testing.T) {
	const partitions = 8
	i := start(t, partitions)
	p := connect(t, i)
	want := make(map[int]int64)
	for n := range 40 {
		m := text(fmt.Sprint("conversation ", n), 0)
		publish(t, p, m)
		want[bridge.PartitionOf(m.Key(), partitions)]++
	}
	for n := range partitions {
		assert.Equal(t, want[n], i.cluster.PartitionInfo("crisp.v1", int32(n)).HighWatermark, "partition %d", n)
	}
}

func TestTooLarge(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	limit := p.ready.Load().maxMessage
	for name, test := range map[string]struct {
		message bridge.Message
		fits    bool
	}{
		"a payload that just fits": {bridge.Message{ID: "1", Type: "t", Data: make([]byte, limit-room-500)}, true},
		"a payload":                {bridge.Message{ID: "2", Type: "t", Data: make([]byte, limit)}, false},
		"an attribute":             {bridge.Message{ID: "3", Type: strings.Repeat("t", limit)}, false},
	} {
		err := p.Publisher().Publish(within(t, 20*time.Second), test.message)
		if test.fits {
			require.NoError(t, err, name)
			letter := bridge.DeadLetter{Message: test.message, Error: strings.Repeat("ü\xff", 1000), At: time.Now()}
			require.NoError(t, p.Consumer("group").Bury(within(t, 20*time.Second), letter), name)
			assert.Len(t, i.DeadLetters(t, "group"), 1)
			continue
		}
		var tooLarge *bridge.TooLargeError
		require.ErrorAs(t, err, &tooLarge, name)
		assert.Equal(t, len(test.message.Data), tooLarge.Size, name)
		err = p.Consumer("group").Bury(within(t, 20*time.Second), bridge.DeadLetter{Message: test.message})
		require.ErrorAs(t, err, &tooLarge, name)
	}
	small := bridge.Message{ID: "4", Type: "t", Data: make([]byte, 100)}
	i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.MessageTooLarge, Count: -1})
	var tooLarge *bridge.TooLargeError
	assert.ErrorAs(t, p.Publisher().Publish(within(t, 20*time.Second), small), &tooLarge)
	assert.ErrorAs(t, p.Consumer("group").Bury(within(t, 20*time.Second), bridge.DeadLetter{Message: small}), &tooLarge)
}
