package crisp

import (
	"errors"
	"fmt"
	"time"
)

// WithConcurrency sets how many conversations are handled at a time; default 1. Whatever n is,
// the events of a conversation stay in order; those without a conversation stay in order by
// website. Conversations take turns, so that slow ones, as long as there are fewer than n, hold
// up no other.
func WithConcurrency(n int) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if n < 1 {
			return fmt.Errorf("crisp: WithConcurrency(%d): needs at least 1", n)
		}
		c.concurrency = n
		return nil
	})
}

// WithQueue bounds the events between the connection and the handlers, in
// bytes of payload plus a fixed overhead for each event (default 64 MiB), and
// says what happens when there are more (default [OverflowBlock]).
func WithQueue(maxBytes int, full Overflow) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if maxBytes < 1 {
			return fmt.Errorf("crisp: WithQueue(%d): needs a bound of at least 1 byte", maxBytes)
		}
		if full != OverflowBlock && full != OverflowDrop {
			return fmt.Errorf("crisp: WithQueue: overflow %d: needs OverflowBlock or OverflowDrop", full)
		}
		c.queueBytes, c.overflow = int64(maxBytes), full
		return nil
	})
}

// WithBackoff sets the waits between connection attempts. The default is [ExponentialBackoff], and
// after six connections in short order one every 2 minutes, so that something that keeps cutting
// them doesn't use up the REST quota. A longer wait that the server asks for (Retry-After) wins,
// up to 15 minutes.
func WithBackoff(b Backoff) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if b == nil {
			return errors.New("crisp: WithBackoff(nil): needs a Backoff")
		}
		c.backoff, c.unlimited = b, true
		return nil
	})
}

// WithEngineIO sets the Engine.IO protocol: 4 (the default) or 3.
func WithEngineIO(version int) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if version != 3 && version != 4 {
			return fmt.Errorf("crisp: WithEngineIO(%d): needs 3 or 4", version)
		}
		c.engineIO = version
		return nil
	})
}

// WithReadLimit bounds a frame from the server, in bytes; default 16 MiB. A
// larger one ends the connection with [ErrTooLarge], is reported as a gap, and
// the client reconnects.
func WithReadLimit(bytes int64) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if bytes < 1024 {
			return fmt.Errorf("crisp: WithReadLimit(%d): needs at least 1024 bytes", bytes)
		}
		c.readLimit = bytes
		return nil
	})
}

// WithConnectTimeout bounds a connection attempt up to its authentication,
// which has 10 s of its own: fetching the endpoint, then for each endpoint the
// WebSocket and Socket.IO handshakes; default 20 s each.
func WithConnectTimeout(d time.Duration) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if d <= 0 {
			return fmt.Errorf("crisp: WithConnectTimeout(%s): needs more than 0", d)
		}
		c.connectTimeout = d
		return nil
	})
}

// WithDrainTimeout lets handlers go on for a while when Run's context ends. The client stops
// receiving at once, and handles what it has received; the handlers' contexts end only when the
// time is over. Run returns when everything is handled, or then. It is for programs that end Run
// by a context, such as that of [signal.NotifyContext], which then need no [RTM.Shutdown]. By
// default what is queued is dropped.
func WithDrainTimeout(d time.Duration) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		if d <= 0 {
			return fmt.Errorf("crisp: WithDrainTimeout(%s): needs more than 0", d)
		}
		c.drainTimeout = d
		return nil
	})
}

// WithHooks sets callbacks for connections, gaps and losses. Given again, it adds to those that
// were given before.
func WithHooks(h Hooks) RTMOption {
	return rtmOption(func(c *rtmConfig) error {
		c.hooks = c.hooks.and(h)
		return nil
	})
}
