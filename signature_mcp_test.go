package crisp_test

import (
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

const (
	mcpSecret  = "mcp_sec_that-must-not-show"
	mcpWebsite = "f3c1a7e5-92d4-4b86-a1c0-7d2e9f4b6038"
)

func mcpHeaders(timestamp, website, signature string) http.Header {
	return http.Header{"X-Crisp-Timestamp": {timestamp}, "X-Crisp-Website-Id": {website}, "X-Crisp-Signature": {signature}}
}

func mcpSigned(timestamp, website, body string) http.Header {
	return mcpHeaders(timestamp, website, "sha256="+signature(mcpSecret, timestamp+"."+website+"."+body))
}

func TestVerifyMCP(t *testing.T) {
	const body = `{"jsonrpc" : "2.0", "id":1}`
	now := strconv.FormatInt(time.Now().Unix(), 10)
	require.NoError(t, crisp.VerifyMCP(mcpSecret, mcpSigned(now, mcpWebsite, body), []byte(body), time.Minute))

	right := mcpSigned(now, mcpWebsite, body).Get("X-Crisp-Signature")
	plain := strings.TrimPrefix(right, "sha256=")
	for name, tt := range map[string]struct {
		secret string
		header http.Header
		body   string
	}{
		"no headers":           {mcpSecret, nil, body},
		"empty secret":         {"", mcpHeaders(now, mcpWebsite, "sha256="+signature("", now+"."+mcpWebsite+"."+body)), body},
		"wrong secret":         {"guess", mcpHeaders(now, mcpWebsite, right), body},
		"another body":         {mcpSecret, mcpHeaders(now, mcpWebsite, right), body + " "},
		"another website":      {mcpSecret, mcpHeaders(now, "0"+mcpWebsite[1:], right), body},
		"another time":         {mcpSecret, mcpHeaders(now+"0", mcpWebsite, right), body},
		"no prefix":            {mcpSecret, mcpHeaders(now, mcpWebsite, plain), body},
		"another prefix":       {mcpSecret, mcpHeaders(now, mcpWebsite, "sha1="+plain), body},
		"prefix only":          {mcpSecret, mcpHeaders(now, mcpWebsite, "sha256="), body},
		"short":                {mcpSecret, mcpHeaders(now, mcpWebsite, right[:len(right)-2]), body},
		"no hex":               {mcpSecret, mcpHeaders(now, mcpWebsite, "sha256="+strings.Repeat("x", 64)), body},
		"two signatures":       {mcpSecret, http.Header{"X-Crisp-Timestamp": {now}, "X-Crisp-Website-Id": {mcpWebsite}, "X-Crisp-Signature": {right, right}}, body},
		"two websites":         {mcpSecret, http.Header{"X-Crisp-Timestamp": {now}, "X-Crisp-Website-Id": {mcpWebsite, mcpWebsite}, "X-Crisp-Signature": {right}}, body},
		"two times":            {mcpSecret, http.Header{"X-Crisp-Timestamp": {now, now}, "X-Crisp-Website-Id": {mcpWebsite}, "X-Crisp-Signature": {right}}, body},
		"time in words":        {mcpSecret, mcpSigned("now", mcpWebsite, body), body},
		"no website":           {mcpSecret, mcpSigned(now, "", body), body},
		"border moved":         {mcpSecret, mcpHeaders(now, mcpWebsite+"."+body[:1], "sha256="+signature(mcpSecret, now+"."+mcpWebsite+"."+body)), body[1:]},
		"border moved by dots": {mcpSecret, mcpHeaders(now, mcpWebsite+".a", "sha256="+signature(mcpSecret, now+"."+mcpWebsite+".a.b")), "b"},
		"signed as a hook":     {mcpSecret, mcpHeaders(now, mcpWebsite, "sha256="+signature(mcpSecret, "["+now+";"+body+"]")), body},
	} {
		for _, tolerance := range []time.Duration{0, time.Minute} {
			err := crisp.VerifyMCP(tt.secret, tt.header, []byte(tt.body), tolerance)
			require.ErrorIs(t, err, crisp.ErrSignature, name)
			assert.NotErrorIs(t, err, crisp.ErrStale, name)
			assert.NotContains(t, err.Error(), mcpSecret)
			assert.NotContains(t, err.Error(), plain)
		}
	}
}

func TestVerifyMCPLimitsTheAgeBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for age, fresh := range map[time.Duration]bool{
			0: true, time.Minute: true, -time.Minute: true, 61 * time.Second: false, -61 * time.Second: false, 24 * 365 * time.Hour: false,
		} {
			h := mcpSigned(strconv.FormatInt(time.Now().Add(-age).Unix(), 10), mcpWebsite, "{}")
			require.NoError(t, crisp.VerifyMCP(mcpSecret, h, []byte("{}"), 0))
			err := crisp.VerifyMCP(mcpSecret, h, []byte("{}"), time.Minute)
			if fresh {
				assert.NoError(t, err, age)
			} else {
				assert.ErrorIs(t, err, crisp.ErrStale, age)
			}
		}
	})
}

// FuzzVerifyMCP compares VerifyMCP with the protocol's definition.
func FuzzVerifyMCP(f *testing.F) {
	timestamps := regexp.MustCompile(`^[0-9]{1,16}$`)
	f.Add("secret", "1700000000", "w", "sha256="+signature("secret", "1700000000.w.{}"), []byte("{}"))
	f.Add("secret", "1700000000", "w.x", "sha256="+signature("secret", "1700000000.w.x.{}"), []byte("{}"))
	f.Add("", "1700000000", "w", "sha256="+signature("", "1700000000.w."), []byte(""))
	f.Add("secret", "", "", "sha256=", []byte(nil))
	f.Fuzz(func(t *testing.T, secret, timestamp, website, given string, body []byte) {
		want := secret != "" && timestamps.MatchString(timestamp) && website != "" && !strings.Contains(website, ".") &&
			len(given) == len("sha256=")+64 && strings.HasPrefix(given, "sha256=") &&
			strings.ToLower(given) == "sha256="+signature(secret, timestamp+"."+website+"."+string(body))
		err := crisp.VerifyMCP(secret, mcpHeaders(timestamp, website, given), body, 0)
		if want != (err == nil) {
			t.Errorf("accepted: %t, want %t", err == nil, want)
		}
		if err != nil {
			assert.ErrorIs(t, err, crisp.ErrSignature)
		}
	})
}
