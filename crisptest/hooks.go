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
	"slices"
	"strconv"
	"time"

	"github.com/crisp-go/crisp"
)

// HookOption changes a web hook from what Crisp would send.
type HookOption func(*hook)

// HookAt dates the event and the delivery: the envelope's timestamp and the one
// that is signed.
func HookAt(at time.Time) HookOption {
	return func(h *hook) { h.happened, h.sent = at, at }
}

// HookAttempt makes it the delivery of that number, from 1, of so many.
func HookAttempt(attempt, limit int) HookOption {
	return func(h *hook) { h.attempt, h.limit = attempt, limit }
}

// HookSecret signs with another secret; an empty one leaves the signature out,
// as the hooks of a website do.
func HookSecret(secret string) HookOption {
	return func(h *hook) {
		h.secret = secret
		if secret == "" {
			h.origin = originWebsite
		}
	}
}

// Origins of hooks, as their header names them.
const (
	originPlugin  = "plugin"
	originWebsite = "website"
)

// hook is a web hook to be sent.
type hook struct {
	secret   string // empty: not signed
	origin   string
	happened time.Time // the event; the same in each attempt
	sent     time.Time // this attempt
	attempt  int
	limit    int
	event    string
	payload  []byte
}

func newPluginHook(secret string, at time.Time, event string, payload []byte) *hook {
	return &hook{
		secret:   secret,
		origin:   originPlugin,
		happened: at,
		sent:     at,
		attempt:  1,
		limit:    defaultHookAttempts,
		event:    event,
		payload:  payload,
	}
}

// NewHookRequest makes the request of a plugin's web hook, signed with secret,
// for a handler's ServeHTTP:
//
//	handler.ServeHTTP(recorder, crisptest.NewHookRequest(secret, ev))
//
// To send it with an HTTP client, set its URL to the handler's.
func NewHookRequest(secret string, ev crisp.Event, opts ...HookOption) *http.Request {
	h := newPluginHook(secret, time.Now(), ev.EventName(), mustJSON(ev))
	for _, opt := range opts {
		opt(h)
	}
	r, err := h.request(context.Background(), "http://127.0.0.1/", h.body())
	if err != nil {
		panic("crisptest: NewHookRequest: " + err.Error()) // no argument can cause it
	}
	return r
}

// body is the envelope, whose timestamp is in milliseconds.
func (h *hook) body() []byte {
	var of scope
	of.read(h.payload)
	return mustJSON(struct {
		WebsiteID string          `json:"website_id"`
		Event     string          `json:"event"`
		Data      json.RawMessage `json:"data"`
		Timestamp int64           `json:"timestamp"`
	}{of.WebsiteID, h.event, h.payload, h.happened.UnixMilli()})
}

func (h *hook) request(ctx context.Context, url string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	timestamp := strconv.FormatInt(h.sent.UnixMilli(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "crisptest")
	r.Header.Set("X-Crisp-Hook-Origin", h.origin)
	r.Header.Set("X-Crisp-Request-Timestamp", timestamp)
	r.Header.Set("X-Delivery-Attempt-Count", strconv.Itoa(h.attempt))
	r.Header.Set("X-Delivery-Attempt-Limit", strconv.Itoa(h.limit))
	if h.secret != "" {
		r.Header.Set("X-Crisp-Signature", sign(h.secret, timestamp, body))
	}
	return r, nil
}

// sign is the signature of plugin hooks, written out here so that a mistake in
// the library's own is not repeated by what tests it.
func sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "[%s;%s]", timestamp, body)
	return hex.EncodeToString(mac.Sum(nil))
}

// PostHook posts an event to a URL as a plugin's web hook, signed with
// [Server.SigningSecret], once and whatever the answer is. The answer's body
// has been read already and needs no Close. The error is that of the HTTP
// client. It counts among the [Server.Deliveries].
func (s *Server) PostHook(ctx context.Context, url string, ev crisp.Event, opts ...HookOption) (*http.Response, error) {
	h := newPluginHook(s.signingSecret, s.clock(), ev.EventName(), mustJSON(ev))
	for _, opt := range opts {
		opt(h)
	}
	answer, d := s.deliver(ctx, url, h)
	return answer, d.Err
}

func (s *Server) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Delivery is one delivery of a web hook.
type Delivery struct {
	URL     string
	Event   string // name
	Attempt int    // from 1
	Limit   int    // how many attempts there are
	Header  http.Header
	Body    []byte // that was sent
	Status  int    // of the answer; 0 if there was none
	Answer  []byte // its body
	Err     error  // why there was no answer
	Time    time.Time
	Took    time.Duration
}

// Delivered tells whether the answer was a 2xx: nothing more is sent then.
func (d Delivery) Delivered() bool { return d.Status >= 200 && d.Status < 300 }

// String tells of the event and the answer, for failure messages.
func (d Delivery) String() string {
	outcome := fmt.Sprintf("status %d", d.Status)
	if d.Err != nil {
		outcome = d.Err.Error()
	}
	return fmt.Sprintf("%s to %s, attempt %d of %d: %s", d.Event, d.URL, d.Attempt, d.Limit, outcome)
}

// Deliveries lists the web hooks that were sent and have been answered, or
// have failed, in that order.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// deliver sends a hook and records what came of it.
func (s *Server) deliver(ctx context.Context, url string, h *hook) (*http.Response, Delivery) {
	d := Delivery{URL: url, Event: h.event, Attempt: h.attempt, Limit: h.limit, Body: h.body(), Time: time.Now()}
	answer, err := s.post(ctx, &d, h)
	d.Err, d.Took = err, time.Since(d.Time)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliveries = append(s.deliveries, d)
	s.changes.announce()
	return answer, d
}

// post reads the whole answer, so that nobody has to close it.
func (s *Server) post(ctx context.Context, d *Delivery, h *hook) (*http.Response, error) {
	r, err := h.request(ctx, d.URL, d.Body)
	if err != nil {
		return nil, err
	}
	d.Header = r.Header
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	d.Answer, err = io.ReadAll(io.LimitReader(answer.Body, maxBody))
	_ = answer.Body.Close()
	if err != nil {
		return nil, err
	}
	d.Status = answer.StatusCode
	answer.Body = io.NopCloser(bytes.NewReader(d.Answer))
	return answer, nil
}
