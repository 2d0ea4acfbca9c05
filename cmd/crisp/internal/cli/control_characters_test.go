package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/capture"
	"github.com/crisp-go/crisp/cmd/crisp/internal/cli"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/internal/terminal"
)

// Nothing that a payload, or the answer of a target, has in it does anything to a
// terminal, in whichever format it is written.
func FuzzControlCharacters(f *testing.F) {
	for _, text := range []string{
		"plain", "\x1b[2J\a", "\x9b2J \u009b", "\u202e\u2066", "\xff\xfe", `"`, "\r\nSet: x", "\U000e0041", "\u2028",
		`{"website_id":"w","event":"message:send","data":{"content":"\u001b[2J"}}`,
	} {
		f.Add(text)
	}
	var answer []byte
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(answer)
	}))
	f.Cleanup(target.Close)
	f.Fuzz(func(t *testing.T, text string) {
		answer = []byte(text)
		payload, err := json.Marshal(map[string]any{
			"website_id": "w", "session_id": text, "content": text, "user": map[string]string{"nickname": text}, text: text,
		})
		require.NoError(t, err)
		raw := []byte(`{"content":"` + strings.NewReplacer(`"`, "", `\`, "").Replace(text) + `"}`) // not escaped, and mostly no JSON
		for _, format := range [][]string{{"--format", "line"}, {"--format", "json"}, {"--format", "raw"}, {"--jq", ".."}} {
			for _, data := range [][]byte{payload, raw, []byte(text)} {
				isSafe(t, data, append(format, "trigger", "--print", "--data", "-")...)
				isSafe(t, data, append(format, "trigger", "--print", "--data", "-", "--", text)...)
				isSafe(t, data, append(format, "trigger", "--to", target.URL, "--data", "-")...)
			}
			if format[0] == "--format" {
				isSafe(t, captured(t, text, payload), append(format, "replay", "-", "--to", target.URL, "--speed", "max")...)
				isSafe(t, []byte("{\"capture\":1}\n"+text), append(format, "replay", "-", "--to", target.URL, "--speed", "max")...)
			}
			isSafe(t, []byte(text), append(format, "verify", "-H", "X-Crisp-Signature: "+text)...)
		}
	})
}

// captured is a capture of an event, in which nothing does anything to a terminal,
// either.
func captured(t *testing.T, name string, payload []byte) []byte {
	var kept bytes.Buffer
	w, err := capture.NewWriter(closer{&kept}, capture.Options{})
	require.NoError(t, err)
	if ev, err := record.Parse(record.Body("w", name, payload, time.UnixMilli(1))); err == nil {
		require.NoError(t, w.Write(record.Record{N: 1, At: time.UnixMilli(1), What: ev}))
	}
	assertSafe(t, kept.String())
	return kept.Bytes()
}

type closer struct{ io.Writer }

func (closer) Close() error { return nil }

func isSafe(t *testing.T, stdin []byte, args ...string) {
	var stdout, stderr bytes.Buffer
	cli.Run(t.Context(), args, cli.Surroundings{
		Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, StdoutIsTerminal: true,
		Getenv: func(name string) string {
			return map[string]string{"CRISP_SIGNING_SECRET": "secret"}[name]
		},
	})
	assertSafe(t, strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "").Replace(stdout.String()))
	assertSafe(t, stderr.String())
}

func assertSafe(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", ""); terminal.Line(line) != line {
			t.Errorf("%q does something to a terminal", line)
		}
	}
}
