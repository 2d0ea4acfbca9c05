//go:build browser && unix

package browser

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask makes a request of the page's address that is right but for what is changed.
func ask(t *testing.T, host, token, method, path string, change func(*http.Request)) (status int, header http.Header, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+host+path, strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Origin", "http://"+host)
	if change != nil {
		change(request)
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	if strings.HasPrefix(path, "/api/stream") && answer.StatusCode == http.StatusOK {
		return answer.StatusCode, answer.Header, "" // it has no end
	}
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, answer.Header, string(text)
}

func TestForeignRequestsAreRefused(t *testing.T) {
	for name, start := range map[string]func(*machine) *command{
		"receive": func(m *machine) *command { return m.receive(":0").command },
		"serve":   func(m *machine) *command { return m.serve("--ui=127.0.0.1:0").command },
		"listen":  func(m *machine) *command { return m.listen(m.serve(), ":0") },
	} {
		t.Run(name, func(t *testing.T) { refuses(t, start(newMachine(t)).page()) })
	}
}

func refuses(t *testing.T, page string) {
	t.Helper()
	host, token := address(t, page)
	_, port, _ := strings.Cut(host, ":")

	routes := []string{
		"GET /", "GET /api/info", "GET /api/events", "GET /api/events/abcdefgh-1", "GET /api/stream", "GET /api/export",
		"GET /api/code/abcdefgh-1?as=curl", "POST /api/replay", "GET /api/chat", "POST /api/chat/new", "POST /api/chat/s/compose", "POST /api/chat/s/state",
		"GET /nowhere", "POST /api/nowhere",
	}
	refusals := map[string]func(*http.Request){
		"no token":           func(r *http.Request) { r.Header.Del("Authorization") },
		"empty token":        func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") },
		"other token":        func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+strings.Repeat("0", len(token))) },
		"half a token":       func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token[:len(token)/2]) },
		"other token in URL": func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "token=" + token[1:] },
		"foreign host":       func(r *http.Request) { r.Host = "attacker.example" },
		"foreign host, port": func(r *http.Request) { r.Host = "attacker.example:" + port },
		"other port":         func(r *http.Request) { r.Host = "127.0.0.1:1" },
		"host without port":  func(r *http.Request) { r.Host = "127.0.0.1" },
		"host like loopback": func(r *http.Request) { r.Host = "127.0.0.1.attacker.example:" + port },
		"other loopback":     func(r *http.Request) { r.Host = "127.0.0.2:" + port },
		"foreign origin":     func(r *http.Request) { r.Header.Set("Origin", "http://attacker.example") },
		"origin of a file":   func(r *http.Request) { r.Header.Set("Origin", "null") },
		"other port's page":  func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") },
		"origin by TLS":      func(r *http.Request) { r.Header.Set("Origin", "https://"+host) },
	}
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		status, header, _ := ask(t, host, token, method, path, nil)
		assert.NotEqual(t, http.StatusForbidden, status, "%s is all right", route)
		headers(t, route, header)
		for name, change := range refusals {
			status, header, body := ask(t, host, token, method, path, change)
			assert.Equal(t, http.StatusForbidden, status, "%s, %s: %s", route, name, body)
			assert.NotContains(t, body, token, "%s, %s", route, name)
			headers(t, route+", "+name, header)
		}
	}
	for _, name := range []string{"localhost:" + port, "[::1]:" + port} {
		status, _, _ := ask(t, host, token, http.MethodGet, "/api/info", func(r *http.Request) { r.Host = name; r.Header.Del("Origin") })
		assert.Equal(t, http.StatusOK, status, name)
	}
}

func headers(t *testing.T, what string, header http.Header) {
	t.Helper()
	policy := header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		assert.Contains(t, policy, part, what)
	}
	assert.NotContains(t, policy, "unsafe", what)
	for name, value := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		assert.Equal(t, value, header.Get(name), "%s: %s", what, name)
	}
	assert.Empty(t, header.Get("Access-Control-Allow-Origin"), what)
}

func TestPageIsOnLoopbackOnly(t *testing.T) {
	m := newMachine(t)
	binary, err := installed()
	require.NoError(t, err)
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:7702", "attacker.example:7702"} {
		for _, name := range []string{"serve", "receive", "listen"} {
			cmd := exec.CommandContext(t.Context(), binary, name, "--ui="+addr)
			cmd.Env = append(m.env(), "CRISP_IDENTIFIER=i", "CRISP_KEY=k", "CRISP_BASE_URL=http://127.0.0.1:9")
			said, _ := cmd.CombinedOutput()
			assert.Equal(t, 2, cmd.ProcessState.ExitCode(), "%s --ui=%s: %s", name, addr, said)
			assert.Contains(t, string(said), "--ui", "%s --ui=%s", name, addr)
		}
	}
}

var (
	linked   = regexp.MustCompile(`(?:src|href)="(/?assets/[^"]+)"`)
	imported = regexp.MustCompile(`(?m)^(?:import|export)\b[^;'"=(]*['"](\.[^'"]+)['"]`)
)

// The tests run what go install makes, in an empty folder.
func TestInstalledCommandHasThePage(t *testing.T) {
	m := newMachine(t)
	r := m.receive(":0")
	page := r.page()
	host, token := address(t, page)
	status, header, index := ask(t, host, token, http.MethodGet, "/", nil)
	require.Equal(t, http.StatusOK, status)
	assert.Contains(t, header.Get("Content-Type"), "text/html")
	size := len(index)
	seen := map[string]bool{}
	var follow func(from, text string, links *regexp.Regexp)
	follow = func(from, text string, links *regexp.Regexp) {
		for _, found := range links.FindAllStringSubmatch(text, -1) {
			path := resolve(t, from, found[1])
			if seen[path] {
				continue
			}
			seen[path] = true
			status, _, file := ask(t, host, token, http.MethodGet, path, func(r *http.Request) { r.Header.Del("Authorization") })
			assert.Equal(t, http.StatusOK, status, "%s, of %s", path, from)
			size += len(file)
			follow(path, file, imported)
		}
	}
	follow("/", index, linked)
	assert.Greater(t, len(seen), 3, "files of the page")
	assert.LessOrEqual(t, size, 60<<10, "bytes of the page, of %v", seen)

	b := m.open(wide, page)
	r.say(conversation(1), "Where is my order?")
	b.until(`document.body.innerText.includes('Where is my order?')`, "the event is shown")
}

// fetch gets an answer of the API.
func fetch(t *testing.T, host, token, path string, into any) {
	t.Helper()
	status, _, body := ask(t, host, token, http.MethodGet, path, nil)
	require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
	require.NoError(t, json.Unmarshal([]byte(body), into), path)
}
