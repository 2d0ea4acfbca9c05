package crisp_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

// signed are the headers of a hook with that body, and what else changes them.
func signed(body []byte, changes ...func(http.Header)) http.Header {
	h := crisp.Sign(signingSecret, time.Now(), body)
	for _, change := range changes {
		change(h)
	}
	return h
}

func TestParseHook(t *testing.T) {
	body := testkit.HookBody("hello")
	header := signed(body, func(h http.Header) {
		h.Set("X-Delivery-Attempt-Count", "2")
		h.Set("X-Delivery-Attempt-Limit", "5")
	})
	ev, err := crisp.ParseHook(signingSecret, header, body)
	require.NoError(t, err)
	id := crisp.EventID(ev)
	clear(body) // the event has its own
	message, ok := ev.(*crisp.MessageSend)
	require.True(t, ok, "%T", ev)
	assert.Equal(t, crisp.TextContent("hello"), message.Content)
	assert.Equal(t, "w-1", message.Meta.WebsiteID)
	assert.Equal(t, crisp.SourceWebhook, message.Source)
	assert.Equal(t, &crisp.Delivery{Attempt: 2, Limit: 5}, message.Delivery)
	assert.True(t, crisp.EventIDStable(ev))
	assert.Equal(t, id, crisp.EventID(ev))

	unknown := []byte(`{"website_id":"w","event":"brand:new","data":{"a":1},"timestamp":1700000000000}`)
	ev, err = crisp.ParseHook(signingSecret, signed(unknown), unknown)
	require.NoError(t, err)
	assert.Equal(t, "brand:new", ev.EventName())
	assert.JSONEq(t, `{"a":1}`, string(ev.EventMeta().Raw))
}

// Whatever the handler of web hooks refuses ParseHook does, too, and the reverse.
func TestParseHookIsAsStrictAsAWebhook(t *testing.T) {
	body := testkit.HookBody("hello")
	for name, tt := range map[string]struct {
		header http.Header
		body   []byte
		opts   []crisp.WebhookOption
		is     error // nil = accepted, or another error
		says   string
	}{
		"authentic":             {header: signed(body)},
		"nothing":               {header: http.Header{}, is: crisp.ErrSignature},
		"another body":          {header: signed(body), body: testkit.HookBody("hullo"), is: crisp.ErrSignature},
		"another spelling":      {header: signed(body), body: append(bytes.Clone(body), ' '), is: crisp.ErrSignature},
		"two signatures":        {header: signed(body, func(h http.Header) { h.Add("X-Crisp-Signature", h.Get("X-Crisp-Signature")) }), is: crisp.ErrSignature},
		"two times":             {header: signed(body, func(h http.Header) { h.Add("X-Crisp-Request-Timestamp", "1") }), is: crisp.ErrSignature},
		"another secret":        {header: crisp.Sign("another", time.Now(), body), is: crisp.ErrSignature},
		"a secret of several":   {header: crisp.Sign("another", time.Now(), body), opts: []crisp.WebhookOption{crisp.WithSigningSecrets("another", signingSecret)}},
		"old":                   {header: crisp.Sign(signingSecret, time.Now().Add(-6*time.Minute), body), is: crisp.ErrStale},
		"ahead":                 {header: crisp.Sign(signingSecret, time.Now().Add(6*time.Minute), body), is: crisp.ErrStale},
		"old, but any will do":  {header: crisp.Sign(signingSecret, time.Now().Add(-time.Hour), body), opts: []crisp.WebhookOption{crisp.WithTolerance(0)}},
		"too large":             {header: signed(body), opts: []crisp.WebhookOption{crisp.WithMaxBody(10)}, is: crisp.ErrTooLarge},
		"too large by default":  {header: signed(body), body: bytes.Repeat([]byte("x"), 1<<20+1), is: crisp.ErrTooLarge},
		"not JSON":              {body: []byte("{"), header: signed([]byte("{")), says: "JSON"},
		"no event":              {body: []byte(`{"data":{}}`), header: signed([]byte(`{"data":{}}`)), says: "no event"},
		"no data":               {body: []byte(`{"event":"x"}`), header: signed([]byte(`{"event":"x"}`)), says: "no data"},
		"lower-case names":      {header: http.Header{"x-crisp-signature": signed(body)["X-Crisp-Signature"], "X-Crisp-Request-Timestamp": signed(body)["X-Crisp-Request-Timestamp"]}, is: crisp.ErrSignature, says: `as "x-crisp-signature" instead of "X-Crisp-Signature"`},
		"a time in lower case":  {header: http.Header{"X-Crisp-Signature": signed(body)["X-Crisp-Signature"], "x-crisp-request-timestamp": {"1"}}, is: crisp.ErrSignature, says: `make names canonical`},
		"a body that was eaten": {header: signed(body), body: []byte{}, is: crisp.ErrSignature, says: "the body is empty: something has read it before"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.body == nil {
				tt.body = body
			}
			ev, err := crisp.ParseHook(signingSecret, tt.header, tt.body, tt.opts...)

			rec := newReceiver(t, tt.opts...)
			request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(tt.body))
			request.Header = tt.header
			answer := rec.post(request)

			if tt.is == nil && tt.says == "" {
				require.NoError(t, err)
				assert.Equal(t, "message:send", ev.EventName())
				assert.Equal(t, http.StatusOK, answer.Code)
				return
			}
			require.Error(t, err)
			assert.Nil(t, ev)
			require.Len(t, rec.reported(), 1)
			for _, err := range []error{err, rec.reported()[0]} {
				assert.ErrorContains(t, err, tt.says)
				assert.NotContains(t, err.Error(), signingSecret)
				for _, kind := range []error{crisp.ErrSignature, crisp.ErrStale, crisp.ErrTooLarge} {
					assert.Equal(t, errors.Is(tt.is, kind), errors.Is(err, kind), "%v", err)
				}
			}
		})
	}
}

func TestParseHookRefusesOptionsAndSecretsThatVerifyNothing(t *testing.T) {
	body := testkit.HookBody("hello")
	for name, opt := range map[string]crisp.WebhookOption{
		"a URL's secret": crisp.WithURLSecrets("key", urlSecret),
		"deduplication":  crisp.WithDedupe(crisp.NewMemoryDedupe(0, 0)),
		"a timeout":      crisp.WithHandlerTimeout(time.Second),
		"a bad option":   crisp.WithMaxBody(0),
	} {
		_, err := crisp.ParseHook(signingSecret, signed(body), body, opt)
		assert.Error(t, err, name)
	}
	for _, secret := range []string{"", " ", "\n", signingSecret + "\n"} {
		_, err := crisp.ParseHook(secret, crisp.Sign(secret, time.Now(), body), body)
		assert.ErrorIs(t, err, crisp.ErrSignature)
	}
}

// The reason of a wrong signature is often none of Crisp's doing.
func TestVerifySaysWhatBecameOfTheBody(t *testing.T) {
	body := testkit.HookBody("hello")
	header := signed(body)
	header.Set("Content-Length", "400")
	assert.ErrorContains(t, crisp.Verify(signingSecret, header, nil, time.Minute), "the body is empty: something has read it before")
	assert.ErrorContains(t, crisp.Verify(signingSecret, header, body[:100], time.Minute), "the body has 100 bytes, but Content-Length is 400")
	assert.NoError(t, crisp.Verify(signingSecret, header, body, time.Minute), "it is not the length that counts")
}

func TestWebhookSaysThatTheBodyIsGone(t *testing.T) {
	eaten := func(r *http.Request, leave int) *http.Request {
		all, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(all[:leave]))
		return r
	}
	body := testkit.HookBody("hello")
	unsigned := func() *http.Request {
		return httptest.NewRequest(http.MethodPost, "/?key="+urlSecret, bytes.NewReader(body))
	}
	for name, tt := range map[string]struct {
		request *http.Request
		status  int
		says    string
	}{
		"signed":         {eaten(hookRequest(body), 0), 401, "the body is empty: something has read it before"},
		"signed, partly": {eaten(hookRequest(body), 10), 401, "the body has 10 bytes, but Content-Length is"},
		"unsigned":       {eaten(unsigned(), 0), 400, "the body is empty, but Content-Length is"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newReceiver(t, crisp.WithURLSecrets("key", urlSecret))
			assert.Equal(t, tt.status, rec.post(tt.request).Code)
			require.Len(t, rec.reported(), 1)
			assert.ErrorContains(t, rec.reported()[0], tt.says)
		})
	}
}

func TestWebhookSaysThatAPlusBecameABlank(t *testing.T) {
	for query, secret := range map[string]string{"key=a%20b": "a+b", "key=a%2Bb": "a b"} {
		status, err := postTo(t, query, crisp.WithURLSecrets("key", secret))
		assert.Equal(t, 401, status)
		assert.ErrorContains(t, err, "blanks for pluses")
		assert.NotContains(t, err.Error(), secret)
	}
	_, err := postTo(t, "key=ab", crisp.WithURLSecrets("key", "a+b"))
	assert.NotContains(t, err.Error(), "blanks for pluses")
}

func TestSecretsWithWhiteSpaceAreRefused(t *testing.T) {
	for _, opt := range []crisp.WebhookOption{crisp.WithSigningSecrets("secret\n"), crisp.WithURLSecrets("key", " secret")} {
		_, err := crisp.NewWebhook(crisp.NewRouter(), opt)
		assert.ErrorContains(t, err, "was it read from a file with its line break?")
	}
}
