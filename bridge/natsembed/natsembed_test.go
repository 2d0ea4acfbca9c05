package natsembed_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/bridge/natsembed"
	"github.com/crisp-go/crisp/internal/leakcheck"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("NATSEMBED_TEST_WRITER"); dir != "" {
		if err := write(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	leakcheck.Main(m)
}

func start(t *testing.T, o natsembed.Options) *natsembed.Server {
	t.Helper()
	server, err := natsembed.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Shutdown(context.Background())) })
	return server
}

func connect(t *testing.T, server *natsembed.Server) jetstream.JetStream {
	t.Helper()
	conn, err := server.Connect()
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return js
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		options natsembed.Options
		says    string
	}{
		"no folder":         {natsembed.Options{}, "needs the folder"},
		"a tiny store":      {natsembed.Options{Dir: dir, MaxStore: 1}, "MaxStore"},
		"a huge payload":    {natsembed.Options{Dir: dir, MaxPayload: 1 << 30}, "MaxPayload"},
		"a public address":  {natsembed.Options{Dir: dir, Listen: "0.0.0.0:0"}, "loopback"},
		"all addresses":     {natsembed.Options{Dir: dir, Listen: ":4222"}, "loopback"},
		"no port":           {natsembed.Options{Dir: dir, Listen: "127.0.0.1"}, "host and port"},
		"a name for a port": {natsembed.Options{Dir: dir, Listen: "127.0.0.1:nats"}, "is no port"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := natsembed.Start(test.options)
			assert.ErrorContains(t, err, test.says)
		})
	}
}

// What was stored is there after the next start.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		server, err := natsembed.Start(natsembed.Options{Dir: dir})
		require.NoError(t, err)
		conn, err := server.Connect()
		require.NoError(t, err)
		js, err := jetstream.New(conn)
		require.NoError(t, err)
		_, err = js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
		require.NoError(t, err)
		ack, err := js.Publish(t.Context(), "s", nil)
		require.NoError(t, err)
		assert.Equal(t, uint64(i+1), ack.Sequence)
		conn.Close()
		require.NoError(t, server.Shutdown(t.Context()))
		require.NoError(t, server.Shutdown(t.Context()), "a second time")
	}
}

func TestAFolderInUse(t *testing.T) {
	dir := t.TempDir()
	server := start(t, natsembed.Options{Dir: dir})
	_, err := natsembed.Start(natsembed.Options{Dir: dir})
	require.ErrorIs(t, err, natsembed.ErrInUse)
	assert.ErrorContains(t, err, dir)
	require.NoError(t, server.Shutdown(t.Context()))
	start(t, natsembed.Options{Dir: dir})
}

func TestNobodyElseReadsTheLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	connect(t, start(t, natsembed.Options{Dir: dir}))
	for _, folder := range []string{dir, filepath.Join(dir, "nats")} {
		info, err := os.Stat(folder)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), folder)
	}
}

func TestTheStoreIsLimited(t *testing.T) {
	js := connect(t, start(t, natsembed.Options{Dir: t.TempDir(), MaxStore: 1 << 20}))
	info, err := js.AccountInfo(t.Context())
	require.NoError(t, err)
	assert.Zero(t, info.Store)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	require.NoError(t, err)
	for range 40 {
		if _, err = js.Publish(t.Context(), "s", make([]byte, 64<<10)); err != nil {
			break
		}
	}
	assert.ErrorContains(t, err, "insufficient")
}

func TestListen(t *testing.T) {
	assert.Empty(t, start(t, natsembed.Options{Dir: t.TempDir()}).URL())

	server := start(t, natsembed.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	host, _, err := net.SplitHostPort(strings.TrimPrefix(server.URL(), "nats://"))
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1", host)
	conn, err := nats.Connect(server.URL())
	require.NoError(t, err)
	conn.Close()
}

// TestAnAddressInUse: it is said at once, and the folder is free again.
func TestAnAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close() //nolint:errcheck // nothing was done with it
	dir := t.TempDir()
	_, err = natsembed.Start(natsembed.Options{Dir: dir, Listen: taken.Addr().String()})
	require.ErrorContains(t, err, "natsembed: the server can't start: ")
	require.ErrorContains(t, err, taken.Addr().String())
	start(t, natsembed.Options{Dir: dir})
}

// A program that is killed has lost nothing of what the server had acknowledged, and its
// folder is free.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	writer := exec.Command(os.Args[0])
	writer.Env = append(os.Environ(), "NATSEMBED_TEST_WRITER="+dir)
	writer.Stderr = os.Stderr
	out, err := writer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, writer.Start())
	last := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last, err = strconv.Atoi(lines.Text())
		require.NoError(t, err)
		if last == 200 {
			require.NoError(t, writer.Process.Kill())
		}
	}
	assert.Error(t, writer.Wait(), "killed")
	require.GreaterOrEqual(t, last, 200)

	js := connect(t, start(t, natsembed.Options{Dir: dir}))
	stream, err := js.Stream(t.Context(), "S")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, stream.CachedInfo().State.LastSeq, uint64(last))
}

// write stores messages until the program is killed, and tells which were acknowledged.
func write(dir string) error {
	server, err := natsembed.Start(natsembed.Options{Dir: dir})
	if err != nil {
		return err
	}
	conn, err := server.Connect()
	if err != nil {
		return err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		return err
	}
	for {
		ack, err := js.Publish(ctx, "s", []byte("x"))
		if err != nil {
			return err
		}
		fmt.Println(ack.Sequence)
	}
}
