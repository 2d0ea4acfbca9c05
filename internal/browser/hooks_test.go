//go:build browser && unix

package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// envelope is the body of a web hook.
type envelope struct {
	WebsiteID string          `json:"website_id"`
	Event     string          `json:"event"`
	Data      json.RawMessage `json:"data"`
	Timestamp int64           `json:"timestamp"`
}

// receiver is a crisp receive with its page.
type receiver struct {
	*command
	hooks string // the URL that takes web hooks
}

// receive starts a crisp receive whose page is at an address; ":0" is any.
func (m *machine) receive(page string, args ...string) receiver {
	m.t.Helper()
	ready := m.ready("receive.ready")
	args = append([]string{"receive", "--addr", "127.0.0.1:0", "--ready-file", ready, "--ui=127.0.0.1" + page}, args...)
	c := m.start(args...)
	return receiver{c, c.await(ready)}
}

// send sends a web hook, signed, which has to be accepted.
func (r receiver) send(body []byte) {
	r.t.Helper()
	require.NoError(r.t, r.try(body), "%.500s", body)
}

// try sends a web hook, signed, and returns why it was not accepted.
func (r receiver) try(body []byte) error {
	request, err := http.NewRequest(http.MethodPost, r.hooks, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = crisp.Sign(secret, time.Now(), body)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, said)
	}
	return err
}

// sayUntil sends messages until it is told to stop, and returns those that were accepted.
func (r receiver) sayUntil(stop <-chan struct{}, prefix string) (accepted []string) {
	for i := 0; ; i++ {
		text := fmt.Sprintf("%s message %d.", prefix, i)
		if r.try(message(r.t, conversation(i%5), text)) == nil {
			accepted = append(accepted, text)
		}
		select {
		case <-stop:
			return accepted
		case <-time.After(time.Millisecond):
		}
	}
}

// say sends a message of a visitor.
func (r receiver) say(conversation, text string) {
	r.t.Helper()
	r.send(message(r.t, conversation, text))
}

// event makes the web hook of an event, whose sample is changed.
func event(t *testing.T, name string, changes map[string]any) []byte {
	t.Helper()
	data := sample(t, name)
	for member, value := range changes {
		data[member] = value
	}
	return wrapped(t, crisptest.WebsiteID, name, data)
}

// message makes the web hook of a visitor's message.
func message(t *testing.T, conversation, text string) []byte {
	t.Helper()
	now := time.Now()
	return event(t, "message:send", map[string]any{
		"session_id": "session_" + conversation, "content": text, "timestamp": now.UnixMilli(), "fingerprint": now.UnixNano(),
	})
}

// wrapped makes the body of a web hook.
func wrapped(t *testing.T, website, name string, data any) []byte {
	t.Helper()
	encoded, err := json.Marshal(data)
	require.NoError(t, err)
	body, err := json.Marshal(envelope{website, name, encoded, time.Now().UnixMilli()})
	require.NoError(t, err)
	return body
}

// sample returns the sample of an event's payload.
func sample(t *testing.T, name string) map[string]any {
	t.Helper()
	var data map[string]any
	require.NoError(t, json.Unmarshal(crisptest.Sample(name).EventMeta().Raw, &data), name)
	return data
}

// conversation is the n-th of many, without session_ in front of it.
func conversation(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", n) }
