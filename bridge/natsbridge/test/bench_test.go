package test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/bridge/natsembed"
)

// The figures that docs/scaling.md quotes. They need a machine that does nothing else:
//
//	go test -run TestFigures -figures -v .
var figures = flag.Bool("figures", false, "measure on the embedded server how fast the bridge is, and check that against what is promised")

const (
	figureEvents    = 20_000
	figurePublisher = 64 // publications at a time
	payloadBytes    = 600

	leastPublished = 3000.0 // events/s
	leastShare     = 0.8    // of what a bare publisher stores
	leastSpeedup   = 3.5    // of 4 members
	mostLatency    = 25 * time.Millisecond
)

func TestFigures(t *testing.T) {
	// Without the flag it does a little of each, so that the code is known to work.
	scale := 100
	if *figures {
		scale = 1
	}
	t.Run("publish", func(t *testing.T) { measurePublish(t, figureEvents/scale) })
	t.Run("members", func(t *testing.T) { measureMembers(t, 4000/scale) })
	t.Run("latency", func(t *testing.T) { measureLatency(t, 10*time.Second/time.Duration(scale)) })
}

// inProcess is an engine with a server and connections within the program.
type inProcess struct{ server *natsembed.Server }

func newInProcess(t *testing.T) *inProcess {
	server, err := natsembed.Start(natsembed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Shutdown(context.Background())) })
	return &inProcess{server}
}

func (i *inProcess) engine(t *testing.T) (*natsbridge.Engine, *nats.Conn) {
	conn, err := i.server.Connect()
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	engine, err := natsbridge.New(conn)
	require.NoError(t, err)
	require.NoError(t, engine.Setup(t.Context()))
	return engine, conn
}

// event is a message event as long as they usually are, of one of so many conversations.
func event(n, conversations int) bridge.Message {
	conversation := n % conversations
	data := fmt.Appendf(nil, `{"website_id":"8c842203-7ed8-4e29-a608-7cf78a7d2fcc","session_id":"session_%d","type":"text","from":"user","origin":"chat","content":"%0*d","fingerprint":%d,"timestamp":1700000000000}`,
		conversation, payloadBytes-200, n, n+1)
	ev, err := crisp.Decode("message:send", data)
	if err != nil {
		panic(err)
	}
	ev.EventMeta().Source = crisp.SourceRTM
	return bridge.NewMessage(ev)
}

func events(n, conversations int) []bridge.Message {
	all := make([]bridge.Message, n)
	for i := range all {
		all[i] = event(i, conversations)
	}
	return all
}

// rate is how many calls a second there are, several at a time.
func rate(t *testing.T, n int, call func(i int) error) float64 {
	var (
		next atomic.Int64
		all  sync.WaitGroup
	)
	began := time.Now()
	for range figurePublisher {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if !assert.NoError(t, call(int(i))) {
					return
				}
			}
		})
	}
	all.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// measurePublish compares the publisher with a bare one of JetStream's, which stores the
// same bytes in a stream of the same settings, turn by turn.
func measurePublish(t *testing.T, n int) {
	engine, _ := newInProcess(t).engine(t)
	_, bareConn := newInProcess(t).engine(t)
	js, err := jetstream.New(bareConn)
	require.NoError(t, err)
	publisher, all := engine.Publisher(), events(n, 500)
	const turns = 5
	var ours, bare []float64
	for turn := range turns {
		part := all[turn*n/turns : (turn+1)*n/turns]
		bare = append(bare, rate(t, len(part), func(i int) error {
			_, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: "crisp.v1.0.website.event", Data: part[i].Data}, jetstream.WithMsgID(part[i].ID))
			return err
		}))
		ours = append(ours, rate(t, len(part), func(i int) error { return publisher.Publish(t.Context(), part[i]) }))
	}
	slices.Sort(ours)
	slices.Sort(bare)
	median, bareMedian := ours[turns/2], bare[turns/2]
	t.Logf("published: %.0f events/s with a sync of each; a bare JetStream publisher: %.0f; share: %.2f", median, bareMedian, median/bareMedian)
	if *figures {
		assert.GreaterOrEqual(t, median, leastPublished)
		assert.GreaterOrEqual(t, median/bareMedian, leastShare)
	}
}

// measureMembers compares how fast four members are with one, each with a handler at a
// time that takes 5 ms.
func measureMembers(t *testing.T, n int) {
	took := func(members int) time.Duration {
		server := newInProcess(t)
		engine, _ := server.engine(t)
		rate(t, n, func(i int) error { return engine.Publisher().Publish(t.Context(), event(i, n)) })
		var handled atomic.Int64
		over := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var all sync.WaitGroup
		began := time.Now()
		for range members {
			member, _ := server.engine(t)
			one := make(chan struct{}, 1) // one handler at a time
			router := crisp.NewRouter()
			crisp.On(router, func(context.Context, *crisp.MessageSend) error {
				one <- struct{}{}
				time.Sleep(5 * time.Millisecond) // the handler's work: what is measured is how it is shared
				<-one
				if handled.Add(1) == int64(n) {
					close(over)
				}
				return nil
			})
			consumer, err := member.Consumer("group")
			require.NoError(t, err)
			all.Go(func() { assert.NoError(t, bridge.Consume(ctx, consumer, router)) })
		}
		<-over
		d := time.Since(began)
		cancel()
		all.Wait()
		return d
	}
	one, four := took(1), took(4)
	speedup := one.Seconds() / four.Seconds()
	t.Logf("%d events of 5 ms: one member %s, four %s: %.2f times", n, one.Round(time.Millisecond), four.Round(time.Millisecond), speedup)
	if *figures {
		assert.GreaterOrEqual(t, speedup, leastSpeedup)
	}
}

// measureLatency measures the time from Publish to the handler at 500 events a second.
func measureLatency(t *testing.T, d time.Duration) {
	const perSecond = 500
	server := newInProcess(t)
	engine, _ := server.engine(t)
	n := int(d.Seconds() * perSecond)
	var (
		mu   sync.Mutex // guards what follows
		sent = make(map[string]time.Time)
		took []time.Duration
		warm int // events before the measurement
	)
	over := make(chan struct{})
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		at := time.Now()
		mu.Lock()
		defer mu.Unlock()
		began, known := sent[crisp.EventID(ev)]
		if !known {
			warm++
			return nil
		}
		took = append(took, at.Sub(began))
		if len(took) == n {
			close(over)
		}
		return nil
	})
	member, _ := server.engine(t)
	consumer, err := member.Consumer("group")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { assert.NoError(t, bridge.Consume(ctx, consumer, router)) })
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	// First the member learns that the partitions are its own, with the first message of each.
	const before = 200
	for i := range before {
		require.NoError(t, engine.Publisher().Publish(t.Context(), event(n+i, 200)))
	}
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return warm == before
	}, enough, 10*time.Millisecond)
	for i := range n {
		<-tick.C
		m := event(i, 200)
		mu.Lock()
		sent[m.ID] = time.Now()
		mu.Unlock()
		all.Go(func() { assert.NoError(t, engine.Publisher().Publish(t.Context(), m)) })
	}
	<-over
	cancel()
	all.Wait()
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[int(q*float64(n-1))].Round(10 * time.Microsecond) }
	t.Logf("%d events at %d/s, from Publish to the handler: median %s, p99 %s, most %s", n, perSecond, at(0.5), at(0.99), at(1))
	if *figures {
		assert.LessOrEqual(t, at(0.99), mostLatency)
	}
}
