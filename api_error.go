package crisp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// APIError is the refusal of a REST call: any answer that is no success. Find it
// with [errors.As]. Its Is method makes it match [ErrUnauthorized], [ErrScope],
// [ErrQuota] and [ErrRateLimited].
//
// Not every refusal is Crisp's: see [APIError.FromCrisp].
type APIError struct {
	Method     string          // HTTP method of the call
	Route      string          // path of the call below the base URL, without query
	StatusCode int             // HTTP status
	Reason     string          // the answer's "reason", e.g. "not_allowed"; empty if the refusal is not Crisp's
	Data       json.RawMessage // the answer's "data", nil if there was none
	RetryAfter time.Duration   // how long the server asks to wait, at most 24 hours; 0 = it did not say

	fromCrisp bool
	problem   error // what the answer was instead of Crisp's; nil if it was Crisp's
}

// FromCrisp reports whether the refusal has the form of Crisp's answers. Any other comes from
// something in between, such as a gateway that is being restarted. Whatever its status is, it
// says nothing of the token, nor of what was asked for, and may be over soon. The answer to a
// HEAD request has no body, and so doesn't show whose it is.
func (e *APIError) FromCrisp() bool { return e.fromCrisp || e.Reason != "" }

// Error names method, route, status, the beginning of the reason, and what to
// check. The data stay out of it: they may repeat what was sent.
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
	if advice := adviceOn[e.Reason]; advice != "" {
		b.WriteString(": " + advice)
	}
	if e.problem != nil {
		fmt.Fprintf(&b, ": %v", e.problem)
	}
	return b.String()
}

// MarshalText is Error: encoders such as encoding/json leave the data out, too.
func (e APIError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// Format is Error with every verb, lest %#v show the data.
func (e APIError) Format(f fmt.State, verb rune) { formatError(f, verb, &e) }

// Reasons of Crisp's that mean more than their status.
const (
	reasonSession      = "invalid_session"
	reasonScope        = "not_allowed"
	reasonTier         = "restricted_route_tier"
	reasonConversation = "conversation_not_found"
	reasonOldSession   = "session_not_found" // an older name of the same
	reasonSubscription = "not_subscribed"
)

// adviceOnToken is what to check where credentials are refused.
const adviceOnToken = "check the token: identifier, key, and kind (plugin, user or website)"

const adviceOnConversation = "is the session of this website, and not removed?"

// adviceOn says what to check where Crisp's reason doesn't.
var adviceOn = map[string]string{
	reasonSession: adviceOnToken,
	reasonScope:   "check the token: does it have the scope for this route, and access to the website?",
	reasonTier:    "this route is for tokens of another kind (plugin, user or website)",

	reasonConversation: adviceOnConversation,
	reasonOldSession:   adviceOnConversation,
	reasonSubscription: "the website has not installed the token's plugin: check the website and the token",
}

// Is makes refusals match [ErrUnauthorized], [ErrScope], [ErrQuota] and
// [ErrRateLimited], at most one of them.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.refusesToken() && !e.lacksScope()
	case ErrScope:
		return e.refusesToken() && e.lacksScope()
	case ErrQuota:
		return e.overQuota()
	case ErrRateLimited:
		return limited(e.StatusCode) && !e.overQuota()
	}
	return false
}

func (e *APIError) refusesToken() bool {
	return e.FromCrisp() && !e.overQuota() &&
		(e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden)
}

func (e *APIError) lacksScope() bool { return e.Reason == reasonScope || e.Reason == reasonTier }

// gone reports whether an error says that a conversation does not exist, or no longer. A 404
// alone doesn't: Crisp uses it for unknown routes and websites, too, and gateways for whatever
// they can't find.
func gone(err error) bool {
	var refusal *APIError
	return errors.As(err, &refusal) && refusal.StatusCode == http.StatusNotFound &&
		(refusal.Reason == reasonConversation || refusal.Reason == reasonOldSession)
}

// final reports whether Crisp has refused a call for good, so that sending it again can't help.
func final(err error) bool {
	var refusal *APIError
	return errors.As(err, &refusal) && refusal.FromCrisp() && !refusal.overQuota() &&
		refusal.StatusCode >= 400 && refusal.StatusCode < 500 && !passing(refusal.StatusCode)
}

// longestWait is the longest wait that a server can ask for. A rate limit needs no more: what
// does is a quota. And a failing server can't know how long it will fail: whoever waits for a
// day because it says so is away for a day.
const longestWait = 15 * time.Minute

// overQuota reports whether a quota is used up, which no pause mends. Crisp has a status and a
// reason for that; a limit in front of Crisp may only say to come back tomorrow.
func (e *APIError) overQuota() bool {
	return e.StatusCode == http.StatusLocked || strings.Contains(strings.ToLower(e.Reason), "quota") ||
		limited(e.StatusCode) && e.RetryAfter > longestWait
}

// limited reports whether a status says that there were too many calls.
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

// Error names method, route, status and what is wrong.
func (e *AnswerError) Error() string {
	return fmt.Sprintf("crisp: %s %s: status %d: %v", e.Method, e.Route, e.StatusCode, e.Err)
}

// Unwrap returns what is wrong with the answer.
func (e *AnswerError) Unwrap() error { return e.Err }

// passing reports whether a refusal with a 4xx status may be over by a later call.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked, http.StatusTooEarly,
		http.StatusTooManyRequests, statusEnhanceYourCalm:
		return true
	}
	return false
}

// statusEnhanceYourCalm is the other status that Crisp limits rates with.
const statusEnhanceYourCalm = 420
