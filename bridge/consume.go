package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/seam"
)

// Consume is one member of a group: it runs the router's handlers for the messages of the
// partitions that are its own, until ctx ends, and returns nil then. Handlers can't see
// that there is a log in between: events have the Source, Time, WebsiteID and Raw that
// they came with, guards and [crisp.Once] work as they do over the RTM API. [MessageOf]
// returns what was in the log.
//
// Order: the messages of a conversation are handled one after the other, in the order of
// the log, and side by side with those of others ([WithConcurrency]). A message is begun
// when the one before it is done, or buried.
//
// At least once: a message is done once its handlers have succeeded, or once it is
// buried. If the process dies before, or the partition moves, it is handled again by
// whoever has the partition then. So are those behind it that were done already, where
// the engine knows only up to where all is done: 4,096 of a partition at most, unless
// [WithDedupe] knows them.
//
// Failures: if a handler fails, panics or ends its goroutine, all of the message's
// handlers run again, after a wait ([WithBackoff]), up to 6 times ([WithAttempts]); its
// conversation waits meanwhile. Then the message is buried ([Consumer.Bury]), which is
// tried until it works, and the conversation goes on. What can't be decoded is buried at
// once. The engine is told of messages that wait or run ([Delivery.Working]) for as long
// as that takes.
//
// The end: when ctx ends, or a partition is to be another member's, nothing more is
// begun. Handlers that run have the time of [WithDrainTimeout], then their contexts end.
// What they return an error for then comes again. Consume waits for them, however long
// they take.
//
// At most 256 messages of a partition are in memory, and so many bytes ([WithMaxBytes]);
// those of a conversation that waits take the room of others.
//
// Consume returns an error if the consumer does before ctx ends, or if c or r is nil.
func Consume(ctx context.Context, c Consumer, r *crisp.Router, opts ...ConsumeOption) error {
	if c == nil || r == nil {
		return errors.New("bridge: Consume: needs a consumer and a router")
	}
	seam.Crisp.Freeze(r)
	cfg := newConsumeConfig(opts)
	all := &consuming{
		consumeConfig: cfg,
		ctx:           context.WithoutCancel(ctx),
		consumer:      c,
		router:        r,
		reporter:      newReporter(cfg.onError),
		turns:         newTurns(cfg.concurrency),
	}
	err := c.Consume(ctx, all.serve)
	if ctx.Err() == nil {
		return fmt.Errorf("bridge: the consumer has ended: %w", cmp.Or(err, errByItself))
	}
	return nil // even if the consumer returns an error: its end was asked for
}

var errByItself = errors.New("nobody has asked for it")

// MessageOf returns the message that a handler behind [Consume] is called for, with its
// context, or one made of it.
func MessageOf(ctx context.Context) (m Message, ok bool) {
	m, ok = ctx.Value(messageKey{}).(Message)
	return m, ok
}
