package crisp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/testkit"
)

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

// FuzzVerify compares Verify with the protocol's definition.
func FuzzVerify(f *testing.F) {
	timestamps := regexp.MustCompile(`^[0-9]{1,16}$`)
	const timestamp, body = "1700000000123", `{"a":1}`
	f.Add("secret", timestamp, signature("secret", "["+timestamp+";"+body+"]"), []byte(body))
	f.Add("secret", timestamp, signature("secret", timestamp+";"+body), []byte(body))
	f.Add("", timestamp, signature("", "["+timestamp+";"+body+"]"), []byte(body))
	f.Add("secret", "", signature("secret", "[;]"), []byte{})
	f.Add("secret", "["+timestamp, signature("secret", "["+timestamp+";{}]"), []byte("{}]"))
	f.Add("secret", "99999999999999999", strings.Repeat("0", 64), []byte("\xff\x00"))

	f.Fuzz(func(t *testing.T, secret, timestamp, given string, body []byte) {
		message := timestamp + ";" + string(body)
		lower := strings.ToLower(given)
		want := secret != "" && timestamps.MatchString(timestamp) && len(given) == 64 &&
			(lower == signature(secret, "["+message+"]") || lower == signature(secret, message))
		err := crisp.Verify(secret, headers(timestamp, given), body, 0)
		if want != (err == nil) {
			t.Errorf("accepted: %t, want %t", err == nil, want)
		}
		if err != nil && !errors.Is(err, crisp.ErrSignature) {
			t.Errorf("unexpected error %v", err)
		}

		signed := crisp.Sign(secret, time.Now(), body)
		if err := crisp.Verify(secret, signed, body, time.Minute); (err == nil) != (secret != "") {
			t.Errorf("what Sign made: %v", err)
		}
		if crisp.Verify(secret, signed, append(bytes.Clone(body), ' '), time.Minute) == nil {
			t.Error("another body was accepted")
		}
	})
}

// FuzzWebhook posts any body, signed and forged.
func FuzzWebhook(f *testing.F) {
	f.Add(testkit.HookBody("hello"))
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"event":"message:send"}`, `{"event":"a:b","data":null}`, `{"event":"a:b","data":[{}]} `,
		`{"event":"a:b","event":"message:send","data":{},"data":{"session_id":7}}`, `{"event":"\u0061","data":"\ud800"}`,
		`{"event":"a","data":1e999,"timestamp":-1e999}`, `{"event":"a","data":{},"timestamp":"1","website_id":[]}`,
		"{\"event\":\"\xff\",\"data\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got crisp.Event
		router := crisp.NewRouter(crisp.WithErrorHandler(func(context.Context, error) {}))
		router.OnAny(func(_ context.Context, ev crisp.Event) error {
			got = ev
			return nil
		})
		hook, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(signingSecret))
		if err != nil {
			t.Fatal(err)
		}
		post := func(r *http.Request) int {
			w := httptest.NewRecorder()
			hook.ServeHTTP(w, r)
			return w.Code
		}

		forged := hookRequest(body)
		bump(forged.Header, "X-Crisp-Signature")
		if status := post(forged); status != http.StatusUnauthorized || got != nil {
			t.Fatalf("a forged hook: status %d, event %v", status, got)
		}

		switch status := post(hookRequest(body)); status {
		case http.StatusOK:
			if !json.Valid(body) {
				t.Error("accepted what is not JSON")
			}
			if got == nil || got.EventName() == "" || got.EventMeta().Time.IsZero() {
				t.Errorf("event %#v", got)
			} else if raw := got.EventMeta().Raw; !json.Valid(raw) || !bytes.Contains(body, raw) {
				t.Errorf("payload %q", raw)
			}
		case http.StatusBadRequest:
			if got != nil {
				t.Error("a handler ran")
			}
		default:
			t.Errorf("status %d", status)
		}
	})
}
