package kafkabridge

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crisp-go/crisp/bridge"
)

func text(conversation string, n int) bridge.Message {
	return bridge.Message{
		ID: fmt.Sprint(conversation, " ", n), Type: "message:send", WebsiteID: "website", SessionID: conversation,
		Data: fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func publish(t *testing.T, p *peer, all ...bridge.Message) {
	t.Helper()
	for _, m := range all {
		require.NoError(t, p.Publisher().Publish(within(t, 20*time.Second), m))
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// take consumes until it has n messages, and returns their IDs. What done is false for stays
// in hand.
func take(t *testing.T, p *peer, group string, n int, done func(i int) bool) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	defer cancel()
	var (
		mu  sync.Mutex // guards ids
		ids []string
	)
	err := p.Consumer(group).Consume(ctx, func(ctx context.Context, part bridge.Partition) {
		for {
			d, err := part.Next(ctx)
			if err != nil {
				return
			}
			mu.Lock()
			if done == nil || done(len(ids)) {
				assert.NoError(t, d.Done(ctx))
			}
			if ids = append(ids, d.Message().ID); len(ids) == n {
				cancel()
			}
			mu.Unlock()
		}
	})
	require.NoError(t, err)
	return ids
}

func connect(t *testing.T, i *instance) *peer { return i.Connect(t).(*peer) }

// What is done behind a message that is not comes again, with that.
func TestOnlyWhatIsContiguousIsCommitted(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	publish(t, p, text("a", 0), text("b", 0), text("a", 1), text("b", 1))
	assert.Equal(t, []string{"a 0", "b 0", "a 1", "b 1"}, take(t, p, "group", 4, func(i int) bool { return i != 1 }))
	assert.Equal(t, []string{"b 0", "a 1", "b 1"}, take(t, connect(t, i), "group", 3, nil))
	publish(t, p, text("a", 2))
	assert.Equal(t, []string{"a 2"}, take(t, p, "group", 1, nil))
}

// An ID that comes again is skipped by whoever has the partition, also if the first was done
// by another.
func TestIDsAreKnownToTheNextOwner(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	publish(t, p, text("a", 0), text("a", 1))
	assert.Equal(t, []string{"a 0", "a 1"}, take(t, p, "group", 2, nil))
	publish(t, connect(t, i), text("a", 0), text("a", 1), text("a", 2), text("a", 2)) // another process, which knows none
	assert.Equal(t, []string{"a 2"}, take(t, connect(t, i), "group", 1, nil))
	publish(t, connect(t, i), text("a", 2), text("a", 3))
	assert.Equal(t, []string{"a 3"}, take(t, p, "group", 1, nil))
}

// A member whose brokers are silent ends its handlers before another has the partition.
func TestSilence(t *testing.T) {
	i := start(t, 1)
	silent, other := connect(t, i), connect(t, i)
	var ended, began time.Time
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	defer cancel()
	serving := make(chan struct{}, 1)
	var all sync.WaitGroup
	all.Go(func() {
		_ = silent.Consumer("group").Consume(ctx, func(ctx context.Context, _ bridge.Partition) {
			serving <- struct{}{}
			<-ctx.Done()
			ended = time.Now()
		})
	})
	<-serving
	silent.dialer.mute.Store(true)
	all.Go(func() {
		_ = other.Consumer("group").Consume(ctx, func(ctx context.Context, _ bridge.Partition) {
			began = time.Now()
			silent.Kill() // else it waits for answers still
			cancel()
		})
	})
	all.Wait()
	require.False(t, began.IsZero())
	assert.True(t, ended.Before(began), "it ended %s after the other began", ended.Sub(began))
}

// A member that its coordinator does not know any more ends its handlers at once, and joins
// again.
func TestAMemberThatIsThrownOut(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	defer cancel()
	served := 0
	require.NoError(t, p.Consumer("group").Consume(ctx, func(ctx context.Context, _ bridge.Partition) {
		if served++; served == 2 {
			cancel()
			return
		}
		i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.UnknownMemberID})
		<-ctx.Done()
	}))
	assert.Equal(t, 2, served)
}

// A member whose brokers are silent for a while joins again by itself.
func TestAMemberWhoseBrokersComeBack(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	ctx, cancel := context.WithCancel(within(t, 30*time.Second))
	defer cancel()
	served := 0
	require.NoError(t, p.Consumer("group").Consume(ctx, func(ctx context.Context, _ bridge.Partition) {
		if served++; served == 2 {
			cancel()
			return
		}
		p.dialer.mute.Store(true)
		<-ctx.Done()
		p.dialer.mute.Store(false)
		p.dialer.cut(false) // else it waits for the answers to what got nowhere
	}))
	assert.Equal(t, 2, served)
}

// When a member joins, the others go on with the partitions that stay theirs.
func TestAMemberThatJoins(t *testing.T) {
	i := start(t, 4)
	p := connect(t, i)
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	defer cancel()
	var served, others, ended atomic.Int32
	var all sync.WaitGroup
	all.Go(func() {
		assert.NoError(t, p.Consumer("group").Consume(ctx, func(ctx context.Context, _ bridge.Partition) {
			served.Add(1)
			<-ctx.Done()
			ended.Add(1)
		}))
	})
	require.Eventually(t, func() bool { return served.Load() == 4 }, 10*time.Second, 5*time.Millisecond)
	all.Go(func() {
		assert.NoError(t, connect(t, i).Consumer("group").Consume(ctx, func(ctx context.Context, _ bridge.Partition) {
			others.Add(1)
			<-ctx.Done()
		}))
	})
	require.Eventually(t, func() bool { return others.Load() == 2 }, 10*time.Second, 5*time.Millisecond)
	assert.EqualValues(t, 2, ended.Load(), "partitions of the first that ended")
	assert.EqualValues(t, 4, served.Load(), "partitions of the first that began")
	cancel()
	all.Wait()
}

// Commits that fail are tried again.
func TestCommitsThatFail(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	publish(t, p, text("a", 0))
	failing := i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: 3})
	assert.Equal(t, []string{"a 0"}, take(t, p, "group", 1, nil))
	assert.Positive(t, failing.Hits())
	publish(t, p, text("a", 1))
	assert.Equal(t, []string{"a 1"}, take(t, connect(t, i), "group", 1, nil))
}

// A refusal that would come again ends the member.
func TestRefusals(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.InvalidSessionTimeout, Count: -1})
	c := p.Consumer("group")
	assert.ErrorIs(t, c.Consume(within(t, 20*time.Second), nil), kerr.InvalidSessionTimeout)
}

// A partition of which enough was fetched is fetched again when it has gone and comes back.
func TestAPausedPartitionThatComesBack(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	const conversations, each = 64, highWater / 32
	var all sync.WaitGroup
	for c := range conversations {
		all.Go(func() {
			for n := range each {
				assert.NoError(t, p.Publisher().Publish(within(t, 20*time.Second), text(fmt.Sprint(c), n)))
			}
		})
	}
	all.Wait()
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	defer cancel()
	served, got := 0, 0
	require.NoError(t, p.Consumer("group").Consume(ctx, func(ctx context.Context, part bridge.Partition) {
		if served++; served == 1 {
			assert.Eventually(t, func() bool { return isPaused(part.(*partition)) }, 10*time.Second, 10*time.Millisecond)
			i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.UnknownMemberID})
			<-ctx.Done()
			return
		}
		for got < conversations*each {
			d, err := part.Next(ctx)
			if err != nil {
				break
			}
			_ = d.Done(ctx)
			got++
		}
		cancel()
	}))
	assert.Equal(t, conversations*each, got)
}

func isPaused(p *partition) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused
}

// When the brokers have lost messages that were done, what has their offsets now is new.
func TestLogThatWasTruncated(t *testing.T) {
	i := start(t, 1)
	said := new(buffer)
	p, err := i.engine(t, WithLogger(slog.New(slog.NewTextHandler(said, nil))))
	require.NoError(t, err)
	for n := range 4 {
		publish(t, p, text("a", n))
	}
	take(t, p, "group", 4, nil)
	i.cluster.ControlKey(kmsg.OffsetForLeaderEpoch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
		topic.Topic = "crisp.v1"
		partition := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
		partition.EndOffset = 2
		topic.Partitions = append(topic.Partitions, partition)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	assert.Equal(t, []string{"a 2", "a 3"}, take(t, p, "group", 2, nil))
	assert.Contains(t, said.String(), "the brokers have lost messages")
}

// A handler that goes on for too long does not keep its partition from others. What it says
// of its message then counts no more.
func TestHandover(t *testing.T) {
	i := start(t, 1)
	p, err := i.engine(t, WithHandover(200*time.Millisecond))
	require.NoError(t, err)
	publish(t, p, text("a", 0))
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	defer cancel()
	taken := make(chan struct{})
	other := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		assert.NoError(t, p.Consumer("group").Consume(ctx, func(ctx context.Context, part bridge.Partition) {
			d, err := part.Next(ctx)
			assert.NoError(t, err)
			close(taken)
			<-other
			assert.ErrorIs(t, d.Done(ctx), errRevoked)
		}))
	})
	<-taken
	cancel()
	assert.Equal(t, []string{"a 0"}, take(t, connect(t, i), "group", 1, nil))
	close(other)
	all.Wait()
}

// An engine that is closed ends its members.
func TestCloseEndsMembers(t *testing.T) {
	p := connect(t, start(t, 1))
	err := p.Consumer("group").Consume(within(t, 20*time.Second), func(ctx context.Context, _ bridge.Partition) {
		p.Close()
		<-ctx.Done()
	})
	assert.ErrorIs(t, err, errClosed)
}

// When the log becomes shorter under a member, it joins again: it can't know what is new.
func TestLogThatGoesBack(t *testing.T) {
	e, err := New([]string{"127.0.0.1:1"})
	require.NoError(t, err)
	defer e.Close()
	m := newMember(t.Context(), &Consumer{e, "group"}, [16]byte{}, nil)
	p := newPartition(m, 0)
	defer p.end()
	records := func(offsets ...int64) (all []*kgo.Record) {
		for _, offset := range offsets {
			all = append(all, &kgo.Record{Offset: offset})
		}
		return all
	}
	p.put(records(3, 4))
	p.put(records(5, 7))
	require.NoError(t, m.ctx.Err())
	p.put(nil)
	p.put(records(6))
	assert.ErrorIs(t, context.Cause(m.ctx), errRejoin)
	assert.Len(t, p.queue, 4)
}

// What is done while the group shares its partitions out anew, which may take long, is
// committed meanwhile.
func TestCommitsWhileTheGroupWaits(t *testing.T) {
	i := start(t, 1)
	p := connect(t, i)
	publish(t, p, text("a", 0))
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	defer cancel()
	require.NoError(t, p.Consumer("group").Consume(ctx, func(ctx context.Context, part bridge.Partition) {
		defer cancel()
		d, err := part.Next(ctx)
		if !assert.NoError(t, err) {
			return
		}
		joins := i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.CoordinatorLoadInProgress, Count: -1})
		defer joins.Remove()
		i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.RebalanceInProgress})
		assert.NoError(t, joins.Wait(ctx, 1))
		commits := i.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Observe: true, Count: -1})
		assert.NoError(t, d.Done(ctx))
		assert.NoError(t, commits.Wait(within(t, time.Second), 1))
	}))
}
