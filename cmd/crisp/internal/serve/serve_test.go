package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/leakcheck"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
	"github.com/crisp-go/crisp/cmd/crisp/internal/fault"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/serve"
	"github.com/crisp-go/crisp/internal/terminal"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func options() serve.Options {
	return serve.Options{
		Addr:          "127.0.0.1:0",
		Token:         crisp.PluginToken(serve.Identifier, serve.Key),
		SigningSecret: serve.SigningSecret,
		History:       1000,
	}
}

func start(t *testing.T, o serve.Options) *serve.Server {
	t.Helper()
	srv, err := serve.Start(o)
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return srv
}

// program is what a program knows of the server: its environment.
func program(t *testing.T, srv *serve.Server) (*crisp.Client, map[string]string) {
	t.Helper()
	env := map[string]string{}
	for _, v := range srv.Env() {
		env[v.Name] = v.Value
	}
	client, err := crisp.New(crisp.PluginToken(env["CRISP_IDENTIFIER"], env["CRISP_KEY"]), crisp.WithBaseURL(env["CRISP_BASE_URL"]))
	require.NoError(t, err)
	return client, env
}

// answering returns a router that answers whoever says something.
func answering(client *crisp.Client) *crisp.Router {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		_, err := client.Reply(ctx, ev, crisp.TextContent("Hello!"))
		return err
	})
	return router
}

func TestProgramByWebHooks(t *testing.T) {
	receiver := httptest.NewUnstartedServer(nil)
	receiver.Start()
	defer receiver.Close()
	o := options()
	o.Hooks = []control.Hook{{URL: receiver.URL + "/hooks"}}
	srv := start(t, o)
	client, env := program(t, srv)
	hooks, err := crisp.NewWebhook(answering(client), crisp.WithSigningSecrets(env["CRISP_SIGNING_SECRET"]))
	require.NoError(t, err)
	receiver.Config.Handler = hooks

	driver, err := control.NewClient(srv.Origin())
	require.NoError(t, err)
	ada, err := driver.NewVisitor(t.Context(), control.NewVisitor{})
	require.NoError(t, err)
	_, err = driver.VisitorAct(t.Context(), ada.SessionID, "say", control.Act{Text: "Anybody there?"})
	require.NoError(t, err)
	answer, err := driver.Wait(t.Context(), control.Condition{Kind: "message", SessionID: ada.SessionID})
	require.NoError(t, err)
	assert.Equal(t, "Hello!", answer.Message.Text())
}

// A program in development runs on while the server is started again.
func TestProgramOutlivesTheServer(t *testing.T) {
	o := options()
	first := start(t, o)
	o.Addr = strings.TrimPrefix(first.Origin(), "http://")
	client, _ := program(t, first)
	rtm, err := client.NewRTM(answering(client), crisp.WithBackoff(crisp.ExponentialBackoff{Base: 10 * time.Millisecond, Max: 50 * time.Millisecond}))
	require.NoError(t, err)
	first.Run(t, rtm)

	for range 2 {
		first.Close()
		first = start(t, o)
		require.NoError(t, first.WaitAuthenticated(t.Context()))
		v := first.Visitor()
		v.Say("Still there?")
		answer, err := v.WaitAnswer(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "Hello!", answer.Text())
	}
}

func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close() //nolint:errcheck // nothing was written
	o := options()
	o.Addr = taken.Addr().String()
	_, err = serve.Start(o)
	assert.EqualError(t, err, o.Addr+" is in use, perhaps by another crisp serve: choose another with --addr")

	o = options()
	o.Addr = "192.0.2.1:7700"
	var unfit serve.AddrError
	_, err = serve.Start(o)
	assert.ErrorAs(t, err, &unfit)
	o.AllowRemote = true
	_, err = serve.Start(o)
	require.Error(t, err, "an address that this machine doesn't have")
	assert.NotErrorAs(t, err, &unfit)

	o = options()
	o.Hooks = []control.Hook{{URL: "nowhere"}}
	_, err = serve.Start(o)
	assert.Error(t, err)
}

func TestFaultsFromTheBeginning(t *testing.T) {
	o := options()
	f, err := fault.ParseFlag("gateway,status=418")
	require.NoError(t, err)
	o.Faults = []fault.Fault{f}
	srv := start(t, o)
	answer, err := http.Get(srv.URL() + "website/w/conversations/1")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusTeapot, answer.StatusCode)
}

// The key that everybody knows opens the control API to nobody else.
func TestKnownKeyIsNoKeyForOthers(t *testing.T) {
	for given, want := range map[bool]int{false: http.StatusForbidden, true: http.StatusOK} {
		o := options()
		o.AllowRemote, o.TokenGiven = true, given
		srv := start(t, o)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.Origin()+control.Prefix+"state", nil)
		require.NoError(t, err)
		r.Host = "rebound.example"
		r.Header.Set("Authorization", "Bearer "+serve.Key)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, want, answer.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestWriteEnv(t *testing.T) {
	o := options()
	o.TokenGiven = true
	srv := start(t, o)
	file := t.TempDir() + "/my.env"
	require.NoError(t, os.WriteFile(file, []byte("readable by all"), 0o644))
	require.NoError(t, srv.WriteEnv(file))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "also if there was one")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(text), "CRISP_KEY='"+serve.Key+"'\n")
	assert.Equal(t, 6, bytes.Count(text, []byte("\n")))

	o.SigningSecret = "it's"
	err = start(t, o).WriteEnv(file)
	require.ErrorContains(t, err, "the value of CRISP_SIGNING_SECRET has characters")
	assert.NotContains(t, err.Error(), "it's")
}

// shown is what is shown of a server.
type shown struct {
	mu    sync.Mutex // guards what follows
	lines bytes.Buffer
	notes []string
}

func (s *shown) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, terminal.Line(fmt.Sprintf(format, args...))) // as the command does
}

func (s *shown) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.String() + strings.Join(s.notes, "\n")
}

// follow shows what happens until the end of the test or the call of stop.
func follow(t *testing.T, srv *serve.Server, all bool) (s *shown, stop func()) {
	t.Helper()
	s = &shown{}
	printer, err := output.New(&s.lines, formatLine(t), false)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		assert.NoError(t, serve.Show{
			All: all,
			Item: func(item output.Item) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				return printer.Print(item)
			},
			Note: s.note,
			Lost: s.note,
		}.Run(ctx, srv))
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return s, stop
}

func TestNothingHostileIsShown(t *testing.T) {
	const hostile = "\x1b[2J\u202e\u0085\n\x00end"
	srv := start(t, options())
	s, stop := follow(t, srv, true)
	srv.AddWebsiteHook("http://127.0.0.1:1/" + "hooks?key=hidden")
	v := srv.VisitorOf(crisp.SessionRef{WebsiteID: "w" + hostile, SessionID: "session_" + hostile})
	v.Say(hostile)
	v.Type(hostile)
	srv.EmitRaw(hostile, []byte(`{"state":"\u001b[2J\u202e"}`))
	srv.EmitRaw("no json", []byte(hostile))
	client, _ := program(t, srv)
	_, err := client.SendMessage(t.Context(), crisp.SessionRef{WebsiteID: "w", SessionID: "session_1"}, crisp.Message{Content: crisp.TextContent(hostile)})
	require.NoError(t, err)
	_ = client.Do(t.Context(), http.MethodGet, "a%1b%5b2J%c2%85", nil, nil) // there is no such route
	_, err = srv.WaitDelivery(t.Context(), func(d crisptest.Delivery) bool { return d.Event == hostile })
	require.NoError(t, err)
	stop()
	text := s.String()
	for _, want := range []string{"message:send", "message ", "request ", `\x1b[2J`} {
		assert.Contains(t, text, want)
	}
	for _, r := range text {
		assert.False(t, unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r), "%q", r)
	}
	assert.NotContains(t, text, "\nend")
	assert.NotContains(t, text, "hidden")
}

func TestTrouble(t *testing.T) {
	o := options()
	o.Hooks = []control.Hook{{URL: "http://127.0.0.1:1/hooks"}}
	srv := start(t, o)
	s, stop := follow(t, srv, false)
	srv.EmitRaw("session:removed", []byte(`{"session_id":"session_1"}`))
	_, err := srv.WaitDelivery(t.Context(), func(crisptest.Delivery) bool { return true })
	require.NoError(t, err)
	stop()
	assert.Contains(t, s.String(), "event      session:removed session_1\n")
	assert.Contains(t, s.String(), "a web hook was not delivered: session:removed to http://127.0.0.1:1/hooks, attempt 1 of 5: ")
	assert.NotContains(t, s.lines.String(), "delivery")
}

// Whoever reads too slowly is told what they have missed.
func TestMissedEntriesAreTold(t *testing.T) {
	o := options()
	o.History = 10
	srv := start(t, o)
	for range 25 {
		srv.EmitRaw("an:event", []byte("{}"))
	}
	s, stop := follow(t, srv, false)
	stop()
	assert.Contains(t, s.String(), "15 entries were forgotten before they could be shown")
	assert.Equal(t, 10, strings.Count(s.lines.String(), "an:event"))
}

// The memory of a server that runs for long is bounded, whatever was said, asked for,
// delivered and answered, and so are its goroutines.
func TestLongLife(t *testing.T) {
	const history, rounds = 1000, 80
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	o := options()
	o.History = history
	o.Hooks = []control.Hook{{URL: receiver.URL}}
	srv := start(t, o)
	client, _ := program(t, srv)
	var heard sync.WaitGroup
	router := crisp.NewRouter()
	crisp.On(router, func(context.Context, *crisp.MessageSend) error {
		heard.Done()
		return nil
	})
	rtm, err := client.NewRTM(router)
	require.NoError(t, err)
	srv.Run(t, rtm)

	count, latest := 0, 0
	round := func() {
		v := srv.Visitor()
		v.SetMeta(map[string]any{"email": "ada@example.com"})
		v.Visit("A page", "https://a.example/")
		heard.Add(history)
		for range history {
			v.Say("Where is my order, and when will it be here at last?")
			count++
		}
		heard.Wait()
		for entry := range srv.Follow(t.Context(), latest) { // until the hooks of this round were delivered
			if latest = entry.Number; entry.Delivery != nil && bytes.Contains(entry.Delivery.Body, []byte(v.SessionID)) {
				break
			}
		}
	}
	for range 20 {
		round()
	}
	early, goroutines := heap(), runtime.NumGoroutine()
	for range rounds {
		round()
	}
	late := heap()
	t.Logf("%d messages: %.1f MB after 20000, %.1f MB at the end", count, float64(early)/1e6, float64(late)/1e6)
	assert.Less(t, late, early+early/2+1<<20)
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines+10)
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestReady(t *testing.T) {
	text, err := json.Marshal(start(t, options()).Ready())
	require.NoError(t, err)
	assert.Contains(t, string(text), `"control":"http://127.0.0.1:`)
}
