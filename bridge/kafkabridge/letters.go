package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// The headers that a dead letter has besides those of its message.
const (
	attemptsHeader = "crisp-attempts"
	errorHeader    = "crisp-error"
	buriedHeader   = "crisp-buried"
)

// maxErrorText is how many bytes a dead letter has of its error.
const maxErrorText = 512

// Bury is as [bridge.Consumer] says. Its letters are those of [Engine.DeadLetters].
func (c *Consumer) Bury(ctx context.Context, letter bridge.DeadLetter) error {
	s, err := c.e.stored()
	if err != nil {
		return err
	}
	if err := c.e.ensureLetters(ctx, s, c.group); err != nil {
		return err
	}
	record := encode(c.e.cfg.letterTopic(c.group), letter.Message)
	at := letter.At.UTC().Format(time.RFC3339Nano)
	record.Headers = append(record.Headers,
		kgo.RecordHeader{Key: attemptsHeader, Value: []byte(strconv.Itoa(letter.Attempts))},
		kgo.RecordHeader{Key: errorHeader, Value: []byte(strconv.QuoteToASCII(letter.Error[:min(len(letter.Error), maxErrorText)]))},
		kgo.RecordHeader{Key: buriedHeader, Value: []byte(at)},
	)
	// A message that is replayed may be buried again; then it is another letter.
	record.Key = []byte(letter.Message.ID + " " + at)
	if record.Value == nil {
		record.Value = []byte{} // nil would remove it
	}
	if err := s.producer.check(record, letter.Message, 0); err != nil {
		return err
	}
	err = s.producer.put(ctx, record)
	if errors.Is(err, kerr.MessageTooLarge) {
		return s.producer.tooLarge(letter.Message)
	}
	return err
}

func (e *Engine) ensureLetters(ctx context.Context, s *stored, group string) error {
	if _, there := e.letters.Load(group); there {
		return nil
	}
	config := compacted()
	config["max.message.bytes"] = strconv.Itoa(s.maxMessage)
	t := topic{name: e.cfg.letterTopic(group), partitions: 1, replicas: s.replicas, config: config}
	n, err := e.ensure(ctx, t)
	if err == nil && n != 1 {
		err = fmt.Errorf("kafkabridge: the topic %s has %d partitions: needs 1", t.name, n)
	}
	if err == nil {
		e.letters.Store(group, true)
	}
	return err
}

// Letter is a dead letter in the cluster.
type Letter struct {
	Sequence uint64 // its number among the group's, from 1
	bridge.DeadLetter

	key []byte
}

// DeadLetters are those of a group.
type DeadLetters struct {
	e     *Engine
	group string
}

// ErrNoLetter is returned for the number of a dead letter that is not there.
var ErrNoLetter = errors.New("kafkabridge: there is no such dead letter")

// DeadLetters returns those of a group.
func (e *Engine) DeadLetters(group string) (*DeadLetters, error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	return &DeadLetters{e, group}, nil
}

func decodeLetter(record *kgo.Record, group string) (Letter, error) {
	message, err := decode(record)
	if err != nil {
		return Letter{}, err
	}
	attempts, err1 := strconv.Atoi(header(record, attemptsHeader))
	text, err2 := strconv.Unquote(header(record, errorHeader))
	at, err3 := time.Parse(time.RFC3339Nano, header(record, buriedHeader))
	return Letter{
		Sequence: uint64(record.Offset) + 1,
		DeadLetter: bridge.DeadLetter{
			Message:  message,
			Group:    group,
			Attempts: attempts,
			Error:    text,
			At:       at,
		},
		key: record.Key,
	}, errors.Join(err1, err2, err3)
}
