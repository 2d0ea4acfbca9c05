package test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
)

func streamConfig(t *testing.T, conn *nats.Conn, name string) jetstream.StreamConfig {
	t.Helper()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), name)
	require.NoError(t, err)
	return stream.CachedInfo().Config
}

func TestSetup(t *testing.T) {
	_, conn := newInProcess(t).engine(t)
	has := streamConfig(t, conn, "CRISP")
	assert.Equal(t, []string{"crisp.v1.>"}, has.Subjects)
	assert.Equal(t, 7*24*time.Hour, has.MaxAge)
	assert.Equal(t, int64(-1), has.MaxBytes)
	assert.Equal(t, 10*time.Minute, has.Duplicates)
	assert.Equal(t, 1, has.Replicas)
	assert.Equal(t, "16", has.Metadata["crisp-partitions"])

	setup := func(options ...natsbridge.Option) error {
		engine, err := natsbridge.New(conn, options...)
		require.NoError(t, err)
		err = engine.Setup(t.Context())
		assert.Equal(t, err == nil, engine.Partitions() == 16)
		return err
	}
	require.NoError(t, setup(natsbridge.WithMaxAge(time.Hour), natsbridge.WithMaxBytes(1<<30)))
	require.NoError(t, setup(), "which leaves the settings alone")
	has = streamConfig(t, conn, "CRISP")
	assert.Equal(t, time.Hour, has.MaxAge)
	assert.Equal(t, int64(1<<30), has.MaxBytes)
	require.NoError(t, setup(natsbridge.WithPartitions(16), natsbridge.WithMaxAge(0), natsbridge.WithMaxBytes(0)))
	assert.Zero(t, streamConfig(t, conn, "CRISP").MaxAge)
	assert.ErrorContains(t, setup(natsbridge.WithPartitions(8)), "has 16 partitions, not 8")
	assert.ErrorContains(t, setup(natsbridge.WithPrefix("r3"), natsbridge.WithReplicas(3)), "with 3 replicas")
}

func TestSetupOfWhatIsSomebodyElses(t *testing.T) {
	_, conn := newInProcess(t).engine(t)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	for says, config := range map[string]jetstream.StreamConfig{
		"instead of":    {Name: "A", Subjects: []string{"orders"}},
		"does not say":  {Name: "A", Subjects: []string{"a.v1.>"}},
		"needs the ret": {Name: "A", Subjects: []string{"a.v1.>"}, Retention: jetstream.WorkQueuePolicy, Metadata: map[string]string{"crisp-partitions": "16"}},
	} {
		_, err = js.CreateStream(t.Context(), config)
		require.NoError(t, err)
		engine, err := natsbridge.New(conn, natsbridge.WithPrefix("a"))
		require.NoError(t, err)
		assert.ErrorContains(t, engine.Setup(t.Context()), says)
		require.NoError(t, js.DeleteStream(t.Context(), "A"))
	}
}

// Two logs in one server have nothing in common.
func TestPrefixes(t *testing.T) {
	server := newInProcess(t)
	one, conn := server.engine(t)
	other, err := natsbridge.New(conn, natsbridge.WithPrefix("acme.crisp"), natsbridge.WithPartitions(1))
	require.NoError(t, err)
	require.NoError(t, other.Setup(t.Context()))
	for _, engine := range []*natsbridge.Engine{one, other} {
		require.NoError(t, engine.Publisher().Publish(t.Context(), message("a", 0)))
		held, err := engine.Lease("rtm").Acquire(t.Context(), "one", time.Minute)
		require.NoError(t, err)
		assert.True(t, held)
	}
	assert.Equal(t, []string{"acme.crisp.v1.>"}, streamConfig(t, conn, "ACME_CRISP").Subjects)
}

func TestWithoutSetup(t *testing.T) {
	_, conn := newInProcess(t).engine(t)
	engine, err := natsbridge.New(conn)
	require.NoError(t, err)
	consumer, err := engine.Consumer("group")
	require.NoError(t, err)
	letters, err := engine.DeadLetters("group")
	require.NoError(t, err)
	_, acquiring := engine.Lease("l").Acquire(t.Context(), "one", time.Second)
	_, loading := engine.Position("p").Load(t.Context())
	_, listing := letters.List(t.Context(), 0, 0)
	for _, err := range []error{
		engine.Publisher().Publish(t.Context(), message("a", 0)),
		consumer.Consume(t.Context(), nil),
		consumer.Bury(t.Context(), bridge.DeadLetter{}),
		acquiring, engine.Lease("l").Release(t.Context(), "one"),
		loading, engine.Position("p").Save(t.Context(), crisp.Position{}),
		listing, letters.Replay(t.Context(), 1), letters.Discard(t.Context(), 1),
	} {
		assert.ErrorContains(t, err, "call Setup first")
	}
}

// A server without JetStream is no reason to be silent until JetStream is there.
func TestSetupWithoutJetStream(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(s.WaitForShutdown)
	t.Cleanup(s.Shutdown)
	conn, err := nats.Connect("", nats.InProcessServer(s))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	logged := make(chan string, 1)
	engine, err := natsbridge.New(conn, natsbridge.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func(line []byte) (int, error) {
		logged <- string(line)
		return len(line), nil
	}), nil))))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- engine.Setup(ctx) }()
	select {
	case line := <-logged:
		assert.Contains(t, line, "is it enabled (nats-server -js)")
	case err := <-ended:
		require.FailNow(t, "it has ended", err)
	}
	cancel()
	assert.ErrorContains(t, <-ended, "nobody answers for JetStream")
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// Without a server, calls say so, and what they were for.
func TestAway(t *testing.T) {
	e := newEmbedded(t, 1, 0)
	p := connect(t, e)
	p.Kill()
	require.Eventually(t, func() bool { return !p.conn.IsConnected() }, enough, time.Millisecond)
	_, acquiring := p.Lease("l").Acquire(t.Context(), "one", time.Second)
	_, loading := p.Position("p").Load(t.Context())
	for says, err := range map[string]error{
		"storing in the stream CRISP": p.Publisher().Publish(t.Context(), message("a", 0)),
		"reading a lease":             acquiring,
		"loading the position":        loading,
		"saving the position":         p.Position("p").Save(t.Context(), crisp.Position{}),
	} {
		assert.ErrorContains(t, err, says)
		assert.ErrorContains(t, err, "no connection")
	}
}
