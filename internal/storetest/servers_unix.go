//go:build unix

package storetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Postgres starts a PostgreSQL on loopback, with its data in a temporary folder, for
// the time of the test, and returns the URL of its database.
func Postgres(t *testing.T) string {
	t.Helper()
	initdb, postgres := postgresProgram(t, "initdb"), postgresProgram(t, "postgres")
	as := unprivileged(t)
	folder := temporary(t, as)
	data := filepath.Join(folder, "data")
	made := command(t, as, initdb, "-D", data, "-U", "crisp", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C")
	out, err := made.CombinedOutput()
	require.NoError(t, err, "%s", out)
	port := freePort(t)
	start(t, command(t, as, postgres, "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off"), port)
	return fmt.Sprintf("postgres://crisp@127.0.0.1:%d/postgres?sslmode=disable", port)
}

// Redis starts a Redis on loopback, with its data in memory, for the time of the
// test, and returns its address.
func Redis(t *testing.T) string {
	t.Helper()
	server, err := exec.LookPath("redis-server")
	require.NoError(t, err, "install Debian's redis-server: .ci/run services does")
	as := unprivileged(t)
	port := freePort(t)
	start(t, command(t, as, server, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "",
		"--appendonly", "no", "--dir", temporary(t, as)), port)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// postgresProgram finds a program where Debian has it, outside of PATH.
func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	require.NoError(t, err)
	if len(found) > 0 {
		return found[len(found)-1]
	}
	path, err := exec.LookPath(name)
	require.NoError(t, err, "install Debian's postgresql: .ci/run services does")
	return path
}

// unprivileged is who servers run as that refuse to run as root; nil if this
// process is not root.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	require.NoError(t, err)
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// temporary makes a folder that a server may write to. It is not in t.TempDir, whose
// parents nobody else may enter.
func temporary(t *testing.T, as *syscall.Credential) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "crisp-server")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	if as != nil {
		require.NoError(t, os.Chown(folder, int(as.Uid), int(as.Gid)))
	}
	return folder
}

// command is one that ends with this process, however that ends.
func command(t *testing.T, as *syscall.Credential, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...) //nolint:gosec // a server that the test needs
	cmd.Dir = "/"
	cmd.SysProcAttr = processAttributes(as)
	return cmd
}

// freePort is one that nobody listens at. Another process may take it before the
// server does, which then fails to start.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().(*net.TCPAddr).Port
}

// start starts a server that is stopped at the end of the test, and waits until it
// accepts connections.
func start(t *testing.T, cmd *exec.Cmd, port int) {
	t.Helper()
	said := new(syncBuffer)
	cmd.Stdout, cmd.Stderr = said, said
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // PostgreSQL's fast shutdown
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		select {
		case <-ended:
			require.FailNow(t, "the server has ended", said.String())
		case <-time.After(20 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return
		}
	}
	require.FailNow(t, "the server does not listen", said.String())
}
