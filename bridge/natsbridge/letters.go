package natsbridge

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crisp-go/crisp/bridge"
)

// The headers that a dead letter has besides those of its message. A message in the log
// that is for one group only has groupHeader, too.
const (
	groupHeader    = "crisp-group"
	attemptsHeader = "crisp-attempts"
	errorHeader    = "crisp-error"
	buriedHeader   = "crisp-buried"
)

// maxErrorText is how many bytes a dead letter has of its error.
const maxErrorText = 512

// Bury is as [bridge.Consumer] says. Its letters are those of [Engine.DeadLetters].
func (c *Consumer) Bury(ctx context.Context, letter bridge.DeadLetter) error {
	if _, err := c.e.stored(); err != nil {
		return err
	}
	msg := encode(c.e.cfg.letterPrefix()+key(c.group), letter.Message)
	at := letter.At.UTC().Format(time.RFC3339Nano)
	msg.Header[groupHeader] = []string{key(c.group)}
	msg.Header[attemptsHeader] = []string{strconv.Itoa(letter.Attempts)}
	msg.Header[errorHeader] = []string{strconv.QuoteToASCII(letter.Error[:min(len(letter.Error), maxErrorText)])}
	msg.Header[buriedHeader] = []string{at}
	// A message that another group buries, or that is replayed and buried again, is another letter.
	id := key(c.group) + " " + letter.Message.ID + " " + at
	return c.e.publish(ctx, msg, c.e.cfg.letterStream(), id, len(letter.Message.Data), 0)
}

// Letter is a dead letter in the server.
type Letter struct {
	Sequence uint64 // its number in the stream of dead letters
	bridge.DeadLetter
}

// DeadLetters are those of a group.
type DeadLetters struct {
	e     *Engine
	group string
}

// ErrNoLetter is what errors match for the number of a dead letter that is not there, or
// is another group's.
var ErrNoLetter = errors.New("natsbridge: there is no such dead letter")

// DeadLetters returns those of a group.
func (e *Engine) DeadLetters(group string) (*DeadLetters, error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	return &DeadLetters{e, group}, nil
}

func (l *DeadLetters) subject() string { return l.e.cfg.letterPrefix() + key(l.group) }

// List returns the letters, the oldest first: those behind the letter with the number
// after, 0 for all; at most limit, if that is above 0. What can't be read is logged and left
// out.
func (l *DeadLetters) List(ctx context.Context, after uint64, limit int) ([]Letter, error) {
	s, err := l.e.stored()
	if err != nil {
		return nil, err
	}
	var all []Letter
	for limit <= 0 || len(all) < limit {
		msg, err := s.letters.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(l.subject()))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return all, nil
		}
		if err != nil {
			return all, fmt.Errorf("natsbridge: listing dead letters: %w", explain(err))
		}
		after = msg.Sequence
		letter, err := l.decode(msg.Header, msg.Data)
		if err != nil { // it hides no others
			l.e.logger().Error("natsbridge: a dead letter can't be read, and is left out", "group", l.group, "number", msg.Sequence, "error", err)
			continue
		}
		all = append(all, Letter{msg.Sequence, letter})
	}
	return all, nil
}

func (l *DeadLetters) decode(header nats.Header, data []byte) (bridge.DeadLetter, error) {
	message, err := decode(header, data)
	if err != nil {
		return bridge.DeadLetter{}, err
	}
	attempts, err1 := strconv.Atoi(header.Get(attemptsHeader))
	text, err2 := strconv.Unquote(header.Get(errorHeader))
	at, err3 := time.Parse(time.RFC3339Nano, header.Get(buriedHeader))
	return bridge.DeadLetter{
		Message:  message,
		Group:    l.group,
		Attempts: attempts,
		Error:    text,
		At:       at,
	}, errors.Join(err1, err2, err3)
}

// get returns what is stored of a letter of the group.
func (l *DeadLetters) get(ctx context.Context, sequence uint64) (*jetstream.RawStreamMsg, error) {
	s, err := l.e.stored()
	if err != nil {
		return nil, err
	}
	msg, err := s.letters.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && msg.Subject != l.subject() {
		return nil, fmt.Errorf("%w: number %d of the group %q", ErrNoLetter, sequence, l.group)
	}
	if err != nil {
		return nil, fmt.Errorf("natsbridge: reading a dead letter: %w", explain(err))
	}
	return msg, nil
}

// Replay puts a letter's message into the log again, for its group only, behind what is
// there, and removes the letter. If it fails in between, a second call does not store the
// message twice within ten minutes. The error matches [ErrNoLetter] if there is no letter.
func (l *DeadLetters) Replay(ctx context.Context, sequence uint64) error {
	s, err := l.e.stored()
	if err != nil {
		return err
	}
	stored, err := l.get(ctx, sequence)
	if err != nil {
		return err
	}
	message, err := decode(stored.Header, stored.Data)
	if err != nil {
		return fmt.Errorf("natsbridge: the dead letter %d can't be read: %w", sequence, err)
	}
	msg := encode(l.e.cfg.subject(message, s.partitions), message)
	msg.Header[groupHeader] = []string{key(l.group)}
	// Not by the message's ID, which the server may know from the first time.
	id := fmt.Sprintf("%s replay %d", message.ID, sequence)
	if err := l.e.publish(ctx, msg, l.e.cfg.logStream(), id, len(message.Data), 0); err != nil {
		return err
	}
	return l.remove(ctx, s, sequence)
}

// Discard removes a letter. The error matches [ErrNoLetter] if it is not there.
func (l *DeadLetters) Discard(ctx context.Context, sequence uint64) error {
	s, err := l.e.stored()
	if err != nil {
		return err
	}
	if _, err := l.get(ctx, sequence); err != nil {
		return err
	}
	return l.remove(ctx, s, sequence)
}

func (l *DeadLetters) remove(ctx context.Context, s *stored, sequence uint64) error {
	if err := s.letters.DeleteMsg(ctx, sequence); err != nil && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return fmt.Errorf("natsbridge: removing a dead letter: %w", explain(err))
	}
	return nil
}
