package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// serveHooks is the child process that receives web hooks until its standard
// input ends, and then reports what that cost.
func serveHooks(encoded string) error {
	var t task
	if err := json.Unmarshal([]byte(encoded), &t); err != nil {
		return err
	}
	handler, err := hookHandlers()[t.Reader]()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	fmt.Println(listener.Addr())
	stop, err := profile(t.Profile)
	if err != nil {
		return err
	}
	result, err := measure(func() error {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			_ = server.Close()
		}()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	stop()
	if err != nil {
		return err
	}
	return report(result)
}

// hookServer is a server of web hooks in a process of its own, and the connections
// to it.
type hookServer struct {
	cmd         *exec.Cmd
	stdin       io.Closer
	stdout      *bufio.Reader
	connections hookConnections
	posting     time.Duration // for how long requests were on their way
}

// startHookServer starts the server of a contestant, and connects to it.
func (b bench) startHookServer(ctx context.Context, c contestant, connections int) (*hookServer, error) {
	if b.profiles != "" {
		c.task.Profile = filepath.Join(b.profiles, fileName(c.name)+".prof")
	}
	encoded, err := json.Marshal(c.task)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "serve-hooks", string(encoded)) //nolint:gosec // this program
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &hookServer{cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout)}
	address, err := s.stdout.ReadString('\n')
	if err == nil {
		s.connections, err = connectTo(strings.TrimSpace(address), connections)
	}
	if err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

// post posts requests, and measures how long that takes.
func (s *hookServer) post(requests [][]byte) error {
	began := time.Now()
	defer func() { s.posting += time.Since(began) }()
	return s.connections.post(requests)
}

// stop ends the server, and returns what it has used.
func (s *hookServer) stop() (u usage, err error) {
	_ = s.stdin.Close() // which ends it
	err = errors.Join(json.NewDecoder(s.stdout).Decode(&u), s.cmd.Wait())
	u.Wall = s.posting.Seconds()
	return u, err
}

// kill ends what is left of a server, if it was started.
func (s *hookServer) kill() {
	if s == nil {
		return
	}
	s.connections.close()
	_ = s.cmd.Process.Kill() // fails if it has ended
	_ = s.cmd.Wait()         // likewise
}

// hookConnections are connections to a server, which stay open.
type hookConnections []*hookConnection

func connectTo(address string, connections int) (made hookConnections, err error) {
	for range connections {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			made.close()
			return nil, err
		}
		made = append(made, &hookConnection{conn, bufio.NewReader(conn)})
	}
	return made, nil
}

// post spreads requests over the connections.
func (c hookConnections) post(requests [][]byte) error {
	errs := make([]error, len(c))
	var posting sync.WaitGroup
	for i, conn := range c {
		posting.Go(func() {
			for n := i; n < len(requests) && errs[i] == nil; n += len(c) {
				errs[i] = conn.exchange(requests[n])
			}
		})
	}
	posting.Wait()
	return errors.Join(errs...)
}

func (c hookConnections) close() {
	for _, conn := range c {
		_ = conn.Close()
	}
}

// hookConnection is a client that costs as little as it can.
type hookConnection struct {
	net.Conn
	answers *bufio.Reader
}

// exchange posts a request and reads its answer, which has no body.
func (c *hookConnection) exchange(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	status, err := c.answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.Contains(status, []byte(" 200 ")) {
		return fmt.Errorf("answered %q", status)
	}
	for {
		line, err := c.answers.ReadSlice('\n')
		if err != nil || len(line) == len("\r\n") {
			return err
		}
	}
}
