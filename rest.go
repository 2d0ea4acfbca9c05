package crisp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp/internal/pace"
)

const (
	// A REST call whose context has no deadline has answerTimeout for its answer, each time
	// that it is sent, and is sent again for callPatience. Until it is first sent, it waits
	// for its turn as long as other calls are accepted: until none was for callPatience.
	answerTimeout = 30 * time.Second
	callPatience  = time.Minute

	// maxSendings is how often a call that may be repeated is sent, at most, if the network or
	// the server fails each time.
	maxSendings = 4

	minFailureWait = 250 * time.Millisecond
	maxFailureWait = 5 * time.Second
)

// Do calls any route of the REST API. The path is relative to the base URL and
// may have a query, both escaped: "website/"+id+"/conversations/1?per_page=20".
// A path with an empty element, which is what a missing identifier leaves
// behind, is refused.
//
// Unless it is nil, in is sent as JSON, and out is a pointer that gets the
// "data" of the answer (a *[json.RawMessage] gets them as they are).
//
// A refusal is an [*APIError], whose FromCrisp reports whether it is Crisp's or
// that of something in between; an answer that can't be used is an
// [*AnswerError]. Errors quote neither what was sent nor what was answered.
// Redirects are not followed.
//
// A call that is refused for the rate (429, 420) is sent again when Crisp or
// the client's own pace allows, which all calls of a client keep together. GET
// and HEAD are sent again if the network or the server fails, PUT, PATCH and
// DELETE only with a context from [Idempotent], POST never; after a failure, a
// Retry-After is honoured up to 15 minutes. All of this ends with the context, and a call does
// not wait for a pause that its deadline rules out. Without a deadline, each sending has 30
// seconds to be answered; a call that was refused or failed is sent again within a minute; and
// one that was never sent waits for its turn until no other was accepted for a minute.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	return c.do(ctx, policy{}, method, path, in, out)
}

// get fetches the data of a route.
func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.Do(ctx, http.MethodGet, path, nil, out)
}

// do is Do with a policy.
func (c *Client) do(ctx context.Context, how policy, method, path string, in, out any) error {
	call, err := c.newCall(method, path, in)
	if err != nil {
		return err
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return fmt.Errorf("crisp: %s: out must be a pointer or nil, not %T", call, out)
	}
	call.out, call.policy = out, how
	if _, ok := ctx.Deadline(); !ok {
		call.timeout, call.patience = answerTimeout, callPatience
	}
	return c.send(ctx, call)
}

// call is a REST call, ready to be sent any number of times.
type call struct {
	method string
	route  string // the path below the base URL, without query: what errors show
	url    string
	body   []byte        // nil = none
	out    any           // pointer to what the data of the answer are read into; nil = they are not
	sent   int           // how often it was sent so far
	waited time.Duration // for its turn, before it was last sent
	policy
}

// policy is how a call is sent. The zero value is the usual way.
type policy struct {
	once       bool          // take no turn, and don't send again
	persistent bool          // send again until the context ends, whatever failed, unless it was refused for good
	timeout    time.Duration // for the answer, each time; 0 = as long as the context lasts
	patience   time.Duration // see callPatience; 0 = as long as the context lasts
	allow      func() error  // called before each sending, which its error prevents; nil = none
}

// String names the call in errors.
func (c *call) String() string { return c.method + " " + c.route }

func (c *Client) newCall(method, path string, in any) (*call, error) {
	if method == "" {
		return nil, errors.New("crisp: a REST call needs an HTTP method")
	}
	path = strings.TrimPrefix(path, "/")
	route, _, _ := strings.Cut(path, "?")
	if err := checkPath(path, route); err != nil {
		return nil, err
	}
	if version, _, _ := strings.Cut(route, "/"); isVersion(version) && strings.HasSuffix(c.baseURL, "/"+version+"/") {
		return nil, fmt.Errorf("crisp: the path %q of a REST call begins with %s, which the base URL ends in already: leave it out", route, version)
	}
	call := &call{method: method, route: route, url: c.baseURL + path}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("crisp: %s: the body can't be made JSON: %w", call, err)
		}
		call.body = body
	}
	// So that a request that can't be made is an error now, not a failure to send it.
	if _, err := c.newRequest(context.Background(), call); err != nil {
		return nil, err
	}
	return call, nil
}

// checkPath refuses what would lead away from the base URL or to another route
// than the one that was meant.
func checkPath(path, route string) error {
	plain, err := url.PathUnescape(route)
	switch {
	case strings.Contains(route, "://"):
		return errors.New("crisp: the path of a REST call is relative to the base URL, not a URL: see WithBaseURL")
	case err != nil:
		return fmt.Errorf("crisp: the path of a REST call is not escaped: %w", err)
	case strings.ContainsFunc(path, needsEscape):
		return errors.New("crisp: the path of a REST call has a character that must be escaped: use url.PathEscape and url.Values.Encode")
	case slices.Contains(strings.Split(route, "/"), ""):
		return fmt.Errorf("crisp: the path %q of a REST call has an empty element: is an identifier missing?", route)
	}
	for element := range strings.SplitSeq(plain, "/") {
		if element == "." || element == ".." {
			return fmt.Errorf("crisp: the path %q of a REST call has a dot element", route)
		}
	}
	return nil
}

// isVersion reports whether an element of a path is that of an API's version, such
// as v1.
func isVersion(element string) bool {
	digits, ok := strings.CutPrefix(element, "v")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

func needsEscape(r rune) bool {
	return r <= ' ' || r > '~' || r == '#' || r == '\\'
}

// Idempotent marks the calls that are made with the context as harmless to
// repeat: if the network or the server fails (no answer, or status 5xx), they
// are sent again a few times, as GET and HEAD always are. Without it, calls of
// other methods are not, as nobody knows whether they have had their effect.
//
// To set a state twice is harmless. To create something twice is not: a POST, which creates
// messages, conversations and everything else, is not sent again even with the mark. So a
// handler may mark its context for everything that it calls, such as [Client.Reply].
func Idempotent(ctx context.Context) context.Context {
	return context.WithValue(ctx, idempotentKey{}, true)
}

type idempotentKey struct{}

// send sends a call when it is its turn, and again if it was refused for the rate,
// which means that it had no effect, or if it failed and may be repeated.
func (c *Client) send(ctx context.Context, call *call) error {
	if call.once {
		_, err := c.attempt(ctx, call)
		return err
	}
	turn := c.limiter.NewTurn(call.patience)
	if err := call.wait(ctx, turn); err != nil {
		return fmt.Errorf("crisp: %s: not sent: %w", call, err)
	}
	for sendings := 1; ; sendings++ {
		if call.allow != nil {
			if err := call.allow(); err != nil {
				turn.Lost()
				return err
			}
		}
		answer, err := c.attempt(ctx, call)
		again := refused(turn, answer, err)
		if !again && call.mayRepeat(ctx, sendings) && call.failed(ctx, answer, err) {
			turn.Delay(call.failureWait(ctx, answer, sendings))
			again = true
		}
		if !again {
			return err
		}
		if cause := call.wait(ctx, turn); errors.Is(cause, ErrRateLimited) {
			return err
		} else if cause != nil {
			return fmt.Errorf("%w; not sent again: %w", err, cause)
		}
		c.logger.LogAttrs(ctx, slog.LevelWarn, "crisp: REST call is sent again", slog.Any("error", err))
	}
}

// wait waits for the call's turn, and notes for how long.
func (c *call) wait(ctx context.Context, turn *pace.Turn) error {
	began := time.Now()
	err := turn.Wait(ctx)
	c.waited = time.Since(began)
	return err
}

// attempt sends a call once, and reads the data of its answer. The answer is nil
// if there was none.
func (c *Client) attempt(ctx context.Context, call *call) (*answer, error) {
	answer, err := c.sendOnce(ctx, call)
	if err != nil {
		return nil, err
	}
	return answer, answer.decode(call.out)
}

// refused reports whether a call was refused for the rate, and ends its turn in any case.
func refused(turn *pace.Turn, answer *answer, err error) bool {
	switch {
	case answer == nil:
		turn.Lost()
	case errors.Is(err, ErrQuota):
		turn.Lost() // it would have been refused at any pace
	case errors.Is(err, ErrRateLimited):
		turn.Refused(answer.retryAfter())
		return true
	default:
		turn.Accepted()
	}
	return false
}

// mayRepeat reports whether a call that failed may be sent again, although it may
// have had its effect.
func (c *call) mayRepeat(ctx context.Context, sendings int) bool {
	if c.persistent {
		return ctx.Err() == nil
	}
	if sendings >= maxSendings {
		return false
	}
	switch c.method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodPost:
		return false // even if Idempotent has marked the context: handlers may do that for all their calls
	}
	return ctx.Value(idempotentKey{}) != nil
}

// failed reports whether it was the network or the server that failed, so that sending the call
// again may help. Running out of time is no such failure. A persistent call takes it for one,
// and an answer that is not Crisp's, or can't be used, as well.
func (c *call) failed(ctx context.Context, answer *answer, err error) bool {
	switch {
	case answer == nil && c.persistent:
		return true
	case answer == nil:
		return ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded)
	case errors.Is(err, ErrQuota): // which no repetition mends before tomorrow
		return false
	case c.persistent:
		return err != nil && !final(err)
	}
	return answer.status >= http.StatusInternalServerError
}

// failureWait returns how long to wait after a failure: as long as the server asks for, unless a
// persistent call would run out of time by that.
func (c *call) failureWait(ctx context.Context, answer *answer, failures int) time.Duration {
	wait := pace.Backoff(failures, minFailureWait, maxFailureWait)
	if answer == nil {
		return wait
	}
	asked := min(answer.retryAfter(), longestWait)
	if deadline, ok := ctx.Deadline(); ok && c.persistent && asked >= time.Until(deadline) {
		return wait
	}
	return max(wait, asked)
}

// sendOnce sends a call once, within its timeout, and reads its answer. whole is the context of
// all its sendings.
func (c *Client) sendOnce(whole context.Context, call *call) (*answer, error) {
	ctx := whole
	if call.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, call.timeout)
		defer cancel()
	}
	call.sent++
	req, err := c.newRequest(withSending(ctx, Sending{Number: call.sent, Waited: call.waited}), call)
	if err != nil {
		return nil, err
	}
	var answer *answer
	err = callUser("the HTTP client", func() (err error) {
		answer, err = c.exchange(whole, call, req)
		return err
	})
	return answer, err
}

// exchange sends a request and reads the answer.
func (c *Client) exchange(whole context.Context, call *call, req *http.Request) (*answer, error) {
	ctx := req.Context()
	start := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("crisp: %s: %w", call, call.unanswered(whole, ctx, withoutURL(err)))
	}
	defer func() { _ = resp.Body.Close() }() // it was read; there is nothing to lose
	now := time.Now()
	c.logger.LogAttrs(ctx, slog.LevelDebug, "crisp: REST call",
		slog.String("method", call.method), slog.String("route", call.route),
		slog.Int("status", resp.StatusCode), slog.Duration("took", now.Sub(start)))
	c.told.hear(resp.Header, now)

	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("crisp: %s: reading the answer: %w", call, call.unanswered(whole, ctx, err))
	}
	answer := &answer{method: call.method, route: call.route, status: resp.StatusCode, header: resp.Header, body: body, at: now}
	if date, ok := answer.date(); ok {
		c.clock.Learn(date, c.clock.At(start), c.clock.At(now))
	}
	return answer, nil
}

// unanswered adds to an error how long the answer was waited for, if it was the call's timeout
// that ended the wait, not the context of the whole.
func (c *call) unanswered(whole, own context.Context, err error) error {
	if whole.Err() != nil || own.Err() == nil {
		return err
	}
	times := "once"
	if c.sent > 1 {
		times = fmt.Sprintf("%d times", c.sent)
	}
	return fmt.Errorf("no answer within %s (sent %s): %w", c.timeout, times, err)
}

func (c *Client) newRequest(ctx context.Context, call *call) (*http.Request, error) {
	var body io.Reader
	if call.body != nil {
		body = bytes.NewReader(call.body)
	}
	req, err := http.NewRequestWithContext(ctx, call.method, call.url, body)
	if err != nil {
		return nil, fmt.Errorf("crisp: %s: %w", call, withoutURL(err))
	}
	token := c.token()
	req.SetBasicAuth(token.Identifier, token.Key)
	req.Header.Set("X-Crisp-Tier", string(token.Tier))
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", "application/json")
	if call.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// withoutURL takes net/http's wrapping off an error: it quotes the URL, and
// what a query holds should stay out of logs.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
