package cli_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/cli"
)

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	for name, test := range map[string]struct {
		terminal bool
		env      map[string]string
		args     []string
		coloured bool
	}{
		"terminal":          {terminal: true, coloured: true},
		"pipe":              {},
		"flag":              {terminal: true, args: []string{"--color", "never"}},
		"NO_COLOR":          {terminal: true, env: map[string]string{"NO_COLOR": "1"}},
		"empty NO_COLOR":    {terminal: true, env: map[string]string{"NO_COLOR": ""}, coloured: true},
		"terminal of lines": {terminal: true, env: map[string]string{"TERM": "dumb"}},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout bytes.Buffer
			code := cli.Run(t.Context(), append(test.args, "events", "list"), cli.Surroundings{
				Stdout: &stdout, Stderr: &bytes.Buffer{}, StdoutIsTerminal: test.terminal,
				Getenv: func(name string) string { return test.env[name] },
			})
			require.Equal(t, 0, code)
			assert.Equal(t, test.coloured, bytes.Contains(stdout.Bytes(), []byte("\x1b[")))
		})
	}
}
