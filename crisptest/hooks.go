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

// HookOption configures a web hook for [NewHookRequest] and [Server.PostHook].
type HookOption func(*hook)

// HookAt sets the time of the event and of the delivery: the timestamp of the
// envelope and the one that is signed. By default both are now.
func HookAt(at time.Time) HookOption {
	return func(h *hook) { h.happened, h.sent = at, at }
}

// HookAttempt sets the number of the attempt, from 1, and the limit of attempts.
// By default they are 1 and 5.
func HookAttempt(attempt, limit int) HookOption {
	return func(h *hook) { h.attempt, h.limit = attempt, limit }
}

// HookSecret sets the secret to sign with. With an empty one the web hook is not
// signed, like those of a website.
func HookSecret(secret string) HookOption {
	return func(h *hook) {
		h.secret = secret
		if secret == "" {
			h.origin = originWebsite
		}
	}
}

// The values of X-Crisp-Hook-Origin.
const (
	originPlugin  = "plugin"
	originWebsite = "website"
)

// hookAgent is the User-Agent of Crisp's web hooks.
const hookAgent = "Crisp-HooksDeliver 1.0 (+https://crisp.chat)"

// hook is a web hook to be sent.
type hook struct {
	secret   string // empty if it is not signed
	origin   string
	happened time.Time // when the event happened; the same in each attempt
	sent     time.Time // when this attempt is made
	attempt  int
	limit    int
	event    string
	body     []byte // must not be changed: attempts and subscribers share it
}

func newPluginHook(secret string, at time.Time, event string) *hook {
	return &hook{
		secret:   secret,
		origin:   originPlugin,
		happened: at,
		sent:     at,
		attempt:  1,
		limit:    defaultHookAttempts,
		event:    event,
	}
}

// NewHookRequest returns the request of a plugin's web hook, signed with the
// secret, for a handler's ServeHTTP:
//
//	handler.ServeHTTP(recorder, crisptest.NewHookRequest(secret, ev))
//
// To send it with an HTTP client, set its URL.
func NewHookRequest(secret string, ev crisp.Event, opts ...HookOption) *http.Request {
	h := hookOf(secret, time.Now(), ev, opts)
	r, err := h.request(context.Background(), "http://127.0.0.1/")
	if err != nil {
		panic("crisptest: NewHookRequest: " + err.Error()) // no argument can cause this
	}
	return r
}

// hookOf makes a hook of an event, as options say.
func hookOf(secret string, at time.Time, ev crisp.Event, opts []HookOption) *hook {
	h := newPluginHook(secret, at, ev.EventName())
	for _, opt := range opts {
		opt(h)
	}
	h.body = hookBody(h.event, mustJSON(ev), h.happened)
	return h
}

// hookBody returns the envelope, whose timestamp is in milliseconds.
func hookBody(event string, payload []byte, happened time.Time) []byte {
	var of scope
	of.read(payload)
	return mustJSON(struct {
		WebsiteID string          `json:"website_id"`
		Event     string          `json:"event"`
		Data      json.RawMessage `json:"data"`
		Timestamp int64           `json:"timestamp"`
	}{of.WebsiteID, event, payload, happened.UnixMilli()})
}

func (h *hook) request(ctx context.Context, url string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(h.body))
	if err != nil {
		return nil, err
	}
	timestamp := strconv.FormatInt(h.sent.UnixMilli(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", hookAgent)
	r.Header.Set("X-Crisp-Hook-Origin", h.origin)
	r.Header.Set("X-Crisp-Request-Timestamp", timestamp)
	r.Header.Set("X-Delivery-Attempt-Count", strconv.Itoa(h.attempt))
	r.Header.Set("X-Delivery-Attempt-Limit", strconv.Itoa(h.limit))
	if h.secret != "" {
		r.Header.Set("X-Crisp-Signature", sign(h.secret, timestamp, h.body))
	}
	return r, nil
}

// sign returns the signature of a plugin hook. It doesn't use package crisp, so
// that a mistake there shows in tests.
func sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "[%s;%s]", timestamp, body)
	return hex.EncodeToString(mac.Sum(nil))
}

// PostHook posts an event to a URL as a plugin's web hook, signed with
// [Server.SigningSecret]. It makes a single attempt, which [Server.Deliveries]
// includes, and returns the answer, whatever its status. The body of the answer
// has been read already and need not be closed. The error is that of the HTTP
// client.
func (s *Server) PostHook(ctx context.Context, url string, ev crisp.Event, opts ...HookOption) (*http.Response, error) {
	h := hookOf(s.signingSecret, s.clock(), ev, opts)
	answer, d := s.deliver(ctx, url, h)
	return answer, d.Err
}

func (s *Server) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Delivery is one attempt to deliver a web hook.
type Delivery struct {
	URL     string        // to which it was sent
	Event   string        // name of the event
	Attempt int           // number of the attempt, from 1
	Limit   int           // how many attempts are made at most
	Header  http.Header   // of the request
	Body    []byte        // of the request; must not be changed
	Status  int           // HTTP status of the answer; 0 if there was none
	Answer  []byte        // body of the answer
	Err     error         // why there was no answer
	Time    time.Time     // when it was sent
	Took    time.Duration // until the answer or the error
}

// Delivered reports whether the answer had a 2xx status, so that no further
// attempt is made.
func (d Delivery) Delivered() bool { return d.Status >= 200 && d.Status < 300 }

// weight is how many bytes its bodies take.
func (d *Delivery) weight() int { return len(d.Body) + len(d.Answer) }

// String describes the event and the answer, for failure messages.
func (d Delivery) String() string {
	outcome := fmt.Sprintf("status %d", d.Status)
	if d.Err != nil {
		outcome = d.Err.Error()
	}
	return fmt.Sprintf("%s to %s, attempt %d of %d: %s", d.Event, d.URL, d.Attempt, d.Limit, outcome)
}

// Deliveries returns the latest deliveries of web hooks ([WithHistory]) that were
// answered or failed, in the order in which they ended.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return all(&s.deliveries)
}

// deliver sends a hook and records the outcome.
func (s *Server) deliver(ctx context.Context, url string, h *hook) (*http.Response, Delivery) {
	d := Delivery{URL: url, Event: h.event, Attempt: h.attempt, Limit: h.limit, Body: h.body, Time: time.Now()}
	answer, err := s.post(ctx, &d, h)
	d.Err, d.Took = err, time.Since(d.Time)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliveries.add(&d, d.weight())
	s.note(Entry{Delivery: &d})
	s.changes.announce()
	return answer, d
}

// post sends a hook and reads the whole answer, so that nobody has to close it.
func (s *Server) post(ctx context.Context, d *Delivery, h *hook) (*http.Response, error) {
	r, err := h.request(ctx, d.URL)
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
