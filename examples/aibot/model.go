package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/crisp-go/crisp"
)

// model is a client of a language model behind POST {base}/chat/completions.
type model struct {
	endpoint  string
	name      string
	authorize func(http.Header) // a function, so that printing a model shows no key
	http      *http.Client
	log       *slog.Logger
	modelLimits
}

// modelLimits is how long a model may take.
type modelLimits struct {
	firstToken    time.Duration // until it begins to answer
	betweenTokens time.Duration // in the answer
	patience      time.Duration // all in all, further attempts and their waits included
}

var defaultModelLimits = modelLimits{firstToken: 20 * time.Second, betweenTokens: 10 * time.Second, patience: 90 * time.Second}

// newModel returns a client for a base URL such as "https://api.openai.com/v1". The key
// may be empty, for models that need none.
func newModel(client *http.Client, base, name, key string, log *slog.Logger) (*model, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return nil, errors.New("the model's URL is none: needs http(s)://host/path, without a user")
	}
	if name == "" {
		return nil, errors.New("the model has no name")
	}
	if strings.ContainsFunc(key, unicode.IsControl) {
		return nil, errors.New("the model's key has characters that no key has")
	}
	m := &model{endpoint: u.JoinPath("chat/completions").String(), name: name, log: log, modelLimits: defaultModelLimits}
	m.authorize = func(h http.Header) {
		if key != "" {
			h.Set("Authorization", "Bearer "+key)
		}
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the key is for this host alone
	m.http = &own
	return m, nil
}

// question is what a model is asked.
type question struct {
	chat      []chatMessage
	maxTokens int  // of the answer
	tools     bool // it may hand over
}

// chatMessage is a message as a model reads it.
type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

const (
	roleSystem    = "system"
	roleUser      = "user"
	roleAssistant = "assistant"
)

// handOverTool is what the model calls to hand over to a person.
const handOverTool = "hand_over"

var tools = json.RawMessage(`[{"type": "function", "function": {
	"name": "` + handOverTool + `",
	"description": "Hands the conversation over to a person of the team. Call it when the visitor needs something that you can't do or don't know.",
	"parameters": {"type": "object", "properties": {"reason": {"type": "string", "description": "Why, in a few words, for the team."}}, "required": ["reason"]}
}}]`)

// body returns the request of a question.
func (m *model) body(q question) ([]byte, error) {
	type streamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	}
	request := struct {
		Model         string          `json:"model"`
		Messages      []chatMessage   `json:"messages"`
		Stream        bool            `json:"stream"`
		StreamOptions streamOptions   `json:"stream_options"`
		MaxTokens     int             `json:"max_tokens"`
		Tools         json.RawMessage `json:"tools,omitempty"`
	}{Model: m.name, Messages: q.chat, Stream: true, StreamOptions: streamOptions{true}, MaxTokens: q.maxTokens}
	if q.tools {
		request.Tools = tools
	}
	return json.Marshal(request)
}

// ask asks until there is an answer, the model refuses for good, its patience or the
// account's money is used up, or ctx ends. All attempts go on the account.
func (m *model) ask(ctx context.Context, q question, account account) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, m.patience, errTooLate)
	defer cancel()
	backoff := crisp.ExponentialBackoff{Base: 500 * time.Millisecond, Max: 10 * time.Second}
	for attempt := 1; ; attempt++ {
		if !account.affords(q.mostTokens()) {
			return answer{}, errBudget
		}
		a, err := m.attempt(ctx, q)
		account.spend(a.tokens)
		if err == nil {
			return a, nil
		}
		delay := backoff.Delay(attempt + 1)
		var refused *refusal
		if errors.As(err, &refused) {
			delay = max(delay, refused.retryAfter)
		}
		if !mayHelp(err) || !wait(ctx, delay) {
			return answer{}, err
		}
		m.log.WarnContext(ctx, "the model is asked again", "attempt", attempt, "error", err)
	}
}

// attempt asks once. With an error, the answer only says what it took.
func (m *model) attempt(ctx context.Context, q question) (answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(m.firstToken, func() { cancel(errSilent) })
	defer silence.Stop()
	body, err := m.body(q)
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.endpoint, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	m.authorize(request.Header)
	response, err := m.http.Do(request)
	if err != nil {
		return answer{tokens: q.promptTokens()}, failure(ctx, err)
	}
	defer func() { _ = response.Body.Close() }() // also ends an answer that goes on
	if response.StatusCode != http.StatusOK {
		return answer{}, refusalOf(response)
	}
	switch kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";"); kind {
	case "text/html", "application/json":
		return answer{}, errNoStream
	}
	a, err := readAnswer(response.Body, func() { silence.Reset(m.betweenTokens) })
	if !a.counted {
		a.tokens += q.promptTokens()
	}
	if err != nil {
		return a, failure(ctx, err)
	}
	return a, nil
}

var (
	errSilent  = errors.New("the model is silent")
	errTooLate = errors.New("the model takes too long")

	// errNoStream is what a website answers, and an API that doesn't know of streams.
	errNoStream = errors.New("the model's server answers without a stream: is AIBOT_MODEL_URL the base URL of its API?")
)

// failure is why an attempt failed: what ended its context, if that has ended. It does
// not quote the URL, which may have a key in it.
func failure(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var at *url.Error
	if errors.As(err, &at) {
		return fmt.Errorf("the model can't be reached: %w", at.Err)
	}
	return err
}

// refusal is an answer of the model's server that is none of the model. It has nothing
// of its body, which may quote the question or the key.
type refusal struct {
	status     int
	retryAfter time.Duration
}

func (r *refusal) Error() string { return fmt.Sprintf("the model's server answers %d", r.status) }

func refusalOf(response *http.Response) error {
	r := &refusal{status: response.StatusCode}
	after := response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(after); err == nil && seconds > 0 {
		r.retryAfter = time.Second * time.Duration(min(seconds, 24*60*60))
	} else if at, err := http.ParseTime(after); err == nil {
		r.retryAfter = time.Until(at)
	}
	return r
}

// mayHelp reports whether another attempt may help against an error.
func mayHelp(err error) bool {
	var refused *refusal
	if errors.As(err, &refused) {
		return refused.status == http.StatusTooManyRequests || refused.status == http.StatusRequestTimeout || refused.status >= 500
	}
	return !errors.Is(err, errFiltered) && !errors.Is(err, errTooLong) && !errors.Is(err, errNoStream)
}

// wait waits, and reports whether ctx still goes on then. It does not wait in vain.
func wait(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
