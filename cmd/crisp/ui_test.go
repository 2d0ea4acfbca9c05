package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// inspected is a crisp listen --ui that runs for a test.
type inspected struct {
	cmd   *exec.Cmd
	url   string // with the token
	token string
}

// listenWithUI starts a crisp listen, and returns once it is connected.
func listenWithUI(t *testing.T, srv *crisptest.Server, folder string, args ...string) *inspected {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "crisp", append([]string{"listen", "--ui=127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), "CRISP_BASE_URL="+srv.URL(), "CRISP_IDENTIFIER="+srv.Token().Identifier, "CRISP_KEY="+srv.Token().Key,
		"CRISP_SIGNING_SECRET="+targetSecret, "XDG_STATE_HOME="+filepath.Join(folder, "state"), "XDG_CONFIG_HOME="+folder)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	i := &inspected{cmd: cmd}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "inspect at "); ok {
			i.url, i.token, _ = strings.Cut(url, "?token=")
		}
		if strings.HasPrefix(lines.Text(), "ready: ") {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			require.NotEmpty(t, i.url)
			return i
		}
	}
	require.Fail(t, "it has ended")
	return nil
}

func (i *inspected) get(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.url+path, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+i.token)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode, "%s", text)
	return string(text)
}

// said reads a stream behind an ID until so many messages have come, and returns them
// with the last ID.
func (i *inspected) said(t *testing.T, after string, count int) (previews []string, last string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.url+"api/stream?token="+i.token+"&after="+after, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // what follows is not wanted
	last = after
	for lines := bufio.NewScanner(response.Body); len(previews) < count && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		var summary struct{ Event, Preview string }
		switch {
		case name == "id":
			last = value
		case name == "data" && json.Unmarshal([]byte(value), &summary) == nil && summary.Event == "message:send":
			previews = append(previews, summary.Preview)
		}
	}
	return previews, last
}

// The command is killed, and runs again with the same capture: a page that was open
// gets all that there was, each once, with the same token.
func TestPagesOutliveTheCommand(t *testing.T) {
	srv := crisptest.NewServer(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "capture.jsonl")
	first := listenWithUI(t, srv, folder, "--capture", path)
	visitor := srv.Visitor()
	for _, text := range []string{"one", "two", "three"} {
		visitor.Say(text)
	}
	got, last := first.said(t, "", 2)
	first.said(t, last, 1) // the third is there
	require.NoError(t, first.cmd.Process.Kill())
	_ = first.cmd.Wait() // it was killed

	second := listenWithUI(t, srv, folder, "--capture", path)
	assert.Equal(t, first.token, second.token)
	visitor.Say("four")
	more, _ := second.said(t, last, 2)
	got = append(got, more...)
	for i, text := range []string{"one", "two", "three", "four"} {
		assert.Contains(t, got[i], ": "+text)
	}
	assert.Len(t, got, 4)

	// What the page exports can be replayed, and code copies work.
	export := filepath.Join(folder, "export.jsonl")
	require.NoError(t, os.WriteFile(export, []byte(second.get(t, "api/export?q=event:message:send")), 0o600))
	bodies := make(chan string, 100)
	target := srv.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = crisp.Verify(targetSecret, r.Header, body, time.Minute)
		}
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		bodies <- string(body)
	}))
	run(t, "crisp", "replay", export, "--to", target, "--speed", "max")
	require.Len(t, bodies, 4)
	var part struct{ IDs []string }
	require.NoError(t, json.Unmarshal([]byte(second.get(t, "api/events?q=three&only=ids")), &part))
	require.Len(t, part.IDs, 1)
	for range 4 {
		<-bodies
	}
	for _, as := range []string{"trigger", "curl"} {
		if _, err := exec.LookPath("curl"); as == "curl" && err != nil {
			t.Log("there is no curl, by which to try the code for it")
			continue
		}
		var code struct{ Text string }
		require.NoError(t, json.Unmarshal([]byte(second.get(t, "api/code/"+part.IDs[0]+"?as="+as)), &code))
		assert.NotContains(t, code.Text, targetSecret)
		run(t, "sh", "-c", "URL="+target+"\n"+code.Text)
		require.Len(t, bodies, 1, as)
		assert.Contains(t, <-bodies, `"content":"three"`)
	}
	require.NoError(t, second.cmd.Process.Signal(os.Interrupt))
	require.NoError(t, second.cmd.Wait())
}

// run runs a program to its end.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "CRISP_SIGNING_SECRET="+targetSecret)
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
}
