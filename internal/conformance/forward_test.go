//go:build conformance && unix

package conformance

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/crisptest"
)

// The command crisp listen forwards what it receives by the RTM API: the official
// Node SDK takes each of the web hooks for authentic, each conversation's in order, and
// their bodies are those that were captured.
func TestTheNodeSDKTakesWhatTheCommandForwards(t *testing.T) {
	t.Parallel()
	const conversations, messages = 100, 100
	folder := t.TempDir()
	command := filepath.Join(folder, "crisp")
	built, err := exec.Command("go", "build", "-C", "../../cmd/crisp", "-o", command, ".").CombinedOutput()
	require.NoError(t, err, "%s", built)

	srv := crisptest.NewServer(t)
	target := startNode(t, "forward.mjs", map[string]any{
		"host":   strings.TrimSuffix(srv.URL(), "/v1/"),
		"token":  tokenOf(srv.Token()),
		"secret": srv.SigningSecret(),
	})
	capture := filepath.Join(folder, "capture.jsonl")
	listen := exec.CommandContext(t.Context(), command, "listen", "-q", "-e", "message:send", "--capture", capture,
		"--count", fmt.Sprint(conversations*messages), "-f", target.next("ready").Hooks)
	listen.Env = append(os.Environ(), "CRISP_BASE_URL="+srv.URL(), "CRISP_SIGNING_SECRET="+srv.SigningSecret(),
		"CRISP_IDENTIFIER="+srv.Token().Identifier, "CRISP_KEY="+srv.Token().Key)
	var told bytes.Buffer
	listen.Stderr = &told
	require.NoError(t, listen.Start())
	require.NoError(t, srv.WaitAuthenticated(t.Context()))

	visitors := make([]*crisptest.Visitor, conversations)
	for i := range visitors {
		visitors[i] = srv.Visitor()
	}
	for n := range messages {
		for _, visitor := range visitors {
			visitor.Say(fmt.Sprintf("%d <b>&amp; \u2028 é 👋 </script>", n))
		}
	}
	require.NoError(t, listen.Wait(), "%s", &told)

	var account struct {
		Accepted, Refused, Inversions int
		Bodies                        string
	}
	require.NoError(t, json.Unmarshal(target.do("account", nil), &account))
	assert.Equal(t, conversations*messages, account.Accepted)
	assert.Zero(t, account.Refused)
	assert.Zero(t, account.Inversions)
	assert.Equal(t, capturedBodies(t, capture), account.Bodies)
}

// capturedBodies is a hash of all bodies of web hooks in a capture.
func capturedBodies(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close() //nolint:errcheck // it was only read
	var hashes []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Envelope json.RawMessage `json:"envelope"`
			Text     string          `json:"envelope_text"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		body := string(line.Envelope) + line.Text
		if body != "" {
			sum := sha256.Sum256([]byte(body))
			hashes = append(hashes, hex.EncodeToString(sum[:]))
		}
	}
	require.NoError(t, lines.Err())
	slices.Sort(hashes)
	sum := sha256.Sum256([]byte(strings.Join(hashes, "")))
	return hex.EncodeToString(sum[:])
}
