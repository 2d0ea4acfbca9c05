package crisp_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// signature is the protocol's definition, written a second time.
func signature(secret, message string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(message))
	return hex.EncodeToString(h.Sum(nil))
}

func headers(timestamp, signature string) http.Header {
	return http.Header{"X-Crisp-Request-Timestamp": {timestamp}, "X-Crisp-Signature": {signature}}
}

func TestSignMakesWhatCrispSends(t *testing.T) {
	// Made with OpenSSL: printf '[1700000000123;{"a":1}]' | openssl dgst -sha256 -hmac secret
	want := http.Header{
		"X-Crisp-Request-Timestamp": {"1700000000123"},
		"X-Crisp-Signature":         {"be5b57b15f3124bff8a8c25b7e13cb8b28e23fdf6286f1889f36272df95bf102"},
	}
	assert.Equal(t, want, crisp.Sign("secret", time.UnixMilli(1700000000123), []byte(`{"a":1}`)))
}

func TestVerifyAcceptsBothFormsAndUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const body = `{"a" : "\u00e9\/"}`
		now := time.Now()
		for name, timestamp := range map[string]string{
			"milliseconds": strconv.FormatInt(now.UnixMilli(), 10),
			"seconds":      strconv.FormatInt(now.Unix(), 10),
		} {
			for form, message := range map[string]string{
				"with brackets":    "[" + timestamp + ";" + body + "]",
				"without brackets": timestamp + ";" + body,
			} {
				h := headers(timestamp, signature(signingSecret, message))
				assert.NoError(t, crisp.Verify(signingSecret, h, []byte(body), time.Minute), "%s, %s", name, form)
			}
		}
		timestamp := strconv.FormatInt(now.UnixMilli(), 10)
		capitals := strings.ToUpper(signature(signingSecret, "["+timestamp+";"+body+"]"))
		assert.NoError(t, crisp.Verify(signingSecret, headers(timestamp, capitals), []byte(body), time.Minute))
	})
}

func TestVerifyRefuses(t *testing.T) {
	const body = `{"a":1}`
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	right := signature(signingSecret, "["+now+";"+body+"]")
	signed := func(timestamp string) http.Header {
		return headers(timestamp, signature(signingSecret, "["+timestamp+";"+body+"]"))
	}
	for name, tt := range map[string]struct {
		secret string
		header http.Header
	}{
		"no headers":             {signingSecret, nil},
		"no signature":           {signingSecret, http.Header{"X-Crisp-Request-Timestamp": {now}}},
		"no timestamp":           {signingSecret, http.Header{"X-Crisp-Signature": {right}}},
		"wrong secret":           {"guess", headers(now, right)},
		"empty signature":        {signingSecret, headers(now, "")},
		"short signature":        {signingSecret, headers(now, right[:62])},
		"long signature":         {signingSecret, headers(now, right+"00")},
		"odd signature":          {signingSecret, headers(now, right[:63])},
		"signature is no hex":    {signingSecret, headers(now, strings.Repeat("x", 64))},
		"base64":                 {signingSecret, headers(now, "q1Z3Rk1KJ6h2bV0Zr0xv8w3b7g3c0c7i0t7b6h8f0aA=")},
		"algorithm in front":     {signingSecret, headers(now, "sha256="+right)},
		"list of signatures":     {signingSecret, headers(now, right+","+right)},
		"empty timestamp":        {signingSecret, signed("")},
		"negative timestamp":     {signingSecret, signed("-" + now)},
		"signed timestamp":       {signingSecret, signed("+" + now)},
		"fractional timestamp":   {signingSecret, signed(now + ".5")},
		"timestamp in words":     {signingSecret, signed(time.Now().Format(time.RFC1123))},
		"timestamp with space":   {signingSecret, signed(" " + now)},
		"timestamp in hex":       {signingSecret, signed("0x17")},
		"timestamp with _":       {signingSecret, signed("1_700_000_000")},
		"timestamp of 17 digits": {signingSecret, signed(strings.Repeat("1", 17))},
		"timestamp with bracket": {signingSecret, signed("[" + now)},
		"part of the body in the timestamp": {signingSecret, headers(now+";{",
			signature(signingSecret, "["+now+";{"+`"a":1}`+"]"))},
		"empty secret":               {"", headers(now, right)},
		"empty secret on both sides": {"", crisp.Sign("", time.Now(), []byte(body))},
	} {
		t.Run(name, func(t *testing.T) {
			for _, tolerance := range []time.Duration{0, time.Minute} {
				err := crisp.Verify(tt.secret, tt.header, []byte(body), tolerance)
				require.ErrorIs(t, err, crisp.ErrSignature)
				assert.NotErrorIs(t, err, crisp.ErrStale)
				assert.NotContains(t, err.Error(), signingSecret)
				assert.NotContains(t, err.Error(), right)
			}
		})
	}
}

// Whoever can have a body signed must not get a signature for another one out
// of it by moving the border between timestamp and body.
func TestNeitherFormPassesForTheOther(t *testing.T) {
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	inBrackets := signature(signingSecret, "["+now+";{}]")
	require.ErrorIs(t, crisp.Verify(signingSecret, headers("["+now, inBrackets), []byte("{}]"), 0), crisp.ErrSignature)
	require.ErrorIs(t, crisp.Verify(signingSecret, headers(now, inBrackets), []byte("{}]"), 0), crisp.ErrSignature)
}

func TestVerifyLimitsTheAgeBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := []byte(`{}`)
		for _, tt := range []struct {
			age, tolerance time.Duration
			says           string // empty = accepted
		}{
			{0, time.Minute, ""},
			{time.Minute, time.Minute, ""},
			{-time.Minute, time.Minute, ""},
			{61 * time.Second, time.Minute, "outside the tolerance of 1m0s: it is 1m1s old"},
			{-61 * time.Second, time.Minute, "outside the tolerance of 1m0s: it is 1m1s ahead of this machine's clock"},
			{24 * 365 * time.Hour, time.Minute, "old"},
			{24 * 365 * time.Hour, 0, ""},
			{-24 * 365 * time.Hour, 0, ""},
			{time.Second, -time.Minute, "old"}, // a tolerance that nothing meets
		} {
			err := crisp.Verify(signingSecret, crisp.Sign(signingSecret, time.Now().Add(-tt.age), body), body, tt.tolerance)
			if tt.says == "" {
				assert.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, crisp.ErrStale)
			assert.NotErrorIs(t, err, crisp.ErrSignature)
			assert.ErrorContains(t, err, tt.says)
		}
	})
}

func TestTheUnitOfATimestampIsToldByMagnitude(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)))
		for timestamp, fresh := range map[string]bool{
			"1782864000":       true, // 2026-07-01 in seconds
			"01782864000":      true,
			"1782864000000":    true,  // in milliseconds
			"1782864000000000": false, // microseconds are not sent
			"0":                false,
			"99999999999":      false, // seconds, year 5138
			"100000000000":     false, // milliseconds, year 1973
			"9999999999999999": false,
		} {
			h := headers(timestamp, signature(signingSecret, "["+timestamp+";{}]"))
			err := crisp.Verify(signingSecret, h, []byte("{}"), time.Minute)
			if fresh {
				assert.NoError(t, err, timestamp)
			} else {
				assert.ErrorIs(t, err, crisp.ErrStale, timestamp)
				assert.NotContains(t, err.Error(), "it is -", timestamp)
			}
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
