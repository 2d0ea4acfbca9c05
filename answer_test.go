package crisp_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

func TestDoGivesTheData(t *testing.T) {
	client, mock := mockedClient(t)
	get := func(t *testing.T, body string, out any) {
		t.Helper()
		mock.RegisterNoResponder(answer(200, body))
		require.NoError(t, client.Do(t.Context(), "GET", "a", nil, out))
	}

	t.Run("into a struct", func(t *testing.T) {
		var out struct{ Fingerprint int64 }
		get(t, `{"error":false,"reason":"dispatched","data":{"fingerprint":9007199254740993}}`, &out)
		assert.Equal(t, int64(9007199254740993), out.Fingerprint)
	})
	t.Run("into a slice", func(t *testing.T) {
		var out []string
		get(t, ` {"error":false,"reason":"listed","data":["a","b"]}`+"\n", &out)
		assert.Equal(t, []string{"a", "b"}, out)
	})
	t.Run("as they are", func(t *testing.T) {
		var out json.RawMessage
		get(t, `{"error":false,"data":{ "a" : 1 }}`, &out)
		assert.Equal(t, `{ "a" : 1 }`, string(out))
	})
	t.Run("null changes nothing", func(t *testing.T) {
		out := map[string]int{"a": 1}
		get(t, `{"error":false,"data":null}`, &out)
		assert.Empty(t, out)
	})
	t.Run("not asked for", func(t *testing.T) {
		get(t, `{"error":false,"reason":"updated"}`, nil)
		get(t, ``, nil)
		get(t, " \n", nil)
	})
	t.Run("large", func(t *testing.T) {
		var out string
		large := strings.Repeat("x", 2<<20)
		get(t, `{"data":"`+large+`"}`, &out)
		assert.Len(t, out, len(large))
	})
}

func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		status   int
		header   http.Header
		body     string
		want     crisp.APIError
		says     string
		matching error
	}{
		"bad request": {
			status: 400, body: `{"error":true,"reason":"invalid_data","data":{"message":"private"}}`,
			want: crisp.APIError{Reason: "invalid_data", Data: json.RawMessage(`{"message":"private"}`)},
			says: `crisp: POST website/w: status 400 Bad Request, reason "invalid_data"`,
		},
		"unauthorized": {
			status: 401, body: `{"error":true,"reason":"invalid_session","data":{}}`,
			want:     crisp.APIError{Reason: "invalid_session", Data: json.RawMessage(`{}`)},
			says:     `crisp: POST website/w: status 401 Unauthorized, reason "invalid_session": check the token: identifier, key, and kind (plugin, user or website)`,
			matching: crisp.ErrUnauthorized,
		},
		"forbidden": {
			status: 403, body: `{"error":true,"reason":"not_allowed"}`,
			want:     crisp.APIError{Reason: "not_allowed"},
			says:     `crisp: POST website/w: status 403 Forbidden, reason "not_allowed": check the token: does it have the scope for this route, and access to the website?`,
			matching: crisp.ErrScope,
		},
		"unauthorized by a gateway": {
			status: 401, body: strings.Repeat("x", 16<<20+1),
			says: `crisp: POST website/w: status 401 Unauthorized: crisp: too large: the answer exceeds 16 MiB: not Crisp's answer, but a gateway's or proxy's`,
		},
		"rate limited": {
			status: 429, header: http.Header{"Retry-After": {"600"}}, body: `{"error":true,"reason":"rate_limited"}`,
			want:     crisp.APIError{Reason: "rate_limited", RetryAfter: 10 * time.Minute},
			says:     `crisp: POST website/w: status 429 Too Many Requests, reason "rate_limited", retry after 10m0s`,
			matching: crisp.ErrRateLimited,
		},
		"over quota, by a status of its own": {
			status: 420, body: `{"error":true,"reason":"quota_limit_exceeded"}`,
			want:     crisp.APIError{Reason: "quota_limit_exceeded"},
			says:     `crisp: POST website/w: status 420, reason "quota_limit_exceeded"`,
			matching: crisp.ErrQuota,
		},
		"over quota, by the wait": {
			status: 429, header: http.Header{"Retry-After": {"3600"}},
			want:     crisp.APIError{RetryAfter: time.Hour},
			says:     `crisp: POST website/w: status 429 Too Many Requests, retry after 1h0m0s: answered nothing, not JSON: not Crisp's answer, but a gateway's or proxy's`,
			matching: crisp.ErrQuota,
		},
		"error with a status of success": {
			status: 200, body: `{"error":true,"reason":"not_subscribed","data":{}}`,
			want: crisp.APIError{Reason: "not_subscribed", Data: json.RawMessage(`{}`)},
			says: `crisp: POST website/w: status 200 OK, reason "not_subscribed": the website has not installed the token's plugin: check the website and the token`,
		},
		"endless reason": {
			status: 400, body: `{"error":true,"reason":"` + strings.Repeat("r", 1000) + `"}`,
			want: crisp.APIError{Reason: strings.Repeat("r", 1000)},
			says: `crisp: POST website/w: status 400 Bad Request, reason "` + strings.Repeat("r", 200) + `"`,
		},
		"HTML of a gateway": {
			status: 502, header: http.Header{"Retry-After": {"30"}}, body: "\n<html><body>private</body></html>",
			want: crisp.APIError{RetryAfter: 30 * time.Second},
			says: `crisp: POST website/w: status 502 Bad Gateway, retry after 30s: answered HTML, not JSON: not Crisp's answer, but a gateway's or proxy's`,
		},
		"text that claims to be HTML": {
			status: 503, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, body: "private",
			says: `crisp: POST website/w: status 503 Service Unavailable: answered HTML, not JSON: not Crisp's answer, but a gateway's or proxy's`,
		},
		"text": {
			status: 500, body: "private",
			says: `crisp: POST website/w: status 500 Internal Server Error: answered something that is not JSON: not Crisp's answer, but a gateway's or proxy's`,
		},
		"nothing": {
			status: 404,
			says:   `crisp: POST website/w: status 404 Not Found: answered nothing, not JSON: not Crisp's answer, but a gateway's or proxy's`,
		},
		"other JSON": {
			status: 500, body: `["private"]`,
			says: `crisp: POST website/w: status 500 Internal Server Error: answered JSON, but not Crisp's {"error", "reason", "data"}: not Crisp's answer, but a gateway's or proxy's`,
		},
		"drifted types": {
			status: 500, body: `{"error":"private","reason":{"private":1}}`,
			says: `crisp: POST website/w: status 500 Internal Server Error: answered JSON, but not Crisp's {"error", "reason", "data"}: not Crisp's answer, but a gateway's or proxy's`,
		},
		"not modified": {
			status: 304,
			says:   `crisp: POST website/w: status 304 Not Modified: a cache answered that nothing has changed, though the call did not ask for that: not Crisp's answer, but a gateway's or proxy's`,
		},
		"redirect": {
			status: 308,
			says:   `crisp: POST website/w: status 308 Permanent Redirect: redirects are not followed: is the base URL right?`,
		},
		"proxy": {
			status: 407, body: "<html>private</html>",
			says: `crisp: POST website/w: status 407 Proxy Authentication Required: the proxy refused its credentials: check those in HTTPS_PROXY, or where the HTTP client has them from`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(httpmock.NewStringResponder(tt.status, tt.body).HeaderSet(tt.header))
			var out struct{}
			err := client.Do(t.Context(), "POST", "website/w?q=private", nil, &out)

			var got *crisp.APIError
			require.ErrorAs(t, err, &got)
			assert.Equal(t, "POST", got.Method)
			assert.Equal(t, "website/w", got.Route)
			assert.Equal(t, tt.status, got.StatusCode)
			assert.Equal(t, tt.want.Reason, got.Reason)
			assert.Equal(t, tt.want.Data, got.Data)
			assert.Equal(t, tt.want.RetryAfter, got.RetryAfter)
			assert.EqualError(t, err, tt.says)
			for _, condition := range []error{crisp.ErrUnauthorized, crisp.ErrScope, crisp.ErrRateLimited, crisp.ErrQuota} {
				assert.Equal(t, condition == tt.matching, errors.Is(err, condition), condition) //nolint:errorlint // compares two conditions
			}
		})
	}
}

func TestUnusableAnswers(t *testing.T) {
	type numbers struct{ A struct{ B int8 } }
	for name, tt := range map[string]struct {
		header http.Header
		body   string
		out    any
		says   string
	}{
		"HTML":                {body: "<!doctype html>private", says: "answered HTML, not JSON"},
		"HTML, nothing asked": {body: "<html>private", out: nil, says: "answered HTML, not JSON"},
		"text":                {body: "private", says: "answered something that is not JSON"},
		"cut JSON":            {body: `{"error":false,"data":{"private":`, says: "answered something that is not JSON"},
		"two values":          {body: `{"data":{}} {"data":{}}`, says: "answered something that is not JSON"},
		"array":               {body: `[{"data":{}}]`, says: `answered JSON, but not Crisp's {"error", "reason", "data"}`},
		"null":                {body: `null`, says: `answered JSON, but not Crisp's {"error", "reason", "data"}`},
		"drifted error":       {body: `{"error":"private"}`, says: `answered JSON, but not Crisp's {"error", "reason", "data"}`},
		"nothing":             {body: ``, out: new(numbers), says: "answered nothing, not JSON"},
		"no data":             {body: `{"error":false}`, out: new(numbers), says: "answered no data"},
		"other data":          {body: `{"data":"private"}`, out: new(numbers), says: "the data don't fit *crisp_test.numbers: data: wanted crisp_test.numbers, got string"},
		"other field":         {body: `{"data":{"a":{"b":"private"}}}`, out: new(numbers), says: "the data don't fit *crisp_test.numbers: A.B: wanted int8, got string"},
		"too large a number":  {body: `{"data":{"a":{"b":777}}}`, out: new(numbers), says: "the data don't fit *crisp_test.numbers: A.B: wanted int8, got number"},
		"bad time":            {body: `{"data":"private"}`, out: new(time.Time), says: "the data don't fit *time.Time"},
	} {
		t.Run(name, func(t *testing.T) {
			client, mock := mockedClient(t)
			mock.RegisterNoResponder(httpmock.NewStringResponder(200, tt.body).HeaderSet(tt.header))
			err := client.Do(t.Context(), "GET", "a", nil, tt.out)
			var got *crisp.AnswerError
			require.ErrorAs(t, err, &got)
			assert.EqualError(t, err, "crisp: GET a: status 200: "+tt.says)
			assert.NotErrorIs(t, err, crisp.ErrTooLarge)
		})
	}
}

func TestAnswerSizeIsBounded(t *testing.T) {
	const limit = 16 << 20
	body := func(size int) string { return `{"data":"` + strings.Repeat("x", size-len(`{"data":""}`)) + `"}` }
	client, mock := mockedClient(t)

	mock.RegisterNoResponder(answer(200, body(limit)))
	require.NoError(t, client.Do(t.Context(), "GET", "a", nil, nil))

	mock.RegisterNoResponder(answer(200, body(limit+1)))
	err := client.Do(t.Context(), "GET", "a", nil, nil)
	require.ErrorIs(t, err, crisp.ErrTooLarge)
	assert.EqualError(t, err, "crisp: GET a: status 200: crisp: too large: the answer exceeds 16 MiB")
}

func TestAnEndlessAnswerIsNotReadToItsEnd(t *testing.T) {
	client := servedClient(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat("x", 1<<20))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	require.ErrorIs(t, client.Do(t.Context(), "GET", "a", nil, nil), crisp.ErrTooLarge)
}

func TestRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                      0,
		"0":                     0,
		"7":                     7 * time.Second,
		" 7 ":                   7 * time.Second,
		"-7":                    0,
		"1.5":                   0,
		"soon":                  0,
		"86401":                 24 * time.Hour,
		"99999999999999999999":  24 * time.Hour,
		"in 30s":                30 * time.Second,
		"in -30s":               0,
		"in 8760h":              24 * time.Hour,
		"Mon, 99 Foo 2026 1:00": 0,
	} {
		t.Run(header, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock stands still and has no fraction of a second
				value := header
				if in, ok := strings.CutPrefix(header, "in "); ok {
					d, err := time.ParseDuration(in)
					require.NoError(t, err)
					value = time.Now().Add(d).UTC().Format(http.TimeFormat)
				}
				client, mock := mockedClient(t)
				mock.RegisterNoResponder(answer(429, ``).HeaderSet(http.Header{"Retry-After": {value}}))
				_, err := client.ConnectEndpoints(t.Context()) // which is sent once
				var got *crisp.APIError
				require.ErrorAs(t, err, &got)
				assert.Equal(t, want, got.RetryAfter)
			})
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "7", "-1", "99999999999999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "Wednesday, 21-Oct-26 07:28:00 GMT"} {
		f.Add(seed, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, value string, now int64) {
		got := crisp.ParseRetryAfter(value, time.Unix(now, 0))
		if got < 0 || got > 24*time.Hour {
			t.Errorf("%q is read as %s", value, got)
		}
	})
}
