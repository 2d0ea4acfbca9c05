// Package engine opens the engine that the configuration names. What the rest of the
// program needs of an engine is an [Engine].
package engine

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// Engine is a log, and what goes with it.
type Engine interface {
	Publisher() bridge.Publisher
	Lease(name string) crisp.Lease
	Position(name string) crisp.PositionStore

	// Ping returns nil if the engine takes messages now, as far as can be told.
	Ping(ctx context.Context) error

	// Failed returns a channel that is closed when an engine that runs in this process takes
	// nothing more until it is opened again; nil for any other.
	Failed() <-chan struct{}

	// Read returns the messages of the log from a time on, and goes on with those that
	// come, until ctx ends. Those of a conversation are in order. What is no message of the
	// bridge's is logged and left out.
	Read(ctx context.Context, from time.Time) iter.Seq2[bridge.Message, error]

	// CountLetters returns how many dead letters there are, of all groups.
	CountLetters(ctx context.Context) (int, error)
	// Letters returns what a group has given up, the oldest first.
	Letters(ctx context.Context, group string) iter.Seq2[Letter, error]
	// Replay has the letter's group get its message again, and removes the letter.
	Replay(ctx context.Context, letter Letter) error
	// Discard removes a letter.
	Discard(ctx context.Context, letter Letter) error

	// Close ends the connection, and an engine that runs in this process.
	Close(ctx context.Context) error
}

// Letter is a dead letter, and what it is called.
type Letter struct {
	ID string
	bridge.DeadLetter
}

// ErrUnreachable is what errors match that say that the engine does not answer.
var ErrUnreachable = errors.New("the engine is not reachable")

// leaveOut tells of what somebody else has written to the log.
func leaveOut(err error) {
	slog.Warn("a message of the log can't be read, and is left out", "error", err)
}
