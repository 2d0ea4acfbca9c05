package inspect

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"

	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/cmd/crisp/internal/trigger"
)

// hook is a program in development.
type hook struct {
	*httptest.Server
	mu    sync.Mutex // guards what is below
	heads []http.Header
	body  []string
}

func newHook(t *testing.T, answer func(w http.ResponseWriter)) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body) // what fails is seen by what is missing
		h.mu.Lock()
		h.heads, h.body = append(h.heads, r.Header), append(h.body, string(text))
		h.mu.Unlock()
		answer(w)
	}))
	t.Cleanup(h.Close)
	return h
}

// last returns what came last, and whether its signature is right.
func (h *hook) last(t *testing.T, tolerance time.Duration) (body string, head http.Header, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	require.NotEmpty(t, h.body)
	body, head = h.body[len(h.body)-1], h.heads[len(h.heads)-1]
	return body, head, crisp.Verify(testSecret, head, []byte(body), tolerance)
}

func ok(http.ResponseWriter) {}

func TestResend(t *testing.T) {
	h := newHook(t, ok)
	b := begin(t)
	came := record.Record{N: 1, At: time.Now().Add(-10 * time.Minute), What: messageOf(t, "session_1", "Hi")}
	b.ring.Add(FromRecord(testRun, came))
	b.n = 1
	body := ` {"event":"message:send", "website_id":"w-1","data":{"session_id":"session_1","content":"changed","type":"text","from":"user"},"timestamp":1795681520364}`
	body = strings.TrimSpace(body)
	send := func(more string) Summary {
		t.Helper()
		status, text := b.do("POST", "/api/replay", `{"of":"`+testRun+`-1","envelope":`+body+`,"target":"`+h.URL+`"`+more+`}`)
		require.Equal(t, 200, status, text)
		var s Summary
		require.NoError(t, json.Unmarshal([]byte(text), &s))
		return s
	}
	made := send("")
	sent, head, err := h.last(t, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, body, sent, "byte for byte")
	assert.Equal(t, "1", head.Get("X-Delivery-Attempt-Count"))
	assert.Equal(t, "application/json", head.Get("Content-Type"))
	assert.Equal(t, Summary{
		ID: testRun + "-3", N: 3, At: made.At, Kind: "delivery", Event: "message:send", Source: "inspector", Preview: made.Preview, Size: made.Size,
		Of: testRun + "-2", Target: h.URL, Outcome: "accepted", Status: 200, TookMS: made.TookMS, Attempt: 1, Limit: 5,
	}, made)
	e, found := b.ring.Get(made.Of)
	require.True(t, found)
	assert.Equal(t, "inspector", e.Summary.Source)
	assert.Equal(t, body, string(e.Body))
	assert.Len(t, b.ring.Deliveries(made.Of), 1)

	made = send(`,"attempt":7`)
	_, head, err = h.last(t, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, "7/7", head.Get("X-Delivery-Attempt-Count")+"/"+head.Get("X-Delivery-Attempt-Limit"))
	assert.Equal(t, 7, made.Attempt)
	send(`,"bad_signature":true`)
	_, _, err = h.last(t, time.Minute)
	require.ErrorIs(t, err, crisp.ErrSignature)
	send(`,"stale":true`)
	_, _, err = h.last(t, 5*time.Minute)
	require.ErrorIs(t, err, crisp.ErrStale)
	send(`,"keep_time":true`)
	_, _, err = h.last(t, 5*time.Minute)
	require.ErrorIs(t, err, crisp.ErrStale)
	_, _, err = h.last(t, 11*time.Minute)
	require.NoError(t, err)

	count := b.ring.Size().Records
	var raw Summary
	b.post("/api/replay", map[string]any{"of": testRun + "-1", "body": "no JSON \x01", "target": h.URL}, &raw)
	sent, _, err = h.last(t, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, "no JSON \x01", sent)
	assert.Equal(t, testRun+"-1", raw.Of)
	assert.Equal(t, count+1, b.ring.Size().Records, "what is no event is none in the list")
}

// Nothing leaves the machine but to the targets that the command was given.
func TestResendOnlyToLoopback(t *testing.T) {
	elsewhere := newHook(t, ok)
	redirecting := newHook(t, func(w http.ResponseWriter) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	signing := forward.Signing{Secret: testSecret}
	named := newHook(t, ok)
	right, err := forward.NewHTTP(named.URL+"/named?key=hidden", signing, time.Second, http.DefaultTransport)
	require.NoError(t, err)
	wrong, err := forward.NewHTTP(named.URL, trigger.Delivery{BadSignature: true}.Signing(signing), time.Second, http.DefaultTransport)
	require.NoError(t, err)
	command := forward.NewCommand("cat", nil, time.Second, func(string) {})
	b := begin(t, func(c *Config) { c.Targets = []Target{{right, wrong}, {Sender: command}} })
	for _, target := range []string{
		"", "http://example.com/", "http://192.0.2.1/", "https://10.0.0.1/", "http://0.0.0.0/", "http://127.0.0.1.nip.example/", "http://localhost.example/",
		"http://127.0.0.1@example.com/", "ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1:80", "//127.0.0.1/", "http://[::ffff:192.0.2.1]/",
		"http://169.254.169.254/latest/meta-data", "http://2130706433/", "http://0x7f000001/", "http://:80/", "http://%31%32%37.0.0.1:1/%zz", "programs", "Command",
	} {
		text, err := json.Marshal(map[string]any{"body": "x", "target": target})
		require.NoError(t, err)
		status, answer := b.do("POST", "/api/replay", string(text))
		assert.Equal(t, 400, status, target)
		assert.Contains(t, answer, "neither one that the command forwards to, nor a URL on loopback", target)
	}
	assert.Zero(t, b.ring.Size().Records)
	var made Summary
	b.post("/api/replay", map[string]any{"body": "x", "target": redirecting.URL}, &made)
	assert.Equal(t, 307, made.Status)
	assert.Equal(t, "refused", made.Outcome)
	assert.Equal(t, "a redirect, which is not followed", made.Error)
	assert.Empty(t, elsewhere.body)

	made = Summary{}
	b.post("/api/replay", map[string]any{"body": "x", "target": right.Name()}, &made)
	assert.Equal(t, named.URL+"/named?key=…", made.Target)
	_, _, err = named.last(t, time.Minute)
	require.NoError(t, err)
	b.post("/api/replay", map[string]any{"body": "x", "target": right.Name(), "bad_signature": true}, &made)
	_, _, err = named.last(t, time.Minute)
	require.ErrorIs(t, err, crisp.ErrSignature)
	b.post("/api/replay", map[string]any{"body": "x", "target": "command"}, &made)
	assert.Equal(t, "accepted", made.Outcome)
	status, answer := b.do("POST", "/api/replay", `{"body":"x","target":"command","bad_signature":true}`)
	assert.Equal(t, 400, status)
	assert.Contains(t, answer, "not signed")

	made = Summary{}
	elsewhere.Close()
	b.post("/api/replay", map[string]any{"body": "x", "target": elsewhere.URL}, &made)
	assert.Contains(t, made.Error, "refused")
	assert.Equal(t, "refused", made.Outcome)
}

// A name that resolves to somewhere else is no loopback, whatever it is.
func TestTheTransportConnectsToLoopbackAlone(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://192.0.2.1/", nil)
	require.NoError(t, err)
	_, err = loopbackTransport.RoundTrip(r) //nolint:bodyclose // there is no answer
	assert.ErrorContains(t, err, "the target is not on loopback")
}

// Without a secret, what is sent is as the web hooks of a website.
func TestResendUnsigned(t *testing.T) {
	h := newHook(t, ok)
	b := begin(t, func(c *Config) { c.Signing = forward.Signing{} })
	var made Summary
	b.post("/api/replay", map[string]any{"body": "x", "target": h.URL}, &made)
	_, head, _ := h.last(t, time.Minute)
	assert.Empty(t, head.Get("X-Crisp-Signature"))
	status, answer := b.do("POST", "/api/replay", `{"body":"x","target":"`+h.URL+`","bad_signature":true}`)
	assert.Equal(t, 400, status)
	assert.Contains(t, answer, "there is no secret to sign with")
}
