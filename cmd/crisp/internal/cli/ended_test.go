package cli_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/cmd/crisp/internal/cli"
)

// Whoever ends the program is not kept waiting by what it waits for, and the exit code
// says that its work is not done.
func TestEndedWhileItWaits(t *testing.T) {
	for _, line := range []string{
		"api GET website/w --key-stdin",
		"api POST website/w --key-file testdata/key --data -",
		"login --identifier i --key-stdin --no-check",
		"doctor --key-stdin",
		`version --jq [range(infinite)]`,
		`version --jq repeat(.)`,
	} {
		t.Run(line, func(t *testing.T) {
			stdin, typist := io.Pipe()
			defer typist.Close() //nolint:errcheck // it never fails
			ctx, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer end()
			var stderr bytes.Buffer
			code := make(chan int, 1)
			go func() {
				code <- cli.Run(ctx, strings.Fields(line), cli.Surroundings{
					Stdin:  stdin,
					Stdout: io.Discard,
					Stderr: &stderr,
					Getenv: func(name string) string {
						return map[string]string{"CRISP_IDENTIFIER": "i", "XDG_CONFIG_HOME": t.TempDir()}[name]
					},
				})
			}()
			select {
			case got := <-code:
				assert.Equal(t, 1, got)
				assert.Contains(t, stderr.String(), "crisp: ended before ")
			case <-time.After(5 * time.Second):
				t.Fatal("it goes on")
			}
		})
	}
}
