package kafkabridge

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Option is a setting of an [Engine].
type Option interface{ apply(c *config) error }

type option func(c *config) error

func (o option) apply(c *config) error { return o(c) }

type config struct {
	prefix     string
	partitions int // 0 = as many as there are
	replicas   int // 0 = by how many brokers there are
	maxAge     time.Duration
	client     []kgo.Opt
	logger     *slog.Logger

	memberTTL time.Duration
	handover  time.Duration
}

func defaults() config {
	return config{
		prefix:    "crisp",
		maxAge:    7 * 24 * time.Hour,
		memberTTL: 10 * time.Second,
		handover:  30 * time.Second,
	}
}

const (
	defaultPartitions = 16
	mostPartitions    = 256
)

var prefixes = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)

// WithPrefix sets what the names of topics and groups begin with, so that several logs
// have room in one cluster; "crisp" otherwise. It is of letters, digits, hyphens, and dots
// between them.
func WithPrefix(prefix string) Option {
	return option(func(c *config) error {
		if !prefixes.MatchString(prefix) || len(prefix) > 64 {
			return fmt.Errorf("kafkabridge: WithPrefix(%q): needs letters, digits, hyphens, and dots between them, 64 at most", prefix)
		}
		c.prefix = prefix
		return nil
	})
}

// WithPartitions sets into how many partitions a new log is divided, and that one that is
// there has as many; from 1 to 256. Otherwise a new one has 16. The number can't be changed
// later: it says where the messages of a conversation are. Nobody may add partitions to the
// topic, either.
func WithPartitions(n int) Option {
	return option(func(c *config) error {
		if n < 1 || n > mostPartitions {
			return fmt.Errorf("kafkabridge: WithPartitions(%d): needs 1 to %d", n, mostPartitions)
		}
		c.partitions = n
		return nil
	})
}

// WithReplicas sets on how many brokers new topics are kept; otherwise on three, or on
// all if there are fewer. All but one of them need to have a message before it is
// acknowledged.
func WithReplicas(n int) Option {
	return option(func(c *config) error {
		if n < 1 || n > 9 {
			return fmt.Errorf("kafkabridge: WithReplicas(%d): needs 1 to 9", n)
		}
		c.replicas = n
		return nil
	})
}

// WithMaxAge sets how long the messages of a new log are kept, handled or not; 0 = forever.
// 7 days otherwise.
func WithMaxAge(age time.Duration) Option {
	return option(func(c *config) error {
		if age < 0 || age > 0 && age < time.Minute {
			return fmt.Errorf("kafkabridge: WithMaxAge(%s): needs a minute or more, or 0 for ever", age)
		}
		c.maxAge = age
		return nil
	})
}

// WithMemberTTL sets after what time a member of a group that is not heard of is taken for
// dead, so that others take over its partitions: Kafka's session timeout. 10 s otherwise; the
// brokers refuse less than 6 s unless their group.min.session.timeout.ms says otherwise.
func WithMemberTTL(ttl time.Duration) Option {
	return option(func(c *config) error {
		if ttl < time.Second {
			return fmt.Errorf("kafkabridge: WithMemberTTL(%s): needs a second or more", ttl)
		}
		c.memberTTL = ttl
		return nil
	})
}

// WithHandover sets how long a partition that is to be another member's waits for the
// handlers that still run; 30 s otherwise. Then the other begins in any case.
func WithHandover(wait time.Duration) Option {
	return option(func(c *config) error {
		if wait <= 0 {
			return fmt.Errorf("kafkabridge: WithHandover(%s): needs a positive time", wait)
		}
		c.handover = wait
		return nil
	})
}

// WithClient adds options of all clients: those of TLS and SASL, such as
// [kgo.DialTLSConfig] and [kgo.SASL]. What the engine relies on, such as acknowledgements
// and how partitions are shared, it sets itself.
func WithClient(options ...kgo.Opt) Option {
	return option(func(c *config) error {
		c.client = append(c.client, options...)
		return nil
	})
}

// WithLogger sets where to say what is wrong for a while; [slog.Default] otherwise.
func WithLogger(logger *slog.Logger) Option {
	return option(func(c *config) error {
		if logger == nil {
			return errors.New("kafkabridge: WithLogger(nil): needs a logger")
		}
		c.logger = logger
		return nil
	})
}
