package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// bot is a program in development: it answers the first visitor who says something, and
// ends once they have said thanks. It knows of the server what the environment says.
func bot() {
	client, err := crisp.New(crisp.PluginToken(os.Getenv("CRISP_IDENTIFIER"), os.Getenv("CRISP_KEY")), crisp.WithBaseURL(os.Getenv("CRISP_BASE_URL")))
	if err != nil {
		fail(err)
	}
	router := crisp.NewRouter()
	ctx, end := context.WithTimeout(context.Background(), 30*time.Second)
	defer end()
	said := 0
	crisp.On(router, func(ctx context.Context, ev *crisp.MessageSend) error {
		said++
		if said == 3 {
			end()
			return nil
		}
		_, err := client.Reply(ctx, ev, crisp.TextContent("Yes, we do."))
		return err
	})
	rtm, err := client.NewRTM(router)
	if err != nil {
		fail(err)
	}
	_ = rtm.Run(ctx)
	if ctx.Err() != context.Canceled {
		fail(fmt.Errorf("it has heard %d messages, not 3", said))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bot:", err)
	os.Exit(1)
}

// A program that waits for crisp serve must not wait long: it takes 10 ms where the
// machine has nothing else to do. Other programs may hold up one start, but not the
// fastest of ten.
func TestServeIsReadyAtOnce(t *testing.T) {
	fastest := time.Hour
	for range 10 {
		began := time.Now()
		output, err := exec.CommandContext(t.Context(), "crisp", "serve", "--addr", "127.0.0.1:0", "--exec", "exit 0").CombinedOutput()
		require.NoError(t, err, "%s", output)
		fastest = min(fastest, time.Since(began))
	}
	t.Logf("from its start to its end: %s", fastest)
	assert.Less(t, fastest, time.Second)
}

// Whoever does not read stdout can still end the server.
func TestServeEndsThoughNobodyReadsStdout(t *testing.T) {
	play := t.TempDir() + "/many.scenario"
	require.NoError(t, os.WriteFile(play, []byte("visitor ada\nrepeat 5000\nada says \"What nobody reads fills the pipe.\"\nend\n"), 0o600))
	unread, stdout, err := os.Pipe()
	require.NoError(t, err)
	defer unread.Close() //nolint:errcheck // nothing was read
	cmd := exec.CommandContext(t.Context(), "crisp", "serve", "--addr", "127.0.0.1:0", "--scenario", play)
	cmd.Stdout = stdout
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, stdout.Close())
	var told string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		told = lines.Text()
		if told == "the scenario "+play+" has ended" {
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
	}
	_ = cmd.Wait() // how it ended is below
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Equal(t, "crisp: not everything could be shown: nobody reads stdout", told)
}
