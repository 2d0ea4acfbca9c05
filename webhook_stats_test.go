package crisp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

func TestWebhookStats(t *testing.T) {
	router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
	var h *crisp.Webhook
	crisp.On(router, func(_ context.Context, ev *crisp.MessageSend) error {
		assert.Equal(t, 1, h.Stats().Running)
		if ev.SessionID == "session_bad" {
			return errors.New("no")
		}
		return nil
	})
	h, err := crisp.NewWebhook(router, crisp.WithSigningSecrets("secret"))
	require.NoError(t, err)
	assert.Equal(t, crisp.WebhookStats{Answers: map[int]uint64{}}, h.Stats())

	said := func(session string) *crisp.MessageSend {
		return &crisp.MessageSend{WebsiteID: "w-1", SessionID: session, Content: crisp.TextContent("Hi"), Timestamp: time.Now()}
	}
	for _, r := range []*http.Request{
		crisptest.NewHookRequest("secret", said("session_1")),
		crisptest.NewHookRequest("secret", said("session_2")),
		crisptest.NewHookRequest("secret", said("session_bad")),
		crisptest.NewHookRequest("guess", said("session_3")),
		httptest.NewRequest(http.MethodGet, "/", nil),
	} {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	stats := h.Stats()
	assert.Equal(t, map[int]uint64{200: 2, 500: 1, 401: 1, 405: 1}, stats.Answers)
	assert.Zero(t, stats.Running)
	assert.WithinDuration(t, time.Now(), stats.LastAnswer, time.Minute)
	stats.Answers[200] = 99
	assert.EqualValues(t, 2, h.Stats().Answers[200], "a copy")
}
