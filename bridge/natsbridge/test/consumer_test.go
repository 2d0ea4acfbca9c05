package test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/bridgetest"
	"github.com/crisp-go/crisp/bridge/natsbridge"
)

// enough is a time within which all that is waited for has come.
const enough = 30 * time.Second

// message is the nth of a conversation.
func message(conversation string, n int) bridge.Message {
	return bridge.Message{
		ID:        fmt.Sprintf("%s/%d", conversation, n),
		Type:      "message:send",
		WebsiteID: "website",
		SessionID: conversation,
		Source:    crisp.SourceRTM,
		Data:      []byte("{}"),
	}
}

func ids(conversation string, from, to int) []string {
	var all []string
	for n := from; n < to; n++ {
		all = append(all, message(conversation, n).ID)
	}
	return all
}

func publish(t *testing.T, p *peer, conversation string, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		require.NoError(t, p.Publisher().Publish(t.Context(), message(conversation, n)))
	}
}

// newEmbedded is an engine with so many partitions.
func newEmbedded(t *testing.T, partitions int, patience time.Duration) *embeddedInstance {
	if patience == 0 {
		patience = time.Minute
	}
	return embedded{}.Start(t, bridgetest.Config{Partitions: partitions, Patience: patience}).(*embeddedInstance)
}

func connect(t *testing.T, e *embeddedInstance, options ...natsbridge.Option) *peer {
	t.Helper()
	p, err := e.open(t, options...)
	require.NoError(t, err)
	return p
}

// member is one of a group, whose partitions are in the hands of the test.
type member struct {
	end  context.CancelFunc
	over chan struct{}

	mu     sync.Mutex // guards what follows
	served map[int]bool
	count  map[int]int // how often each partition has become its own
}

// join has a member call serve for its partitions.
func join(t *testing.T, p *peer, group string, serve func(ctx context.Context, part bridge.Partition)) *member {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	m := &member{end: cancel, over: make(chan struct{}), served: make(map[int]bool), count: make(map[int]int)}
	consumer := p.Consumer(group)
	go func() {
		defer close(m.over)
		assert.NoError(t, consumer.Consume(ctx, func(ctx context.Context, part bridge.Partition) {
			m.note(part.Number(), true)
			defer m.note(part.Number(), false)
			serve(ctx, part)
		}))
	}()
	t.Cleanup(m.leave)
	return m
}

func (m *member) note(partition int, served bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if served {
		m.served[partition] = true
		m.count[partition]++
	} else {
		delete(m.served, partition)
	}
}

func (m *member) partitions() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.served))
}

func (m *member) leave() {
	m.end()
	<-m.over
}

// got is what Next has returned, one after the other: IDs, and "rewound".
type got struct {
	mu  sync.Mutex // guards what follows
	all []string
}

const rewound = "rewound"

func (g *got) add(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, what)
}

func (g *got) list() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.all)
}

func (g *got) eventually(t *testing.T, want []string) {
	t.Helper()
	if !assert.Eventually(t, func() bool { return len(g.list()) >= len(want) }, enough, 5*time.Millisecond) {
		t.Log(g.list())
	}
	require.Equal(t, want, g.list())
}

// note writes down all that Next returns, and is done with what it is told to.
func (g *got) note(done func(id string) bool) func(context.Context, bridge.Partition) {
	return func(ctx context.Context, part bridge.Partition) {
		for {
			d, err := part.Next(ctx)
			switch {
			case err == nil:
				g.add(d.Message().ID)
				if done(d.Message().ID) {
					_ = d.Done(ctx) // it comes again otherwise
				}
			case ctx.Err() != nil:
				return
			default:
				g.add(rewound)
			}
		}
	}
}

func always(string) bool { return true }
func never(string) bool  { return false }

// idle is done with what comes.
func idle(ctx context.Context, part bridge.Partition) {
	new(got).note(always)(ctx, part)
}

// A standby that takes over a partition begins with what was not done, and gets all in
// order, also what is published meanwhile.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 1, 0)
	first, second := connect(t, e), connect(t, e)
	var gone, takesOver got
	publish(t, second, "a", 0, 20)
	join(t, first, "group", gone.note(func(id string) bool { return id == "a/0" || id == "a/1" || id == "a/5" }))
	gone.eventually(t, ids("a", 0, 20))
	join(t, second, "group", takesOver.note(always))
	first.Kill()
	publish(t, second, "a", 20, 40)
	takesOver.eventually(t, ids("a", 2, 40)) // a/5, too: the server counts only what is done without a gap
}

// A standby takes over also if there is nothing new, and before the time for
// acknowledgements is over.
func TestTakeOverInSilence(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 1, 0)
	first, second := connect(t, e), connect(t, e)
	var gone, takesOver got
	publish(t, second, "a", 0, 3)
	join(t, first, "group", gone.note(never))
	gone.eventually(t, ids("a", 0, 3))
	join(t, second, "group", takesOver.note(always))
	began := time.Now()
	first.Kill()
	takesOver.eventually(t, ids("a", 0, 3))
	assert.Less(t, time.Since(began), e.Limits().TakeOver)
}

// What the client had in its buffer when it lost the partition's connection is not
// returned before what comes again.
func TestABrokenConnection(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 1, 0)
	p, other := connect(t, e), connect(t, e)
	publish(t, other, "a", 0, 10)
	var all got
	three, broken := make(chan struct{}), make(chan struct{})
	member := join(t, p, "group", func(ctx context.Context, part bridge.Partition) {
		for n := range 3 {
			d, err := part.Next(ctx)
			if !assert.NoError(t, err) {
				return
			}
			all.add(d.Message().ID)
			if n == 0 {
				assert.NoError(t, d.Done(ctx))
				assert.NoError(t, p.conn.Flush()) // which the connection can't take along
			}
		}
		close(three)
		<-broken
		all.note(never)(ctx, part)
	})
	<-three
	reconnects := p.conn.Stats().Reconnects
	p.dialer.cut()
	require.Eventually(t, func() bool { return p.conn.Stats().Reconnects > reconnects && p.conn.IsConnected() }, enough, time.Millisecond)
	time.Sleep(2 * shareInterval) // within one, the partition notices; nothing shows that it has
	publish(t, other, "a", 10, 20)
	close(broken)
	all.eventually(t, slices.Concat(ids("a", 0, 3), []string{rewound}, ids("a", 1, 20)))
	member.leave()
}

const shareInterval = 200 * time.Millisecond

// What is left undone too long comes again, and what was behind it, in order.
func TestPatience(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 1, time.Second)
	p := connect(t, e)
	publish(t, p, "a", 0, 10)
	var all got
	var mu sync.Mutex
	left := true
	join(t, p, "group", all.note(func(id string) bool {
		mu.Lock()
		defer mu.Unlock()
		if id == "a/3" && left {
			left = false
			return false
		}
		return true
	}))
	all.eventually(t, slices.Concat(ids("a", 0, 10), []string{rewound}, ids("a", 3, 10)))
}

// A message that is worked on does not come again, nor does one that waits for Next.
func TestWorking(t *testing.T) {
	t.Parallel()
	const patience = 2 * time.Second
	e := newEmbedded(t, 1, patience)
	p := connect(t, e)
	publish(t, p, "a", 0, 3)
	var all got
	join(t, p, "group", func(ctx context.Context, part bridge.Partition) {
		d, err := part.Next(ctx)
		if !assert.NoError(t, err) {
			return
		}
		all.add(d.Message().ID)
		assert.Equal(t, patience, d.Patience())
		for range 15 { // three times its patience
			time.Sleep(patience / 5) // real: the server counts the patience
			assert.NoError(t, d.Working(ctx))
		}
		assert.NoError(t, d.Done(ctx))
		all.note(always)(ctx, part)
	})
	all.eventually(t, ids("a", 0, 3))
}

// Members share the partitions evenly, and give what they no longer have up in order.
func TestShare(t *testing.T) {
	const partitions = 16
	e := newEmbedded(t, partitions, 0)
	var (
		mu   sync.Mutex
		has  = make(map[int]int)
		most int
	)
	serve := func(ctx context.Context, part bridge.Partition) {
		mu.Lock()
		has[part.Number()]++
		most = max(most, has[part.Number()])
		mu.Unlock()
		idle(ctx, part)
		mu.Lock()
		has[part.Number()]--
		mu.Unlock()
	}
	var members []*member
	even := func(n int) {
		t.Helper()
		began := time.Now()
		require.Eventually(t, func() bool {
			all := make(map[int]bool)
			for _, m := range members {
				own := m.partitions()
				if len(own) != partitions/n {
					return false
				}
				for _, p := range own {
					all[p] = true
				}
			}
			return len(all) == partitions
		}, 10*time.Second, 10*time.Millisecond)
		t.Logf("%d members share after %s", n, time.Since(began).Round(time.Millisecond))
	}
	for range 4 {
		members = append(members, join(t, connect(t, e), "group", serve))
		if len(members) == 1 {
			even(1)
		}
	}
	even(4)
	members[1].leave()
	members[3].leave()
	members = []*member{members[0], members[2]}
	even(2)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, 1, most, "owners of a partition at a time")
}

// A member that is alone gets all, and what it has done does not come again after it left.
func TestGoodbye(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 2, 0)
	p := connect(t, e)
	for round := range 3 {
		conversations := []string{"a", "b", "c", "d"}
		for _, conversation := range conversations {
			publish(t, p, conversation, 100*round, 100*round+100)
		}
		var all got
		m := join(t, p, "group", all.note(always))
		require.Eventually(t, func() bool { return len(all.list()) >= 100*len(conversations) }, enough, time.Millisecond)
		m.leave()
		list := all.list()
		assert.Len(t, list, 100*len(conversations))
		for _, conversation := range conversations {
			of := slices.DeleteFunc(slices.Clone(list), func(id string) bool { return id[:1] != conversation })
			assert.Equal(t, ids(conversation, 100*round, 100*round+100), of)
		}
	}
}

// A partition goes to another member when its handlers have ended, and not before, however
// long the server would have waited for a word.
func TestHandover(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 1, 0)
	p, q := connect(t, e), connect(t, e)
	publish(t, p, "a", 0, 1)
	taken, finish := make(chan struct{}), make(chan struct{})
	first := join(t, p, "group", func(ctx context.Context, part bridge.Partition) {
		d, err := part.Next(ctx)
		if !assert.NoError(t, err) {
			return
		}
		close(taken)
		<-ctx.Done()
		<-finish
		assert.NoError(t, d.Done(context.WithoutCancel(ctx)))
	})
	end := sync.OnceFunc(func() { close(finish) })
	t.Cleanup(end)
	<-taken
	var after got
	second := join(t, q, "group", after.note(always))
	first.end()
	time.Sleep(memberTTL * 3 / 2) // the pin would be over by now
	assert.Empty(t, second.partitions())
	end()
	<-first.over
	publish(t, p, "a", 1, 2)
	after.eventually(t, ids("a", 1, 2))
}

// Handlers that do not end do not keep a partition from others for longer than stated.
func TestHandoverIsBounded(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 1, 0)
	p, q := connect(t, e, natsbridge.WithHandover(100*time.Millisecond)), connect(t, e)
	publish(t, p, "a", 0, 1)
	taken, finish := make(chan struct{}), make(chan struct{})
	first := join(t, p, "group", func(ctx context.Context, part bridge.Partition) {
		_, err := part.Next(ctx)
		assert.NoError(t, err)
		close(taken)
		<-finish
	})
	end := sync.OnceFunc(func() { close(finish) })
	t.Cleanup(end)
	<-taken
	var after got
	join(t, q, "group", after.note(always))
	first.end()
	after.eventually(t, ids("a", 0, 1))
	select {
	case <-first.over:
		t.Error("Consume has returned before its handlers")
	default:
	}
	end()
	<-first.over
}

// A member that is cut off ends with its partitions when the others must take it for dead.
func TestCutOff(t *testing.T) {
	t.Parallel()
	e := newEmbedded(t, 2, 0)
	p := connect(t, e)
	m := join(t, p, "group", idle)
	require.Eventually(t, func() bool { return len(m.partitions()) == 2 }, enough, time.Millisecond)
	p.Kill()
	require.Eventually(t, func() bool { return len(m.partitions()) == 0 }, enough, time.Millisecond)
}

// Members that come at the same moment do not have a partition together, not even before
// they know of each other.
func TestAllAtOnce(t *testing.T) {
	const partitions, members = 16, 4
	e := newEmbedded(t, partitions, 0)
	for range 5 {
		var (
			mu   sync.Mutex // guards has and most
			has  = make(map[int]int)
			most int
			all  []*member
		)
		serve := func(ctx context.Context, part bridge.Partition) {
			mu.Lock()
			has[part.Number()]++
			most = max(most, has[part.Number()])
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			has[part.Number()]--
			mu.Unlock()
		}
		var peers []*peer
		for range members {
			peers = append(peers, connect(t, e))
		}
		for _, p := range peers {
			all = append(all, join(t, p, "group", serve))
		}
		require.Eventually(t, func() bool {
			for _, m := range all {
				if len(m.partitions()) != partitions/members {
					return false
				}
			}
			return true
		}, 10*time.Second, time.Millisecond)
		for _, m := range all {
			m.leave()
		}
		assert.Equal(t, 1, most)
	}
}
