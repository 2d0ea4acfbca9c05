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

// envelope is the form of all of Crisp's answers. One without it comes from something in
// between, such as a gateway, a proxy or a captive portal, and says nothing of what Crisp would
// answer: its 401 refuses no token, and its 404 removes no conversation. Only the body shows who
// has answered: everybody uses the same statuses, and a Content-Type is whatever a server was
// configured to claim.
type envelope struct {
	Error  *bool           `json:"error"`
	Reason *string         `json:"reason"`
	Data   json.RawMessage `json:"data"`
}

// fails reports whether the envelope says that it is a refusal, whatever the status.
func (e envelope) fails() bool { return e.Error != nil && *e.Error }

// whole reports whether it has everything that a refusal of Crisp's has. A success may lack
// some of that, and is judged by its data.
func (e envelope) whole() bool { return e.Error != nil && e.Reason != nil }

// foreign reports whether an object has members, but none of an envelope.
func (e envelope) foreign(object []byte) bool {
	return e.Error == nil && e.Reason == nil && e.Data == nil && len(bytes.Trim(object, "{} \t\r\n")) > 0
}

// What can be wrong with an answer.
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

// retryAfter returns how long the server asks to wait; 0 if it doesn't. A date is compared with
// the server's own.
func (a *answer) retryAfter() time.Duration {
	now, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		now = a.at
	}
	return parseRetryAfter(a.header.Get("Retry-After"), now)
}

// date returns what Crisp's clock showed when it answered; ok is false if the answer comes from
// a cache or is not Crisp's.
func (a *answer) date() (date time.Time, ok bool) {
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

// list is data that must be a list. Null is refused: taken for an empty list, it would make
// what exists seem missing.
type list []json.RawMessage

// UnmarshalJSON accepts nothing but a list.
func (l *list) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		return errNoList
	}
	return json.Unmarshal(data, (*[]json.RawMessage)(l))
}

// misfit returns an error that says where data did not fit a Go value. It does not wrap that of
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

// parseRetryAfter reads a Retry-After header, which has seconds or an HTTP date: at most
// maxRetryAfter, and 0 if it is absent, malformed or in the past.
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
