package bridge

import (
	"context"
	"fmt"
	"time"

	"github.com/crisp-go/crisp"
)

// PublishOption changes a default of [Publish].
type PublishOption interface{ applyPublish(*publishConfig) }

// ConsumeOption changes a default of [Consume].
type ConsumeOption interface{ applyConsume(*consumeConfig) }

// Option is an option of both [Publish] and [Consume].
type Option struct {
	publish func(*publishConfig)
	consume func(*consumeConfig)
}

func (o Option) applyPublish(c *publishConfig) { o.publish(c) }

func (o Option) applyConsume(c *consumeConfig) { o.consume(c) }

type publishOption func(*publishConfig)

func (o publishOption) applyPublish(c *publishConfig) { o(c) }

type consumeOption func(*consumeConfig)

func (o consumeOption) applyConsume(c *consumeConfig) { o(c) }

type publishConfig struct {
	backoff  crisp.Backoff
	patience time.Duration
	onError  func(context.Context, error)
}

type consumeConfig struct {
	backoff     crisp.Backoff
	attempts    int
	concurrency int
	bytes       int
	drain       time.Duration
	timeout     time.Duration // 0 = none
	slow        time.Duration // 0 = never
	control     func(context.Context, Control) error
	dedupe      crisp.DedupeStore
	onError     func(context.Context, error)
	counters    *Counters
}

const (
	defaultHookPatience = 5 * time.Second
	defaultAttempts     = 6
	defaultConcurrency  = 16
	defaultBytes        = 4 << 20
	defaultDrain        = 5 * time.Second
	defaultSlow         = 30 * time.Second

	// maxMessages is how many messages of a partition may be in hand at a time.
	maxMessages = 256
	// maxSpan is how many messages there may be from the oldest in hand to the newest: all of
	// them come again if the engine only knows up to where everything is done.
	maxSpan = 4096
)

func newPublishConfig(opts []PublishOption) publishConfig {
	cfg := publishConfig{
		backoff:  crisp.ExponentialBackoff{Base: 100 * time.Millisecond, Max: 5 * time.Second},
		patience: defaultHookPatience,
		onError:  logError,
	}
	for _, opt := range opts {
		opt.applyPublish(&cfg)
	}
	return cfg
}

func newConsumeConfig(opts []ConsumeOption) consumeConfig {
	cfg := consumeConfig{
		backoff:     crisp.ExponentialBackoff{Base: time.Second, Max: 30 * time.Second},
		attempts:    defaultAttempts,
		concurrency: defaultConcurrency,
		bytes:       defaultBytes,
		drain:       defaultDrain,
		slow:        defaultSlow,
		onError:     logError,
		counters:    new(Counters),
	}
	for _, opt := range opts {
		opt.applyConsume(&cfg)
	}
	return cfg
}

// WithBackoff sets the waits between attempts: to store an event, by default none, then a
// random one of up to 100 ms, which doubles up to 5 s; to handle one or to bury it, by
// default none, then a random one of up to 1 s, which doubles up to 30 s. It panics if b
// is nil.
func WithBackoff(b crisp.Backoff) Option {
	if b == nil {
		panic("bridge: WithBackoff(nil): needs a Backoff")
	}
	return Option{
		publish: func(c *publishConfig) { c.backoff = b },
		consume: func(c *consumeConfig) { c.backoff = b },
	}
}

// WithErrorHandler sets who hears of what the engine fails at, of messages that were
// buried or are too large, and of handlers that run for long; what handlers return, the
// router's error handler hears of. It may be called from several goroutines at once, and
// must not wait for long. The default logs to [slog.Default]. It panics if fn is nil.
func WithErrorHandler(fn func(ctx context.Context, err error)) Option {
	if fn == nil {
		panic("bridge: WithErrorHandler(nil): needs a function")
	}
	return Option{
		publish: func(c *publishConfig) { c.onError = fn },
		consume: func(c *consumeConfig) { c.onError = fn },
	}
}

// WithHookPatience sets for how long it is tried to store an event that came by web hook,
// before the answer is 500; default 5 s. It panics if d is not more than 0.
func WithHookPatience(d time.Duration) PublishOption {
	needPositive("WithHookPatience", d)
	return publishOption(func(c *publishConfig) { c.patience = d })
}

// WithAttempts sets how often the handlers of a message run, the first time included,
// before it is buried; default 6. It panics if n is less than 1.
func WithAttempts(n int) ConsumeOption {
	needAtLeastOne("WithAttempts", n)
	return consumeOption(func(c *consumeConfig) { c.attempts = n })
}

// WithConcurrency sets how many messages are handled at a time, in all partitions
// together; default 16. Those of one conversation are handled one after the other
// whatever n is. It panics if n is less than 1.
func WithConcurrency(n int) ConsumeOption {
	needAtLeastOne("WithConcurrency", n)
	return consumeOption(func(c *consumeConfig) { c.concurrency = n })
}

// WithMaxBytes bounds the messages of each partition that are in memory, in bytes of
// payload and an overhead of about 512 for each; default 4 MiB. One that is larger than
// that is alone. Whatever n is, there are at most 256. It panics if n is less than 1.
func WithMaxBytes(n int) ConsumeOption {
	needAtLeastOne("WithMaxBytes", n)
	return consumeOption(func(c *consumeConfig) { c.bytes = n })
}

// WithDrainTimeout sets for how long handlers may go on when their partition is to be
// another member's, or Consume's context ends; then their contexts end. Default 5 s. It
// panics if d is negative.
func WithDrainTimeout(d time.Duration) ConsumeOption {
	if d < 0 {
		panic(fmt.Sprintf("bridge: WithDrainTimeout(%s): needs 0 or more", d))
	}
	return consumeOption(func(c *consumeConfig) { c.drain = d })
}

// WithHandlerTimeout ends the context of a message's handlers after a time, in each
// attempt. By default nothing does while the partition is this member's. It panics if d
// is not more than 0.
func WithHandlerTimeout(d time.Duration) ConsumeOption {
	needPositive("WithHandlerTimeout", d)
	return consumeOption(func(c *consumeConfig) { c.timeout = d })
}

// WithSlowHandler sets after which time the error handler hears of a message whose
// handlers have not returned, a [*SlowHandlerError], and again each time that it is twice
// as long; default 30 s. 0 stands for never. It panics if d is negative.
func WithSlowHandler(d time.Duration) ConsumeOption {
	if d < 0 {
		panic(fmt.Sprintf("bridge: WithSlowHandler(%s): needs 0 or more", d))
	}
	return consumeOption(func(c *consumeConfig) { c.slow = d })
}

// WithControl sets the handler of messages that are no events. They come in the order of their
// [Message.Key], and as with events, a failure is tried again, and buried in the end. Without it,
// they are passed over. It panics if fn is nil.
func WithControl(fn func(ctx context.Context, c Control) error) ConsumeOption {
	if fn == nil {
		panic("bridge: WithControl(nil): needs a function")
	}
	return consumeOption(func(c *consumeConfig) { c.control = fn })
}

// WithDedupe keeps what was handled in a store, so that it is not handled again when it
// comes again: to another member after a partition has moved, or in the log twice. What
// can come twice in the log is known only where [Message.Stable]. Share the store among
// the members of one group only: keys are its own, so that it may be shared with web
// hooks. A store that fails costs no message, as with [crisp.DedupeStore]. It panics if
// store is nil.
func WithDedupe(store crisp.DedupeStore) ConsumeOption {
	if store == nil {
		panic("bridge: WithDedupe(nil): needs a store")
	}
	return consumeOption(func(c *consumeConfig) { c.dedupe = store })
}

// WithCounters has Consume count in c what it does. It panics if c is nil.
func WithCounters(c *Counters) ConsumeOption {
	if c == nil {
		panic("bridge: WithCounters(nil): needs counters")
	}
	return consumeOption(func(cfg *consumeConfig) { cfg.counters = c })
}

func needPositive(option string, d time.Duration) {
	if d <= 0 {
		panic(fmt.Sprintf("bridge: %s(%s): needs more than 0", option, d))
	}
}

func needAtLeastOne(option string, n int) {
	if n < 1 {
		panic(fmt.Sprintf("bridge: %s(%d): needs at least 1", option, n))
	}
}
