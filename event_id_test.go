package crisp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// idOf is the identifier of an event, which must not change.
func idOf(t *testing.T, ev crisp.Event) string {
	t.Helper()
	id := crisp.EventID(ev)
	assert.Equal(t, id, crisp.EventID(ev))
	assert.Regexp(t, `^[0-9a-f]{64}$`, id)
	return id
}

func decoded(t *testing.T, name, payload string) crisp.Event {
	t.Helper()
	ev, err := crisp.Decode(name, []byte(payload))
	require.NoError(t, err)
	return ev
}

func TestEventIDOfMessages(t *testing.T) {
	const message = `{"website_id":"w","session_id":"s","type":"text","from":"user","content":"Hi","fingerprint":42}`
	ev := decoded(t, "message:send", message)
	id := idOf(t, ev)
	assert.True(t, crisp.EventIDStable(ev))
	for name, same := range map[string]crisp.Event{
		"again":          decoded(t, "message:send", message),
		"in an envelope": decoded(t, "message:send", `{"website_id":"w","event":"message:send","data":`+message+`,"timestamp":1}`),
		"the website in the envelope": decoded(t, "message:send",
			`{"website_id":"w","event":"message:send","data":{"session_id":"s","fingerprint":42,"content":"Hi"}}`),
		"another text": decoded(t, "message:send", strings.Replace(message, "Hi", "Ho", 1)),
	} {
		assert.Equal(t, id, idOf(t, same), name)
	}
	for name, other := range map[string]crisp.Event{
		"another event":       decoded(t, "message:received", message),
		"another fingerprint": decoded(t, "message:send", strings.Replace(message, "42", "43", 1)),
		"another session":     decoded(t, "message:send", strings.Replace(message, `"s"`, `"t"`, 1)),
		"another website":     decoded(t, "message:send", strings.Replace(message, `"w"`, `"x"`, 1)),
		"parts that run into each other": decoded(t, "message:send",
			`{"website_id":"ws","session_id":"","type":"text","from":"user","content":"Hi","fingerprint":42}`),
	} {
		assert.NotEqual(t, id, idOf(t, other), name)
	}
}

func TestEventIDOfWhatCannotBeKnownAgain(t *testing.T) {
	for name, payload := range map[string]string{
		"session:set_state": `{"website_id":"w","session_id":"s","state":"resolved"}`,
		"message:send":      `{"website_id":"w","session_id":"s","content":"Hi"}`,
		"message:updated":   `{"website_id":"w","session_id":"s","fingerprint":42,"content":"Hi"}`,
		"never:heard_of":    `{"fingerprint":42}`,
	} {
		one, other := decoded(t, name, payload), decoded(t, name, payload)
		assert.NotEqual(t, idOf(t, one), idOf(t, other), name)
		assert.False(t, crisp.EventIDStable(one), name)
	}
}

func TestEventIDOfWebhooks(t *testing.T) {
	var ids []string
	router := crisp.NewRouter()
	router.OnAny(func(_ context.Context, ev crisp.Event) error {
		assert.True(t, crisp.EventIDStable(ev))
		ids = append(ids, idOf(t, ev))
		return nil
	})
	hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("secret"), crisp.WithDedupe(nil))
	require.NoError(t, err)
	post := func(body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header = crisp.Sign("secret", time.Now(), []byte(body))
		w := httptest.NewRecorder()
		hook.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
	}
	const state = `{"website_id":"w","event":"session:set_state","data":{"session_id":"s","state":%q},"timestamp":1}`
	for _, body := range []string{fmt.Sprintf(state, "resolved"), fmt.Sprintf(state, "resolved"), fmt.Sprintf(state, "pending")} {
		post(body)
	}
	assert.Equal(t, ids[0], ids[1], "a redelivery")
	assert.NotEqual(t, ids[0], ids[2])

	const message = `{"session_id":"s","content":"Hi","fingerprint":42}`
	post(`{"website_id":"w","event":"message:send","data":` + message + `,"timestamp":1}`)
	assert.Equal(t, ids[3], crisp.EventID(decoded(t, "message:send", `{"website_id":"w",`+message[1:])), "as by RTM")
}
