package crisp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/testkit"
)

const (
	signingSecret = "signing-secret-that-must-not-show"
	urlSecret     = "url-secret-that-must-not-show"
)

// hookRequest is a plugin hook as Crisp posts it.
func hookRequest(body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/hooks", bytes.NewReader(body))
	for name, values := range crisp.Sign(signingSecret, time.Now(), body) {
		r.Header[name] = values
	}
	return r
}

// receiver is a Webhook whose handler for any event keeps what it gets.
type receiver struct {
	*crisp.Webhook
	handle func(ctx context.Context, ev crisp.Event) error // nil = success

	mu     sync.Mutex
	events []crisp.Event
	errs   []error
}

func newReceiver(t *testing.T, opts ...crisp.WebhookOption) *receiver {
	t.Helper()
	rec := new(receiver)
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		rec.errs = append(rec.errs, err)
	}))
	router.OnAny(func(ctx context.Context, ev crisp.Event) error {
		rec.mu.Lock()
		rec.events = append(rec.events, ev)
		rec.mu.Unlock()
		if rec.handle == nil {
			return nil
		}
		return rec.handle(ctx, ev)
	})
	var err error
	rec.Webhook, err = crisp.NewWebhook(router, append([]crisp.WebhookOption{crisp.WithSigningSecrets(signingSecret)}, opts...)...)
	require.NoError(t, err)
	return rec
}

func (rec *receiver) post(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	rec.ServeHTTP(w, r)
	return w
}

func (rec *receiver) handled() []crisp.Event {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.events
}

func (rec *receiver) reported() []error {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.errs
}

func TestNewWebhookRefusesWhatWouldVerifyNothing(t *testing.T) {
	signing := crisp.WithSigningSecrets(signingSecret)
	for name, opts := range map[string][]crisp.WebhookOption{
		"no secrets":                      {},
		"no secrets, but a tolerance":     {crisp.WithTolerance(time.Minute)},
		"no signing secret":               {crisp.WithSigningSecrets()},
		"empty signing secret":            {crisp.WithSigningSecrets("")},
		"blank signing secret":            {crisp.WithSigningSecrets(" \n")},
		"empty signing secret of several": {crisp.WithSigningSecrets(signingSecret, "")},
		"no URL secret":                   {crisp.WithURLSecrets("key")},
		"empty URL secret":                {signing, crisp.WithURLSecrets("key", "")},
		"URL secret without parameter":    {crisp.WithURLSecrets("", urlSecret)},
		"negative tolerance":              {signing, crisp.WithTolerance(-time.Second)},
		"no room for a body":              {signing, crisp.WithMaxBody(0)},
		"negative room for a body":        {signing, crisp.WithMaxBody(-1)},
		"no time for handlers":            {signing, crisp.WithHandlerTimeout(0)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := crisp.NewWebhook(crisp.NewRouter(), opts...)
			require.ErrorContains(t, err, "crisp: ")
			assert.NotContains(t, err.Error(), signingSecret)
		})
	}
	t.Run("no router", func(t *testing.T) {
		_, err := crisp.NewWebhook(nil, signing)
		require.ErrorContains(t, err, "router")
	})
}

func TestWebhookGivesTheEventToItsHandlers(t *testing.T) {
	rec := newReceiver(t)
	body := testkit.HookBody("hello")
	r := hookRequest(body)
	r.Header.Set("X-Crisp-Hook-Origin", "https://crisp.chat")
	r.Header.Set("X-Delivery-Attempt-Count", "2")
	r.Header.Set("X-Delivery-Attempt-Limit", "5")

	resp := rec.post(r)
	assert.Equal(t, http.StatusOK, resp.Code)
	require.Len(t, rec.handled(), 1)
	ev := rec.handled()[0]
	assert.Equal(t, "message:send", ev.EventName())
	meta := ev.EventMeta()
	assert.Equal(t, crisp.SourceWebhook, meta.Source)
	assert.Equal(t, "w-1", meta.WebsiteID)
	assert.Equal(t, time.UnixMilli(1700000000123).UTC(), meta.Time.UTC())
	assert.Equal(t, &crisp.Delivery{Origin: "https://crisp.chat", Attempt: 2, Limit: 5}, meta.Delivery)
	assert.Contains(t, string(body), string(meta.Raw))
	assert.Contains(t, string(meta.Raw), `"content":"hello"`)
	assert.Empty(t, meta.Problems)
	assert.Empty(t, rec.reported())
}

func TestWebhookDecodesForTypedHandlers(t *testing.T) {
	router := crisp.NewRouter()
	var got *crisp.MessageSend
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		got = ev
		return nil
	})
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(signingSecret))
	require.NoError(t, err)
	w := httptest.NewRecorder()
	hook.ServeHTTP(w, hookRequest(testkit.HookBody("hello")))
	assert.Equal(t, http.StatusOK, w.Code)
	require.NotNil(t, got)
	assert.Equal(t, "w-1", got.WebsiteID)
	assert.Equal(t, "session_1", got.SessionID)
	assert.Equal(t, crisp.TextContent("hello"), got.Content)
	assert.Equal(t, int64(163408807910334), got.Fingerprint)
	assert.Equal(t, crisp.SourceWebhook, got.Source)
}

// Every event that comes by web hook, from its sample, reaches its handler
// whole.
func TestEveryEventComesByWebhook(t *testing.T) {
	rec := newReceiver(t)
	for _, info := range crisp.Events() {
		t.Run(info.Name, func(t *testing.T) {
			payload := crisptest.Sample(info.Name).EventMeta().Raw
			body := fmt.Appendf(nil, `{"website_id":"w-1","event":%q,"data":%s,"timestamp":1700000000123}`, info.Name, payload)
			want, err := crisp.Decode(info.Name, payload)
			require.NoError(t, err)

			assert.Equal(t, http.StatusOK, rec.post(hookRequest(body)).Code)
			got := rec.handled()[len(rec.handled())-1]
			assert.Empty(t, got.EventMeta().Problems)
			*want.EventMeta() = *got.EventMeta()
			assert.Equal(t, want, got)
		})
	}
	assert.Empty(t, rec.reported())
}

func TestEnvelopeFieldsThatAreMissingOrDrifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for body, want := range map[string]crisp.Meta{
			`{"event":"x:y","data":{"a":1}}`: {
				Time: time.Now(),
			},
			`{"event":"x:y","data":{"a":1},"website_id":null,"timestamp":null,"more":[{}]}`: {
				Time: time.Now(),
			},
			`{"event":"x:y","data":{"a":1},"website_id":7,"timestamp":"now"}`: {
				Time: time.Now(),
				Problems: []crisp.FieldProblem{
					{Path: "website_id", Wanted: "string", Got: "number"},
					{Path: "timestamp", Wanted: "number", Got: "string"},
				},
			},
		} {
			rec := newReceiver(t)
			resp := rec.post(hookRequest([]byte(body)))
			assert.Equal(t, http.StatusOK, resp.Code)
			require.Len(t, rec.handled(), 1)
			got := rec.handled()[0].EventMeta()
			assert.Empty(t, got.WebsiteID)
			assert.Equal(t, want.Time, got.Time)
			assert.Equal(t, want.Problems, got.Problems)
			assert.Equal(t, &crisp.Delivery{}, got.Delivery)
			assert.JSONEq(t, `{"a":1}`, string(got.Raw))
		}
	})
}

func TestMalformedAttemptsCountAsAbsent(t *testing.T) {
	for _, value := range []string{"", "many", "-1", "1.5", "99999999999999999999"} {
		rec := newReceiver(t)
		r := hookRequest(testkit.HookBody("hello"))
		r.Header.Set("X-Delivery-Attempt-Count", value)
		r.Header.Set("X-Delivery-Attempt-Limit", value)
		rec.post(r)
		require.Len(t, rec.handled(), 1)
		assert.Equal(t, &crisp.Delivery{}, rec.handled()[0].EventMeta().Delivery, value)
	}
}

// The answers to what is not a good delivery. Each request starts from a good
// one; none of them may reach a handler.
func TestWebhookAnswers(t *testing.T) {
	sign := func(r *http.Request, secret string, at time.Time, body []byte) {
		for name, values := range crisp.Sign(secret, at, body) {
			r.Header[name] = values
		}
	}
	setBody := func(r *http.Request, body string) {
		r.Body = io.NopCloser(strings.NewReader(body))
		r.ContentLength = int64(len(body))
	}
	setSignedBody := func(body string) func(*http.Request) {
		return func(r *http.Request) {
			setBody(r, body)
			sign(r, signingSecret, time.Now(), []byte(body))
		}
	}
	body := testkit.HookBody("private")

	for name, tt := range map[string]struct {
		change func(r *http.Request)
		status int
		why    error // what the error handler hears; nil = anything for 400, nothing for 405
	}{
		"GET":    {change: func(r *http.Request) { r.Method = "GET" }, status: 405},
		"PUT":    {change: func(r *http.Request) { r.Method = "PUT" }, status: 405},
		"lower":  {change: func(r *http.Request) { r.Method = "post" }, status: 405},
		"HEAD":   {change: func(r *http.Request) { r.Method = "HEAD" }, status: 405},
		"no one": {change: func(r *http.Request) { r.Method = "OPTIONS" }, status: 405},

		"no signature":         {change: func(r *http.Request) { r.Header.Del("X-Crisp-Signature") }, status: 401, why: crisp.ErrSignature},
		"no timestamp":         {change: func(r *http.Request) { r.Header.Del("X-Crisp-Request-Timestamp") }, status: 401, why: crisp.ErrSignature},
		"no headers":           {change: func(r *http.Request) { clear(r.Header) }, status: 401, why: crisp.ErrSignature},
		"forged":               {change: func(r *http.Request) { sign(r, "guess", time.Now(), body) }, status: 401, why: crisp.ErrSignature},
		"signed with nothing":  {change: func(r *http.Request) { sign(r, "", time.Now(), body) }, status: 401, why: crisp.ErrSignature},
		"signed for another":   {change: func(r *http.Request) { sign(r, signingSecret, time.Now(), body[1:]) }, status: 401, why: crisp.ErrSignature},
		"tampered body":        {change: func(r *http.Request) { setBody(r, strings.Replace(string(body), "private", "Private", 1)) }, status: 401, why: crisp.ErrSignature},
		"spelled differently":  {change: func(r *http.Request) { setBody(r, string(body)+"\n") }, status: 401, why: crisp.ErrSignature},
		"no body":              {change: func(r *http.Request) { setBody(r, "") }, status: 401, why: crisp.ErrSignature},
		"tampered timestamp":   {change: func(r *http.Request) { bump(r.Header, "X-Crisp-Request-Timestamp") }, status: 401, why: crisp.ErrSignature},
		"tampered signature":   {change: func(r *http.Request) { bump(r.Header, "X-Crisp-Signature") }, status: 401, why: crisp.ErrSignature},
		"two signatures":       {change: func(r *http.Request) { r.Header.Add("X-Crisp-Signature", r.Header.Get("X-Crisp-Signature")) }, status: 401, why: crisp.ErrSignature},
		"two timestamps":       {change: func(r *http.Request) { r.Header.Add("X-Crisp-Request-Timestamp", "1") }, status: 401, why: crisp.ErrSignature},
		"secret in the URL":    {change: func(r *http.Request) { r.URL.RawQuery = "key=" + signingSecret; r.Header.Del("X-Crisp-Signature") }, status: 401, why: crisp.ErrSignature},
		"stale":                {change: func(r *http.Request) { sign(r, signingSecret, time.Now().Add(-6*time.Minute), body) }, status: 401, why: crisp.ErrStale},
		"10 years old":         {change: func(r *http.Request) { sign(r, signingSecret, time.Now().AddDate(-10, 0, 0), body) }, status: 401, why: crisp.ErrStale},
		"from the future":      {change: func(r *http.Request) { sign(r, signingSecret, time.Now().Add(6*time.Minute), body) }, status: 401, why: crisp.ErrStale},
		"forged and malformed": {change: func(r *http.Request) { setBody(r, "{") }, status: 401, why: crisp.ErrSignature},

		"oversized":            {change: setSignedBody(strings.Repeat(" ", 1<<20) + string(body)), status: 413, why: crisp.ErrTooLarge},
		"oversized and forged": {change: func(r *http.Request) { setBody(r, strings.Repeat(" ", 1<<20+1)) }, status: 413, why: crisp.ErrTooLarge},
		"oversized, not told": {change: func(r *http.Request) {
			setSignedBody(strings.Repeat(" ", 1<<20) + string(body))(r)
			r.ContentLength = -1
		}, status: 413, why: crisp.ErrTooLarge},
		"told to be oversized": {change: func(r *http.Request) { r.ContentLength = 1<<20 + 1 }, status: 413, why: crisp.ErrTooLarge},
		"oversized for a middleware": {change: func(r *http.Request) {
			r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 10)
		}, status: 413, why: crisp.ErrTooLarge},

		"empty":               {change: setSignedBody(""), status: 400},
		"cut":                 {change: setSignedBody(string(body[:len(body)-1])), status: 400},
		"two values":          {change: setSignedBody(string(body) + "{}"), status: 400},
		"form":                {change: setSignedBody("event=message:send"), status: 400},
		"invalid JSON inside": {change: setSignedBody(`{"event":"message:send","data":{"private":tru},"website_id":"w"}`), status: 400},
		"nested too deep":     {change: setSignedBody(`{"event":"a","data":` + strings.Repeat(`{"private":`, 20_000) + `1` + strings.Repeat(`}`, 20_001)), status: 400},
		"null":                {change: setSignedBody(`null`), status: 400},
		"array":               {change: setSignedBody(`[{"event":"message:send","data":{}}]`), status: 400},
		"string":              {change: setSignedBody(`"private"`), status: 400},
		"empty object":        {change: setSignedBody(`{}`), status: 400},
		"no event":            {change: setSignedBody(`{"website_id":"w","data":{},"timestamp":1}`), status: 400},
		"empty event":         {change: setSignedBody(`{"website_id":"w","event":"","data":{}}`), status: 400},
		"event is no name":    {change: setSignedBody(`{"website_id":"w","event":{"private":1},"data":{}}`), status: 400},
		"no data":             {change: setSignedBody(`{"website_id":"w","event":"message:send","timestamp":1}`), status: 400},

		"body times out":    {change: func(r *http.Request) { r.Body = failingBody{os.ErrDeadlineExceeded} }, status: 408, why: os.ErrDeadlineExceeded},
		"body breaks off":   {change: func(r *http.Request) { r.Body = failingBody{io.ErrUnexpectedEOF} }, status: 400, why: io.ErrUnexpectedEOF},
		"request cancelled": {change: func(r *http.Request) { r.Body = failingBody{context.Canceled} }, status: 400, why: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newReceiver(t)
			r := hookRequest(body)
			tt.change(r)
			resp := rec.post(r)
			assert.Equal(t, tt.status, resp.Code)
			assert.Empty(t, rec.handled())

			assert.Equal(t, http.StatusText(tt.status), strings.TrimSpace(resp.Body.String()), "no word more")

			if tt.status == http.StatusMethodNotAllowed {
				assert.Equal(t, "POST", resp.Header().Get("Allow"))
				assert.Empty(t, rec.reported())
				return
			}
			require.Len(t, rec.reported(), 1)
			var refused *crisp.WebhookError
			require.ErrorAs(t, rec.reported()[0], &refused)
			assert.Equal(t, tt.status, refused.StatusCode)
			if tt.why != nil {
				require.ErrorIs(t, refused, tt.why)
			}
			told := strings.ToLower(refused.Error())
			for _, secret := range []string{signingSecret, "private", crisp.Sign(signingSecret, time.Now(), body).Get("X-Crisp-Signature")} {
				assert.NotContains(t, told, secret)
			}
		})
	}
}

// bump changes the last character of a header.
func bump(h http.Header, name string) {
	value := []byte(h.Get(name))
	value[len(value)-1] ^= 1
	h.Set(name, string(value))
}

// failingBody is a body that doesn't arrive.
type failingBody struct{ err error }

func (b failingBody) Read([]byte) (int, error) { return 0, b.err }
func (b failingBody) Close() error             { return nil }

func TestBodiesUpToTheLimitAreRead(t *testing.T) {
	body := testkit.HookBody(strings.Repeat("x", 100_000))
	for name, change := range map[string]func(r *http.Request){
		"length told":             func(*http.Request) {},
		"length not told":         func(r *http.Request) { r.ContentLength = -1 },
		"wrong length told":       func(r *http.Request) { r.ContentLength = 7 },
		"byte by byte":            func(r *http.Request) { r.Body = io.NopCloser(oneByteReader{r.Body}) },
		"byte by byte, not told":  func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(oneByteReader{r.Body}), -1 },
		"end together with bytes": func(r *http.Request) { r.Body = io.NopCloser(&dataErrReader{data: body}) },
	} {
		t.Run(name, func(t *testing.T) {
			rec := newReceiver(t, crisp.WithMaxBody(int64(len(body))))
			r := hookRequest(body)
			change(r)
			assert.Equal(t, http.StatusOK, rec.post(r).Code)
			assert.Len(t, rec.handled(), 1)
		})
	}
	t.Run("one byte more", func(t *testing.T) {
		rec := newReceiver(t, crisp.WithMaxBody(int64(len(body)-1)))
		assert.Equal(t, http.StatusRequestEntityTooLarge, rec.post(hookRequest(body)).Code)
	})
}

type oneByteReader struct{ io.Reader }

func (r oneByteReader) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 1)]) }

// dataErrReader gives the end together with the last bytes.
type dataErrReader struct{ data []byte }

func (r *dataErrReader) Read(p []byte) (int, error) {
	n := copy(p, r.data)
	if r.data = r.data[n:]; len(r.data) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func TestABodyThatIsToldToBeTooLargeIsNotRead(t *testing.T) {
	rec := newReceiver(t)
	r := hookRequest(nil)
	r.ContentLength = 1 << 40
	r.Body = failingBody{errors.New("it was read")}
	assert.Equal(t, http.StatusRequestEntityTooLarge, rec.post(r).Code)
}

// What is announced takes no memory before it has come: nobody knows yet who
// sends it.
func TestABodyThatDoesNotComeTakesNoMemory(t *testing.T) {
	rec := newReceiver(t, crisp.WithMaxBody(1<<30))
	r := hookRequest(nil)
	r.ContentLength = 1 << 30
	r.Body = failingBody{errors.New("it does not come")}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	assert.Equal(t, http.StatusBadRequest, rec.post(r).Code)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func TestARequestWithoutABodyIsNotAuthentic(t *testing.T) {
	r, err := http.NewRequest(http.MethodPost, "/", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, newReceiver(t).post(r).Code)
}

// signedHead is the headers of a hook whose signature is well-formed, so that its
// body is worth reading.
func signedHead() string {
	var head strings.Builder
	_ = crisp.Sign(signingSecret, time.Now(), nil).Write(&head)
	return head.String()
}

// A client that goes away while it sends the body, over a real connection.
func TestAbortedRequestReachesNoHandler(t *testing.T) {
	refused := make(chan error, 1)
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { refused <- err }))
	router.OnAny(func(context.Context, crisp.Event) error {
		t.Error("a handler ran")
		return nil
	})
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(signingSecret))
	require.NoError(t, err)
	server := httptest.NewServer(hook)
	defer server.Close()

	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: hooks\r\n"+signedHead()+"Content-Length: 1000\r\n\r\n{\"website_id\":")
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	var got *crisp.WebhookError
	require.ErrorAs(t, <-refused, &got)
	assert.Equal(t, http.StatusBadRequest, got.StatusCode)
}

// A client that stops sending: the server's ReadTimeout is what ends it.
func TestSlowBodyIsEndedByTheServersTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(t)
		here, there := net.Pipe()
		listener := &connListener{conns: make(chan net.Conn, 1)}
		listener.conns <- there
		server := &http.Server{Handler: rec, ReadTimeout: 10 * time.Second}
		served := make(chan error)
		go func() { served <- server.Serve(listener) }()

		start := time.Now()
		_, err := io.WriteString(here, "POST / HTTP/1.1\r\nHost: hooks\r\n"+signedHead()+"Content-Length: 1000\r\n\r\n{")
		require.NoError(t, err)
		answer, err := io.ReadAll(here)
		require.NoError(t, err)
		assert.Contains(t, string(answer), "HTTP/1.1 408 Request Timeout")
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Empty(t, rec.handled())

		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
}

// connListener accepts the connections that it is given.
type connListener struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *connListener) Accept() (net.Conn, error) {
	conn, open := <-l.conns
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l *connListener) Close() error {
	l.once.Do(func() { close(l.conns) })
	return nil
}

func (l *connListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestEventsWithoutHandlersAreAnsweredAsDelivered(t *testing.T) {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { t.Error(err) }))
	router.OnName("session:removed", func(context.Context, crisp.Event) error {
		t.Error("the handler of another event ran")
		return nil
	})
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(signingSecret))
	require.NoError(t, err)
	for _, event := range []string{"message:send", "no:such:event"} {
		w := httptest.NewRecorder()
		hook.ServeHTTP(w, hookRequest(fmt.Appendf(nil, `{"website_id":"w","event":%q,"data":{}}`, event)))
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Empty(t, w.Body.String())
	}
}

// Whether somebody handles it or not: what is no event is refused.
func TestMalformedHooksWithoutHandlersAreRefused(t *testing.T) {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(signingSecret))
	require.NoError(t, err)
	for _, body := range []string{`{"event":"message:send"}`, `{"event":"message:send","data":{}`, `{"data":{}}`} {
		w := httptest.NewRecorder()
		hook.ServeHTTP(w, hookRequest([]byte(body)))
		assert.Equal(t, http.StatusBadRequest, w.Code, body)
	}
}

func TestUnknownEventsReachHandlersOfAnyEvent(t *testing.T) {
	rec := newReceiver(t)
	resp := rec.post(hookRequest([]byte(`{"website_id":"w","event":"no:such:event","data":[1, "a"],"timestamp":1}`)))
	assert.Equal(t, http.StatusOK, resp.Code)
	require.Len(t, rec.handled(), 1)
	unknown, ok := rec.handled()[0].(*crisp.UnknownEvent)
	require.True(t, ok)
	assert.Equal(t, "no:such:event", unknown.Name)
	assert.Equal(t, `[1, "a"]`, string(unknown.Raw))
}

func TestURLSecrets(t *testing.T) {
	const old = "old-url-secret"
	for name, tt := range map[string]struct {
		query  string
		status int
	}{
		"right":                 {"key=" + urlSecret, 200},
		"right, rotated":        {"key=" + old, 200},
		"right, among others":   {"a=b&key=" + urlSecret + "&c", 200},
		"escaped":               {"key=url%2Dsecret-that-must-not-show", 200},
		"wrong":                 {"key=" + urlSecret + "x", 401},
		"prefix":                {"key=" + urlSecret[:4], 401},
		"empty":                 {"key=", 401},
		"none":                  {"", 401},
		"another parameter":     {"secret=" + urlSecret, 401},
		"parameter in capitals": {"KEY=" + urlSecret, 401},
		"twice":                 {"key=" + urlSecret + "&key=" + urlSecret, 401},
		"right and wrong":       {"key=x&key=" + urlSecret, 401},
		"malformed query":       {"key=" + urlSecret + "&%zz", 401},
		"semicolon":             {"a=b;key=" + urlSecret, 401},
	} {
		t.Run(name, func(t *testing.T) {
			rec := new(receiver)
			router := crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) {
				require.ErrorIs(t, err, crisp.ErrSignature)
				assert.NotContains(t, err.Error(), urlSecret[:10])
				rec.errs = append(rec.errs, err)
			}))
			var err error
			rec.Webhook, err = crisp.NewWebhook(router, crisp.WithURLSecrets("key", old, urlSecret))
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodPost, "/hooks", bytes.NewReader(testkit.HookBody("hello")))
			r.URL.RawQuery = tt.query
			assert.Equal(t, tt.status, rec.post(r).Code)
			assert.Equal(t, tt.status != 200, len(rec.errs) == 1)
		})
	}
}

func TestSignedAndUnsignedHooksAtOneURL(t *testing.T) {
	rec := newReceiver(t, crisp.WithURLSecrets("key", urlSecret))
	for name, tt := range map[string]struct {
		change func(r *http.Request)
		status int
	}{
		"signed":                       {func(*http.Request) {}, 200},
		"signed, wrong in the URL":     {func(r *http.Request) { r.URL.RawQuery = "key=wrong" }, 200},
		"unsigned, right in the URL":   {func(r *http.Request) { clear(r.Header); r.URL.RawQuery = "key=" + urlSecret }, 200},
		"unsigned":                     {func(r *http.Request) { clear(r.Header) }, 401},
		"unsigned, wrong in the URL":   {func(r *http.Request) { clear(r.Header); r.URL.RawQuery = "key=wrong" }, 401},
		"signed wrong, right in URL":   {func(r *http.Request) { bump(r.Header, "X-Crisp-Signature"); r.URL.RawQuery = "key=" + urlSecret }, 401},
		"empty signature, right URL":   {func(r *http.Request) { r.Header.Set("X-Crisp-Signature", ""); r.URL.RawQuery = "key=" + urlSecret }, 401},
		"signing secret in the URL":    {func(r *http.Request) { clear(r.Header); r.URL.RawQuery = "key=" + signingSecret }, 401},
		"signed with the URL's secret": {func(r *http.Request) { resign(r, urlSecret) }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			r := hookRequest(testkit.HookBody("hello"))
			tt.change(r)
			assert.Equal(t, tt.status, rec.post(r).Code)
		})
	}
}

func resign(r *http.Request, secret string) {
	for name, values := range crisp.Sign(secret, time.Now(), testkit.HookBody("hello")) {
		r.Header[name] = values
	}
}

func TestASignatureIsIgnoredWhereOnlyURLsHaveSecrets(t *testing.T) {
	router := crisp.NewRouter()
	hook, err := crisp.NewWebhook(router, crisp.WithURLSecrets("key", urlSecret))
	require.NoError(t, err)
	r := hookRequest(testkit.HookBody("hello"))
	r.URL.RawQuery = "key=" + urlSecret
	w := httptest.NewRecorder()
	hook.ServeHTTP(w, r)
	assert.Equal(t, http.StatusOK, w.Code)
}

func TestSigningSecretsRotate(t *testing.T) {
	rec := newReceiver(t, crisp.WithSigningSecrets("old", signingSecret, "new"))
	for secret, status := range map[string]int{"old": 200, signingSecret: 200, "new": 200, "older": 401, "": 401, "oldnew": 401} {
		r := hookRequest(testkit.HookBody("hello"))
		resign(r, secret)
		assert.Equal(t, status, rec.post(r).Code, secret)
	}
}

func TestToleranceCanBeSetAndTurnedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request := func(age time.Duration) *http.Request {
			body := testkit.HookBody("hello")
			r := hookRequest(body)
			for name, values := range crisp.Sign(signingSecret, time.Now().Add(-age), body) {
				r.Header[name] = values
			}
			return r
		}
		for _, tt := range []struct {
			tolerance, age time.Duration
			status         int
		}{
			{time.Minute, time.Minute, 200},
			{time.Minute, time.Minute + time.Millisecond, 401},
			{time.Minute, -time.Minute, 200},
			{time.Minute, -time.Minute - time.Millisecond, 401},
			{time.Hour, 59 * time.Minute, 200},
			{0, 10 * 365 * 24 * time.Hour, 200},
			{0, -10 * 365 * 24 * time.Hour, 200},
		} {
			rec := newReceiver(t, crisp.WithTolerance(tt.tolerance))
			assert.Equal(t, tt.status, rec.post(request(tt.age)).Code, "%+v", tt)
		}
	})
}

// The clock of the machine is set while hooks come in: those signed by another
// clock are refused as stale, and delivered when Crisp sends them again.
func TestHooksAfterAClockJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(t)
		body := testkit.HookBody("hello")
		early := hookRequest(body)
		time.Sleep(time.Hour) // the jump
		assert.Equal(t, http.StatusUnauthorized, rec.post(early).Code)
		require.ErrorIs(t, rec.reported()[0], crisp.ErrStale)
		assert.ErrorContains(t, rec.reported()[0], "it is 1h0m0s old")

		assert.Equal(t, http.StatusOK, rec.post(hookRequest(body)).Code)
		assert.Len(t, rec.handled(), 1)
	})
}

func TestHandlersOutliveTheRequest(t *testing.T) {
	type key struct{}
	rec := newReceiver(t)
	ctx, hangUp := context.WithCancel(context.WithValue(t.Context(), key{}, "value of a middleware"))
	rec.handle = func(ctx context.Context, _ crisp.Event) error {
		hangUp()
		assert.Equal(t, "value of a middleware", ctx.Value(key{}))
		_, bounded := ctx.Deadline()
		assert.False(t, bounded)
		return ctx.Err()
	}
	body := testkit.HookBody("hello")
	assert.Equal(t, http.StatusOK, rec.post(hookRequest(body).WithContext(ctx)).Code)

	// Crisp did not see that answer: it delivers again.
	assert.Equal(t, http.StatusOK, rec.post(hookRequest(body)).Code)
	assert.Len(t, rec.handled(), 1)
}

func TestHandlerTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newReceiver(t, crisp.WithHandlerTimeout(10*time.Second))
		rec.handle = func(ctx context.Context, _ crisp.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}
		start := time.Now()
		assert.Equal(t, http.StatusInternalServerError, rec.post(hookRequest(testkit.HookBody("hello"))).Code)
		assert.Equal(t, 10*time.Second, time.Since(start))
		require.Len(t, rec.reported(), 1)
		require.ErrorIs(t, rec.reported()[0], context.DeadlineExceeded)
	})
}

func TestFailedDeliveriesRunAgainAndSucceededOnesDoNot(t *testing.T) {
	for name, failure := range map[string]func() error{
		"error": func() error { return errors.New("database is down") },
		"panic": func() error { panic("database is down") },
		"abort": func() error { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			rec := newReceiver(t)
			body := testkit.HookBody("hello")
			rec.handle = func(context.Context, crisp.Event) error { return failure() }
			resp := rec.post(hookRequest(body))
			assert.Equal(t, http.StatusInternalServerError, resp.Code)
			assert.Equal(t, "Internal Server Error\n", resp.Body.String())
			require.Len(t, rec.reported(), 1)
			var failed *crisp.HandlerError
			require.ErrorAs(t, rec.reported()[0], &failed)

			assert.Equal(t, http.StatusInternalServerError, rec.post(hookRequest(body)).Code)
			assert.Len(t, rec.handled(), 2, "it ran again")

			rec.handle = nil
			assert.Equal(t, http.StatusOK, rec.post(hookRequest(body)).Code)
			assert.Len(t, rec.handled(), 3, "and again, with success")

			assert.Equal(t, http.StatusOK, rec.post(hookRequest(body)).Code)
			assert.Equal(t, http.StatusOK, rec.post(hookRequest(body)).Code)
			assert.Len(t, rec.handled(), 3, "which is enough")

			assert.Equal(t, http.StatusOK, rec.post(hookRequest(testkit.HookBody("hello again"))).Code)
			assert.Len(t, rec.handled(), 4, "another event is no redelivery")
		})
	}
}

func TestSeveralWebhooksAreIndependent(t *testing.T) {
	one, two := newReceiver(t), newReceiver(t, crisp.WithSigningSecrets("two"))
	body := testkit.HookBody("hello")
	assert.Equal(t, http.StatusOK, one.post(hookRequest(body)).Code)
	assert.Equal(t, http.StatusUnauthorized, two.post(hookRequest(body)).Code)
	r := hookRequest(body)
	resign(r, "two")
	assert.Equal(t, http.StatusOK, two.post(r).Code)
	assert.Len(t, one.handled(), 1)
	assert.Len(t, two.handled(), 1, "what one is done with is not the other's matter")
}

func TestPrintingAWebhookKeepsTheSecrets(t *testing.T) {
	rec := newReceiver(t, crisp.WithURLSecrets("key", urlSecret))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		printed := fmt.Sprintf(verb, rec.Webhook)
		assert.NotContains(t, printed, signingSecret, verb)
		assert.NotContains(t, printed, fmt.Sprintf("%d", []byte(signingSecret)), verb)
		assert.NotContains(t, printed, fmt.Sprintf("%x", signingSecret), verb)
	}
}

// FuzzWebhook posts any body, signed and forged.
func FuzzWebhook(f *testing.F) {
	f.Add(testkit.HookBody("hello"))
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"event":"message:send"}`, `{"event":"a:b","data":null}`, `{"event":"a:b","data":[{}]} `,
		`{"event":"a:b","event":"message:send","data":{},"data":{"session_id":7}}`, `{"event":"\u0061","data":"\ud800"}`,
		`{"event":"a","data":1e999,"timestamp":-1e999}`, `{"event":"a","data":{},"timestamp":"1","website_id":[]}`,
		"{\"event\":\"\xff\",\"data\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got crisp.Event
		router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
		router.OnAny(func(_ context.Context, ev crisp.Event) error {
			got = ev
			return nil
		})
		hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(signingSecret))
		if err != nil {
			t.Fatal(err)
		}
		post := func(r *http.Request) int {
			w := httptest.NewRecorder()
			hook.ServeHTTP(w, r)
			return w.Code
		}

		forged := hookRequest(body)
		bump(forged.Header, "X-Crisp-Signature")
		if status := post(forged); status != http.StatusUnauthorized || got != nil {
			t.Fatalf("a forged hook: status %d, event %v", status, got)
		}

		switch status := post(hookRequest(body)); status {
		case http.StatusOK:
			if !json.Valid(body) {
				t.Error("accepted what is not JSON")
			}
			if got == nil || got.EventName() == "" || got.EventMeta().Time.IsZero() {
				t.Errorf("event %#v", got)
			} else if raw := got.EventMeta().Raw; !json.Valid(raw) || !bytes.Contains(body, raw) {
				t.Errorf("payload %q", raw)
			}
		case http.StatusBadRequest:
			if got != nil {
				t.Error("a handler ran")
			}
		default:
			t.Errorf("status %d", status)
		}
	})
}
