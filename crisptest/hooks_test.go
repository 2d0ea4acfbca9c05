package crisptest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func sampleMessage() *crisp.MessageSend { return crisptest.Sample("message:send").(*crisp.MessageSend) }

// Compares the signature with one that another tool made:
//
//	printf '[946684800000;%s]' BODY | openssl dgst -sha256 -hmac secret
func TestHookRequest(t *testing.T) {
	ev, err := crisp.Decode("session:removed", []byte(`{"website_id":"w","session_id":"s"}`))
	require.NoError(t, err)
	r := crisptest.NewHookRequest("secret", ev, crisptest.HookAt(time.UnixMilli(946684800000)), crisptest.HookAttempt(2, 3))
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	want := fmt.Sprintf(`{"website_id":"w","event":"session:removed","data":%s,"timestamp":946684800000}`, ev.EventMeta().Raw)
	assert.Equal(t, want, string(body), "byte for byte: it is signed")
	assert.Equal(t, http.MethodPost, r.Method)
	assert.Equal(t, int64(len(body)), r.ContentLength)
	for name, value := range map[string]string{
		"Content-Type":              "application/json",
		"X-Crisp-Hook-Origin":       "plugin",
		"User-Agent":                "Crisp-HooksDeliver 1.0 (+https://crisp.chat)",
		"X-Crisp-Request-Timestamp": "946684800000",
		"X-Crisp-Signature":         "525fd171aa56822c33e14ecbb76657a64a57719224f74a490a5c40a7457a8b1b",
		"X-Delivery-Attempt-Count":  "2",
		"X-Delivery-Attempt-Limit":  "3",
	} {
		assert.Equal(t, value, r.Header.Get(name), name)
	}
	unsigned := crisptest.NewHookRequest("secret", ev, crisptest.HookSecret(""))
	assert.NotContains(t, unsigned.Header, "X-Crisp-Signature")
	assert.Equal(t, "website", unsigned.Header.Get("X-Crisp-Hook-Origin"))
}

func TestHookRequestPassesTheLibrarysHandler(t *testing.T) {
	tests := []struct {
		name   string
		opts   []crisptest.HookOption
		status int
	}{
		{name: "signed", status: http.StatusOK},
		{name: "forged", opts: []crisptest.HookOption{crisptest.HookSecret("another")}, status: http.StatusUnauthorized},
		{name: "not signed", opts: []crisptest.HookOption{crisptest.HookSecret("")}, status: http.StatusUnauthorized},
		{name: "old", opts: []crisptest.HookOption{crisptest.HookAt(time.Now().Add(-time.Hour))}, status: http.StatusUnauthorized},
		{name: "from the future", opts: []crisptest.HookOption{crisptest.HookAt(time.Now().Add(time.Hour))}, status: http.StatusUnauthorized},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
			webhook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("secret"))
			require.NoError(t, err)
			recorder := httptest.NewRecorder()
			webhook.ServeHTTP(recorder, crisptest.NewHookRequest("secret", sampleMessage(), test.opts...))
			assert.Equal(t, test.status, recorder.Code)
		})
	}
}

// post posts a web hook and returns the status of the answer.
func post(t *testing.T, srv *crisptest.Server, url string, ev crisp.Event, opts ...crisptest.HookOption) (status int, err error) {
	t.Helper()
	resp, err := srv.PostHook(t.Context(), url, ev, opts...)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestPostHook(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, opts ...crisptest.Option) {
		srv := crisptest.NewServer(t, append(opts, crisptest.WithSigningSecret("mine"))...)
		router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
		crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
			if ev.Delivery.Attempt == 2 {
				return errors.New("not now")
			}
			return nil
		})
		webhook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
		require.NoError(t, err)
		url := srv.Serve(webhook)

		status, err := post(t, srv, url, sampleMessage())
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		status, err = post(t, srv, url, crisptest.Sample("session:set_email"), crisptest.HookSecret("forged"))
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, status)

		deliveries := srv.Deliveries()
		require.Len(t, deliveries, 2)
		assert.True(t, deliveries[0].Delivered())
		assert.Equal(t, "message:send", deliveries[0].Event)
		assert.Equal(t, url, deliveries[0].URL)
		assert.Equal(t, "plugin", deliveries[0].Header.Get("X-Crisp-Hook-Origin"))
		assert.True(t, json.Valid(deliveries[0].Body))
		assert.False(t, deliveries[1].Delivered())

		_, err = post(t, srv, "http://127.0.0.1:0/nowhere", sampleMessage())
		require.Error(t, err)
		require.Len(t, srv.Deliveries(), 3)
		assert.ErrorIs(t, srv.Deliveries()[2].Err, err)
	})
}

// sink is a web hook receiver that answers with the statuses it was given, one
// after the other, and then 200.
type sink struct {
	srv      *crisptest.Server
	url      string
	statuses chan int
	bodies   chan string
}

func newSink(srv *crisptest.Server, statuses ...int) *sink {
	s := &sink{srv: srv, statuses: make(chan int, len(statuses)), bodies: make(chan string, 100)}
	for _, status := range statuses {
		s.statuses <- status
	}
	s.url = srv.Serve(s)
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.bodies <- string(body)
	select {
	case status := <-s.statuses:
		w.WriteHeader(status)
	default:
	}
	_, _ = io.WriteString(w, "thanks")
}

// attempts describes each delivery by its event, attempt and status.
func attempts(srv *crisptest.Server) (list []string) {
	for _, d := range srv.Deliveries() {
		text := d.String()
		list = append(list, d.Event+strings.TrimPrefix(text[strings.Index(text, ", "):], ", attempt"))
	}
	return list
}

func TestPluginHookIsDeliveredAgain(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		sink := newSink(srv, 500, 302)
		srv.AddPluginHook(sink.url)
		start := time.Now()
		srv.EmitRaw("session:removed", []byte(`{"website_id":"w","session_id":"s"}`))
		_, err := srv.WaitDelivery(t.Context(), crisptest.Delivery.Delivered)
		require.NoError(t, err)
		assert.Equal(t, 2*time.Second, time.Since(start))
		assert.Equal(t, []string{
			"session:removed 1 of 4: status 500",
			"session:removed 2 of 4: status 302",
			"session:removed 3 of 4: status 200",
		}, attempts(srv))

		deliveries := srv.Deliveries()
		assert.Equal(t, deliveries[0].Body, deliveries[2].Body, "the body stays the same")
		assert.NotEqual(t, deliveries[0].Header.Get("X-Crisp-Signature"), deliveries[2].Header.Get("X-Crisp-Signature"), "each delivery has a signature of its own")
		assert.Equal(t, "thanks", string(deliveries[2].Answer))
	}, crisptest.WithHookRetries(4, time.Second))
}

func TestPluginHookIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.AddPluginHook("http://127.0.0.1:1000/nobody")
		srv.EmitRaw("session:removed", []byte(`{}`))
		<-time.After(time.Hour)
		deliveries := srv.Deliveries()
		require.Len(t, deliveries, 2)
		assert.Equal(t, 2, deliveries[1].Attempt)
		assert.ErrorContains(t, deliveries[1].Err, "connection refused")
		assert.Contains(t, deliveries[1].String(), "connection refused")
	}, crisptest.WithHookRetries(2, time.Second))
}

func TestReceiverThatHangsIsGivenUpAfterAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		url := srv.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}))
		srv.AddPluginHook(url)
		srv.EmitRaw("session:removed", []byte(`{}`))
		d, err := srv.WaitDelivery(t.Context(), func(crisptest.Delivery) bool { return true })
		require.NoError(t, err)
		require.ErrorIs(t, d.Err, context.DeadlineExceeded)
		assert.Equal(t, 10*time.Second, d.Took)
	}, crisptest.WithHookRetries(1, 0))
}

func TestWebsiteHookIsNeitherSignedNorRetried(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		sink := newSink(srv, 500)
		srv.AddWebsiteHook(sink.url + "/hooks?key=secret")
		srv.EmitRaw("session:removed", []byte(`{"website_id":"w"}`))
		<-time.After(time.Hour)
		require.Len(t, srv.Deliveries(), 1)
		d := srv.Deliveries()[0]
		assert.Equal(t, sink.url+"/hooks?key=secret", d.URL)
		assert.Empty(t, d.Header.Get("X-Crisp-Signature"))
		assert.Equal(t, "website", d.Header.Get("X-Crisp-Hook-Origin"))
		assert.Equal(t, 1, d.Limit)
	})
}

// eventNames returns the names of the events that were delivered.
func eventNames(srv *crisptest.Server) (names []string) {
	synctest.Wait()
	for _, d := range srv.Deliveries() {
		names = append(names, d.Event)
	}
	return names
}

func TestWhatHooksGet(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.AddPluginHook(newSink(srv).url, "message:send", "spam:message", "mine")
		for _, name := range []string{"message:send", "message:received", "spam:message"} {
			srv.Emit(crisptest.Sample(name))
		}
		srv.EmitRaw("mine", []byte(`{}`))
		srv.EmitRaw("mine", []byte(`no JSON`))
		assert.Equal(t, []string{"message:send", "mine"}, eventNames(srv), "RTM-only events are never sent by web hook")
	})
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.AddPluginHook(newSink(srv).url)
		for _, info := range crisp.Events() {
			srv.Emit(crisptest.Sample(info.Name))
		}
		assert.Len(t, eventNames(srv), 76, "82, of which 6 come by RTM only")
	})
}

func TestHookFaults(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.AddPluginHook(newSink(srv).url)
		emit := func(names ...string) {
			for _, name := range names {
				srv.EmitRaw(name, []byte(`{}`))
			}
		}
		srv.ReorderHooks(3)
		emit("a", "b", "c", "d")
		assert.Equal(t, []string{"c", "b", "a", "d"}, eventNames(srv))

		srv.DuplicateHooks(1)
		emit("e", "f")
		assert.Equal(t, []string{"e", "e", "f"}, eventNames(srv)[4:])

		srv.DuplicateHooks(-1)
		emit("g", "h")
		srv.Heal()
		emit("i")
		assert.Equal(t, []string{"g", "g", "h", "h", "i"}, eventNames(srv)[7:])

		srv.ReorderHooks(3)
		emit("j", "k")
		assert.Len(t, eventNames(srv), 12, "held back")
		srv.Heal()
		emit("l")
		assert.Equal(t, []string{"k", "j", "l"}, eventNames(srv)[12:])
	})
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		srv.AddPluginHook(newSink(srv).url)
		srv.AddPluginHook(newSink(srv).url, "a")
		srv.DuplicateHooks(1)
		srv.EmitRaw("a", []byte(`{}`))
		assert.Len(t, eventNames(srv), 4, "each hook has its own count")
	})
}

func TestSkewedClock(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		sink := newSink(srv)
		srv.AddPluginHook(sink.url)
		srv.SkewClock(-time.Hour)
		m := srv.Visitor().Say("early")
		assert.Equal(t, time.Now().Add(-time.Hour).UnixMilli(), m.Timestamp)
		_, err := post(t, srv, sink.url, sampleMessage())
		require.NoError(t, err)
		synctest.Wait()
		for _, d := range srv.Deliveries() {
			assert.Equal(t, "946681200000", d.Header.Get("X-Crisp-Request-Timestamp"))
		}
		srv.Heal()
		assert.Equal(t, time.Now().UnixMilli(), srv.Visitor().Say("now").Timestamp)
	})
}

func TestHooksEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := crisptest.Start(crisptest.InMemory(), crisptest.WithHookRetries(5, time.Hour))
		require.NoError(t, err)
		srv.AddPluginHook("http://127.0.0.1:1000/nobody")
		srv.EmitRaw("session:removed", []byte(`{}`))
		synctest.Wait()
		start := time.Now()
		srv.Close()
		assert.Zero(t, time.Since(start), "a redelivery in an hour is not waited for")
		srv.AddPluginHook("http://127.0.0.1:1000/nobody") // too late, and harmless
	})
}

func TestHandledEventsAreKnown(t *testing.T) {
	srv := crisptest.NewServer(t)
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	router.Use(srv.Watch)
	failed := errors.New("no luck")
	crisp.On(router, func(context.Context, *crisp.MessageSend) error { return failed })
	require.Error(t, router.Dispatch(t.Context(), sampleMessage()))

	handled, err := srv.WaitHandled(t.Context(), func(h crisptest.Handled) bool { return h.Event.EventName() == "message:send" })
	require.NoError(t, err)
	require.ErrorIs(t, handled.Err, failed)
	assert.Contains(t, handled.String(), "message:send, failed: ")
	assert.True(t, slices.ContainsFunc(srv.Handled(), func(h crisptest.Handled) bool { return h.Err != nil }))
}

func TestHookThatIsRemoved(t *testing.T) {
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		release := make(chan struct{})
		removed := srv.AddPluginHook(srv.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			w.WriteHeader(http.StatusInternalServerError)
		})), "a", "b")
		srv.AddWebsiteHook(newSink(srv).url)
		srv.EmitRaw("a", []byte(`{}`))
		srv.EmitRaw("b", []byte(`{}`))
		synctest.Wait() // the first is being delivered, the second waits
		removed.Remove()
		removed.Remove()
		srv.EmitRaw("a", []byte(`{}`))
		synctest.Wait()
		close(release)
		<-time.After(time.Hour)
		assert.Equal(t, []string{
			"a 1 of 1: status 200", "b 1 of 1: status 200", "a 1 of 1: status 200", // to the other one
			"a 1 of 5: status 500",
		}, attempts(srv))
	})
	bubble(t, func(t *testing.T, srv *crisptest.Server) {
		removed := srv.AddPluginHook("http://127.0.0.1:1000/nobody")
		srv.ReorderHooks(2)
		srv.EmitRaw("held back", []byte(`{}`))
		removed.Remove()
		srv.Heal()
		failing := srv.AddPluginHook("http://127.0.0.1:1000/nobody")
		srv.EmitRaw("a", []byte(`{}`))
		synctest.Wait() // it has failed once
		failing.Remove()
		<-time.After(time.Hour)
		assert.Len(t, srv.Deliveries(), 1, "what was to be attempted again is not")
	})
	srv, err := crisptest.Start()
	require.NoError(t, err)
	srv.Close()
	srv.AddPluginHook("http://127.0.0.1:1000/nobody").Remove() // too late, and harmless
}
