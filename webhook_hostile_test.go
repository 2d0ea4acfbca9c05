package crisp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

// blockingBody fails the test if anybody waits for it.
type blockingBody struct{ t *testing.T }

func (b blockingBody) Read([]byte) (int, error) {
	b.t.Error("the body is read")
	return 0, io.ErrUnexpectedEOF
}
func (blockingBody) Close() error { return nil }

// Whoever has no secret must not make the server wait for a body.
func TestWhatIsNotAuthenticIsRefusedBeforeItsBodyIsRead(t *testing.T) {
	signed := func(at time.Time) http.Header { return crisp.Sign(signingSecret, at, nil) }
	without := func(name string) http.Header {
		h := signed(time.Now())
		delete(h, name)
		return h
	}
	with := func(name, value string) http.Header {
		h := signed(time.Now())
		h[name] = []string{value}
		return h
	}
	both := []crisp.WebhookOption{crisp.WithURLSecrets("key", urlSecret)}
	for name, tt := range map[string]struct {
		header http.Header
		query  string
		opts   []crisp.WebhookOption
		why    error
	}{
		"no headers":                   {why: crisp.ErrSignature},
		"no signature":                 {header: without("X-Crisp-Signature"), why: crisp.ErrSignature},
		"no timestamp":                 {header: without("X-Crisp-Request-Timestamp"), why: crisp.ErrSignature},
		"no hex":                       {header: with("X-Crisp-Signature", "x"), why: crisp.ErrSignature},
		"no time":                      {header: with("X-Crisp-Request-Timestamp", "x"), why: crisp.ErrSignature},
		"old":                          {header: signed(time.Now().Add(-time.Hour)), why: crisp.ErrStale},
		"from the future":              {header: signed(time.Now().Add(time.Hour)), why: crisp.ErrStale},
		"no secret in the URL":         {opts: both, why: crisp.ErrSignature},
		"wrong secret in the URL":      {opts: both, query: "key=wrong", why: crisp.ErrSignature},
		"old, right secret in the URL": {opts: both, header: signed(time.Now().Add(-time.Hour)), query: "key=" + urlSecret, why: crisp.ErrStale},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newReceiver(t, tt.opts...)
			r := httptest.NewRequest(http.MethodPost, "/hooks", blockingBody{t})
			r.ContentLength = 1 << 20
			r.URL.RawQuery = tt.query
			if tt.header != nil {
				r.Header = tt.header
			}
			assert.Equal(t, http.StatusUnauthorized, rec.post(r).Code)
			require.Len(t, rec.reported(), 1)
			require.ErrorIs(t, rec.reported()[0], tt.why)
		})
	}
}

func TestShortSignaturesAreNotPadded(t *testing.T) {
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	for _, cut := range []func(string) (string, bool){
		func(s string) (string, bool) { return strings.CutSuffix(s, "00") },
		func(s string) (string, bool) { return strings.CutPrefix(s, "00") },
	} {
		for i := 0; ; i++ {
			body := fmt.Appendf(nil, `{"n":%d}`, i)
			if short, ok := cut(signature(signingSecret, "["+now+";"+string(body)+"]")); ok {
				require.ErrorIs(t, crisp.Verify(signingSecret, headers(now, short), body, 0), crisp.ErrSignature)
				require.NoError(t, crisp.Verify(signingSecret, headers(now, signature(signingSecret, "["+now+";"+string(body)+"]")), body, 0))
				break
			}
		}
	}
	require.Len(t, signature(signingSecret, ""), hex.EncodedLen(32))
}

// postTo posts a hook without a signature to a URL with a query, and returns the
// status and the error that is reported.
func postTo(t *testing.T, query string, opts ...crisp.WebhookOption) (int, error) {
	t.Helper()
	var reported error
	hook, err := crisp.NewWebhook(crisp.NewRouter(crisp.WithErrorHandler(func(_ context.Context, err error) { reported = err })), opts...)
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "/hooks", bytes.NewReader(testkit.HookBody("hello")))
	r.URL.RawQuery = query
	w := httptest.NewRecorder()
	hook.ServeHTTP(w, r)
	return w.Code, reported
}

func TestURLSecretsThatAreSetAgainReplaceTheFirst(t *testing.T) {
	opts := []crisp.WebhookOption{crisp.WithURLSecrets("token", "first"), crisp.WithURLSecrets("key", "second")}
	for query, status := range map[string]int{"key=second": 200, "key=first": 401, "token=first": 401, "token=second": 401} {
		got, _ := postTo(t, query, opts...)
		assert.Equal(t, status, got, query)
	}
}

func TestURLSecretsInEverySpelling(t *testing.T) {
	for _, c := range []struct {
		secret, query string
		status        int
	}{
		{"a+b", "key=a+b", 200}, // as whoever copied it into the URL may have left it
		{"a+b", "key=a%2Bb", 200},
		{"a+b", "key=a%20b", 401},
		{"a b", "key=a+b", 200},
		{"a b", "key=a%20b", 200},
		{"a+b c", "key=a%2Bb+c", 200},
		{"a+b c", "key=a+b%20c", 200},
		{"a", "key=a&x=1;y=2", 200},
		{"a", "x=1;y=2&key=a", 200},
		{"a", "x;y&key=a", 200},
		{"a;b", "key=a;b", 200},
		{"a;b", "key=a%3Bb", 200},
		{"a", "key=a;x=1", 401},
		{"a", "x=1;key=a", 401},
		{"a", "&&key=a&", 200},
		{"a", "key=a&key", 401},
		{"a=b", "key=a=b", 200},
	} {
		status, err := postTo(t, c.query, crisp.WithURLSecrets("key", c.secret))
		assert.Equal(t, c.status, status, "%s as %s", c.secret, c.query)
		if c.status != 200 {
			require.ErrorIs(t, err, crisp.ErrSignature)
			assert.Equal(t, strings.Contains(c.query, ";"), strings.Contains(err.Error(), "not by semicolons"), c.query)
		}
	}
	for _, value := range []string{"hush+hush", "hush hush", "hush%2Bhush", "hush;hush&hush=hush"} {
		status, _ := postTo(t, url.Values{"key": {value}}.Encode(), crisp.WithURLSecrets("key", value))
		assert.Equal(t, 200, status, value)
	}
}

// The error of a malformed query could have some of the secret in it.
func TestErrorsOfMalformedQueriesDontQuoteThem(t *testing.T) {
	for _, query := range []string{"key=%hush", "key=%hu;sh", "%hush=1&key=x", "key=hush%", "%hu", "key=x&%hush"} {
		status, err := postTo(t, query, crisp.WithURLSecrets("key", "%hush"))
		assert.Equal(t, http.StatusUnauthorized, status, query)
		require.ErrorIs(t, err, crisp.ErrSignature)
		assert.NotContains(t, err.Error(), "%", query)
		assert.NotContains(t, err.Error(), "hu", query)
	}
}

// Exactly as many bytes as are allowed are read; with one more, the server must
// not go on to read what somebody sends.
func TestABodyThatIsTooLargeEndsTheConnection(t *testing.T) {
	body := testkit.HookBody("hello")
	for _, chunked := range []bool{false, true} {
		for _, less := range []int{0, 1} {
			rec := newReceiver(t, crisp.WithMaxBody(int64(len(body)-less)))
			server := httptest.NewServer(rec)
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			r, err := http.NewRequest(http.MethodPost, server.URL, io.MultiReader(bytes.NewReader(body)))
			require.NoError(t, err)
			if !chunked {
				r.ContentLength = int64(len(body))
			}
			r.Header = crisp.Sign(signingSecret, time.Now(), body)
			require.NoError(t, r.Write(conn))
			answer, err := http.ReadResponse(bufio.NewReader(conn), r)
			require.NoError(t, err)
			if less == 0 {
				assert.Equal(t, http.StatusOK, answer.StatusCode)
				assert.False(t, answer.Close)
			} else {
				assert.Equal(t, http.StatusRequestEntityTooLarge, answer.StatusCode)
				assert.Equal(t, chunked, answer.Close) // what was told to be too large has not been read
			}
			require.NoError(t, answer.Body.Close())
			require.NoError(t, conn.Close())
			server.Close()
		}
	}
}
