package inspect

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Only the page itself, and who has the token, may do anything: not pages of other
// sites, by whatever name they reach this machine.
func TestGuard(t *testing.T) {
	const port = "7702"
	mux := http.NewServeMux()
	(&Server{cfg: Config{Ring: NewRing(0), Token: testToken, Run: testRun}}).routes(mux)
	g := &guard{hosts: hostsAt(port), token: testToken, cross: http.NewCrossOriginProtection(), next: mux}
	type row struct {
		name, method, path, host string
		headers                  string // "Name: value", with ; between
		want                     int
	}
	const own = "127.0.0.1:7702"
	withToken := "?token=" + testToken
	bearer := "Authorization: Bearer " + testToken
	for _, test := range []row{
		{"page", "GET", "/" + withToken, own, "", 200},
		{"page by localhost", "GET", "/" + withToken, "localhost:7702", "", 200},
		{"page by IPv6", "GET", "/" + withToken, "[::1]:7702", "", 200},
		{"page of a browser", "GET", "/" + withToken, own, "Sec-Fetch-Site: none;Sec-Fetch-Mode: navigate;Sec-Fetch-Dest: document", 200},
		{"page by a link", "GET", "/" + withToken, own, "Sec-Fetch-Site: cross-site;Sec-Fetch-Mode: navigate;Sec-Fetch-Dest: document", 200},
		{"page in a frame", "GET", "/" + withToken, own, "Sec-Fetch-Site: cross-site;Sec-Fetch-Mode: navigate;Sec-Fetch-Dest: iframe", 403},
		{"API by a link", "GET", "/api/info" + withToken, own, "Sec-Fetch-Site: cross-site;Sec-Fetch-Mode: navigate;Sec-Fetch-Dest: document", 403},
		{"API", "GET", "/api/info", own, bearer, 200},
		{"API of the page", "GET", "/api/info", own, bearer + ";Origin: http://127.0.0.1:7702;Sec-Fetch-Site: same-origin", 200},
		{"stream's token in the URL", "GET", "/api/info" + withToken, own, "Sec-Fetch-Site: same-origin", 200},
		{"asset", "GET", "/assets/index.html", own, "", 200},
		{"no asset", "GET", "/assets/nothing.js", own, "", 404},
		{"no asset, though a file", "GET", "/assets/..%2fserver.go", own, "", 404},
		{"asset of another origin", "GET", "/assets/index.html", own, "Sec-Fetch-Site: cross-site;Sec-Fetch-Mode: no-cors", 403},
		{"asset by another name", "GET", "/assets/index.html", "evil.example:7702", "", 403},

		{"no token", "GET", "/", own, "", 403},
		{"no token, API", "GET", "/api/info", own, "", 403},
		{"no token, no route", "GET", "/nowhere", own, "", 403},
		{"empty token", "GET", "/api/info?token=", own, "", 403},
		{"empty bearer", "GET", "/api/info", own, "Authorization: Bearer ", 403},
		{"half a token", "GET", "/api/info?token=" + testToken[:16], own, "", 403},
		{"token and more", "GET", "/api/info" + withToken + "0", own, "", 403},
		{"token of other case", "GET", "/api/info?token=" + strings.ToUpper(testToken), own, "", 403},
		{"wrong bearer with a right token", "GET", "/api/info" + withToken, own, "Authorization: Bearer x", 403},
		{"token as a cookie", "GET", "/api/info", own, "Cookie: token=" + testToken, 403},
		{"token by another scheme", "GET", "/api/info", own, "Authorization: Basic " + testToken, 403},

		{"no host", "GET", "/api/info" + withToken, "", "", 403},
		{"rebinding", "GET", "/api/info" + withToken, "evil.example", "", 403},
		{"rebinding with the port", "GET", "/api/info" + withToken, "evil.example:7702", "", 403},
		{"rebinding by a name of the address", "GET", "/api/info" + withToken, "127.0.0.1.nip.example:7702", "", 403},
		{"rebinding by localhost's subdomain", "GET", "/api/info" + withToken, "evil.localhost:7702", "", 403},
		{"localhost with a dot", "GET", "/api/info" + withToken, "localhost.:7702", "", 403},
		{"another loopback address", "GET", "/api/info" + withToken, "127.0.0.2:7702", "", 403},
		{"any address", "GET", "/api/info" + withToken, "0.0.0.0:7702", "", 403},
		{"no port", "GET", "/api/info" + withToken, "127.0.0.1", "", 403},
		{"another port", "GET", "/api/info" + withToken, "127.0.0.1:80", "", 403},
		{"a user in the host", "GET", "/api/info" + withToken, "127.0.0.1:7702@evil.example", "", 403},
		{"forwarded", "GET", "/api/info" + withToken, "evil.example", "X-Forwarded-Host: 127.0.0.1:7702", 403},

		{"foreign origin", "GET", "/api/info" + withToken, own, "Origin: https://evil.example", 403},
		{"no origin", "GET", "/api/info" + withToken, own, "Origin: null", 403},
		{"empty origin", "GET", "/api/info" + withToken, own, "Origin: ", 403},
		{"origin of another port", "GET", "/api/info" + withToken, own, "Origin: http://127.0.0.1:8080", 403},
		{"origin of another name", "GET", "/api/info" + withToken, own, "Origin: http://localhost:7702", 403},
		{"origin by TLS", "GET", "/api/info" + withToken, own, "Origin: https://127.0.0.1:7702", 403},
		{"origin that begins so", "GET", "/api/info" + withToken, own, "Origin: http://127.0.0.1:7702.evil.example", 403},
		{"two origins", "GET", "/api/info" + withToken, own, "Origin: http://127.0.0.1:7702;Origin: https://evil.example", 403},
		{"cross-site", "GET", "/api/info" + withToken, own, "Sec-Fetch-Site: cross-site", 403},
		{"same site, another port", "GET", "/api/info" + withToken, own, "Sec-Fetch-Site: same-site", 403},
		{"stream, cross-site", "GET", "/api/stream" + withToken, own, "Sec-Fetch-Site: cross-site;Sec-Fetch-Mode: no-cors", 403},
		{"post, cross-site", "POST", "/api/replay" + withToken, own, "Sec-Fetch-Site: cross-site", 403},
		{"post, foreign origin", "POST", "/api/replay" + withToken, own, "Origin: https://evil.example", 403},
		{"post without a token", "POST", "/api/replay", own, "Origin: http://127.0.0.1:7702", 403},
		{"post of the page", "POST", "/api/replay", own, bearer + ";Origin: http://127.0.0.1:7702", 400},
		{"preflight", "OPTIONS", "/api/replay", own, "Origin: https://evil.example;Access-Control-Request-Method: POST", 403},
		{"chat of another command", "GET", "/api/chat", own, bearer, 404},
		{"another method", "DELETE", "/api/info", own, bearer, 404},
		{"no route", "GET", "/control/v1/", own, bearer, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, test.path, nil)
			r.Host = test.host
			for header := range strings.SplitSeq(test.headers, ";") {
				if name, value, ok := strings.Cut(header, ": "); ok {
					r.Header.Add(name, value)
				}
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			assert.Equal(t, test.want, w.Code, w.Body)
			assert.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; ")
			assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			assert.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
			assert.Equal(t, "same-origin", w.Header().Get("Cross-Origin-Resource-Policy"))
			assert.Equal(t, "same-origin", w.Header().Get("Cross-Origin-Opener-Policy"))
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
			assert.NotContains(t, w.Body.String(), testToken)
			if w.Code != 200 {
				assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
				assert.Contains(t, w.Body.String(), `{"error":"`)
			}
		})
	}
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:80", "localhost.evil.example:1", "nonsense", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000"} {
		_, err := Start(Config{Addr: addr, Token: testToken, Ring: NewRing(0)})
		var wrong *AddrError
		assert.ErrorAs(t, err, &wrong, addr)
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "127.0.0.2:0"} {
		server, err := Start(Config{Addr: addr, Token: testToken, Ring: NewRing(0)})
		require.NoError(t, err, addr)
		server.Close()
	}
}

// Of the default, the next port that is free is taken; an address that was given is not
// replaced.
func TestTakenPorts(t *testing.T) {
	first, err := Start(Config{Token: testToken, Ring: NewRing(0)})
	require.NoError(t, err)
	defer first.Close()
	second, err := Start(Config{Token: testToken, Ring: NewRing(0)})
	require.NoError(t, err)
	defer second.Close()
	assert.NotEqual(t, first.URL(), second.URL())
	_, err = Start(Config{Addr: strings.TrimSuffix(strings.TrimPrefix(first.url, "http://"), "/"), Token: testToken, Ring: NewRing(0)})
	var taken *net.OpError
	assert.ErrorAs(t, err, &taken)
}

func TestToken(t *testing.T) {
	env := func(name, value string) func(string) string {
		return func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		}
	}
	folder := t.TempDir()
	state := env("XDG_STATE_HOME", filepath.Join(folder, "new"))
	token, err := Token(state)
	require.NoError(t, err)
	assert.Len(t, token, 32)
	again, err := Token(state)
	require.NoError(t, err)
	assert.Equal(t, token, again)
	path := filepath.Join(folder, "new", "crisp", "inspector-token")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	info, err = os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, left, 1)

	require.NoError(t, os.Chmod(path, 0o640))
	_, err = Token(state)
	assert.EqualError(t, err, "others can read "+path+", which has mode 0640: remove it, and open the page anew")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("short\n"), 0o600))
	_, err = Token(state)
	assert.EqualError(t, err, path+" holds no token: remove it")

	home := env("HOME", folder)
	token, err = Token(home)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(folder, ".local", "state", "crisp", "inspector-token"))
	assert.NotEqual(t, again, token)

	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, nowhere := range map[string]func(string) string{
		"no folder": env("", ""), "relative": env("XDG_STATE_HOME", "state"), "below a file": env("XDG_STATE_HOME", file),
	} {
		token, err = Token(nowhere)
		assert.ErrorIs(t, err, ErrNotKept, name)
		assert.Len(t, token, 32, name)
	}
}
