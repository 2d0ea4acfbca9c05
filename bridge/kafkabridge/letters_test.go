package kafkabridge

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crisp-go/crisp/bridge"
)

func bury(t *testing.T, p *peer, group string, n int) bridge.DeadLetter {
	t.Helper()
	letter := bridge.DeadLetter{
		Message: text("a", n), Group: "not this one", Attempts: 3, Error: "no \"luck\"\n", At: time.Unix(1_700_000_000, int64(n)).UTC(),
	}
	require.NoError(t, p.Consumer(group).Bury(within(t, 20*time.Second), letter))
	letter.Group = group
	return letter
}

func lettersOf(t *testing.T, p *peer, group string) *DeadLetters {
	t.Helper()
	letters, err := p.DeadLetters(group)
	require.NoError(t, err)
	return letters
}

func list(t *testing.T, l *DeadLetters, after uint64, limit int) (numbers []uint64, all []bridge.DeadLetter) {
	t.Helper()
	letters, err := l.List(within(t, 20*time.Second), after, limit)
	require.NoError(t, err)
	for _, letter := range letters {
		numbers = append(numbers, letter.Sequence)
		all = append(all, letter.DeadLetter)
	}
	return numbers, all
}

func TestListAndDiscard(t *testing.T) {
	i := start(t, 2)
	p := connect(t, i)
	ctx := within(t, 20*time.Second)
	l := lettersOf(t, p, "a group")
	numbers, _ := list(t, l, 0, 0)
	assert.Empty(t, numbers)
	var want []bridge.DeadLetter
	for n := range 4 {
		want = append(want, bury(t, p, "a group", n))
	}
	bury(t, p, "a group", 1) // again, since the answer was lost
	empty := bridge.Message{ID: "without a payload", Type: "t"}
	require.NoError(t, p.Consumer("another").Bury(ctx, bridge.DeadLetter{Message: empty}))

	numbers, got := list(t, l, 0, 0)
	assert.Equal(t, []uint64{1, 2, 3, 4}, numbers)
	assert.Equal(t, want, got)
	numbers, _ = list(t, l, 1, 2)
	assert.Equal(t, []uint64{2, 3}, numbers)

	require.NoError(t, l.Discard(ctx, 2))
	assert.ErrorIs(t, l.Discard(ctx, 2), ErrNoLetter)
	assert.ErrorIs(t, l.Replay(ctx, 2), ErrNoLetter)
	assert.ErrorIs(t, l.Discard(ctx, 0), ErrNoLetter)
	numbers, _ = list(t, lettersOf(t, connect(t, i), "a group"), 0, 0)
	assert.Equal(t, []uint64{1, 3, 4}, numbers)
	assert.Len(t, i.DeadLetters(t, "another"), 1)
}

// What is replayed comes again to its group, though its ID is known, and to no other.
func TestReplay(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	ctx := within(t, 20*time.Second)
	publish(t, p, text("a", 0), text("a", 1))
	take(t, p, "group", 2, nil)
	bury(t, p, "group", 0)
	l := lettersOf(t, p, "group")

	i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "crisp.dlq.group", Err: kerr.MessageTooLarge})
	require.Error(t, l.Replay(ctx, 1), "it is in the log, and was not removed")
	require.NoError(t, l.Replay(ctx, 1))
	numbers, _ := list(t, l, 0, 0)
	assert.Empty(t, numbers)

	publish(t, p, text("a", 2))
	assert.Equal(t, []string{"a 0", "a 2"}, take(t, connect(t, i), "group", 2, nil))
	assert.Equal(t, []string{"a 0", "a 1", "a 2"}, take(t, p, "another", 3, nil))
}

// A record in the log that somebody else has written is skipped, and said.
func TestNoMessage(t *testing.T) {
	i := start(t, 1)
	said := new(buffer)
	p, err := i.engine(t, WithLogger(slog.New(slog.NewTextHandler(said, nil))))
	require.NoError(t, err)
	s, err := p.stored()
	require.NoError(t, err)
	record := encode("crisp.v1", text("a", 0))
	record.Headers = nil
	require.NoError(t, s.producer.put(within(t, 20*time.Second), record))
	publish(t, p, text("a", 1))
	assert.Equal(t, []string{"a 1"}, take(t, p, "group", 1, nil))
	assert.Contains(t, said.String(), "a record in the log is no message, and is skipped")
	assert.NotContains(t, said.String(), "removed from the log")
}

// What the topic's retention takes from a group is said.
func TestRetention(t *testing.T) {
	i := start(t, 1)
	said := new(buffer)
	p, err := i.engine(t, WithLogger(slog.New(slog.NewTextHandler(said, nil))))
	require.NoError(t, err)
	for n := range 6 {
		publish(t, p, text("a", n))
	}
	assert.Equal(t, []string{"a 0", "a 1"}, take(t, p, "group", 2, nil)[:2])
	removeBefore(t, p, 4)
	assert.Equal(t, []string{"a 4", "a 5"}, take(t, p, "group", 2, nil))
	assert.Contains(t, said.String(), "messages=2")
	assert.Equal(t, 1, strings.Count(said.String(), "removed from the log"))
}

// removeBefore does what the brokers do with messages that are old.
func removeBefore(t *testing.T, p *peer, offset int64) {
	t.Helper()
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Offset = offset
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic, topic.Partitions = "crisp.v1", append(topic.Partitions, partition)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(within(t, 20*time.Second), p.admin)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
}

func TestGroupsWithoutLetters(t *testing.T) {
	i := start(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := lettersOf(t, connect(t, i), "group").List(ctx, 0, 0)
	assert.Error(t, err, "a context that has ended")
}
