package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
	"github.com/crisp-go/crisp/bridge/natsbridge"
)

// natsEngine is a log in NATS.
type natsEngine struct {
	log  *natsbridge.Engine
	conn *nats.Conn
	js   jetstream.JetStream
	name string // what the names of streams begin with
}

func openNATS(ctx context.Context, c config.Config, logger *slog.Logger, purpose Purpose) (Engine, error) {
	e := c.Engine
	options := []nats.Option{nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		logger.Warn("the connection to the engine", "error", err)
	})}
	switch {
	case c.Secrets.EngineToken != "" && e.User != "":
		options = append(options, nats.UserInfo(e.User, c.Secrets.EngineToken))
	case c.Secrets.EngineToken != "":
		options = append(options, nats.Token(c.Secrets.EngineToken))
	}
	if e.CredsFile != "" {
		options = append(options, nats.UserCredentials(e.CredsFile))
	}
	if e.CAFile != "" {
		options = append(options, nats.RootCAs(e.CAFile))
	}
	conn, err := natsbridge.Connect(strings.Join(e.Servers, ","), options...)
	switch {
	case err != nil && ctx.Err() != nil: // whoever waits no longer does not want to know
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return setUpNATS(ctx, conn, e, logger, purpose)
}

// setUpNATS makes the engine of a connection, which is closed with it.
func setUpNATS(ctx context.Context, conn *nats.Conn, c config.Engine, logger *slog.Logger, purpose Purpose) (*natsEngine, error) {
	e, err := newNATS(ctx, conn, c, logger, purpose)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return e, nil
}

func newNATS(ctx context.Context, conn *nats.Conn, c config.Engine, logger *slog.Logger, purpose Purpose) (*natsEngine, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	name := strings.ToUpper(strings.ReplaceAll(c.Prefix, ".", "_"))
	if purpose != ToRun {
		if c, err = asItIs(ctx, js, name, c, purpose); err != nil {
			return nil, err
		}
	}
	log, err := natsbridge.New(conn, natsOptions(c, logger)...)
	if err != nil {
		return nil, err
	}
	if err := setUp(ctx, log.Setup); err != nil {
		return nil, err
	}
	return &natsEngine{log, conn, js, name}, nil
}

// asItIs leaves out of the settings what would change a log that is there: with another
// max_age or max_bytes than that of the bridge which runs, its oldest messages would go.
func asItIs(ctx context.Context, js jetstream.JetStream, name string, c config.Engine, purpose Purpose) (config.Engine, error) {
	_, err := js.Stream(ctx, name)
	switch {
	case !errors.Is(err, jetstream.ErrStreamNotFound): // it is there, or that is not known
		c.Replicas, c.MaxAge, c.MaxBytes = 0, nil, nil
	case purpose == ToLook:
		return c, fmt.Errorf("there is no log with engine.prefix = %q yet: a bridge that runs makes it", c.Prefix)
	}
	return c, nil
}

func natsOptions(c config.Engine, logger *slog.Logger) []natsbridge.Option {
	options := []natsbridge.Option{natsbridge.WithPrefix(c.Prefix), natsbridge.WithLogger(logger)}
	if c.Partitions != 0 {
		options = append(options, natsbridge.WithPartitions(c.Partitions))
	}
	if c.Replicas != 0 {
		options = append(options, natsbridge.WithReplicas(c.Replicas))
	}
	if c.MaxAge != nil {
		options = append(options, natsbridge.WithMaxAge(c.MaxAge.Std()))
	}
	if c.MaxBytes != nil {
		options = append(options, natsbridge.WithMaxBytes(*c.MaxBytes))
	}
	return options
}

// setUpPatience is how long an engine may take to answer at the start.
const setUpPatience = 30 * time.Second

func setUp(ctx context.Context, setUp func(context.Context) error) error {
	patience, cancel := context.WithTimeout(ctx, setUpPatience)
	defer cancel()
	err := setUp(patience)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w within %s: %w", ErrUnreachable, setUpPatience, err)
	}
	return err
}

func (e *natsEngine) Publisher() bridge.Publisher              { return e.log.Publisher() }
func (e *natsEngine) Lease(name string) crisp.Lease            { return e.log.Lease(name) }
func (e *natsEngine) Position(name string) crisp.PositionStore { return e.log.Position(name) }

// Ping asks the server that leads the log's stream.
func (e *natsEngine) Ping(ctx context.Context) error {
	if !e.conn.IsConnected() {
		return errors.New("there is no connection to a server at present")
	}
	_, err := e.js.Stream(ctx, e.name)
	return err
}

// Failed is nil: the servers are others'.
func (*natsEngine) Failed() <-chan struct{} { return nil }

func (e *natsEngine) Read(ctx context.Context, from time.Time) iter.Seq2[bridge.Message, error] {
	return func(yield func(bridge.Message, error) bool) {
		options := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}
		if !from.IsZero() {
			options.DeliverPolicy, options.OptStartTime = jetstream.DeliverByStartTimePolicy, &from
		}
		consumer, err := e.js.OrderedConsumer(ctx, e.name, options)
		if err != nil {
			yield(bridge.Message{}, fmt.Errorf("reading the log: %w", err))
			return
		}
		messages, err := consumer.Messages()
		if err != nil {
			yield(bridge.Message{}, fmt.Errorf("reading the log: %w", err))
			return
		}
		for msg, err := range received(ctx, messages) {
			if err != nil {
				yield(bridge.Message{}, fmt.Errorf("reading the log: %w", err))
				return
			}
			attributes := make(map[string]string, len(msg.Headers()))
			for name := range msg.Headers() {
				attributes[name] = msg.Headers()[name][0]
			}
			if m, err := bridge.ParseMessage(attributes, msg.Data()); err != nil {
				leaveOut(err)
			} else if !yield(m, nil) {
				return
			}
		}
	}
}

// received returns what comes until ctx ends. While no server answers, the client waits for
// one without looking whether ctx has ended.
func received(ctx context.Context, messages jetstream.MessagesContext) iter.Seq2[jetstream.Msg, error] {
	type next struct {
		msg jetstream.Msg
		err error
	}
	return func(yield func(jetstream.Msg, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		all := make(chan next)
		go func() {
			defer messages.Stop()
			for ctx.Err() == nil {
				msg, err := messages.Next(jetstream.NextContext(ctx))
				select {
				case all <- next{msg, err}:
				case <-ctx.Done():
				}
			}
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case n := <-all:
				if ctx.Err() != nil || !yield(n.msg, n.err) {
					return
				}
			}
		}
	}
}

func (e *natsEngine) CountLetters(ctx context.Context) (int, error) {
	stream, err := e.js.Stream(ctx, e.name+"_DLQ")
	if err != nil {
		return 0, err
	}
	return int(stream.CachedInfo().State.Msgs), nil
}

func (e *natsEngine) Letters(ctx context.Context, group string) iter.Seq2[Letter, error] {
	return letters(ctx, func() (*natsbridge.DeadLetters, error) { return e.log.DeadLetters(group) },
		func(l natsbridge.Letter) (uint64, bridge.DeadLetter) { return l.Sequence, l.DeadLetter })
}

func (e *natsEngine) Replay(ctx context.Context, letter Letter) error {
	return act(letter, e.log.DeadLetters, func(s *natsbridge.DeadLetters, n uint64) error { return s.Replay(ctx, n) })
}

func (e *natsEngine) Discard(ctx context.Context, letter Letter) error {
	return act(letter, e.log.DeadLetters, func(s *natsbridge.DeadLetters, n uint64) error { return s.Discard(ctx, n) })
}

// Close gives what was published a last chance, and ends the connection.
func (e *natsEngine) Close(ctx context.Context) error {
	err := e.conn.FlushWithContext(ctx)
	e.conn.Close()
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, context.DeadlineExceeded) {
		return nil // whatever counts was acknowledged before
	}
	return err
}
