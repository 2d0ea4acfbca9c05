//go:build browser && unix

package browser

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/stretchr/testify/require"
)

// server is a crisp serve.
type server struct {
	*command
	origin string
	env    string // the file of its environment
}

// serve starts a crisp serve, by default without a page.
func (m *machine) serve(args ...string) server {
	m.t.Helper()
	s := server{env: m.file("serve.env")}
	ready := m.ready("serve.ready")
	s.command = m.start(append([]string{"serve", "--addr", "127.0.0.1:0", "--ready-file", ready, "--write-env", s.env}, args...)...)
	base, err := url.Parse(s.await(ready))
	require.NoError(m.t, err)
	s.origin = "http://" + base.Host
	return s
}

// listen starts a crisp listen to a server, whose page is at an address; ":0" is any.
func (m *machine) listen(s server, page string, args ...string) *command {
	m.t.Helper()
	ready := m.ready("listen.ready")
	c := m.start(append([]string{"listen", "--env-file", s.env, "--ready-file", ready, "--ui=127.0.0.1" + page}, args...)...)
	c.await(ready)
	return c
}

// control asks the server to do something.
func (s server) control(path string, body any) map[string]any {
	s.t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(s.t, err)
	answer, err := http.Post(s.origin+"/control/v1/"+path, "application/json", bytes.NewReader(encoded))
	require.NoError(s.t, err)
	return s.read(path, answer)
}

func (s server) read(path string, answer *http.Response) map[string]any {
	s.t.Helper()
	defer func() { _ = answer.Body.Close() }()
	var said map[string]any
	require.NoError(s.t, json.NewDecoder(answer.Body).Decode(&said), path)
	require.Equal(s.t, http.StatusOK, answer.StatusCode, "%s: %v", path, said)
	return said
}

// visitor begins a conversation, and returns its ID.
func (s server) visitor(nickname string) string {
	s.t.Helper()
	return s.control("visitors", map[string]any{"meta": map[string]any{"nickname": nickname}})["session_id"].(string)
}
