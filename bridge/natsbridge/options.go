package natsbridge

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
)

// Option is a setting of an [Engine]. [New] returns an error for a value that makes no sense.
type Option interface{ apply(c *config) error }

type option func(c *config) error

func (o option) apply(c *config) error { return o(c) }

// config has the settings. Those of what is in the server are zero where that, if it is
// there, is to stay as it is.
type config struct {
	prefix     string
	partitions int
	replicas   int
	maxAge     *time.Duration
	maxBytes   *int64
	logger     *slog.Logger

	memberTTL time.Duration
	ackWait   time.Duration
	handover  time.Duration
}

func defaults() config {
	return config{
		prefix:    "crisp",
		memberTTL: 10 * time.Second,
		ackWait:   30 * time.Second,
		handover:  30 * time.Second,
	}
}

const (
	defaultPartitions = 16
	mostPartitions    = 256
	defaultMaxAge     = 7 * 24 * time.Hour
	// duplicates is for how long the server knows again what was stored.
	duplicates = 10 * time.Minute
	// maxAckPending is how many messages of a partition may be in hand at a time.
	maxAckPending = 256
)

var prefixes = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)

// WithPrefix sets what the subjects begin with, and in capitals the names of streams and
// bucket, so that several logs have room in one server; "crisp" otherwise. It is of letters,
// digits, hyphens, and dots between them, 64 bytes at most.
func WithPrefix(prefix string) Option {
	return option(func(c *config) error {
		if !prefixes.MatchString(prefix) || len(prefix) > 64 {
			return fmt.Errorf("natsbridge: WithPrefix(%q): needs letters, digits, hyphens, and dots between them, 64 bytes at most", prefix)
		}
		c.prefix = prefix
		return nil
	})
}

// WithPartitions sets into how many partitions a new log is divided, and that one that is
// there has as many; from 1 to 256. Otherwise a new one has 16. The number can't be changed
// later: it says where the messages of a conversation are.
func WithPartitions(n int) Option {
	return option(func(c *config) error {
		if n < 1 || n > mostPartitions {
			return fmt.Errorf("natsbridge: WithPartitions(%d): needs 1 to %d", n, mostPartitions)
		}
		c.partitions = n
		return nil
	})
}

// WithReplicas sets on how many servers of a cluster the log is kept: 1, 3 or 5. Otherwise
// a new one has 3 in a cluster, and 1 in a server by itself.
func WithReplicas(n int) Option {
	return option(func(c *config) error {
		if n != 1 && n != 3 && n != 5 {
			return fmt.Errorf("natsbridge: WithReplicas(%d): needs 1, 3 or 5", n)
		}
		c.replicas = n
		return nil
	})
}

// WithMaxAge sets how long messages are kept, handled or not: a minute or more; 0 = forever.
// Otherwise those of a new log are kept for 7 days.
func WithMaxAge(age time.Duration) Option {
	return option(func(c *config) error {
		if age < 0 || age > 0 && age < time.Minute {
			return fmt.Errorf("natsbridge: WithMaxAge(%s): needs a minute or more, or 0 to keep them forever", age)
		}
		c.maxAge = &age
		return nil
	})
}

// WithMaxBytes sets how many bytes the log may have on the disk of each server, 1 MiB or
// more; 0 = as many as there is room. The oldest messages make room for new ones, handled or
// not. Without it, a new log has no such limit, and takes nothing more when the server is
// full. Then no lease is renewed either, and members stop, since they can't say that they
// are there.
func WithMaxBytes(n int64) Option {
	return option(func(c *config) error {
		if n < 0 || n > 0 && n < 1<<20 {
			return fmt.Errorf("natsbridge: WithMaxBytes(%d): needs 1 MiB or more, or 0 for no limit", n)
		}
		c.maxBytes = &n
		return nil
	})
}

// WithMemberTTL sets after what time a member of a group that is not heard of is taken for
// dead, so that others take over its partitions; 10 s otherwise, at least 1 s. It has to be
// the same in all members.
func WithMemberTTL(ttl time.Duration) Option {
	return option(func(c *config) error {
		if ttl < time.Second {
			return fmt.Errorf("natsbridge: WithMemberTTL(%s): needs a second or more", ttl)
		}
		c.memberTTL = ttl
		return nil
	})
}

// WithAckWait sets how long a message may be in hand without a word; then it comes again.
// 30 s otherwise, at least 1 s. [bridge.Consume] sends that word for handlers that take
// longer.
func WithAckWait(wait time.Duration) Option {
	return option(func(c *config) error {
		if wait < time.Second {
			return fmt.Errorf("natsbridge: WithAckWait(%s): needs a second or more", wait)
		}
		c.ackWait = wait
		return nil
	})
}

// WithHandover sets how long a partition that is to be another member's waits for the
// handlers that still run; 30 s otherwise. Then the other begins in any case.
func WithHandover(wait time.Duration) Option {
	return option(func(c *config) error {
		if wait <= 0 {
			return fmt.Errorf("natsbridge: WithHandover(%s): needs a positive time", wait)
		}
		c.handover = wait
		return nil
	})
}

// WithLogger sets where to say what is wrong for a while, such as that the server does not
// answer; [slog.Default] otherwise.
func WithLogger(logger *slog.Logger) Option {
	return option(func(c *config) error {
		if logger == nil {
			return errors.New("natsbridge: WithLogger(nil): needs a logger")
		}
		c.logger = logger
		return nil
	})
}

// name is that of streams and bucket.
func (c *config) name() string {
	return strings.ToUpper(strings.ReplaceAll(c.prefix, ".", "_"))
}
