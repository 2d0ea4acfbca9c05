package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/natsbridge"
	"github.com/crisp-go/crisp/bridge/natsembed"
	"github.com/crisp-go/crisp/crisptest"
)

// program is the bridge in another process.
type program struct {
	t    testing.TB
	cmd  *exec.Cmd
	url  string
	out  *log
	done chan error // gets how it ended
}

// log is what a program has written.
type log struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs the bridge against a Crisp, and waits until it takes events. It is killed
// with the test at the latest.
func start(t testing.TB, srv *crisptest.Server, vars ...string) *program {
	t.Helper()
	addr := freePort(t)
	env := environment(srv)
	env["CRISP_BRIDGE_HTTP_ADDR"] = addr
	env[asProgram] = "1"
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	p := &program{t: t, cmd: exec.Command(os.Args[0]), url: "http://" + addr, out: new(log), done: make(chan error, 1)}
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	for name, value := range env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	require.NoError(t, p.cmd.Start())
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.signal(os.Kill)
		p.done <- <-p.done // it has ended; whoever waits again is told, too
		if t.Failed() {
			t.Logf("a bridge has written:\n%s", p.out)
		}
	})
	p.await("ready", func() bool { return p.ready().code == http.StatusOK })
	return p
}

func (p *program) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) } // it may have ended

// wait waits until the program has ended, and returns its exit code; -1 if a signal
// has ended it.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case err := <-p.done:
		p.done <- err
	case <-time.After(30 * time.Second):
		require.FailNow(p.t, "the bridge has not ended")
	}
	return p.cmd.ProcessState.ExitCode()
}

// await waits for what another process does, and nobody tells of.
func (p *program) await(what string, holds func() bool) {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	require.FailNow(p.t, "it did not come to be "+what, p.out.String())
}

func (p *program) get(path string) (code int, body string) {
	answer, err := http.Get(p.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

// readiness is the answer to /readyz.
type readiness struct {
	code    int
	Status  string
	Reasons []string
	RTM     struct {
		Role      string
		Connected bool
	}
}

func (p *program) ready() (r readiness) {
	code, body := p.get("/readyz")
	_ = json.Unmarshal([]byte(body), &r) // of an error there is nothing else
	r.code = code
	return r
}

// natsServer is a NATS server that outlives the bridges of a test.
type natsServer struct {
	t    testing.TB
	dir  string
	addr string
	nats *natsembed.Server
}

func startServer(t testing.TB) *natsServer {
	t.Helper()
	s := &natsServer{t: t, dir: t.TempDir(), addr: freePort(t)}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *natsServer) start() {
	s.t.Helper()
	var err error
	s.nats, err = natsembed.Start(natsembed.Options{Dir: s.dir, Listen: s.addr})
	require.NoError(s.t, err)
}

func (s *natsServer) stop() {
	s.t.Helper()
	assert.NoError(s.t, s.nats.Shutdown(context.Background()))
}

func (s *natsServer) vars() []string {
	return []string{"CRISP_BRIDGE_ENGINE_KIND=nats", "CRISP_BRIDGE_ENGINE_SERVERS=nats://" + s.addr}
}

// messages are all that is in the log, partition by partition.
func messages(t testing.TB, s *natsembed.Server) (all []bridge.Message) {
	t.Helper()
	conn, err := s.Connect()
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "CRISP")
	require.NoError(t, err)
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		stored, err := stream.GetMsg(t.Context(), seq)
		require.NoError(t, err)
		attributes := map[string]string{}
		for name := range stored.Header {
			attributes[name] = stored.Header.Get(name)
		}
		m, err := bridge.ParseMessage(attributes, stored.Data)
		require.NoError(t, err)
		all = append(all, m)
	}
	return all
}

// texts are what people have said, by conversation.
func texts(t *testing.T, all []bridge.Message) map[string][]string {
	t.Helper()
	said := make(map[string][]string)
	for _, m := range all {
		if m.Type != "message:send" {
			continue
		}
		ev, err := m.Event()
		require.NoError(t, err)
		said[m.SessionID] = append(said[m.SessionID], ev.(*crisp.MessageSend).Text())
	}
	return said
}

func count(all []bridge.Message, kind string) (n int) {
	for _, m := range all {
		if m.Type == kind {
			n++
		}
	}
	return n
}

func TestALeaderThatIsKilledIsFollowed(t *testing.T) {
	srv := crisptest.NewServer(t)
	nats := startServer(t)
	const ttl = 3 * time.Second
	vars := append(nats.vars(), "CRISP_BRIDGE_RTM_LEASE_TTL="+ttl.String())
	leader := start(t, srv, vars...)
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	standby := start(t, srv, vars...)
	assert.Equal(t, "standby", standby.ready().RTM.Role)
	visitor := srv.Visitor()
	visitor.Say("before")
	standby.await("told", func() bool { return count(messages(t, nats.nats), "message:send") == 1 })
	leader.await("told", func() bool { return leader.ready().RTM.Connected })

	leader.signal(os.Kill)
	leader.wait()
	died := time.Now()
	visitor.Say("meanwhile")
	visitor.Say("meanwhile, too")
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	visitor.Say("after")
	standby.await("leader", func() bool { return count(messages(t, nats.nats), "message:send") == 4 })
	took := time.Since(died)
	t.Logf("the first event came %s after the leader was killed; its lease was of %s", took.Round(time.Millisecond), ttl)
	assert.Less(t, took, ttl+5*time.Second)
	assert.Equal(t, "leader", standby.ready().RTM.Role)

	standby.await("filled", func() bool { return count(messages(t, nats.nats), bridge.TypeBackfilled) == 1 })
	all := messages(t, nats.nats)
	assert.Equal(t, map[string][]string{visitor.SessionID: {"before", "meanwhile", "meanwhile, too", "after"}}, texts(t, all))
	assert.Equal(t, 1, count(all, bridge.TypeGap))
	said := slices.DeleteFunc(all, func(m bridge.Message) bool { return m.Type != "message:send" })
	assert.Equal(t, crisp.SourceRTM, said[0].Source)
	assert.Equal(t, crisp.SourceBackfill, said[1].Source)
	assert.Equal(t, crisp.SourceBackfill, said[2].Source)
}

func TestBothTransportsOfTwoProcessesStoreAMessageOnce(t *testing.T) {
	srv := crisptest.NewServer(t)
	nats := startServer(t)
	want := map[string][]string{}
	var p *program
	for range 2 {
		p = start(t, srv, nats.vars()...)
		srv.AddPluginHook(p.url+"/hooks", "message:send")
	}
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	for range 10 {
		visitor := srv.Visitor()
		for i := range 5 {
			text := fmt.Sprint(i)
			visitor.Say(text)
			want[visitor.SessionID] = append(want[visitor.SessionID], text)
		}
	}
	p.await("delivered", func() bool {
		delivered := 0
		for _, d := range srv.Deliveries() {
			if d.Delivered() {
				delivered++
			}
		}
		return delivered == 100
	})
	p.await("stored", func() bool { return count(messages(t, nats.nats), "message:send") >= 50 })
	got := texts(t, messages(t, nats.nats))
	for _, said := range got { // by web hook they come in any order
		slices.Sort(said)
	}
	assert.Equal(t, want, got)
}

func TestWebHooksWaitForAnEngineThatIsAway(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithHookRetries(20, 500*time.Millisecond))
	nats := startServer(t)
	p := start(t, srv, append(nats.vars(), "CRISP_BRIDGE_TRANSPORTS=hooks", "CRISP_BRIDGE_HOOKS_TIMEOUT=300ms")...)
	srv.AddPluginHook(p.url+"/hooks", "message:send")
	nats.stop()
	visitor := srv.Visitor()
	visitor.Say("hello")
	refused, err := srv.WaitDelivery(t.Context(), func(crisptest.Delivery) bool { return true })
	require.NoError(t, err)
	assert.Equal(t, http.StatusInternalServerError, refused.Status)
	p.await("unready", func() bool { return p.ready().code == http.StatusServiceUnavailable })
	assert.NotEmpty(t, p.ready().Reasons)
	code, _ := p.get("/healthz")
	assert.Equal(t, http.StatusOK, code)

	nats.start()
	_, err = srv.WaitDelivery(t.Context(), func(d crisptest.Delivery) bool { return d.Delivered() })
	require.NoError(t, err)
	assert.Equal(t, map[string][]string{visitor.SessionID: {"hello"}}, texts(t, messages(t, nats.nats)))
	p.await("ready", func() bool { return p.ready().code == http.StatusOK })
}

// TestKafka has the log in an imitation of Kafka.
func TestKafka(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	srv := crisptest.NewServer(t)
	engine := []string{"CRISP_BRIDGE_ENGINE_KIND=kafka", "CRISP_BRIDGE_ENGINE_SERVERS=" + cluster.ListenAddrs()[0]}
	leader := start(t, srv, append(engine, "CRISP_BRIDGE_TRANSPORTS=rtm")...)
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	assert.Equal(t, "leader", leader.ready().RTM.Role)
	hooks := start(t, srv, append(engine, "CRISP_BRIDGE_TRANSPORTS=hooks")...)
	visitor := srv.Visitor()
	visitor.Say("by RTM")
	answer, err := srv.PostHook(t.Context(), hooks.url+"/hooks", crisptest.Sample("message:send"))
	require.NoError(t, err)
	_ = answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)

	both := func(out string) bool { return strings.Count(out, `"type":"message:send"`) == 2 }
	out, code := runUntil(t, both, engine, "tail", "--from", "oldest", "--event", "message:send", "--format", "json")
	assert.Zero(t, code, out)
	assert.True(t, both(out), out)
	assert.Contains(t, out, `"content":"by RTM"`)
	assert.Contains(t, out, `"source":"webhook"`)
	out, code = run(t, engine, "dlq", "list", "bots")
	assert.Zero(t, code, out)
	leader.signal(syscall.SIGTERM)
	assert.Zero(t, leader.wait())
}

// TestWhatWasAnsweredIsStored ends a bridge with the embedded engine while web hooks come
// from all sides: each that was answered 200 is in the log.
func TestWhatWasAnsweredIsStored(t *testing.T) {
	for name, end := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "SIGKILL": os.Kill} {
		t.Run(name, func(t *testing.T) {
			srv := crisptest.NewServer(t)
			dir := t.TempDir()
			p := start(t, srv, "CRISP_BRIDGE_ENGINE_DIR="+dir)
			require.NoError(t, srv.WaitAuthenticated(t.Context()))

			var mu sync.Mutex // guards answered
			answered := map[string]bool{}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var senders sync.WaitGroup
			for i := range 8 {
				senders.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						ev := &crisp.MessageSend{
							WebsiteID: crisptest.WebsiteID, SessionID: fmt.Sprintf("session_%d", i), Type: crisp.MessageTypeText,
							Content: crisp.TextContent(fmt.Sprintf("%d-%d", i, n)), Fingerprint: int64(1000*i + n), From: crisp.FromUser,
						}
						answer, err := srv.PostHook(ctx, p.url+"/hooks", ev)
						if err != nil {
							return
						}
						_ = answer.Body.Close()
						if answer.StatusCode == http.StatusOK {
							mu.Lock()
							answered[ev.Text()] = true
							mu.Unlock()
						}
					}
				})
			}
			p.await("busy", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(answered) > 300
			})
			p.signal(end)
			code := p.wait()
			stop()
			senders.Wait()
			if end != os.Kill {
				assert.Zero(t, code, p.out)
				assert.Contains(t, p.out.String(), "msg=ended")
			}
			assert.NotContains(t, p.out.String(), "0-1", "no text of a message")

			log, err := natsembed.Start(natsembed.Options{Dir: dir})
			require.NoError(t, err)
			defer func() { assert.NoError(t, log.Shutdown(context.Background())) }()
			for _, said := range texts(t, messages(t, log)) {
				for _, text := range said {
					delete(answered, text)
				}
			}
			assert.Empty(t, answered, "answered, and not stored")
		})
	}
}

// TestASecondSignalEndsAtOnce: the first waits for a web hook that can't be stored.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	srv := crisptest.NewServer(t)
	nats := startServer(t)
	p := start(t, srv, append(nats.vars(), "CRISP_BRIDGE_TRANSPORTS=hooks", "CRISP_BRIDGE_HOOKS_TIMEOUT=1m", "CRISP_BRIDGE_DRAIN=1m")...)
	nats.stop()
	defer nats.start()
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		answer, err := srv.PostHook(context.Background(), p.url+"/hooks", crisptest.Sample("message:send"))
		if err == nil {
			_ = answer.Body.Close()
		}
	}()
	p.await("busy", func() bool {
		_, body := p.get("/metrics")
		return strings.Contains(body, "crisp_bridge_hooks_running 1")
	})
	p.signal(syscall.SIGTERM)
	p.await("ending", func() bool { code, _ := p.get("/healthz"); return code == 0 })
	select {
	case err := <-p.done:
		p.done <- err
		require.FailNow(t, "it has ended before the web hook was over")
	default:
	}
	asked := time.Now()
	p.signal(syscall.SIGTERM)
	p.wait()
	<-posted
	assert.Less(t, time.Since(asked), 5*time.Second)
}

// run runs a command until it ends. Its environment has nothing but variables that are
// given.
func run(t *testing.T, vars []string, args ...string) (out string, code int) {
	t.Helper()
	return runUntil(t, func(string) bool { return false }, vars, args...)
}

// runUntil is run, but interrupts the command once it has written enough.
func runUntil(t *testing.T, enough func(out string) bool, vars []string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(slices.Clone(vars), asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	written := &watchedLog{enough: enough, stop: cancel}
	cmd.Stdout, cmd.Stderr = written, written
	_ = cmd.Run() // its code tells
	return written.String(), cmd.ProcessState.ExitCode()
}

// watchedLog is a log that stops whoever writes it once there is enough.
type watchedLog struct {
	log
	enough func(text string) bool
	stop   func()
}

func (l *watchedLog) Write(p []byte) (int, error) {
	n, err := l.log.Write(p)
	if l.enough(l.String()) {
		l.stop()
	}
	return n, err
}

// TestCommandsReachABridgeThatRuns: the embedded engine is one process's, which lets
// others in on loopback.
func TestCommandsReachABridgeThatRuns(t *testing.T) {
	srv := crisptest.NewServer(t)
	dir, addr := t.TempDir(), freePort(t)
	engine := []string{"CRISP_BRIDGE_ENGINE_DIR=" + dir, "CRISP_BRIDGE_ENGINE_LISTEN=" + addr}
	p := start(t, srv, engine...)
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	visitor := srv.Visitor()
	visitor.Say("hello\x1b[2J")
	p.await("stored", func() bool {
		_, body := p.get("/metrics")
		return strings.Contains(body, `crisp_bridge_published_messages_total{outcome="stored",source="rtm"}`)
	})

	out, code := run(t, engine[:1], "dlq", "list", "bots")
	require.Equal(t, 1, code)
	assert.Contains(t, out, "set engine.listen, such as to 127.0.0.1:4222, so that commands reach the bridge while it runs")
	out, code = run(t, engine, "dlq", "list", "bots")
	require.Zero(t, code, out)
	assert.Empty(t, out)
	line := func(out string) bool { return strings.HasSuffix(out, "\n") }
	out, code = runUntil(t, line, engine, "tail", "--from", "oldest", "--event", "message:send", "--conversation", visitor.SessionID)
	require.Zero(t, code, out)
	assert.Equal(t, 1, strings.Count(out, "\n"), out)
	assert.Contains(t, out, `hello\x1b[2J`)
	out, code = runUntil(t, line, engine, "tail", "--from", "1h", "--format", "json", "--event", "message:send")
	require.Zero(t, code, out)
	assert.Contains(t, out, `"session_id":"`+visitor.SessionID+`"`)
	assert.Contains(t, out, `"content":"hello\u001b[2J"`)

	// Any other program may read it, too.
	conn, err := natsbridge.Connect("nats://" + addr)
	require.NoError(t, err)
	conn.Close()
}

// TestSecretsAreNowhere: neither in the log, however much that says, nor in any answer.
func TestSecretsAreNowhere(t *testing.T) {
	srv := crisptest.NewServer(t,
		crisptest.WithToken(crisp.PluginToken("identifier", "hidden-key-of-the-token")),
		crisptest.WithSigningSecret("hidden-signing-secret"))
	p := start(t, srv, "CRISP_URL_SECRET=hidden-url-secret", "CRISP_BRIDGE_LOG_LEVEL=debug", "CRISP_BRIDGE_LOG_FORMAT=json")
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	visitor := srv.Visitor()
	visitor.Say("hidden-text of somebody")
	for _, query := range []string{"key=hidden-url-secret", "key=hidden-but-wrong"} {
		answer, err := http.Post(p.url+"/hooks?"+query, "application/json", strings.NewReader(`{"hidden-body`))
		require.NoError(t, err)
		_ = answer.Body.Close()
		assert.GreaterOrEqual(t, answer.StatusCode, 400)
	}
	answer, err := srv.PostHook(t.Context(), p.url+"/hooks", crisptest.Sample("message:send"), crisptest.HookSecret("hidden-other-secret"))
	require.NoError(t, err)
	_ = answer.Body.Close()
	assert.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	srv.DropConnections()
	require.NoError(t, srv.WaitAuthenticated(t.Context()))
	for _, path := range []string{"/readyz", "/healthz", "/metrics", "/hooks", "/"} {
		_, body := p.get(path)
		assert.NotContains(t, body, "hidden-", path)
	}
	p.signal(syscall.SIGTERM)
	assert.Zero(t, p.wait())
	assert.Contains(t, p.out.String(), `"level":"DEBUG"`)
	assert.NotContains(t, p.out.String(), "hidden-")
}
