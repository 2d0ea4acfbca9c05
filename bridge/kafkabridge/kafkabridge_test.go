package kafkabridge_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/bridge/kafkabridge"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func start(t testing.TB) (*instance, *peer) {
	i := engine{}.Start(t, bridgetest.Config{Partitions: 4}).(*instance)
	p, err := i.open(t)
	require.NoError(t, err)
	return i, p
}

func message(n int) bridge.Message {
	return bridge.Message{
		ID: "id-" + strconv.Itoa(n), Type: "message:send", WebsiteID: "website", SessionID: "session_1",
		Source: crisp.SourceRTM, Data: []byte(`{"n":` + strconv.Itoa(n) + `}`),
	}
}

// raw returns the records of a topic, in a partition's order, up to so many.
func raw(t testing.TB, i *instance, topic string, n int) []*kgo.Record {
	client, err := kgo.NewClient(kgo.SeedBrokers(i.cluster.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(250*time.Millisecond))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		all = append(all, fetches.Records()...)
	}
	return all
}

// take returns the IDs of the next messages of a group, and is done with them.
func take(t testing.TB, p *peer, group string, n int) (ids []string) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got := make(chan string, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- p.Consumer(group).Consume(ctx, func(ctx context.Context, part bridge.Partition) {
			for {
				d, err := part.Next(ctx)
				if err != nil {
					return
				}
				assert.NoError(t, d.Done(ctx))
				got <- d.Message().ID
			}
		})
	}()
	for len(ids) < n {
		select {
		case id := <-got:
			ids = append(ids, id)
		case <-ctx.Done():
			t.Fatalf("want %d messages, got %v", n, ids)
		}
	}
	cancel()
	require.NoError(t, <-ended)
	return ids
}

func TestALostAcknowledgementStoresOnce(t *testing.T) {
	i, p := start(t)
	p.dialer.mu.Lock()
	p.dialer.lose = true
	p.dialer.mu.Unlock()
	for n := range 3 {
		require.NoError(t, p.Publisher().Publish(t.Context(), message(n)))
	}
	assert.False(t, p.dialer.lose, "no answer was lost")
	records := raw(t, i, "crisp.v1", 3)
	require.Len(t, records, 3)
	for n, r := range records {
		assert.Equal(t, string(message(n).Data), string(r.Value))
	}
}

func TestRecordsAreCloudEvents(t *testing.T) {
	i, p := start(t)
	require.NoError(t, p.Publisher().Publish(t.Context(), message(1)))
	r := raw(t, i, "crisp.v1", 1)[0]
	headers := make(map[string]string)
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	assert.Equal(t, map[string]string{
		"ce_specversion": "1.0", "ce_id": "id-1", "ce_type": "message:send", "ce_source": "/crisp/websites/website",
		"ce_subject": "session_1", "ce_crispvia": string(crisp.SourceRTM), "content-type": "application/json",
	}, headers)
	assert.Equal(t, "session_1", string(r.Key))

	other, err := kgo.NewClient(kgo.SeedBrokers(i.cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer other.Close()
	same, err := other.ProduceSync(t.Context(), &kgo.Record{Topic: "crisp.v1", Key: []byte("session_1")}).First()
	require.NoError(t, err)
	assert.Equal(t, r.Partition, same.Partition, "the partition that another client chooses")
}

func TestARestartKnowsTheIDsBefore(t *testing.T) {
	_, p := start(t)
	require.NoError(t, p.Publisher().Publish(t.Context(), message(1)))
	assert.Equal(t, []string{"id-1"}, take(t, p, "group", 1))
	require.NoError(t, p.Publisher().Publish(t.Context(), message(1)))
	require.NoError(t, p.Publisher().Publish(t.Context(), message(2)))
	assert.Equal(t, []string{"id-2"}, take(t, p, "group", 1))
}

func TestDeadLettersAreReplayedOnce(t *testing.T) {
	_, p := start(t)
	c := p.Consumer("group")
	for n := 1; n <= 3; n++ {
		require.NoError(t, p.Publisher().Publish(t.Context(), message(n)))
		require.NoError(t, c.Bury(t.Context(), bridge.DeadLetter{Message: message(n), Attempts: n, Error: "no", At: time.Unix(int64(n), 0)}))
	}
	take(t, p, "group", 3)
	take(t, p, "other", 3)

	dead, err := p.DeadLetters("group")
	require.NoError(t, err)
	all := letters(t, p.Engine, "group")
	require.Len(t, all, 3)
	assert.Equal(t, message(2), all[1].Message)
	some, err := dead.List(t.Context(), all[0].Sequence, 1)
	require.NoError(t, err)
	assert.Equal(t, all[1:2], some)

	require.NoError(t, dead.Replay(t.Context(), all[1].Sequence))
	require.ErrorIs(t, dead.Replay(t.Context(), all[1].Sequence), kafkabridge.ErrNoLetter)
	require.NoError(t, dead.Discard(t.Context(), all[0].Sequence))
	require.ErrorIs(t, dead.Discard(t.Context(), all[0].Sequence), kafkabridge.ErrNoLetter)
	assert.Equal(t, all[2:], letters(t, p.Engine, "group"))

	require.NoError(t, p.Publisher().Publish(t.Context(), message(4)))
	assert.Equal(t, []string{"id-2", "id-4"}, take(t, p, "group", 2))
	assert.Equal(t, []string{"id-4"}, take(t, p, "other", 1), "a replay is for its group only")
}

// Claims are deleted with time; those who come then go by what later claims say.
func TestALeaseIsKnownWithoutOldClaims(t *testing.T) {
	i, p := start(t)
	acquire := func(p *peer, holder string) bool {
		held, err := p.Lease("rtm").Acquire(t.Context(), holder, time.Minute)
		require.NoError(t, err)
		return held
	}
	assert.True(t, acquire(p, "one"))
	assert.False(t, acquire(p, "two"))
	assert.False(t, acquire(p, "two"))
	require.NoError(t, i.cluster.DeleteRecords("crisp.leases", 0, 2)) // what is left is a claim that does not hold
	late, err := i.open(t)
	require.NoError(t, err)
	assert.False(t, acquire(late, "two"))
	assert.True(t, acquire(late, "one"))
	assert.False(t, acquire(p, "two"))
}

// After hours in which nobody claims one, nothing is left.
func TestALeaseIsFreeWhenNoClaimIsLeft(t *testing.T) {
	i, p := start(t)
	for range 3 {
		require.NoError(t, p.Lease("rtm").Release(t.Context(), "nobody"))
	}
	require.NoError(t, i.cluster.DeleteRecords("crisp.leases", 0, 3))
	for range 2 { // processes that have not seen those
		of := i.Connect(t)
		held, err := of.Lease("rtm").Acquire(t.Context(), "one", time.Minute)
		require.NoError(t, err)
		assert.True(t, held)
		held, err = of.Lease("rtm").Acquire(t.Context(), "two", time.Minute)
		require.NoError(t, err)
		assert.False(t, held)
	}
}

func TestSetupRefusesLeasesWithoutAClock(t *testing.T) {
	i, _ := start(t)
	require.NoError(t, i.cluster.CreateTopic("other.leases", 1, nil))
	_, err := i.open(t, kafkabridge.WithPrefix("other"))
	require.ErrorContains(t, err, "LogAppendTime")
}

func TestPublishEndsWithItsContext(t *testing.T) {
	_, p := start(t)
	p.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.Publisher().Publish(ctx, message(1)), context.DeadlineExceeded)
}

func TestCommitsStopBeforeWhatIsNotDone(t *testing.T) {
	i, p := start(t)
	for n := range 4 {
		require.NoError(t, p.Publisher().Publish(t.Context(), message(n)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, p.Consumer("group").Consume(ctx, func(ctx context.Context, part bridge.Partition) {
		for n := range 4 {
			d, err := part.Next(ctx)
			if err != nil {
				return // a partition without messages
			}
			if n != 1 {
				assert.NoError(t, d.Done(ctx))
			}
		}
		cancel()
	}))
	assert.Equal(t, []string{"id-1", "id-2", "id-3"}, take(t, i.Connect(t).(*peer), "group", 3))
}

func TestOptionsAreChecked(t *testing.T) {
	for name, option := range map[string]kafkabridge.Option{
		"prefix":        kafkabridge.WithPrefix("a b"),
		"no partitions": kafkabridge.WithPartitions(0),
		"replicas":      kafkabridge.WithReplicas(0),
		"age":           kafkabridge.WithMaxAge(-1),
		"ttl":           kafkabridge.WithMemberTTL(time.Millisecond),
		"handover":      kafkabridge.WithHandover(-1),
		"window":        kafkabridge.WithDedupeWindow(-1),
	} {
		_, err := kafkabridge.New(nil, option)
		assert.ErrorContains(t, err, "kafkabridge: With", name)
	}
	e, err := kafkabridge.New(nil)
	require.NoError(t, err)
	defer e.Close()
	assert.ErrorContains(t, e.Publisher().Publish(t.Context(), message(1)), "call Setup first")
	_, err = e.Consumer("")
	assert.ErrorContains(t, err, "1 to 64 bytes")
}
