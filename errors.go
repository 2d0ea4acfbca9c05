package crisp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/crisp-go/crisp/internal/payload"
)

// Conditions to test for with [errors.Is].
var (
	// ErrUnauthorized: Crisp refused the credentials, over the RTM API
	// (event "unauthorized") or REST (401 or 403). Retrying can't help, so it
	// ends [RTM.Run].
	ErrUnauthorized = errors.New("crisp: credentials refused")

	// ErrClosed: the RTM client was closed or shut down. It is what [RTM.Run]
	// returns after [RTM.Close] and [RTM.Shutdown], as net/http's servers do.
	ErrClosed = errors.New("crisp: RTM client closed")

	// ErrRunning: [RTM.Run] was called a second time; make another RTM.
	ErrRunning = errors.New("crisp: RTM.Run was called already: an RTM runs once, make another with Client.NewRTM")

	// ErrSignature: a web hook's signature or URL secret is missing or wrong.
	ErrSignature = errors.New("crisp: web hook not authentic")

	// ErrStale: a web hook's signed timestamp is too old or in the future.
	ErrStale = errors.New("crisp: web hook timestamp outside the tolerance")

	// ErrSilent: the RTM server did not answer the authentication. Crisp
	// leaves connections silent that exceed its (unpublished) limits per IP,
	// token or website.
	ErrSilent = errors.New("crisp: no answer to the RTM authentication: the connection limit may have been reached (share one RTM client between your users)")

	// ErrTooLarge: an answer, a web hook or a frame exceeds the size limit.
	ErrTooLarge = errors.New("crisp: too large")

	// ErrSlowConsumer: handlers are slower than the events come and the queue
	// is full, so that events are dropped (only with [OverflowDrop]). It is
	// reported once per episode.
	ErrSlowConsumer = errors.New("crisp: handlers are too slow: the queue is full and events are dropped")

	// ErrPosition: a stored position can't be read, or is ahead of the clock.
	// [RTM.Run] goes on without it, after telling the router's error handler: what
	// was missed since the last run is then unknown.
	ErrPosition = errors.New("crisp: the stored position is unusable")

	// ErrRateLimited: a REST call was refused because there were too many (status
	// 429 or 420), until the time for it was over. The client slows down and
	// sends such calls again by itself, as long as their contexts last.
	ErrRateLimited = errors.New("crisp: rate limited")

	// ErrQuota: a REST call was refused because the token's daily quota is used
	// up: status 429 or 420 with a reason that speaks of a quota, or with a
	// Retry-After of more than 15 minutes, which no rate limit needs. Such calls
	// are not sent again. Not being rate limited, it does not match
	// [ErrRateLimited].
	ErrQuota = errors.New("crisp: quota used up")

	// ErrReplyLimit: a handler would have sent more messages into a conversation
	// than [LimitReplies] allows.
	ErrReplyLimit = errors.New("crisp: reply limit of the conversation reached")

	// ErrInsecure: an endpoint without TLS on a host that is not loopback.
	ErrInsecure = errors.New("crisp: refusing an endpoint without TLS (only loopback hosts may do without)")
)

// APIError is Crisp's refusal of a REST call: any answer that is no success.
// Find it with [errors.As]; 401 and 403 also match [ErrUnauthorized], 429 and
// 420 either [ErrQuota] or [ErrRateLimited].
type APIError struct {
	Method     string          // HTTP method of the call
	Route      string          // path of the call below the base URL, without query
	StatusCode int             // HTTP status
	Reason     string          // the answer's "reason", e.g. "not_allowed"; empty if the body was not Crisp's
	Data       json.RawMessage // the answer's "data", nil if there was none
	RetryAfter time.Duration   // how long the server asks to wait, at most 24 hours; 0 = it did not say

	problem error // what the answer was instead of Crisp's; nil if it was Crisp's
}

// Error gives method, route, status and the beginning of the reason. The data
// stay out of it: they may repeat what was sent.
func (e *APIError) Error() string {
	var b strings.Builder
	b.WriteString("crisp: ")
	if e.Method != "" {
		fmt.Fprintf(&b, "%s %s: ", e.Method, e.Route)
	}
	fmt.Fprintf(&b, "status %d", e.StatusCode)
	if text := http.StatusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, ", reason %.200q", e.Reason)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, ", retry after %s", e.RetryAfter)
	}
	if e.problem != nil {
		fmt.Fprintf(&b, ": %v", e.problem)
	}
	return b.String()
}

// Is makes statuses match [ErrUnauthorized], [ErrQuota] and [ErrRateLimited].
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
	case ErrQuota:
		return limited(e.StatusCode) && e.overQuota()
	case ErrRateLimited:
		return limited(e.StatusCode) && !e.overQuota()
	}
	return false
}

// longestLimit is the longest wait that a rate limit asks for: what is longer
// is a quota.
const longestLimit = 15 * time.Minute

// overQuota tells, of a refusal for too many calls, that a pause won't help.
// Crisp documents neither the reason nor the headers of such refusals.
func (e *APIError) overQuota() bool {
	return strings.Contains(strings.ToLower(e.Reason), "quota") || e.RetryAfter > longestLimit
}

// limited tells whether a status refuses a call because there were too many.
func limited(status int) bool {
	return status == http.StatusTooManyRequests || status == statusEnhanceYourCalm
}

// AnswerError is an answer to a REST call that reports success but can't be
// used: no JSON, not in Crisp's form, too large ([ErrTooLarge]), or without
// what was asked for. The call may have had its effect.
type AnswerError struct {
	Method     string // HTTP method of the call
	Route      string // path of the call below the base URL, without query
	StatusCode int    // HTTP status
	Err        error  // what is wrong with the answer; never quotes it
}

// Error gives method, route, status and what is wrong.
func (e *AnswerError) Error() string {
	return fmt.Sprintf("crisp: %s %s: status %d: %v", e.Method, e.Route, e.StatusCode, e.Err)
}

// Unwrap gives what is wrong with the answer.
func (e *AnswerError) Unwrap() error { return e.Err }

// SyntaxError is what [Decode] returns for a payload that is not valid JSON.
type SyntaxError struct {
	Event    string // its name; empty for a part of a payload that was decoded by itself
	Offset   int    // of the byte where the JSON ends to be valid
	Expected string // what would have been valid there, e.g. "a colon"
}

// Error says where the payload is wrong; it never quotes it.
func (e *SyntaxError) Error() string {
	what := "crisp: "
	if e.Event != "" {
		what += e.Event + ": "
	}
	return fmt.Sprintf("%sinvalid JSON at byte %d: expected %s", what, e.Offset, e.Expected)
}

// syntaxError tells the event of an error of the decoder.
func syntaxError(event string, err error) error {
	var syntax *payload.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	return &SyntaxError{Event: event, Offset: syntax.Offset, Expected: syntax.Expected}
}

// WebhookError is what the router's error handler hears of a web hook that was
// refused before any handler ran.
type WebhookError struct {
	StatusCode int   // what it was answered: see Webhook
	Err        error // why; matches ErrSignature, ErrStale or ErrTooLarge if it was for that
}

// Error says why; it quotes neither the request nor a secret.
func (e *WebhookError) Error() string {
	return fmt.Sprintf("crisp: web hook answered %d: %s", e.StatusCode, strings.TrimPrefix(e.Err.Error(), "crisp: "))
}

// Unwrap gives the reason.
func (e *WebhookError) Unwrap() error { return e.Err }

// HandlerError is what the router's error handler hears when a handler or a
// middleware failed or panicked.
type HandlerError struct {
	Event Event
	Err   error  // what the handler returned, or the panic's value as an error ("panic: …")
	Stack []byte // the goroutine's stack where it panicked; nil if it did not
}

// Error names the event and says what the handler returned; the payload stays
// out of it.
func (e *HandlerError) Error() string {
	return fmt.Sprintf("crisp: a handler of %s failed: %v", e.Event.EventName(), e.Err)
}

// Unwrap gives what the handler returned.
func (e *HandlerError) Unwrap() error { return e.Err }

// DriftError is what the router's error handler hears of an event whose
// payload has fields of unexpected types. The event reached its handlers all
// the same, with those fields left zero.
type DriftError struct {
	Event    Event
	Problems []FieldProblem // as in Meta.Problems; at least one
}

// Error names the event and its first problem, never a field's value.
func (e *DriftError) Error() string {
	s := fmt.Sprintf("crisp: %s: %s", e.Event.EventName(), e.Problems[0])
	if n := len(e.Problems) - 1; n > 0 {
		s += fmt.Sprintf(" (and %d more)", n)
	}
	return s
}
