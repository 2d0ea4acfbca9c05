//go:build unix

package socketio

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stoppedEndpoint names the environment variable that makes a test the process
// that is stopped.
const stoppedEndpoint = "SOCKETIO_STOPPED_ENDPOINT"

// readUntilTheEnd prints the names of all events, and why there are no more.
func readUntilTheEnd(endpoint string) {
	c, err := Dial(context.Background(), endpoint, Options{})
	for err == nil {
		var ev Event
		if ev, err = c.Next(); err == nil {
			fmt.Println(string(ev.Name))
		}
	}
	fmt.Println(err)
}

// TestStoppedProcessForReal stops a process for longer than its server
// may be silent, while the server sends an event every 100 ms.
func TestStoppedProcessForReal(t *testing.T) {
	if endpoint := os.Getenv(stoppedEndpoint); endpoint != "" {
		readUntilTheEnd(endpoint)
		return
	}
	const events, stopAt, goOnAt = 20, 2, 17
	child := exec.Command(os.Args[0], "-test.run=^TestStoppedProcessForReal$")
	heard := make(chan string, 2*events)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := upgrade(t, w, r)
		defer func() { _ = conn.Close() }()
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		_, _ = conn.Write(append(textFrame(`0{"sid":"x","pingInterval":400,"pingTimeout":400}`), textFrame(connectPacket)...))
		every := time.NewTicker(100 * time.Millisecond)
		defer every.Stop()
		for n := range events {
			<-every.C
			switch n {
			case stopAt:
				assert.Equal(t, "0", <-heard)
				assert.NoError(t, child.Process.Signal(syscall.SIGSTOP))
			case goOnAt:
				assert.NoError(t, child.Process.Signal(syscall.SIGCONT))
			}
			_, _ = conn.Write(textFrame(fmt.Sprintf(`42["%d"]`, n)))
		}
		_, _ = conn.Write(textFrame("41"))
	}))
	defer server.Close()
	child.Env = append(os.Environ(), stoppedEndpoint+"="+server.URL)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		heard <- lines.Text()
	}
	_ = child.Wait()
	for n := 1; n < events; n++ {
		require.Equal(t, fmt.Sprint(n), <-heard)
	}
	assert.Equal(t, ErrServerDisconnect.Error(), <-heard)
}
