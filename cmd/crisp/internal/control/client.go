package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client drives a running crisp serve.
type Client struct {
	base string // the server's URL with Prefix
	key  string
	http *http.Client
}

// ClientOption configures NewClient.
type ClientOption func(*Client)

// WithKey sends the server's key, which it requires from other machines. Never use the
// key of a real account.
func WithKey(key string) ClientOption { return func(c *Client) { c.key = key } }

// WithHTTPClient sets the HTTP client. The default has no timeout.
func WithHTTPClient(client *http.Client) ClientOption { return func(c *Client) { c.http = client } }

// NewClient returns a client for the server at a URL: its address or its base URL,
// such as http://127.0.0.1:7700 or http://127.0.0.1:7700/v1/.
func NewClient(server string, opts ...ClientOption) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the URL of a crisp serve, which is like http://127.0.0.1:7700", server)
	}
	if path := strings.Trim(u.Path, "/"); path != "" && path != "v1" {
		return nil, fmt.Errorf("%q has a path, but a crisp serve is at the root of its address", server)
	}
	c := &Client{base: u.Scheme + "://" + u.Host + Prefix, http: &http.Client{}}
	for _, opt := range opts {
		opt(c)
	}
	return c, nil
}

// Error is an error answer of the server.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return "crisp serve: " + e.Message }

// Emit makes the server send an event with the given data, byte for byte, or a sample
// without data.
func (c *Client) Emit(ctx context.Context, name string, data json.RawMessage) error {
	return c.call(ctx, http.MethodPost, "events/"+url.PathEscape(name), data, nil)
}

// NewVisitor begins a conversation with a new visitor.
func (c *Client) NewVisitor(ctx context.Context, who NewVisitor) (done Done, err error) {
	return done, c.post(ctx, "visitors", who, &done)
}

// VisitorAct makes the visitor of a conversation do something, such as "say".
func (c *Client) VisitorAct(ctx context.Context, sessionID, act string, with Act) (done Done, err error) {
	return done, c.post(ctx, "visitors/"+url.PathEscape(sessionID)+"/"+url.PathEscape(act), with, &done)
}

// OperatorAct makes an operator do something, such as "note", in the conversation that
// with names.
func (c *Client) OperatorAct(ctx context.Context, operator, act string, with Act) (done Done, err error) {
	return done, c.post(ctx, "operators/"+url.PathEscape(operator)+"/"+url.PathEscape(act), with, &done)
}

// AddHook makes the server send web hooks to a URL.
func (c *Client) AddHook(ctx context.Context, hook Hook) error {
	return c.post(ctx, "hooks", hook, nil)
}

// RemoveHook makes the server stop sending web hooks to a URL.
func (c *Client) RemoveHook(ctx context.Context, at string) error {
	return c.call(ctx, http.MethodDelete, "hooks?url="+url.QueryEscape(at), nil, nil)
}

// Fault makes something go wrong. GET faults lists the names and their params.
func (c *Client) Fault(ctx context.Context, name string, params map[string]string) error {
	return c.post(ctx, "faults/"+url.PathEscape(name), params, nil)
}

// Heal ends all faults.
func (c *Client) Heal(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "faults", nil, nil)
}

// Reset makes the server forget what has happened, and ends all faults.
func (c *Client) Reset(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "reset", nil, nil)
}

// State returns the server's current state.
func (c *Client) State(ctx context.Context) (state State, err error) {
	return state, c.call(ctx, http.MethodGet, "state", nil, &state)
}

// Conversation returns a conversation of the server's default website.
func (c *Client) Conversation(ctx context.Context, sessionID string) (conversation Conversation, err error) {
	return conversation, c.call(ctx, http.MethodGet, "conversations/"+url.PathEscape(sessionID), nil, &conversation)
}

// Journal returns the entries after the one with a number. If there are none, it waits
// for one, for as long as wait says.
func (c *Client) Journal(ctx context.Context, after int, wait time.Duration) (part Journal, err error) {
	path := "journal?after=" + strconv.Itoa(after) + "&wait=" + wait.String()
	return part, c.call(ctx, http.MethodGet, path, nil, &part)
}

// Wait waits for an entry that meets a condition, and returns it.
func (c *Client) Wait(ctx context.Context, until Condition) (entry Entry, err error) {
	return entry, c.post(ctx, "wait", until, &entry)
}

func (c *Client) post(ctx context.Context, path string, body, into any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, path, encoded, into)
}

// call makes a request, and decodes the answer into into unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, body []byte, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return refusal(answer.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func refusal(status int, text []byte) error {
	var told struct{ Error string }
	if json.Unmarshal(text, &told) == nil && told.Error != "" {
		return &Error{Status: status, Message: told.Error}
	}
	return &Error{Status: status, Message: fmt.Sprintf("status %d, in a form that is not its own: is it a crisp serve?", status)}
}

// IsTimeout reports whether an error of Wait says that its time was over.
func IsTimeout(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Status == http.StatusRequestTimeout
}
