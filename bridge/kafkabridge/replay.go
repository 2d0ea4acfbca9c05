package kafkabridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// List returns the letters, the oldest first: those behind the letter with the number
// after, 0 for all; at most limit, if that is above 0. It reads all that the topic has.
func (l *DeadLetters) List(ctx context.Context, after uint64, limit int) ([]Letter, error) {
	records, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	var all []Letter
	for _, record := range records {
		if limit > 0 && len(all) == limit {
			break
		}
		if uint64(record.Offset)+1 <= after {
			continue
		}
		letter, err := decodeLetter(record, l.group)
		if err != nil {
			return all, fmt.Errorf("kafkabridge: the dead letter %d can't be read: %w", record.Offset+1, err)
		}
		all = append(all, letter)
	}
	return all, nil
}

// read returns the records of the letters that are there, in order.
func (l *DeadLetters) read(ctx context.Context) ([]*kgo.Record, error) {
	if _, err := l.e.stored(); err != nil {
		return nil, err
	}
	name := l.e.cfg.letterTopic(l.group)
	if _, err := l.e.countPartitions(ctx, name); errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, nil // nobody was buried yet
	} else if err != nil {
		return nil, err
	}
	t, err := l.e.newTail(name)
	if err != nil {
		return nil, err
	}
	defer t.close()
	there := make(map[string]*kgo.Record)
	err = t.catchUp(ctx, 0, func(r *kgo.Record) {
		before := there[string(r.Key)]
		switch {
		case r.Value == nil:
			delete(there, string(r.Key))
		case before == nil: // else it was buried again, since the answer was lost
			there[string(r.Key)] = r
		}
	})
	if err != nil {
		return nil, err
	}
	all := make([]*kgo.Record, 0, len(there))
	for _, r := range there {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *kgo.Record) int { return cmp.Compare(a.Offset, b.Offset) })
	return all, nil
}

func (l *DeadLetters) get(ctx context.Context, sequence uint64) (*kgo.Record, error) {
	all, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if uint64(r.Offset)+1 == sequence {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%w: number %d of the group %q", ErrNoLetter, sequence, l.group)
}

// Replay puts a letter's message into the log again, for its group only, behind what is
// there, and removes the letter.
func (l *DeadLetters) Replay(ctx context.Context, sequence uint64) error {
	buried, err := l.get(ctx, sequence)
	if err != nil {
		return err
	}
	s, err := l.e.stored()
	if err != nil {
		return err
	}
	message, err := decode(buried)
	if err != nil {
		return fmt.Errorf("kafkabridge: the dead letter %d can't be read: %w", sequence, err)
	}
	record := encode(l.e.cfg.logTopic(), message)
	record.Partition = int32(bridge.PartitionOf(message.Key(), s.partitions))
	replay := strconv.FormatUint(sequence, 10)
	record.Headers = append(record.Headers,
		kgo.RecordHeader{Key: groupHeader, Value: []byte(escape(l.group))},
		kgo.RecordHeader{Key: replayHeader, Value: []byte(replay)},
	)
	// Not by the message's ID, which is known from the first time.
	if err := s.producer.store(ctx, record, message, replayID(escape(l.group), replay)); err != nil {
		return err
	}
	return l.remove(ctx, s, buried)
}

// Discard removes a letter.
func (l *DeadLetters) Discard(ctx context.Context, sequence uint64) error {
	buried, err := l.get(ctx, sequence)
	if err != nil {
		return err
	}
	s, err := l.e.stored()
	if err != nil {
		return err
	}
	return l.remove(ctx, s, buried)
}

func (l *DeadLetters) remove(ctx context.Context, s *stored, buried *kgo.Record) error {
	return s.producer.put(ctx, &kgo.Record{Topic: buried.Topic, Key: buried.Key})
}
