package kafkabridge

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Option is a setting of an [Engine].
type Option interface{ apply(c *config) error }

type option func(c *config) error

func (o option) apply(c *config) error { return o(c) }

type config struct {
	prefix     string
	partitions int // 0 = those of the log that is there
	replicas   int // 0 = the cluster's default
	maxAge     time.Duration
	session    time.Duration
	handover   time.Duration
	window     int
	logger     *slog.Logger
}

const (
	defaultPartitions = 16
	maxPartitions     = 256
)

func defaults() config {
	return config{
		prefix:   "crisp",
		maxAge:   7 * 24 * time.Hour,
		session:  10 * time.Second,
		handover: 30 * time.Second,
		window:   2000,
	}
}

func (c *config) logTopic() string           { return c.prefix + ".v1" }
func (c *config) letterTopic() string        { return c.prefix + ".dlq" }
func (c *config) positionTopic() string      { return c.prefix + ".positions" }
func (c *config) leaseTopic() string         { return c.prefix + ".leases" }
func (c *config) groupID(name string) string { return c.prefix + "." + name }

// WithPrefix sets what topics and groups begin with, so that several logs have room in one
// cluster; "crisp" otherwise.
func WithPrefix(prefix string) Option {
	return option(func(c *config) error {
		if !validName(prefix) {
			return errors.New("kafkabridge: WithPrefix: needs 1 to 64 letters, digits, dots, hyphens or underscores")
		}
		c.prefix = prefix
		return nil
	})
}

func validName(s string) bool {
	for _, r := range s {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_'
		if !ok {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 64
}

// WithPartitions sets into how many partitions a new log is divided, and that one that is
// there has as many; from 1 to 256. Otherwise a new one has 16. The number is not to be
// changed later: it says where the messages of a conversation are.
func WithPartitions(n int) Option {
	return option(func(c *config) error {
		if n < 1 || n > maxPartitions {
			return fmt.Errorf("kafkabridge: WithPartitions(%d): needs 1 to %d", n, maxPartitions)
		}
		c.partitions = n
		return nil
	})
}

// WithReplicas sets on how many brokers new topics are kept; otherwise the cluster's
// default decides. From 3 on, they get min.insync.replicas 2.
func WithReplicas(n int) Option {
	return option(func(c *config) error {
		if n < 1 {
			return fmt.Errorf("kafkabridge: WithReplicas(%d): needs at least 1", n)
		}
		c.replicas = n
		return nil
	})
}

// WithMaxAge sets how long the messages of a new log are kept, handled or not; 7 days
// otherwise, 0 = forever.
func WithMaxAge(age time.Duration) Option {
	return option(func(c *config) error {
		if age < 0 {
			return fmt.Errorf("kafkabridge: WithMaxAge(%s): needs 0 or more", age)
		}
		c.maxAge = age
		return nil
	})
}

// WithMemberTTL sets after what time a member of a group that is not heard of is taken for
// dead, so that others take over its partitions; 10 s otherwise, at least 1 s. The
// brokers refuse what is below their group.min.session.timeout.ms, 6 s by default.
func WithMemberTTL(ttl time.Duration) Option {
	return option(func(c *config) error {
		if ttl < time.Second {
			return fmt.Errorf("kafkabridge: WithMemberTTL(%s): needs at least 1s", ttl)
		}
		c.session = ttl
		return nil
	})
}

// WithHandover sets how long a partition that is to be another member's waits for the
// handlers that still run; 30 s otherwise. Then the other begins in any case.
func WithHandover(wait time.Duration) Option {
	return option(func(c *config) error {
		if wait < 0 {
			return fmt.Errorf("kafkabridge: WithHandover(%s): needs 0 or more", wait)
		}
		c.handover = wait
		return nil
	})
}

// WithDedupeWindow sets among how many messages of a partition an ID is handed over once;
// 2,000 otherwise, 0 = each time. A member reads so many again for each partition that
// becomes its.
func WithDedupeWindow(n int) Option {
	return option(func(c *config) error {
		if n < 0 {
			return fmt.Errorf("kafkabridge: WithDedupeWindow(%d): needs 0 or more", n)
		}
		c.window = n
		return nil
	})
}

// WithLogger sets where to say what is wrong for a while; [slog.Default] otherwise.
func WithLogger(logger *slog.Logger) Option {
	return option(func(c *config) error {
		c.logger = logger
		return nil
	})
}
