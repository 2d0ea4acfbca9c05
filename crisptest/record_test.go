package crisptest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// everything makes a server record something of every kind, n times.
type everything struct {
	t      *testing.T
	srv    *crisptest.Server
	router *crisp.Router
	v      *crisptest.Visitor // who stays
	n      int
}

func newEverything(t *testing.T, srv *crisptest.Server) *everything {
	t.Helper()
	e := &everything{t: t, srv: srv, router: crisp.NewRouter(), v: srv.Visitor()}
	e.router.Use(srv.Watch)
	crisp.On(e.router, func(context.Context, *crisp.MessageSend) error { return nil })
	srv.AddPluginHook(srv.Serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), "message:send")
	srv.AddPluginHook("http://127.0.0.1:1000/nobody", "message:send")
	return e
}

func (e *everything) do(n int) {
	for range n {
		e.n++
		another := e.srv.Visitor()
		e.v.Say(fmt.Sprint("stays ", e.n))
		e.v.Visit("a page", "https://a.example/")
		another.Say(fmt.Sprint("goes ", e.n))
		path := "website/" + e.v.WebsiteID + "/conversation/" + e.v.SessionID + "/message"
		require.Equal(e.t, http.StatusAccepted, call(e.t, e.srv, e.srv.Token(), http.MethodPost, path,
			message(e.t, fmt.Sprintf(`"content":"answer %d"`, e.n))).Status)
		answer, err := e.v.WaitAnswer(e.t.Context())
		require.NoError(e.t, err)
		require.Equal(e.t, fmt.Sprint("answer ", e.n), answer.Text())
		require.NoError(e.t, e.router.Dispatch(e.t.Context(), sampleMessage()))
		<-time.After(time.Second) // in which web hooks are delivered
	}
}

// connect begins and ends a session that binds.
func (e *everything) connect() {
	c := authenticate(e.t, e.srv, e.srv.Token(), "")
	c.write(`42["socket:bind",{}]`)
	synctest.Wait()
	e.srv.MoveEndpoint()
	require.NoError(e.t, c.ws.CloseNow())
}

func TestHistoryIsBounded(t *testing.T) {
	const most = 30
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		e := newEverything(t, srv)
		for range 2 * most {
			e.connect()
		}
		e.do(most)
		size := heap()
		e.do(20 * most)
		synctest.Wait()
		assert.Less(t, heap(), size+size/4+256<<10, "bytes that %d times as much took", 20)

		assert.Len(t, srv.Requests(), most)
		assert.Len(t, srv.Sent(), most)
		assert.Len(t, srv.Deliveries(), most)
		assert.Len(t, srv.Handled(), most)
		assert.Len(t, srv.Binds(), most)
		assert.Len(t, srv.PastSessions(), most)
		sent := srv.Sent()
		for i, m := range sent {
			assert.Equal(t, fmt.Sprint("answer ", e.n-most+1+i), m.Text(), "the latest, in order")
		}
		assert.Equal(t, http.StatusAccepted, srv.Requests()[most-1].Status)

		messages := e.v.Conversation().Messages
		assert.Len(t, messages, 2*most/3, "another third is in other conversations")
		assert.Equal(t, sent[most-1].Fingerprint, messages[len(messages)-1].Fingerprint)
		_, begun := srv.Conversation(e.v.WebsiteID, "session_00000000-0000-4000-8000-000000000002")
		assert.False(t, begun, "a conversation of long ago")
		assert.LessOrEqual(t, len(e.v.Conversation().Pages), 100)
	}, crisptest.WithHistory(most), crisptest.WithHookRetries(2, 100*time.Millisecond))
}

// heap returns how many bytes are in use.
func heap() uint64 {
	synctest.Wait()
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// Few large bodies are forgotten, too: what is remembered of each is 4 MiB at most.
func TestHistoryIsBoundedInBytes(t *testing.T) {
	const large, rounds = 1 << 20, 4
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		size := heap()
		refused := srv.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusTeapot)
		}))
		srv.AddPluginHook(refused, "message:send")
		srv.AddPluginHook(refused, "message:send")
		v := srv.Visitor()
		path := "website/" + v.WebsiteID + "/conversation/" + v.SessionID + "/message"
		text := strings.Repeat("?", large)
		for i := range rounds {
			v.Say(fmt.Sprint(i, text))
			require.Equal(t, http.StatusAccepted, call(t, srv, srv.Token(), http.MethodPost, path,
				message(t, fmt.Sprintf(`"content":"%d%s"`, i, text))).Status)
			<-time.After(time.Second) // in which web hooks are delivered
		}
		const most = 4<<20/large - 1 // each is a bit larger than that
		messages, sent, requests, deliveries, journal := v.Conversation().Messages, srv.Sent(), srv.Requests(), srv.Deliveries(), srv.Journal(0)
		assert.Len(t, messages, most)
		assert.Len(t, sent, most)
		assert.Len(t, requests, most)
		assert.Len(t, deliveries, most)
		assert.Len(t, journal, most)
		assert.Equal(t, sent[most-1].Fingerprint, messages[most-1].Fingerprint, "the latest is among them")
		assert.Equal(t, http.StatusAccepted, requests[most-1].Status)
		assert.Equal(t, 2, deliveries[most-1].Attempt)
		for i, entry := range journal {
			require.Equal(t, journal[0].Number+i, entry.Number, "without holes")
		}
		assert.Less(t, heap()-size, uint64(15<<20), "bytes that are remembered")

		srv.Reset()
		v = srv.Visitor()
		v.Say("small")
		v.Say(strings.Repeat("?", 5<<20))
		assert.Len(t, v.Conversation().Messages, 1, "the newest is never too large")
	}, crisptest.WithHistory(1000), crisptest.WithJournal(1000), crisptest.WithHookRetries(2, 100*time.Millisecond))
}

// A conversation that has once had many messages doesn't take their place forever.
func TestForgottenMessagesTakeNoPlace(t *testing.T) {
	const most = 1000
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		talk := func() {
			v := srv.Visitor()
			for range most {
				v.Say("Hello?")
			}
		}
		talk()
		size := heap()
		for range 50 {
			talk()
		}
		assert.Less(t, heap(), size+size/4+256<<10)
	}, crisptest.WithHistory(most))
}

func TestHooksThatWaitAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		release := make(chan struct{})
		srv.AddPluginHook(srv.Serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })))
		srv.EmitRaw("0", []byte(`{}`))
		synctest.Wait() // it is being delivered
		for i := range 100 {
			srv.EmitRaw(fmt.Sprint(1+i), []byte(`{}`))
		}
		close(release)
		assert.Equal(t, []string{"0", "98", "99", "100"}, append([]string{"0"}, eventNames(srv)...))
	}, crisptest.WithHistory(3))
}

func TestLargeHooksThatWaitAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		release := make(chan struct{})
		delivered := 0
		srv.AddPluginHook(srv.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-release
			delivered++
		})))
		srv.EmitRaw("first", []byte(`{}`))
		synctest.Wait() // it is being delivered
		text := strings.Repeat("?", 1<<20)
		for i := range 6 {
			srv.EmitRaw(fmt.Sprint(i), []byte(`"`+text+`"`))
		}
		close(release)
		synctest.Wait()
		assert.Equal(t, 1+3, delivered)
		names := eventNames(srv)
		assert.Equal(t, "5", names[len(names)-1])
	}, crisptest.WithHistory(1000))
}

// A request that is answered when it is forgotten already has nowhere to put the
// status.
func TestRequestThatIsForgottenBeforeItsAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		release := make(chan struct{})
		srv.HandleREST("GET slow", func(*http.Request) (int, any) {
			<-release
			return http.StatusTeapot, nil
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = srv.Client().Do(t.Context(), http.MethodGet, "slow", nil, nil) // a refusal, in the end
		}()
		synctest.Wait()
		call(t, srv, srv.Token(), http.MethodGet, "plugin/connect/endpoints", "")
		close(release)
		<-done
		require.Len(t, srv.Requests(), 1)
		assert.Equal(t, http.StatusOK, srv.Requests()[0].Status)
	}, crisptest.WithHistory(1))
}

func TestOldestMessageIsForgottenWhereverItIs(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithHistory(3))
	a, b := srv.Visitor(), srv.Visitor()
	texts := func(v *crisptest.Visitor) (list []string) {
		for _, m := range v.Conversation().Messages {
			list = append(list, m.Text())
		}
		return list
	}
	a.Say("1")
	b.Say("2")
	a.Say("3")
	a.Say("4")
	assert.Equal(t, []string{"3", "4"}, texts(a))
	assert.Equal(t, []string{"2"}, texts(b))
	a.Say("5")
	assert.Empty(t, texts(b))
}

func TestFixedAddress(t *testing.T) {
	first, err := crisptest.Start(crisptest.WithAddr("127.0.0.1:0"))
	require.NoError(t, err)
	defer first.Close()
	addr := first.URL()[len("http://") : len(first.URL())-len("/v1/")]

	_, err = crisptest.Start(crisptest.WithAddr(addr))
	require.ErrorContains(t, err, "address already in use")
	first.Close()

	reached := func(t *testing.T, addr string, opts ...crisptest.Option) {
		t.Helper()
		srv := crisptest.NewServer(t, append(opts, crisptest.WithAddr(addr))...)
		assert.Equal(t, "http://"+addr+"/v1/", srv.URL())
		_, err := srv.Client().ConnectEndpoints(t.Context())
		require.NoError(t, err)
		srv.MoveEndpoint()
		assert.NotEqual(t, addr, srv.Serve(http.NotFoundHandler())[len("http://"):])
	}
	reached(t, addr)
	synctest.Test(t, func(t *testing.T) { reached(t, "127.0.0.1:3", crisptest.InMemory()) })
}

func TestRefusedRequestTakesNobodysPlace(t *testing.T) {
	srv := crisptest.NewServer(t, crisptest.WithHistory(1))
	v := srv.Visitor("w")
	post := func(body string) int {
		return call(t, srv, srv.Token(), http.MethodPost, "website/w/conversation/s/message", body).Status
	}
	exists := func(session string) bool {
		_, ok := srv.Conversation("w", session)
		return ok
	}
	assert.Equal(t, http.StatusBadRequest, post(`{}`))
	assert.True(t, exists(v.SessionID))
	assert.False(t, exists("s"))
	assert.Equal(t, http.StatusAccepted, post(message(t, "")))
	assert.False(t, exists(v.SessionID), "the one that has not changed for longest")
	assert.True(t, exists("s"))
}
