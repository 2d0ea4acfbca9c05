package crisp

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAProxysRefusalIsToldAsSuch(t *testing.T) {
	for status, says := range map[int]string{
		http.StatusProxyAuthRequired: "the proxy refused its credentials: check those in HTTPS_PROXY",
		http.StatusForbidden:         "status 403 Forbidden",
		http.StatusBadGateway:        "status 502 Bad Gateway",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, http.MethodConnect, r.Method)
				http.Error(w, "private", status)
			}))
			defer proxy.Close()
			address, err := url.Parse(proxy.URL)
			require.NoError(t, err)
			address.User = url.UserPassword("user", "secret")
			own := newHTTPClient() // the default, but for where its proxy is from
			own.Transport.(*http.Transport).Proxy = http.ProxyURL(address)
			client, err := New(PluginToken("plugin-id", "plugin-key"), WithHTTPClient(own))
			require.NoError(t, err)
			defer client.CloseIdleConnections()

			err = client.Do(t.Context(), "POST", "a", nil, nil)
			require.ErrorContains(t, err, "no connection by the proxy "+address.Host)
			assert.ErrorContains(t, err, says)
			assert.NotContains(t, err.Error(), "secret")
			assert.NotErrorIs(t, err, ErrUnauthorized)
		})
	}
}
