package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
	"github.com/crisp-go/crisp/bridge/kafkabridge"
)

// kafkaEngine is a log in Kafka.
type kafkaEngine struct {
	log    *kafkabridge.Engine
	client []kgo.Opt // with which the cluster is reached
	topic  string
}

func openKafka(ctx context.Context, c config.Config, logger *slog.Logger) (Engine, error) {
	client, err := kafkaClient(c)
	if err != nil {
		return nil, err
	}
	options := []kafkabridge.Option{
		kafkabridge.WithPrefix(c.Engine.Prefix), kafkabridge.WithLogger(logger), kafkabridge.WithClient(client...),
	}
	if c.Engine.Partitions != 0 {
		options = append(options, kafkabridge.WithPartitions(c.Engine.Partitions))
	}
	if c.Engine.Replicas != 0 {
		options = append(options, kafkabridge.WithReplicas(c.Engine.Replicas))
	}
	if c.Engine.MaxAge != nil {
		options = append(options, kafkabridge.WithMaxAge(c.Engine.MaxAge.Std()))
	}
	log, err := kafkabridge.New(c.Engine.Servers, options...)
	if err != nil {
		return nil, err
	}
	if err := setUp(ctx, log.Setup); err != nil {
		log.Close()
		return nil, err
	}
	return &kafkaEngine{log, append(client, kgo.SeedBrokers(c.Engine.Servers...)), c.Engine.Prefix + ".v1"}, nil
}

// kafkaClient returns with what the cluster is reached: with TLS where there is a
// password, or somebody to trust.
func kafkaClient(c config.Config) ([]kgo.Opt, error) {
	client := []kgo.Opt{kgo.ClientID("crisp-bridge")}
	if c.Engine.CAFile != "" || c.Engine.User != "" {
		trust := &tls.Config{MinVersion: tls.VersionTLS12}
		if c.Engine.CAFile != "" {
			certificates, err := os.ReadFile(c.Engine.CAFile)
			if err != nil {
				return nil, fmt.Errorf("engine.ca_file: %w", err)
			}
			trust.RootCAs = x509.NewCertPool()
			if !trust.RootCAs.AppendCertsFromPEM(certificates) {
				return nil, errors.New("engine.ca_file: there is no certificate in it")
			}
		}
		client = append(client, kgo.DialTLSConfig(trust))
	}
	if c.Engine.User != "" {
		client = append(client, kgo.SASL(plain.Auth{User: c.Engine.User, Pass: c.Secrets.EngineToken}.AsMechanism()))
	}
	return client, nil
}

func (e *kafkaEngine) Publisher() bridge.Publisher              { return e.log.Publisher() }
func (e *kafkaEngine) Lease(name string) crisp.Lease            { return e.log.Lease(name) }
func (e *kafkaEngine) Position(name string) crisp.PositionStore { return e.log.Position(name) }

// Ping asks any broker.
func (e *kafkaEngine) Ping(ctx context.Context) error {
	client, err := kgo.NewClient(e.client...)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping(ctx)
}

// Failed is nil: the brokers are others'.
func (*kafkaEngine) Failed() <-chan struct{} { return nil }

func (e *kafkaEngine) Read(ctx context.Context, from time.Time) iter.Seq2[bridge.Message, error] {
	return func(yield func(bridge.Message, error) bool) {
		start := kgo.NewOffset().AtStart()
		if !from.IsZero() {
			start = kgo.NewOffset().AfterMilli(from.UnixMilli())
		}
		client, err := kgo.NewClient(append(e.client, kgo.ConsumeTopics(e.topic), kgo.ConsumeResetOffset(start))...)
		if err != nil {
			yield(bridge.Message{}, fmt.Errorf("reading the log: %w", err))
			return
		}
		defer client.Close()
		for {
			fetches := client.PollFetches(ctx)
			if ctx.Err() != nil {
				return
			}
			if err := fetches.Err(); err != nil {
				yield(bridge.Message{}, fmt.Errorf("reading the log: %w", err))
				return
			}
			for records := fetches.RecordIter(); !records.Done(); {
				if m, err := messageOf(records.Next()); err != nil {
					leaveOut(err)
				} else if !yield(m, nil) {
					return
				}
			}
		}
	}
}

func messageOf(r *kgo.Record) (bridge.Message, error) {
	attributes := make(map[string]string, len(r.Headers))
	for _, h := range r.Headers {
		attributes[h.Key] = string(h.Value)
	}
	return bridge.ParseMessage(attributes, r.Value)
}

// CountLetters is an error: all of them would have to be read each time.
func (*kafkaEngine) CountLetters(context.Context) (int, error) {
	return 0, errors.New("dead letters in Kafka are not counted")
}

func (e *kafkaEngine) Letters(ctx context.Context, group string) iter.Seq2[Letter, error] {
	return letters(ctx, func() (*kafkabridge.DeadLetters, error) { return e.log.DeadLetters(group) },
		func(l kafkabridge.Letter) (uint64, bridge.DeadLetter) { return l.Sequence, l.DeadLetter })
}

func (e *kafkaEngine) Replay(ctx context.Context, letter Letter) error {
	return act(letter, e.log.DeadLetters, func(s *kafkabridge.DeadLetters, n uint64) error { return s.Replay(ctx, n) })
}

func (e *kafkaEngine) Discard(ctx context.Context, letter Letter) error {
	return act(letter, e.log.DeadLetters, func(s *kafkabridge.DeadLetters, n uint64) error { return s.Discard(ctx, n) })
}

// Close ends the connections.
func (e *kafkaEngine) Close(context.Context) error {
	e.log.Close()
	return nil
}
