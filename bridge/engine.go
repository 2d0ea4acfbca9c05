package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Publisher stores messages in the log of an engine. It is used by several goroutines
// at once.
type Publisher interface {
	// Publish returns nil once the engine has stored the message for good, or had
	// stored it before. Any other end is an error, after which the message may be in
	// the log or not: it is to be published again, and has the same ID then, also if it
	// is not Stable. A message that no attempt will get in, for its payload or its
	// attributes, is a [*TooLargeError].
	//
	// Messages of one [Message.Key] that are published one after the other are in the
	// log in that order.
	Publish(ctx context.Context, m Message) error
}

// TooLargeError says that an engine does not take messages as large as one was.
type TooLargeError struct {
	Size int // bytes of the payload
	Max  int // that the engine takes, about
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("bridge: the payload has %d bytes, and the engine takes at most about %d", e.Size, e.Max)
}

// Consumer is one member of a group that shares the work of a log. Each group has
// every message; each partition is one member's at a time.
type Consumer interface {
	// Consume takes part in the group until ctx ends, which is no error. For each
	// partition that becomes this member's it calls serve, in a goroutine of its own,
	// whose context ends when the partition is to be another member's, or ctx ends; serve
	// returns only then. The partition is not given up before serve has returned, or a
	// time that the engine states is over. Consume returns once all of them have returned,
	// and may be called again then. It goes on by itself when the engine was away.
	Consume(ctx context.Context, serve func(ctx context.Context, p Partition)) error

	// Bury stores what the group could not handle where people find it, and returns once
	// it is stored for good. It sets the letter's Group. A letter that is too large is a
	// [*TooLargeError]: it is buried again with a stub in the payload's place.
	Bury(ctx context.Context, letter DeadLetter) error
}

// Partition is a part of the log while it is one member's: from the oldest message
// that the group is not done with.
type Partition interface {
	// Number is the partition's, from 0.
	Number() int

	// Next returns the next message, for which it waits. After the end of the context
	// that serve was called with, it returns an error and nothing more. A message comes
	// again only to a later owner of the partition, or after it was left unacknowledged for
	// too long; then those behind it come again, too, in order, and Next returns
	// [ErrRewound] once before them: what was returned before and is not done is to be forgotten.
	Next(ctx context.Context) (Delivery, error)
}

// ErrRewound is returned by [Partition.Next] when the messages that are not done come
// again.
var ErrRewound = errors.New("bridge: the messages that were not done come again")

// Delivery is a message that was handed over.
type Delivery interface {
	Message() Message

	// Attempt is how often the engine has handed it over, from 1; 0 if it does not know.
	Attempt() int

	// Done tells the engine that the group is done with the message. It is called in any
	// order, once at most. An error, or no call at all, means that it comes again.
	Done(ctx context.Context) error

	// Working tells the engine that the message is still being worked on, where it has to be
	// told: within the time that [Delivery.Patience] gives.
	Working(ctx context.Context) error

	// Patience is how long the engine waits for Done or Working until the message comes
	// again; 0 = forever.
	Patience() time.Duration
}

// DeadLetter is a message that a group has given up.
type DeadLetter struct {
	Message  Message
	Group    string    // set by [Consumer.Bury]
	Attempts int       // of its handlers
	Error    string    // of the last attempt, without what people wrote
	At       time.Time // when it was given up: the same in each attempt to bury it
}
