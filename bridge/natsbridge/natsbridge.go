// Package natsbridge keeps the bridge's log in NATS JetStream, server 2.14 or later: in a
// server of its own, in a cluster, or in one within the program (natsembed).
//
//	conn, err := natsbridge.Connect("nats://127.0.0.1:4222", nats.UserCredentials("crisp.creds"))
//	engine, err := natsbridge.New(conn)
//	err = engine.Setup(ctx)
//	…
//	bridge.Publish(router, engine.Publisher())
//	consumer, err := engine.Consumer("support-bot")
//
// What is in the server, with the prefix "crisp":
//
//	stream CRISP      crisp.v1.{partition}.{website}.{event}   the log
//	stream CRISP_DLQ  crisp.dlq.{group}                        dead letters
//	bucket CRISP      leases, positions, and who is in a group
//
// A server that runs by itself writes to its disk what it has acknowledged up to two
// minutes later, unless its configuration says sync_interval: always. Without that, keep
// three replicas, on machines that do not fail together.
package natsbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crisp-go/crisp/bridge"
)

// Connect makes a connection as the bridge wants it, which is the caller's to close: it
// reconnects forever, also to servers that refuse it for a while, and meanwhile what is
// published fails, rather than being kept for later. The servers are URLs such as "nats://127.0.0.1:4222", with commas in between. The options, such as [nats.UserCredentials], [nats.Nkey],
// [nats.UserInfo], [nats.Token] and [nats.Secure], come on top.
//
// It is an error if no server answers now; [nats.RetryOnFailedConnect] waits for one.
func Connect(servers string, options ...nats.Option) (*nats.Conn, error) {
	if servers == "" {
		return nil, errors.New("natsbridge: connecting: needs the URL of a server, such as nats://127.0.0.1:4222")
	}
	conn, err := nats.Connect(servers, append([]nats.Option{
		nats.Name("crisp-bridge"),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.IgnoreAuthErrorAbort(),
	}, options...)...)
	if err != nil {
		return nil, connectError(servers, err)
	}
	return conn, nil
}

// connectError says which servers were tried, without what their URLs have of passwords.
func connectError(servers string, err error) error {
	if malformed := (*url.Error)(nil); errors.As(err, &malformed) { // which quotes the URL, and its cause parts of it
		return errors.New("natsbridge: connecting: one of the URLs can't be read: needs such as nats://127.0.0.1:4222")
	}
	if !errors.Is(err, nats.ErrNoServers) {
		return fmt.Errorf("natsbridge: connecting: %w", explain(err))
	}
	var hosts []string
	for server := range strings.SplitSeq(servers, ",") {
		hosts = append(hosts, strings.TrimSpace(server[strings.LastIndexAny(server, "@/")+1:]))
	}
	return fmt.Errorf("natsbridge: connecting: no server answers at %s: does one run there? (%w)", strings.Join(hosts, ", "), err)
}

// Engine is the log in a NATS server or a cluster. Its methods may be called from any
// goroutine. What it returns works once [Engine.Setup] has returned nil.
type Engine struct {
	conn *nats.Conn
	js   jetstream.JetStream
	cfg  config

	ready atomic.Pointer[stored]
}

// stored is what Setup has found or made in the server.
type stored struct {
	partitions int
	letters    jetstream.Stream
	bucket     jetstream.Stream
	members    jetstream.KeyValue
}

// New makes an engine of a connection, which stays the caller's to close, after all that
// uses the engine. It asks the server nothing yet. It is an error if conn is nil or an
// option makes no sense.
func New(conn *nats.Conn, options ...Option) (*Engine, error) {
	if conn == nil {
		return nil, errors.New("natsbridge: New(nil): needs a connection")
	}
	e := &Engine{conn: conn, cfg: defaults()}
	for _, option := range options {
		if err := option.apply(&e.cfg); err != nil {
			return nil, err
		}
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("natsbridge: %w", explain(err))
	}
	e.js = js
	return e, nil
}

// Partitions is how many partitions the log has; 0 before [Engine.Setup].
func (e *Engine) Partitions() int {
	if s := e.ready.Load(); s != nil {
		return s.partitions
	}
	return 0
}

// stored is what is in the server, if that is known.
func (e *Engine) stored() (*stored, error) {
	if s := e.ready.Load(); s != nil {
		return s, nil
	}
	return nil, errors.New("natsbridge: the engine is not set up: call Setup first")
}

func (e *Engine) logger() *slog.Logger {
	if e.cfg.logger != nil {
		return e.cfg.logger
	}
	return slog.Default()
}

var (
	_ bridge.Publisher = (*publisher)(nil)
	_ bridge.Consumer  = (*Consumer)(nil)
)

const (
	// attemptTimeout is how long a request may take: the server that had it may be dead.
	attemptTimeout = 5 * time.Second
	// attemptPause is the time until it is sent again.
	attemptPause = 200 * time.Millisecond
	// patience is how long attempts may fail until that is logged.
	patience = 2 * time.Second
)

// persist tries again what fails because no server answers, or a cluster has no leader,
// until ctx ends.
func (e *Engine) persist(ctx context.Context, do func(ctx context.Context) error) error {
	began, told := time.Now(), false
	var last error
	for {
		err := attempt(ctx, do)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && last != nil:
			return fmt.Errorf("%w (%w)", last, context.Cause(ctx))
		case ctx.Err() != nil || !passing(err):
			return err
		}
		last = err
		if !told && time.Since(began) >= patience {
			told = true
			e.logger().Warn("natsbridge: the server does not do what it is asked; that is tried again", "error", err)
		}
		select {
		case <-time.After(attemptPause):
		case <-ctx.Done():
		}
	}
}

func attempt(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return do(ctx)
}

// passing reports whether an error is one that is over when servers are back.
func passing(err error) bool {
	for _, one := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrReconnectBufExceeded,
		jetstream.ErrNoStreamResponse,
	} {
		if errors.Is(err, one) {
			return true
		}
	}
	refused := (*jetstream.APIError)(nil)
	return errors.As(err, &refused) && refused.ErrorCode == errNoLeader
}

// errNoLeader is a cluster's code for a time without a leader.
const errNoLeader jetstream.ErrorCode = 10008

// awayError is what calls return while there is no server. The client's own words are about
// a buffer, which the bridge does without.
type awayError struct{ error }

func (awayError) Error() string { return "there is no connection to a server at present" }

func (e awayError) Unwrap() error { return e.error }

// explain says what the client means when it has no connection, or nobody answers.
func explain(err error) error {
	switch {
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrDisconnected):
		return awayError{err}
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return fmt.Errorf("nobody answers for JetStream: is it enabled (nats-server -js), and have its servers a majority? (%w)", err)
	}
	return err
}
