package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsclient "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/crisptest"
)

// benchConversations are side by side in all benchmarks.
const benchConversations = 200

// benched is a bridge with the embedded engine, and whoever sends it web hooks.
type benched struct {
	*program
	b      *testing.B
	srv    *crisptest.Server
	dir    string
	listen string
	client *http.Client
}

func newBenched(b *testing.B) *benched {
	b.Helper()
	bench := &benched{b: b, srv: crisptest.NewServer(b), dir: b.TempDir(), listen: freePort(b)}
	bench.program = start(b, bench.srv, "CRISP_BRIDGE_ENGINE_DIR="+bench.dir, "CRISP_BRIDGE_ENGINE_LISTEN="+bench.listen, "CRISP_BRIDGE_LOG_LEVEL=warn")
	transport := &http.Transport{MaxIdleConnsPerHost: 1000}
	b.Cleanup(transport.CloseIdleConnections)
	bench.client = &http.Client{Transport: transport}
	return bench
}

// message is the n-th that a visitor says.
func (*benched) message(n int) *crisp.MessageSend {
	return &crisp.MessageSend{
		WebsiteID: crisptest.WebsiteID, SessionID: fmt.Sprintf("session_%d", n%benchConversations), Type: crisp.MessageTypeText,
		Content:     crisp.TextContent("Where is my order? It was to come on Tuesday, and it is Thursday."),
		Fingerprint: int64(n + 1), From: crisp.FromUser, Origin: "chat",
		User: crisp.User{Nickname: "visitor", UserID: "session_" + strconv.Itoa(n%benchConversations)},
	}
}

// post sends the n-th message by web hook, until it is answered 200.
func (s *benched) post(n int) {
	request := crisptest.NewHookRequest(s.srv.SigningSecret(), s.message(n))
	request.URL.Scheme, request.URL.Host, request.URL.Path = "http", s.url[len("http://"):], "/hooks"
	request.RequestURI, request.Host = "", request.URL.Host
	answer, err := s.client.Do(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.b.Error("a web hook was not taken: ", err)
		return
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}

// consume runs a handler for what comes out of the log, from its beginning.
func (s *benched) consume(handle func(ev *crisp.MessageSend)) {
	s.b.Helper()
	conn, err := natsbridge.Connect("nats://" + s.listen)
	require.NoError(s.b, err)
	engine, err := natsbridge.New(conn)
	require.NoError(s.b, err)
	require.NoError(s.b, engine.Setup(s.b.Context()))
	consumer, err := engine.Consumer("bench")
	require.NoError(s.b, err)
	router := crisp.NewRouter()
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error { handle(ev); return nil })
	ctx, stop := context.WithCancel(s.b.Context())
	counters := new(bridge.Counters)
	ended := make(chan error, 1)
	go func() {
		ended <- bridge.Consume(ctx, consumer, router, bridge.WithCounters(counters), bridge.WithConcurrency(64))
	}()
	s.b.Cleanup(func() {
		stop()
		require.NoError(s.b, <-ended)
		conn.Close()
	})
	s.await("shared", func() bool { return counters.Partitions.Load() == int64(engine.Partitions()) })
}

// BenchmarkHookToHandler sends 500 web hooks a second, and measures the time from when
// each is sent to when its handler begins, in another process.
//
//	go test -run '^$' -bench HookToHandler -benchtime 10000x
func BenchmarkHookToHandler(b *testing.B) {
	const rate = 500
	s := newBenched(b)
	sent, handled := make([]time.Time, b.N), make([]time.Time, b.N)
	var left sync.WaitGroup
	left.Add(b.N)
	s.consume(func(ev *crisp.MessageSend) {
		if at := &handled[ev.Fingerprint-1]; at.IsZero() {
			*at = time.Now()
			left.Done()
		}
	})
	b.ResetTimer()
	began := time.Now()
	var posting sync.WaitGroup
	for n := range b.N {
		time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / rate))) // the rate is what is measured at
		posting.Go(func() {
			sent[n] = time.Now()
			s.post(n)
		})
	}
	posting.Wait()
	left.Wait()
	b.StopTimer()
	took := make([]time.Duration, b.N)
	for n := range b.N {
		took[n] = handled[n].Sub(sent[n])
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(took[b.N/2]), "p50-ms")
	b.ReportMetric(ms(took[b.N*99/100]), "p99-ms")
	b.ReportMetric(ms(took[b.N-1]), "max-ms")
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "events/s")
}

// BenchmarkHooks sends web hooks as fast as 64 senders can: how many a second are in the
// log, synced to the disk, and what they take there.
//
//	go test -run '^$' -bench 'Hooks$' -benchtime 20000x
func BenchmarkHooks(b *testing.B) {
	s := newBenched(b)
	var next atomic.Int64
	b.ResetTimer()
	began := time.Now()
	var senders sync.WaitGroup
	for range 64 {
		senders.Go(func() {
			for n := int(next.Add(1)) - 1; n < b.N; n = int(next.Add(1)) - 1 {
				s.post(n)
			}
		})
	}
	senders.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "events/s")
	b.StopTimer()
	s.signal(os.Interrupt)
	s.wait()
	b.ReportMetric(float64(sizeOf(b, s.dir))/float64(b.N), "disk-B/event")
}

// BenchmarkRTM has visitors talk as fast as they can: how many events a second come over
// the RTM API into the log.
//
//	go test -run '^$' -bench RTM -benchtime 20000x
func BenchmarkRTM(b *testing.B) {
	s := newBenched(b)
	require.NoError(b, s.srv.WaitAuthenticated(b.Context()))
	var left sync.WaitGroup
	left.Add(b.N)
	seen := make([]atomic.Bool, b.N)
	s.consume(func(ev *crisp.MessageSend) {
		if seen[ev.Fingerprint-1].CompareAndSwap(false, true) {
			left.Done()
		}
	})
	b.ResetTimer()
	began := time.Now()
	for n := range b.N {
		s.srv.Emit(s.message(n))
	}
	left.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "events/s")
}

// BenchmarkFailover kills the leader, with the lease that is the default, and measures
// the time until an event comes that was sent afterwards.
//
//	go test -run '^$' -bench Failover -benchtime 3x
func BenchmarkFailover(b *testing.B) {
	var all, worst time.Duration
	for range b.N {
		took := failOver(b)
		all, worst = all+took, max(worst, took)
	}
	b.ReportMetric(all.Seconds()/float64(b.N), "mean-s")
	b.ReportMetric(worst.Seconds(), "max-s")
}

func failOver(b *testing.B) time.Duration {
	srv := crisptest.NewServer(b)
	nats := startServer(b)
	leader := start(b, srv, append(nats.vars(), "CRISP_BRIDGE_TRANSPORTS=rtm")...)
	require.NoError(b, srv.WaitAuthenticated(b.Context()))
	standby := start(b, srv, append(nats.vars(), "CRISP_BRIDGE_TRANSPORTS=rtm")...)
	visitor := srv.Visitor()
	visitor.Say("before")
	standby.await("told", func() bool { return count(messages(b, nats.nats), "message:send") == 1 })
	leader.signal(os.Kill)
	leader.wait()
	died := time.Now()
	visitor.Say("meanwhile")
	require.NoError(b, srv.WaitAuthenticated(b.Context()))
	visitor.Say("after")
	standby.await("leader", func() bool { return count(messages(b, nats.nats), "message:send") == 3 })
	took := time.Since(died)
	standby.signal(os.Interrupt)
	standby.wait()
	return took
}

func sizeOf(b *testing.B, dir string) (size int64) {
	b.Helper()
	require.NoError(b, filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	}))
	return size
}

// BenchmarkStream stores messages in a stream by itself, without the bridge: with a sync
// of each, as the embedded engine has it, and with NATS's default, a sync every two
// minutes.
//
//	go test -run '^$' -bench Stream -benchtime 50000x
func BenchmarkStream(b *testing.B) {
	for name, each := range map[string]bool{"sync of each": true, "sync now and then": false} {
		b.Run(name, func(b *testing.B) { storeBare(b, each) })
	}
}

func storeBare(b *testing.B, syncEach bool) {
	b.Helper()
	nats, err := server.NewServer(&server.Options{
		DontListen: true, JetStream: true, StoreDir: b.TempDir(), SyncAlways: syncEach, NoSigs: true, NoLog: true,
	})
	require.NoError(b, err)
	nats.Start()
	defer nats.WaitForShutdown()
	defer nats.Shutdown()
	require.True(b, nats.ReadyForConnections(10*time.Second))
	conn, err := natsclient.Connect("", natsclient.InProcessServer(nats))
	require.NoError(b, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(b, err)
	_, err = js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "BENCH", Subjects: []string{"bench.>"}})
	require.NoError(b, err)
	payload, err := json.Marshal((*benched)(nil).message(1))
	require.NoError(b, err)
	var next atomic.Int64
	b.ResetTimer()
	began := time.Now()
	var publishers sync.WaitGroup
	for range 64 {
		publishers.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if _, err := js.Publish(b.Context(), fmt.Sprint("bench.", n%16), payload); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	publishers.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "events/s")
	b.ReportMetric(float64(len(payload)), "payload-B")
}
