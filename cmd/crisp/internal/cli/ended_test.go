package cli_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/cli"
)

// Whoever ends the program is not kept waiting by what it waits for, and the exit code
// says that its work is not done.
func TestEndedWhileItWaits(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and says nothing
	require.NoError(t, err)
	defer silent.Close() //nolint:errcheck // nothing was written
	slow := inFolder(t, "slow.jsonl")
	require.NoError(t, writeFile(slow, `{"capture":1,"by":"crisp","at":"2026-01-01T00:00:00Z","run":"a"}
{"n":1,"at":"2026-01-01T00:00:00Z","kind":"event","source":"rtm","envelope":{"event":"session:removed","data":{}}}
{"n":2,"at":"2026-01-01T09:00:00Z","kind":"event","source":"rtm","envelope":{"event":"session:removed","data":{}}}
`))
	places := strings.NewReplacer("SILENT", silent.Addr().String(), "SLOW", slow)
	for _, line := range []string{
		"api GET website/w --key-stdin",
		"api POST website/w --key-file testdata/key --data -",
		"login --identifier i --key-stdin --no-check",
		"doctor --key-stdin",
		"verify --secret-file testdata/key --body -",
		"verify --body testdata/key --secret-file -",
		"trigger message:send --data - --print",
		"trigger message:send --print --count 1000000000",
		"trigger message:send --to http://127.0.0.1:1 --secret-file -",
		"trigger message:send --server http://SILENT",
		"trigger message:send --to http://SILENT --secret-file testdata/key",
		"replay - --to http://127.0.0.1:1 --secret-file testdata/key",
		"replay SLOW --to http://SILENT --secret-file testdata/key --timeout 100ms",
		"replay SLOW --server http://SILENT",
		"serve --addr 127.0.0.1:0 --key-file testdata/key --secret-file -",
		`version --jq [range(infinite)]`,
		`version --jq repeat(.)`,
	} {
		t.Run(line, func(t *testing.T) {
			stdin, typist := io.Pipe()
			defer typist.Close() //nolint:errcheck // it never fails
			ctx, end := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, end)
			var stderr bytes.Buffer
			code := make(chan int, 1)
			go func() {
				code <- cli.Run(ctx, strings.Fields(places.Replace(line)), cli.Surroundings{
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
				assert.Regexp(t, `(?m)^crisp: .*(ended before |were not made)`, stderr.String())
			case <-time.After(5 * time.Second):
				t.Fatal("it goes on")
			}
		})
	}
}
