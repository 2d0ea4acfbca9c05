package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// Engine is the log in a Kafka cluster. Its methods may be called from any goroutine.
// What it returns works from when [Engine.Setup] has returned nil until [Engine.Close].
type Engine struct {
	seeds []string
	cfg   config
	admin *kgo.Client

	ready  atomic.Pointer[stored]
	closed context.Context
	end    context.CancelFunc
	leases *leases

	letters sync.Map // of the groups whose topic of dead letters is known to be there
}

// stored is what Setup has found or made in the cluster.
type stored struct {
	partitions int
	topicID    [16]byte // of the log; zero if the brokers have none
	maxMessage int      // bytes of a batch of the log
	replicas   int16
	producer   *producer
}

// New makes an engine of the addresses of some brokers, such as "kafka-1:9092". It asks
// them nothing yet.
func New(seeds []string, options ...Option) (*Engine, error) {
	if len(seeds) == 0 {
		return nil, errors.New("kafkabridge: New: needs the address of a broker")
	}
	e := &Engine{seeds: seeds, cfg: defaults()}
	for _, option := range options {
		if err := option.apply(&e.cfg); err != nil {
			return nil, err
		}
	}
	admin, err := e.client()
	if err != nil {
		return nil, err
	}
	e.admin = admin
	e.leases = newLeases(e)
	e.closed, e.end = context.WithCancel(context.Background())
	return e, nil
}

// metadataMinAge is how soon a client may ask again who leads a partition, when that has
// changed: its own default would have all wait for seconds.
const metadataMinAge = 250 * time.Millisecond

// client makes a client with the options of the caller, and those that come on top.
func (e *Engine) client(options ...kgo.Opt) (*kgo.Client, error) {
	all := append([]kgo.Opt{kgo.ClientID("crisp-bridge"), kgo.MetadataMinAge(metadataMinAge)}, e.cfg.client...)
	all = append(all, kgo.SeedBrokers(e.seeds...))
	client, err := kgo.NewClient(append(all, options...)...)
	if err != nil {
		return nil, fmt.Errorf("kafkabridge: making a client: %w", err)
	}
	return client, nil
}

// Close ends the engine's connections, after all that uses the engine: a member that still
// consumes has connections of its own, and what publishes gets an error.
func (e *Engine) Close() {
	e.end()
	s := e.ready.Swap(nil)
	e.leases.close()
	if s != nil {
		s.producer.client.Close()
	}
	e.admin.Close()
}

// Partitions is how many partitions the log has; 0 before [Engine.Setup].
func (e *Engine) Partitions() int {
	if s := e.ready.Load(); s != nil {
		return s.partitions
	}
	return 0
}

// stored is what is in the cluster, if that is known.
func (e *Engine) stored() (*stored, error) {
	if s := e.ready.Load(); s != nil {
		return s, nil
	}
	if e.closed.Err() != nil {
		return nil, errClosed
	}
	return nil, errors.New("kafkabridge: the engine is not set up: call Setup first")
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
