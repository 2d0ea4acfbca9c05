package kafkabridge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// maxErrorText is how many bytes a dead letter has of its error.
const maxErrorText = 512

// Bury is as [bridge.Consumer] says. Its letters are those of [Engine.DeadLetters].
func (c *Consumer) Bury(ctx context.Context, letter bridge.DeadLetter) error {
	r := encode(letter.Message)
	r.Topic = c.e.cfg.letterTopic()
	r.Key = []byte(c.group + "/" + rand.Text())
	addHeader(r, groupHeader, c.group)
	addHeader(r, attemptsHeader, strconv.Itoa(letter.Attempts))
	addHeader(r, errorHeader, strconv.QuoteToASCII(letter.Error[:min(len(letter.Error), maxErrorText)]))
	addHeader(r, buriedHeader, letter.At.UTC().Format(time.RFC3339Nano))
	return c.e.publish(ctx, r, len(letter.Message.Data))
}

// Letter is a dead letter in the cluster.
type Letter struct {
	Sequence uint64 // its number among the dead letters, from 1
	bridge.DeadLetter
}

// DeadLetters are those of a group.
type DeadLetters struct {
	e     *Engine
	group string
}

// ErrNoLetter is returned for the number of a dead letter that is not there.
var ErrNoLetter = errors.New("kafkabridge: there is no such dead letter")

// DeadLetters returns those of a group. Each call of a method reads the topic of dead
// letters from its start.
func (e *Engine) DeadLetters(group string) (*DeadLetters, error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	return &DeadLetters{e, group}, nil
}

// records are the group's letters that are not removed, the oldest first.
func (l *DeadLetters) records(ctx context.Context) ([]*kgo.Record, error) {
	if _, err := l.e.stored(); err != nil {
		return nil, err
	}
	all, err := l.e.readAll(ctx, l.e.cfg.letterTopic())
	if err != nil {
		return nil, fmt.Errorf("kafkabridge: reading dead letters: %w", err)
	}
	removed := make(map[string]bool)
	for _, r := range all {
		if r.Value == nil {
			removed[string(r.Key)] = true
		}
	}
	var letters []*kgo.Record
	for _, r := range all {
		if !removed[string(r.Key)] && header(r, groupHeader) == l.group {
			letters = append(letters, r)
		}
	}
	return letters, nil
}

func sequence(r *kgo.Record) uint64 { return uint64(r.Offset) + 1 }

// List returns the letters, the oldest first: those behind the letter with the number
// after, 0 for all; at most limit, if that is above 0.
func (l *DeadLetters) List(ctx context.Context, after uint64, limit int) ([]Letter, error) {
	records, err := l.records(ctx)
	if err != nil {
		return nil, err
	}
	var all []Letter
	for _, r := range records {
		if sequence(r) <= after {
			continue
		}
		if limit > 0 && len(all) == limit {
			break
		}
		letter, err := l.decode(r)
		if err != nil {
			return all, fmt.Errorf("kafkabridge: the dead letter %d can't be read: %w", sequence(r), err)
		}
		all = append(all, Letter{sequence(r), letter})
	}
	return all, nil
}

func (l *DeadLetters) decode(r *kgo.Record) (bridge.DeadLetter, error) {
	message, err := decode(r)
	if err != nil {
		return bridge.DeadLetter{}, err
	}
	attempts, err1 := strconv.Atoi(header(r, attemptsHeader))
	text, err2 := strconv.Unquote(header(r, errorHeader))
	at, err3 := time.Parse(time.RFC3339Nano, header(r, buriedHeader))
	return bridge.DeadLetter{
		Message:  message,
		Group:    l.group,
		Attempts: attempts,
		Error:    text,
		At:       at,
	}, errors.Join(err1, err2, err3)
}

func (l *DeadLetters) get(ctx context.Context, number uint64) (*kgo.Record, error) {
	records, err := l.records(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if sequence(r) == number {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%w: number %d of the group %q", ErrNoLetter, number, l.group)
}

// Replay puts a letter's message into the log again, for its group only, behind what is
// there, and removes the letter.
func (l *DeadLetters) Replay(ctx context.Context, number uint64) error {
	stored, err := l.get(ctx, number)
	if err != nil {
		return err
	}
	message, err := decode(stored)
	if err != nil {
		return fmt.Errorf("kafkabridge: the dead letter %d can't be read: %w", number, err)
	}
	r := encode(message)
	r.Topic = l.e.cfg.logTopic()
	addHeader(r, groupHeader, l.group)
	addHeader(r, replayHeader, string(stored.Key))
	if err := l.e.publish(ctx, r, len(message.Data)); err != nil {
		return err
	}
	return l.remove(ctx, stored)
}

// Discard removes a letter.
func (l *DeadLetters) Discard(ctx context.Context, number uint64) error {
	stored, err := l.get(ctx, number)
	if err != nil {
		return err
	}
	return l.remove(ctx, stored)
}

func (l *DeadLetters) remove(ctx context.Context, letter *kgo.Record) error {
	if err := l.e.produce(ctx, &kgo.Record{Topic: letter.Topic, Key: letter.Key}); err != nil {
		return fmt.Errorf("kafkabridge: removing a dead letter: %w", err)
	}
	return nil
}
