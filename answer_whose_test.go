package crisp_test

import (
	"context"
	"iter"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// gatewayBodies are what something between Crisp and the client may answer with.
var gatewayBodies = map[string]string{
	"HTML":                      "<html><body>Forbidden</body></html>",
	"text":                      "Forbidden",
	"nothing":                   "",
	"JSON of another form":      `{"message":"Forbidden"}`,
	"JSON with an error":        `{"error":"forbidden","reason":"invalid_session"}`,
	"JSON with an error alone":  `{"error":true}`,
	"JSON with a reason alone":  `{"reason":"invalid_session"}`,
	"JSON with reasons of null": `{"error":true,"reason":null,"data":null}`,
	"a list":                    `["conversation_not_found"]`,
	"null":                      `null`,
}

func TestAGatewaysRefusalIsNotCrisps(t *testing.T) {
	for name, body := range gatewayBodies {
		for _, status := range []int{400, 401, 403, 404, 410, 500} {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(status, body))
			err := client.Do(t.Context(), "POST", "a", nil, nil)
			var refusal *crisp.APIError
			require.ErrorAs(t, err, &refusal, "%d %s", status, name)
			assert.Equal(t, status, refusal.StatusCode)
			assert.False(t, refusal.FromCrisp(), "%d %s", status, name)
			assert.Empty(t, refusal.Reason)
			assert.ErrorContains(t, err, "not Crisp's answer, but a gateway's or proxy's")
			for _, condition := range []error{crisp.ErrUnauthorized, crisp.ErrScope, crisp.ErrQuota, crisp.ErrRateLimited} {
				assert.NotErrorIs(t, err, condition, "%d %s", status, name)
			}
		}
	}
}

func TestCrispsRefusalsSayWhatToCheck(t *testing.T) {
	for _, tt := range []struct {
		status int
		reason string
		is     error
		isNot  error
		says   string
	}{
		{401, "invalid_session", crisp.ErrUnauthorized, crisp.ErrScope, "identifier, key, and kind"},
		{403, "website_not_yours", crisp.ErrUnauthorized, crisp.ErrScope, "website_not_yours"},
		{401, "not_allowed", crisp.ErrScope, crisp.ErrUnauthorized, "scope"},
		{403, "not_allowed", crisp.ErrScope, crisp.ErrUnauthorized, "scope"},
		{403, "restricted_route_tier", crisp.ErrScope, crisp.ErrUnauthorized, "another kind"},
		{401, "", crisp.ErrUnauthorized, crisp.ErrScope, "401"},
	} {
		client, mock := mockedClient(t)
		mock.RegisterNoResponder(answer(tt.status, `{"error":true,"reason":"`+tt.reason+`","data":{}}`))
		err := client.Do(t.Context(), "GET", "a", nil, nil)
		require.ErrorIs(t, err, tt.is)
		assert.NotErrorIs(t, err, tt.isNot)
		assert.ErrorContains(t, err, tt.says)
		var refusal *crisp.APIError
		require.ErrorAs(t, err, &refusal)
		assert.True(t, refusal.FromCrisp())
	}
}

// The answer to a HEAD request has no body, whoever gave it.
func TestTheAnswerToHEADIsAnonymous(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(401, ""))
	err := client.Do(t.Context(), "HEAD", "a", nil, nil)
	require.EqualError(t, err, "crisp: HEAD a: status 401 Unauthorized")
	assert.NotErrorIs(t, err, crisp.ErrUnauthorized)
}

func TestASuccessOfAGatewayIsNone(t *testing.T) {
	client, mock := mockedClient(t)
	mock.RegisterNoResponder(answer(200, `{"status":"maintenance"}`))
	var unusable *crisp.AnswerError
	assert.ErrorAs(t, client.Do(t.Context(), "PATCH", "a", nil, nil), &unusable)
}

func TestAUsedUpQuotaIsNeverRepeated(t *testing.T) {
	for name, refusal := range map[string]struct {
		status int
		body   string
	}{
		"Crisp's status and reason": {423, `{"error":true,"reason":"quota_limit_exceeded","data":{}}`},
		"the status":                {423, ""},
		"420":                       {420, `{"error":true,"reason":"quota_limit_exceeded","data":{}}`},
		"429":                       {429, `{"error":true,"reason":"quota_limit_exceeded","data":{}}`},
		"402":                       {402, `{"error":true,"reason":"daily_quota_reached","data":{}}`},
		"403":                       {403, `{"error":true,"reason":"quota_limit_exceeded","data":{}}`},
		"503":                       {503, `{"error":true,"reason":"quota_limit_exceeded","data":{}}`},
		"200":                       {200, `{"error":true,"reason":"quota_limit_exceeded","data":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(refusal.status, refusal.body))
			err := client.Do(t.Context(), "GET", "a", nil, nil)
			require.ErrorIs(t, err, crisp.ErrQuota)
			for _, other := range []error{crisp.ErrUnauthorized, crisp.ErrScope, crisp.ErrRateLimited} {
				assert.NotErrorIs(t, err, other)
			}
			assert.Equal(t, 1, mock.GetTotalCallCount())
		})
	}
}

func TestACallSleepsNoDay(t *testing.T) {
	refusal := answer(503, "").HeaderSet(http.Header{"Retry-After": {"86400"}})
	t.Run("with a deadline in two days", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, calls := scripted(t, nil, refusal)
			ctx, cancel := context.WithTimeout(t.Context(), 48*time.Hour)
			defer cancel()
			require.NoError(t, client.Do(ctx, "GET", "a", nil, nil))
			assert.Equal(t, []time.Duration{0, 15 * time.Minute}, calls.at)
		})
	})
	t.Run("with a deadline before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, calls := scripted(t, nil, refusal)
			ctx, cancel := context.WithTimeout(t.Context(), 14*time.Minute)
			defer cancel()
			err := client.Do(ctx, "GET", "a", nil, nil)
			var got *crisp.APIError
			require.ErrorAs(t, err, &got)
			assert.Equal(t, 24*time.Hour, got.RetryAfter, "what was asked for")
			assert.Equal(t, []time.Duration{0}, calls.at)
			assert.Zero(t, time.Since(calls.began))
		})
	})
	t.Run("without a deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, calls := scripted(t, nil, refusal)
			require.Error(t, client.Do(context.Background(), "GET", "a", nil, nil))
			assert.Zero(t, time.Since(calls.began))
		})
	})
}

// Whoever took null for an empty list would take what is there for missing.
func TestNullIsNoList(t *testing.T) {
	ref := crisp.SessionRef{WebsiteID: "site-1", SessionID: "session_1"}
	for name, ask := range map[string]func(context.Context, *crisp.Client) error{
		"Conversations": func(ctx context.Context, c *crisp.Client) error {
			return last(c.Conversations(ctx, "site-1", crisp.ConversationQuery{}))
		},
		"Websites":      func(ctx context.Context, c *crisp.Client) error { return last(c.Websites(ctx)) },
		"Messages":      func(ctx context.Context, c *crisp.Client) error { return last(c.Messages(ctx, ref)) },
		"MessagesSince": func(ctx context.Context, c *crisp.Client) error { return last(c.MessagesSince(ctx, ref, time.Now())) },
		"MessagesAround": func(ctx context.Context, c *crisp.Client) error {
			_, err := c.MessagesAround(ctx, ref, time.Now())
			return err
		},
	} {
		for _, data := range []string{`null`, `"private"`, `7`} {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(answer(200, `{"error":false,"reason":"listed","data":`+data+`}`))
			err := ask(t.Context(), client)
			var unusable *crisp.AnswerError
			require.ErrorAs(t, err, &unusable, "%s: %s", name, data)
			assert.ErrorContains(t, err, "answered data that are no list")
		}
	}
}

// last is the error that ends an iteration, if one does.
func last[T any](seq iter.Seq2[T, error]) (last error) {
	for _, err := range seq {
		last = err
	}
	return last
}
