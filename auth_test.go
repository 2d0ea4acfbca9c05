package crisp_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

func TestTokensNeverShowTheirKey(t *testing.T) {
	const key = "s3cr3t"
	tokens := []crisp.Token{
		crisp.PluginToken("id", key),
		crisp.UserToken("id", key),
		crisp.WebsiteToken("website", "id", key),
	}
	for _, token := range tokens {
		t.Run(string(token.Tier), func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
				for _, v := range []any{token, &token, []crisp.Token{token}, map[string]crisp.Token{"a": token}, struct{ T crisp.Token }{token}} {
					shown := fmt.Sprintf(verb, v)
					assert.NotContains(t, shown, key, verb)
					assert.NotContains(t, shown, fmt.Sprintf("%x", key), verb)
				}
			}
			var out bytes.Buffer
			for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(handler).Info("token", "token", token, "pointer", &token, "group", slog.GroupValue(slog.Any("t", token)))
			}
			assert.Contains(t, out.String(), "id")
			assert.NotContains(t, out.String(), key)
			for name, encode := range encoders {
				for _, v := range []any{token, &token, struct{ T crisp.Token }{token}, struct{ T *crisp.Token }{&token}} {
					out.Reset()
					err := encode(&out, v)
					require.Error(t, err, "%s: not by accident", name)
					assert.NotContains(t, err.Error()+out.String(), key)
				}
			}
		})
	}
}

var encoders = map[string]func(out io.Writer, v any) error{
	"json": func(out io.Writer, v any) error { return json.NewEncoder(out).Encode(v) },
	"xml":  func(out io.Writer, v any) error { return xml.NewEncoder(out).Encode(v) },
	"gob":  func(out io.Writer, v any) error { return gob.NewEncoder(out).Encode(v) },
}

// fmt calls no methods of what is in an unexported field.
func TestWhatIsSafeInAnUnexportedField(t *testing.T) {
	const key = "s3cr3t"
	token := crisp.PluginToken("id", key)
	client, err := crisp.New(token)
	require.NoError(t, err)
	hooks, err := crisp.NewWebhook(crisp.NewRouter(), crisp.WithSigningSecrets(key), crisp.WithURLSecrets("key", key))
	require.NoError(t, err)
	values := []any{struct{ client *crisp.Client }{client}, struct{ hooks *crisp.Webhook }{hooks}, client, hooks, &struct{ token *crisp.Token }{&token}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s", "%q"} {
		if verb == "%s" { // and %q: with them fmt follows the pointer to a Token in order to complain about it
			values = values[:len(values)-1]
		}
		for _, v := range values {
			shown := fmt.Sprintf(verb, v)
			assert.NotContains(t, shown, key, verb)
			assert.NotContains(t, shown, fmt.Sprintf("%x", key), verb)
		}
	}
}

func TestTokenTiers(t *testing.T) {
	token := crisp.WebsiteToken("website", "id", "key")
	assert.Equal(t, crisp.TierWebsite, token.Tier)
	assert.Equal(t, "website", token.WebsiteID())
	assert.Empty(t, crisp.PluginToken("id", "key").WebsiteID())
	assert.Equal(t, crisp.TierUser, crisp.UserToken("id", "key").Tier)
}

func TestNewRefusesIncompleteTokens(t *testing.T) {
	tests := []struct {
		name  string
		token crisp.Token
		says  string
	}{
		{"none", crisp.Token{}, "unknown tier"},
		{"a tier of its own", crisp.Token{Tier: "admin", Identifier: "id", Key: "s3cr3t"}, `unknown tier "admin"`},
		{"no identifier", crisp.PluginToken("", "s3cr3t"), "no identifier"},
		{"no key", crisp.PluginToken("id", ""), "no key"},
		{"a colon", crisp.UserToken("i:d", "s3cr3t"), "colon"},
		{"no website", crisp.WebsiteToken("", "id", "s3cr3t"), "website"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := crisp.New(tt.token)
			require.ErrorContains(t, err, tt.says)
			assert.NotContains(t, err.Error(), "s3cr3t")
		})
	}
}

const (
	someUUID  = "8c842203-7ed8-4e29-a608-7cf78a7d2fcc"
	otherUUID = "25320afc-33e9-436d-8296-6b89d2e0986b"
	someKey   = "f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f"
)

func TestNewRefusesCredentialsThatCantBe(t *testing.T) {
	tests := []struct {
		name  string
		token crisp.Token
		says  string
	}{
		{"a blank in the key", crisp.PluginToken("id", "s3cr3t s3cr3t"), "the token's key has a blank, a line break or another character at byte 6 "},
		{"a line break in the key", crisp.PluginToken("id", "s3cr\n3t"), "key has a blank, a line break"},
		{"a line break in the identifier", crisp.UserToken("i\r\nd", "s3cr3t"), "identifier has a blank, a line break"},
		{"a byte order mark", crisp.UserToken("\ufeffid", "s3cr3t"), "identifier has a blank, a line break or another character at byte 0 "},
		{"quotes", crisp.PluginToken("id", `"s3cr3t"`), "leave quotes out"},
		{"only white space", crisp.PluginToken("id", " \n"), "no key"},
		{"identifier and key swapped", crisp.PluginToken(someKey, someUUID), "are they swapped?"},
		{"the same of a user token", crisp.UserToken(someKey, someUUID), "are they swapped?"},
		{"the website last", crisp.WebsiteToken("id", "s3cr3t", someUUID), "WebsiteToken(websiteID, identifier, key)"},
		{"the website second", crisp.WebsiteToken("id", someUUID, "s3cr3t"), "WebsiteToken(websiteID, identifier, key)"},
		{"the website last, of real forms", crisp.WebsiteToken(someUUID, someKey, otherUUID), "WebsiteToken(websiteID, identifier, key)"},
		{"the key first", crisp.WebsiteToken(someKey, someUUID, "s3cr3t"), "WebsiteToken(websiteID, identifier, key)"},
		{"the website twice", crisp.WebsiteToken(someUUID, someUUID, "s3cr3t"), "WebsiteToken(websiteID, identifier, key)"},
		{"a blank in the website", crisp.WebsiteToken("8c842203 7ed8", "id", "s3cr3t"), "the website of a website token has white space in it"},
		{"a session as website", crisp.WebsiteToken("session_"+someUUID, "id", "s3cr3t"), "session_…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := crisp.New(tt.token)
			require.ErrorContains(t, err, tt.says)
			for _, secret := range []string{"s3cr", someKey, someUUID} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
	for _, token := range []crisp.Token{
		crisp.PluginToken(someUUID, someKey), crisp.PluginToken("id", someUUID), crisp.UserToken(someUUID, otherUUID),
		crisp.WebsiteToken(someUUID, otherUUID, someKey), crisp.WebsiteToken("w1", "id", "s3cr3t"),
	} {
		_, err := crisp.New(token)
		assert.NoError(t, err, token.String())
	}
}

// What is read from a file ends in a line break.
func TestWhiteSpaceAroundCredentialsIsLeftOut(t *testing.T) {
	var user, key string
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodGet, "https://api.crisp.chat/v1/website/"+someUUID+"/connect/endpoints",
		func(r *http.Request) (*http.Response, error) {
			user, key, _ = r.BasicAuth()
			return httpmock.NewStringResponse(200, `{"error":false,"reason":"resolved","data":{"socket":{"app":"https://app.example/"}}}`), nil
		})
	client, err := crisp.New(crisp.WebsiteToken(someUUID+"\n", " "+otherUUID, someKey+"\r\n"), crisp.WithHTTPClient(&http.Client{Transport: mock}))
	require.NoError(t, err)
	_, err = client.ConnectEndpoints(t.Context())
	require.NoError(t, err)
	assert.Equal(t, otherUUID, user)
	assert.Equal(t, someKey, key)
}
