// Package natsembed runs a NATS server with JetStream within the program, for those who
// want the bridge's log on one machine, without a server to look after.
//
//	server, err := natsembed.Start(natsembed.Options{Dir: "/var/lib/crisp"})
//	…
//	defer server.Shutdown(context.Background())
//	conn, err := server.Connect()
//	engine, err := natsbridge.New(conn)
//
// What the server acknowledges is on the disk: it syncs each write. Nobody reaches it from
// outside of the program unless [Options.Listen] says so, and then from this machine only.
package natsembed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Options are those of a server.
type Options struct {
	// Dir is the folder for the log, which is made if it is not there. What is in it is for
	// its owner's eyes only. One server at a time uses it.
	Dir string
	// MaxStore is how many bytes the log may have on the disk, at least 1 MiB; 0 = 10 GiB.
	// When it is full, the server takes nothing more: no lease is renewed, and no member of a
	// group can say that it is there. Give the log less (natsbridge.WithMaxBytes).
	MaxStore int64
	// MaxPayload is how many bytes a message may have, with its headers, at most 64 MiB;
	// 0 = 8 MiB.
	MaxPayload int
	// Listen is a TCP address of loopback, such as "127.0.0.1:4222", for other programs on
	// this machine; any of them may read and write all there is. Port 0 stands for one that
	// is free. If it is empty, the server listens nowhere.
	Listen string
	// Logger gets what the server has to say; nil = [slog.Default], from warnings on.
	Logger *slog.Logger
}

const (
	defaultMaxStore   = 10 << 30
	leastMaxStore     = 1 << 20
	defaultMaxPayload = 8 << 20
	mostMaxPayload    = 64 << 20

	// startTimeout is how long a start may take, with a log that was not closed in order.
	startTimeout = time.Minute
)

// Server is a NATS server that runs. Its methods may be called from any goroutine.
type Server struct {
	server *server.Server
	said   *serverLog
	lock   *folderLock
}

// Start starts a server, which runs until [Server.Shutdown]. The error matches [ErrInUse]
// if another server uses the folder; others say which option is wrong, or why the server
// does not run as it was told to. A log that was not closed in order may take a minute.
func Start(o Options) (*Server, error) {
	settings, err := o.settings()
	if err != nil {
		return nil, err
	}
	if err := makePrivate(o.Dir, settings.StoreDir); err != nil {
		return nil, err
	}
	lock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	said := &serverLog{logger: o.Logger, failed: make(chan struct{})}
	s, err := start(settings, said)
	if err != nil {
		return nil, errors.Join(err, lock.unlock())
	}
	return &Server{s, said, lock}, nil
}

func (o Options) settings() (*server.Options, error) {
	switch {
	case o.Dir == "":
		return nil, errors.New("natsembed: Dir: needs the folder for the log")
	case o.MaxStore != 0 && o.MaxStore < leastMaxStore:
		return nil, fmt.Errorf("natsembed: MaxStore: %d bytes: needs at least %d, or 0 for the default", o.MaxStore, leastMaxStore)
	case o.MaxPayload < 0 || o.MaxPayload > mostMaxPayload:
		return nil, fmt.Errorf("natsembed: MaxPayload: %d bytes: needs at most %d, or 0 for the default", o.MaxPayload, mostMaxPayload)
	}
	settings := &server.Options{
		ServerName:         "crisp-embedded",
		DontListen:         true,
		JetStream:          true,
		StoreDir:           filepath.Join(o.Dir, "nats"),
		JetStreamMaxStore:  o.MaxStore,
		JetStreamMaxMemory: 16 << 20, // the bridge keeps nothing there
		SyncAlways:         true,
		MaxPayload:         int32(o.MaxPayload),
		NoSigs:             true,
	}
	if o.MaxStore == 0 {
		settings.JetStreamMaxStore = defaultMaxStore
	}
	if o.MaxPayload == 0 {
		settings.MaxPayload = defaultMaxPayload
	}
	settings.MaxPending = max(server.MAX_PENDING_SIZE, 2*int64(settings.MaxPayload))
	if o.Listen == "" {
		return settings, nil
	}
	return settings, listen(settings, o.Listen)
}

func listen(settings *server.Options, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("natsembed: Listen: needs host and port, such as 127.0.0.1:4222: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("natsembed: Listen: %q is not this machine's loopback: for others, run a NATS server with accounts and TLS", host)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("natsembed: Listen: %q is no port", port)
	}
	settings.DontListen, settings.Host, settings.Port = false, host, int(number)
	if number == 0 {
		settings.Port = server.RANDOM_PORT
	}
	return nil
}

// makePrivate makes the folders, the inner of which keeps others out, however open the
// outer one may be.
func makePrivate(outer, inner string) error {
	if err := os.MkdirAll(outer, 0o700); err != nil {
		return fmt.Errorf("natsembed: making the folder for the log: %w", err)
	}
	if err := os.MkdirAll(inner, 0o700); err != nil {
		return fmt.Errorf("natsembed: making the folder for the log: %w", err)
	}
	if err := os.Chmod(inner, 0o700); err != nil { //nolint:gosec // a folder needs the bit for its owner to enter
		return fmt.Errorf("natsembed: keeping others out of the folder for the log: %w", err)
	}
	return nil
}

func start(settings *server.Options, said *serverLog) (*server.Server, error) {
	want := *settings // the server writes to what it gets
	s, err := server.NewServer(settings)
	if err != nil {
		return nil, fmt.Errorf("natsembed: the server does not take its settings: %w", err)
	}
	s.SetLoggerV2(said, false, false, false)
	s.Start()
	if err := check(s, &want, said); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	return s, nil
}

// check returns why a server does not run as it was told to. It takes some settings, such
// as those that are given where a file was expected, without a word, and goes on with its own.
func check(s *server.Server, want *server.Options, said *serverLog) error {
	if err := awaitStart(s, said); err != nil {
		return err
	}
	is := s.JetStreamConfig()
	switch {
	case is == nil:
		return fmt.Errorf("natsembed: the server started without JetStream%s", said.lastError())
	case !is.SyncAlways:
		return errors.New("natsembed: the server does not sync each write, although it was told to")
	case is.MaxStore != want.JetStreamMaxStore:
		return fmt.Errorf("natsembed: the server keeps %d bytes at most, although it was told %d", is.MaxStore, want.JetStreamMaxStore)
	}
	return nil
}

// awaitStart returns once a server takes connections, or an error if it can't.
func awaitStart(s *server.Server, said *serverLog) error {
	const look = 100 * time.Millisecond
	for range startTimeout / look {
		if s.ReadyForConnections(look) {
			return nil
		}
		if said.isOver() {
			return fmt.Errorf("natsembed: the server can't start%s", said.lastError())
		}
	}
	return fmt.Errorf("natsembed: the server did not start within %s%s", startTimeout, said.lastError())
}

// Connect makes a connection within the program, which is the caller's to close. Options
// are those of [nats.Connect]; it reconnects forever without being told.
func (s *Server) Connect(options ...nats.Option) (*nats.Conn, error) {
	all := append([]nats.Option{
		nats.Name("crisp-bridge"),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.InProcessServer(s.server),
	}, options...)
	conn, err := nats.Connect("", all...)
	if err != nil {
		return nil, fmt.Errorf("natsembed: connecting: %w", err)
	}
	return conn, nil
}

// URL is where the server listens, as [nats.Connect] takes it; empty if it listens nowhere.
func (s *Server) URL() string {
	if addr := s.server.Addr(); addr != nil {
		return "nats://" + addr.String()
	}
	return ""
}

// Failed returns a channel that is closed when the server could not write to its folder:
// the disk may be full. What it was writing to takes nothing more then, also when there is room
// again: shut the server down, and start another.
func (s *Server) Failed() <-chan struct{} { return s.said.failed }

// Shutdown ends the server, with everything on the disk that it has acknowledged, and
// returns once it has ended or ctx has. Close connections, or drain them, before. The folder is
// free once Shutdown has returned nil.
func (s *Server) Shutdown(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		ended <- s.lock.unlock()
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return fmt.Errorf("natsembed: the server is still ending: %w", context.Cause(ctx))
	}
}
