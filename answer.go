package crisp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxAnswer bounds what is read of an answer to a REST call.
const maxAnswer = 16 << 20

// maxRetryAfter bounds what a Retry-After header can ask for: Crisp's quotas
// are daily, so that no sensible wait is longer.
const maxRetryAfter = 24 * time.Hour

// answer is what came back from a REST call, of any status.
type answer struct {
	method string
	route  string // see call
	status int
	header http.Header
	body   []byte
	at     time.Time // when it came
}

// envelope is the form of every answer of Crisp's. What lacks it comes from
// something in between, such as a gateway, a proxy or a captive portal, and says
// nothing of what Crisp would answer: its statuses refuse no token, and remove no
// conversation. Only the body shows whose word it is: statuses are everybody's,
// and the type of the content is what a server was configured to claim.
type envelope struct {
	Error  *bool           `json:"error"`
	Reason *string         `json:"reason"`
	Data   json.RawMessage `json:"data"`
}

// fails reports whether the envelope is that of a refusal, whatever the status.
func (e envelope) fails() bool { return e.Error != nil && *e.Error }

// whole reports whether it has what a refusal of Crisp's has. A success may do
// without some of it: that is judged by its data.
func (e envelope) whole() bool { return e.Error != nil && e.Reason != nil }

// foreign reports whether an object has nothing of an envelope, but something
// else.
func (e envelope) foreign(object []byte) bool {
	return e.Error == nil && e.Reason == nil && e.Data == nil && len(bytes.Trim(object, "{} \t\r\n")) > 0
}

// What can be wrong with the body of an answer.
var (
	errEmpty    = errors.New("answered nothing, not JSON")
	errHTML     = errors.New("answered HTML, not JSON")
	errNotJSON  = errors.New("answered something that is not JSON")
	errNotCrisp = errors.New(`answered JSON, but not Crisp's {"error", "reason", "data"}`)
	errNoList   = errors.New("answered data that are no list")
	errRepeats  = errors.New("the page has nothing that was not on one before: its number is not heeded, or all of it has moved meanwhile")
	errNoData   = errors.New("answered no data")
	errTooLarge = fmt.Errorf("%w: the answer exceeds %d MiB", ErrTooLarge, maxAnswer>>20)
	errBetween  = errors.New("not Crisp's answer, but a gateway's or proxy's")
	errProxy    = errors.New("the proxy refused its credentials: check those in HTTPS_PROXY, or where the HTTP client has them from")
	errCache    = errors.New("a cache answered that nothing has changed, though the call did not ask for that: " + errBetween.Error())
	errRedirect = errors.New("redirects are not followed: is the base URL right?")
)

// decode reads the data of a success into out; anything else is an error.
func (a *answer) decode(out any) error {
	env, err := a.parse()
	if !a.success() || env.fails() {
		return a.refusal(env, err)
	}
	switch {
	case errors.Is(err, errEmpty) && out == nil:
		return nil
	case err != nil:
		return a.unusable(err)
	case out == nil:
		return nil
	case env.Data == nil:
		return a.unusable(errNoData)
	}
	if err := json.Unmarshal(env.Data, out); err != nil {
		return a.unusable(misfit(err, out))
	}
	return nil
}

// retryAfter is how long the server asks to wait; 0 if it doesn't. A date is
// meant by its own clock.
func (a *answer) retryAfter() time.Duration {
	now, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		now = a.at
	}
	return parseRetryAfter(a.header.Get("Retry-After"), now)
}

// date is the time that Crisp's clock showed when it answered. That of an answer
// that was kept for a while says nothing, nor does that of somebody else's.
func (a *answer) date() (time.Time, bool) {
	switch a.header.Get("Bloom-Status") {
	case "HIT", "OFFLINE":
		return time.Time{}, false
	}
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil || a.header.Get("Age") != "" {
		return time.Time{}, false
	}
	env, err := a.parse()
	return date, err == nil && env.Error != nil && (env.Reason != nil || env.Data != nil)
}

func (a *answer) success() bool { return a.status >= 200 && a.status < 300 }

// parse reads the body; an error says what it is instead of an envelope.
func (a *answer) parse() (env envelope, err error) {
	body := bytes.TrimSpace(a.body)
	switch {
	case len(a.body) > maxAnswer:
		return env, errTooLarge
	case len(body) == 0:
		return env, errEmpty
	case json.Valid(body):
	case body[0] == '<', strings.HasPrefix(a.header.Get("Content-Type"), "text/html"):
		return env, errHTML
	default:
		return env, errNotJSON
	}
	if body[0] != '{' || json.Unmarshal(body, &env) != nil || env.foreign(body) {
		return envelope{}, errNotCrisp
	}
	return env, nil
}

// refusal makes the error of an answer that is no success.
func (a *answer) refusal(env envelope, err error) *APIError {
	refusal := &APIError{
		Method:     a.method,
		Route:      a.route,
		StatusCode: a.status,
		RetryAfter: a.retryAfter(),
	}
	if env.whole() {
		refusal.fromCrisp, refusal.Reason, refusal.Data = true, *env.Reason, env.Data
		return refusal
	}
	switch {
	case a.status == http.StatusProxyAuthRequired:
		refusal.problem = errProxy
	case a.status == http.StatusNotModified:
		refusal.problem = errCache
	case a.status >= 300 && a.status < 400:
		refusal.problem = errRedirect
	case a.method == http.MethodHead: // nobody's answer has a body
	case err == nil:
		refusal.problem = fmt.Errorf("%w: %w", errNotCrisp, errBetween)
	default:
		refusal.problem = fmt.Errorf("%w: %w", err, errBetween)
	}
	return refusal
}

// unusable makes the error of a success that can't be used.
func (a *answer) unusable(err error) *AnswerError {
	return &AnswerError{Method: a.method, Route: a.route, StatusCode: a.status, Err: err}
}

// list gets data that are due to be a list. Null is none: whoever took it for an
// empty one would take what is there for missing.
type list []json.RawMessage

// UnmarshalJSON accepts nothing but a list.
func (l *list) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		return errNoList
	}
	return json.Unmarshal(data, (*[]json.RawMessage)(l))
}

// misfit says where data did not fit a Go value. It does not wrap the error of
// the decoder, which may quote them.
func misfit(err error, out any) error {
	if errors.Is(err, errNoList) {
		return errNoList
	}
	var typeErr *json.UnmarshalTypeError
	if !errors.As(err, &typeErr) {
		return fmt.Errorf("the data don't fit %T", out)
	}
	kind, _, _ := strings.Cut(typeErr.Value, " ") // of "number 300"
	return fmt.Errorf("the data don't fit %T: %s", out,
		FieldProblem{Path: cmp.Or(typeErr.Field, "data"), Wanted: typeErr.Type.String(), Got: kind})
}

// parseRetryAfter reads a Retry-After header: seconds or an HTTP date. What is
// absent, malformed or over is 0.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

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

// FromCrisp reports whether the refusal has the form of Crisp's answers. Any other is that of something in between, such as a gateway that is
// being restarted, whatever its status is: it says nothing of the token, nor of
// what was asked for, and may be over soon. The answer to a HEAD request has no
// body, so that nobody can know whose it is.
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
	reasonOldSession   = "session_not_found" // the same, of older days
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

// gone reports whether a conversation does not exist, or no longer. A 404 alone
// doesn't say so: Crisp has it for unknown routes and websites, too, and gateways
// for whatever they can't find.
func gone(err error) bool {
	var refusal *APIError
	return errors.As(err, &refusal) && refusal.StatusCode == http.StatusNotFound &&
		(refusal.Reason == reasonConversation || refusal.Reason == reasonOldSession)
}

// final reports whether an error is Crisp's refusal of a call for good: a later
// one would meet the same.
func final(err error) bool {
	var refusal *APIError
	return errors.As(err, &refusal) && refusal.FromCrisp() && !refusal.overQuota() &&
		refusal.StatusCode >= 400 && refusal.StatusCode < 500 && !passing(refusal.StatusCode)
}

// longestWait is the longest that a server is believed when it asks for time. A
// limit of the rate needs no longer: what does is a quota. A failing server can't
// know, and whoever heeded a day that it asks for would be away for a day.
const longestWait = 15 * time.Minute

// overQuota reports whether a refusal is one that a pause won't mend. Crisp has a
// status of its own for it, and a reason; but who is refused by a limit in front
// of Crisp may only be told to come back tomorrow.
func (e *APIError) overQuota() bool {
	return e.StatusCode == http.StatusLocked || strings.Contains(strings.ToLower(e.Reason), "quota") ||
		limited(e.StatusCode) && e.RetryAfter > longestWait
}

// limited reports whether a status refuses a call because there were too many.
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

// passing reports whether a later call may not meet a refusal of status 4xx.
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

// RateLimit is what Crisp said last of its limits, in the headers of an answer.
// It documents none of them; the usual names are understood: Retry-After, and
// X-RateLimit-Limit, -Remaining and -Reset, with or without the X.
type RateLimit struct {
	// Limit is how many calls are allowed in the current period; 0 = not told,
	// and then Remaining isn't either.
	Limit int
	// Remaining is how many of them are left.
	Remaining int
	// Reset is when the next period begins; zero = not told.
	Reset time.Time
	// RetryAt is when a call that was refused may be sent again; zero = not told.
	RetryAt time.Time
	// Told is when this was told; zero = never.
	Told time.Time
}

// RateLimit returns what Crisp said last of its limits. The client keeps to them
// by itself; this is for programs that want to use up less than there is.
func (c *Client) RateLimit() RateLimit {
	c.told.mu.Lock()
	defer c.told.mu.Unlock()
	return c.told.last
}

// toldLimits keeps what Crisp said last of a client's limits.
type toldLimits struct {
	mu   sync.Mutex // guards last
	last RateLimit
}

// hear takes note of what an answer says of limits, if it does.
func (t *toldLimits) hear(h http.Header, now time.Time) {
	told := parseRateLimit(h, now)
	if told.Limit == 0 && told.Reset.IsZero() && told.RetryAt.IsZero() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = told
}

func parseRateLimit(h http.Header, now time.Time) RateLimit {
	told := RateLimit{Told: now}
	told.Limit = int(limitHeader(h, "Limit", strconv.IntSize))
	if told.Limit > 0 {
		told.Remaining = int(limitHeader(h, "Remaining", strconv.IntSize))
	}
	if reset := limitHeader(h, "Reset", 64); reset > 0 {
		told.Reset = resetTime(reset, now)
	}
	if wait := parseRetryAfter(h.Get("Retry-After"), now); wait > 0 {
		told.RetryAt = now.Add(wait)
	}
	return told
}

// limitHeader reads a number that fits into so many bits; 0 if it is absent or
// makes no sense. What may follow it, as in "100, 100;w=60", is left out.
func limitHeader(h http.Header, name string, bits int) int64 {
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		value, _, _ := strings.Cut(h.Get(prefix+name), ",")
		if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, bits); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// resetTime reads a number by its magnitude: seconds from now, or the UNIX time in
// seconds or milliseconds.
func resetTime(n int64, now time.Time) time.Time {
	switch {
	case n < 1e9:
		return now.Add(time.Duration(n) * time.Second)
	case n < 1e11:
		return time.Unix(n, 0)
	default:
		return time.UnixMilli(n)
	}
}
