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

// maxRetryAfter bounds what a Retry-After header can ask for: Crisp's quotas
// are daily, so that no sensible wait is longer.
const maxRetryAfter = 24 * time.Hour

// answer is what came back from a REST call, of any status.
type answer struct {
	call   *call
	status int
	header http.Header
	body   []byte
	at     time.Time // when it came
}

// envelope is the form of every answer of Crisp's.
type envelope struct {
	Error  bool            `json:"error"`
	Reason string          `json:"reason"`
	Data   json.RawMessage `json:"data"`
}

// What can be wrong with the body of an answer.
var (
	errEmpty    = errors.New("answered nothing, not JSON")
	errHTML     = errors.New("answered HTML, not JSON")
	errNotJSON  = errors.New("answered something that is not JSON")
	errNotCrisp = errors.New(`answered JSON, but not Crisp's {"error", "reason", "data"}`)
	errNoData   = errors.New("answered no data")
	errTooLarge = fmt.Errorf("%w: the answer exceeds %d MiB", ErrTooLarge, maxAnswer>>20)
	errRedirect = errors.New("redirects are not followed: is the base URL right?")
)

// decode gives out the data of a success; anything else is an error.
func (a *answer) decode(out any) error {
	env, err := a.parse()
	if !a.success() || env.Error {
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

// retryAfter is how long the server asks to wait; 0 if it doesn't.
func (a *answer) retryAfter() time.Duration {
	return parseRetryAfter(a.header.Get("Retry-After"), a.at)
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
	if body[0] != '{' || json.Unmarshal(body, &env) != nil {
		return envelope{}, errNotCrisp
	}
	return env, nil
}

// refusal makes the error of an answer that is no success.
func (a *answer) refusal(env envelope, err error) *APIError {
	switch {
	case a.status >= 300 && a.status < 400:
		err = errRedirect
	case errors.Is(err, errEmpty):
		err = nil // the status says it all
	}
	return &APIError{
		Method:     a.call.method,
		Route:      a.call.route,
		StatusCode: a.status,
		Reason:     env.Reason,
		Data:       env.Data,
		RetryAfter: a.retryAfter(),
		problem:    err,
	}
}

// unusable makes the error of a success that can't be used.
func (a *answer) unusable(err error) *AnswerError {
	return &AnswerError{Method: a.call.method, Route: a.call.route, StatusCode: a.status, Err: err}
}

// misfit says where data did not fit a Go value. It does not wrap the error of
// the decoder, which may quote them.
func misfit(err error, out any) error {
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
