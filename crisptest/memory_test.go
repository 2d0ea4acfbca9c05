package crisptest

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func memoryConns(t *testing.T) (client, server net.Conn) {
	t.Helper()
	m := newMemory()
	l, err := m.listen("")
	require.NoError(t, err)
	accepted := make(chan net.Conn)
	go func() {
		conn, err := l.Accept()
		assert.NoError(t, err)
		accepted <- conn
	}()
	client, err = m.dial(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	server = <-accepted
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}

func TestMemoryCarriesBytesInOrder(t *testing.T) {
	client, server := memoryConns(t)
	sent := strings.Repeat("0123456789", 50_000) // several windows
	go func() {
		_, err := io.WriteString(client, sent)
		assert.NoError(t, err)
		_ = client.Close()
	}()
	got, err := io.ReadAll(server)
	require.NoError(t, err)
	assert.Equal(t, sent, string(got))
	assert.Equal(t, "memory", server.LocalAddr().Network())
	assert.Equal(t, client.RemoteAddr(), server.LocalAddr())
}

func TestMemoryWriterWaitsForItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := memoryConns(t)
		written := make(chan int)
		go func() {
			n, _ := client.Write(make([]byte, window+1))
			written <- n
		}()
		synctest.Wait()
		select {
		case <-written:
			t.Fatal("more than a window was taken")
		default:
		}
		_, err := server.Read(make([]byte, 1))
		require.NoError(t, err)
		assert.Equal(t, window+1, <-written)
	})
}

func TestMemoryDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := memoryConns(t)
		start := time.Now()
		require.NoError(t, server.SetReadDeadline(start.Add(time.Minute)))
		_, err := server.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(start))
		_, err = server.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "it stays so")

		require.NoError(t, server.SetReadDeadline(time.Time{}))
		_, err = client.Write([]byte("x"))
		require.NoError(t, err)
		_, err = server.Read(make([]byte, 1))
		require.NoError(t, err, "until there is another deadline, or none")

		require.NoError(t, client.SetWriteDeadline(time.Now().Add(-time.Second)))
		_, err = client.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)

		require.NoError(t, client.SetDeadline(time.Now().Add(time.Minute)))
		require.NoError(t, client.SetDeadline(time.Now().Add(time.Hour)))
		n, err := client.Write(make([]byte, 2*window))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, window, n)
		assert.Equal(t, time.Minute+time.Hour, time.Since(start), "the deadline was replaced")
	})
}

func TestMemoryEnds(t *testing.T) {
	tests := []struct {
		name                     string
		end                      func(client, server net.Conn)
		reads, writes, afterward error // of the server; of the client
	}{
		{name: "peer closes", end: func(client, _ net.Conn) { _ = client.Close() }, reads: io.EOF, writes: syscall.EPIPE, afterward: net.ErrClosed},
		{name: "reset", end: func(client, _ net.Conn) { resetConn(client) }, reads: syscall.ECONNRESET, writes: syscall.ECONNRESET, afterward: syscall.ECONNRESET},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := memoryConns(t)
				read := make(chan error)
				go func() {
					_, err := server.Read(make([]byte, 1))
					read <- err
				}()
				synctest.Wait()
				test.end(client, server)
				require.ErrorIs(t, <-read, test.reads, "a reader that waits is told")
				_, err := server.Write([]byte("x"))
				require.ErrorIs(t, err, test.writes)
				_, err = client.Read(make([]byte, 1))
				require.ErrorIs(t, err, test.afterward)
				_, err = client.Write([]byte("x"))
				require.ErrorIs(t, err, test.afterward)
				require.NoError(t, client.SetDeadline(time.Now().Add(time.Hour)), "harmless")
			})
		})
	}
}

func TestMemoryAddresses(t *testing.T) {
	m := newMemory()
	first, err := m.listen("")
	require.NoError(t, err)
	second, err := m.listen("")
	require.NoError(t, err)
	assert.NotEqual(t, first.Addr(), second.Addr())

	_, err = m.dial(t.Context(), "tcp", "127.0.0.1:999")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = m.dial(ctx, "tcp", first.Addr().String())
	require.ErrorIs(t, err, context.DeadlineExceeded, "nobody accepts")

	dialled := make(chan error)
	go func() {
		_, err := m.dial(context.Background(), "tcp", first.Addr().String())
		dialled <- err
	}()
	require.NoError(t, first.Close())
	require.NoError(t, first.Close())
	require.ErrorIs(t, <-dialled, syscall.ECONNREFUSED)
	_, err = first.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
