package crisptest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/crisp-go/crisp"
)

// HookOption changes a web hook from what Crisp would send.
type HookOption func(*hook)

// hook is a web hook to be sent.
type hook struct {
	secret  string // empty: not signed
	origin  string
	at      time.Time
	attempt int
	limit   int
	event   string
	payload []byte
}

// HookAt dates the hook: in its envelope and in the timestamp that is signed.
func HookAt(at time.Time) HookOption {
	return func(h *hook) { h.at = at }
}

// HookAttempt makes it the delivery of that number, from 1, of so many.
func HookAttempt(attempt, limit int) HookOption {
	return func(h *hook) { h.attempt, h.limit = attempt, limit }
}

// HookSecret signs with another secret; an empty one leaves the signature out,
// as the hooks of a website do.
func HookSecret(secret string) HookOption {
	return func(h *hook) { h.secret = secret }
}

// NewHookRequest makes the request of a plugin's web hook, signed with secret,
// for a handler's ServeHTTP:
//
//	handler.ServeHTTP(recorder, crisptest.NewHookRequest(secret, ev))
//
// To send it with an HTTP client, set its URL to the handler's.
func NewHookRequest(secret string, ev crisp.Event, opts ...HookOption) *http.Request {
	h := newHook(secret, time.Now(), ev.EventName(), payloadOf(ev))
	for _, opt := range opts {
		opt(h)
	}
	r, err := h.request(context.Background(), "http://127.0.0.1/")
	if err != nil {
		panic("crisptest: NewHookRequest: " + err.Error()) // no argument can cause it
	}
	return r
}

// Limits and origins of hooks.
const (
	defaultHookAttempts = 5
	originPlugin        = "plugin"
	originWebsite       = "website"
)

func newHook(secret string, at time.Time, event string, payload []byte) *hook {
	return &hook{
		secret:  secret,
		origin:  originPlugin,
		at:      at,
		attempt: 1,
		limit:   defaultHookAttempts,
		event:   event,
		payload: payload,
	}
}

// body is the envelope, whose timestamp is in milliseconds.
func (h *hook) body() []byte {
	em := emission{name: h.event, payload: h.payload}
	return mustJSON(struct {
		WebsiteID string          `json:"website_id"`
		Event     string          `json:"event"`
		Data      json.RawMessage `json:"data"`
		Timestamp int64           `json:"timestamp"`
	}{em.scope().WebsiteID, h.event, h.payload, h.at.UnixMilli()})
}

func (h *hook) request(ctx context.Context, url string) (*http.Request, error) {
	body := h.body()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	timestamp := strconv.FormatInt(h.at.UnixMilli(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Crisp-Hook (crisptest)")
	r.Header.Set("X-Crisp-Hook-Origin", h.origin)
	r.Header.Set("X-Crisp-Request-Timestamp", timestamp)
	r.Header.Set("X-Delivery-Attempt-Count", strconv.Itoa(h.attempt))
	r.Header.Set("X-Delivery-Attempt-Limit", strconv.Itoa(h.limit))
	if h.secret != "" {
		r.Header.Set("X-Crisp-Signature", sign(h.secret, timestamp, body))
	}
	return r, nil
}

// sign is the plugin hooks' signature, written out here so that a mistake in
// the library's own is not repeated by its test server.
func sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "[%s;%s]", timestamp, body)
	return hex.EncodeToString(mac.Sum(nil))
}

// PostHook posts an event to a URL as a plugin's web hook, signed with
// [Server.SigningSecret], once and whatever the answer is. The answer's body
// has been read; it need not be closed. The error is that of the HTTP client.
func (s *Server) PostHook(ctx context.Context, url string, ev crisp.Event, opts ...HookOption) (*http.Response, error) {
	h := newHook(s.signingSecret, time.Now(), ev.EventName(), payloadOf(ev))
	for _, opt := range opts {
		opt(h)
	}
	return s.post(ctx, url, h)
}

func (s *Server) post(ctx context.Context, url string, h *hook) (*http.Response, error) {
	r, err := h.request(ctx, url)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}
