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
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/lab/bench/reading"
)

// serveHooks is the child process that receives web hooks. For each line of its
// standard input it reports what it has used since the last one; with the end of
// it, it ends.
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
	go func() { _ = server.Serve(listener) }() // until it is closed
	defer func() { _ = server.Close() }()
	stop, err := profile(t.Profile)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Println(listener.Addr())
	return reportByLine(os.Stdin)
}

// reportByLine reports what the process uses until each line has come.
func reportByLine(input io.Reader) error {
	lines := bufio.NewReader(input)
	for {
		used, err := reading.Measure(func() error {
			_, err := lines.ReadString('\n')
			return err
		})
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := reading.Report(used); err != nil {
			return err
		}
	}
}

// hookServer is a server of web hooks in a process of its own, and the connections
// to it.
type hookServer struct {
	cmd         *exec.Cmd
	stdin       io.WriteCloser
	reports     *json.Decoder
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
	out := bufio.NewReader(stdout)
	s := &hookServer{cmd: cmd, stdin: stdin, reports: json.NewDecoder(out)}
	address, err := out.ReadString('\n')
	if err == nil {
		s.connections, err = connectTo(strings.TrimSpace(address), connections)
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// post posts requests, and measures how long that takes.
func (s *hookServer) post(requests [][]byte) error {
	began := time.Now()
	defer func() { s.posting += time.Since(began) }()
	return s.connections.post(requests)
}

// used returns what the server has used, and for how long requests were on their
// way, since it was asked last.
func (s *hookServer) used() (u reading.Usage, err error) {
	if _, err := fmt.Fprintln(s.stdin); err != nil {
		return u, err
	}
	err = s.reports.Decode(&u)
	u.Wall, s.posting = s.posting.Seconds(), 0
	return u, err
}

// stop ends the server, and waits for it.
func (s *hookServer) stop() error {
	s.connections.close()
	_ = s.stdin.Close() // which ends it
	return s.cmd.Wait()
}

// hookServers are those that are compared.
type hookServers []*hookServer

// post posts the same requests to each. They take turns every few milliseconds: a
// request takes so long to travel that what else the machine does meanwhile would
// otherwise count for more than the handler.
func (s hookServers) post(requests [][]byte) error {
	const turn = 500 // requests
	first := 0
	for some := range slices.Chunk(requests, turn) {
		for i := range s {
			if err := s[(first+i)%len(s)].post(some); err != nil {
				return err
			}
		}
		first++
	}
	return nil
}

func (s hookServers) stop() error {
	var errs []error
	for _, server := range s {
		errs = append(errs, server.stop())
	}
	return errors.Join(errs...)
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
