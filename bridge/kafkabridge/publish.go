package kafkabridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// Publisher returns what stores messages in the log. Each call waits for its own
// acknowledgement; calls at once share requests and do not wait for each other.
//
// It knows an ID again that it has stored, or that it is about to store, of the last
// 65,536. What other processes store once more is skipped by consumers: see [Engine.Consumer].
func (e *Engine) Publisher() bridge.Publisher { return &publisher{e} }

type publisher struct{ e *Engine }

// Publish is as [bridge.Publisher] says. When ctx ends, the message may be on its way still;
// it keeps its place before those of its key that are published later.
func (p *publisher) Publish(ctx context.Context, m bridge.Message) error {
	s, err := p.e.stored()
	if err != nil {
		return err
	}
	record := encode(p.e.cfg.logTopic(), m)
	record.Partition = int32(bridge.PartitionOf(m.Key(), s.partitions))
	return s.producer.store(ctx, record, m, m.ID)
}

// producer stores records, those of the log once for each ID.
type producer struct {
	client *kgo.Client
	max    int // bytes of a batch
	known  *recent
}

// room is what a message in the log leaves of the largest batch, for the headers that it
// gets as a dead letter.
const room = 4 << 10

func (e *Engine) newProducer(limit int) (*producer, error) {
	client, err := e.client(
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(int32(limit)),
	)
	if err != nil {
		return nil, err
	}
	return &producer{client: client, max: limit, known: newRecent()}, nil
}

// store stores the record of a message, unless one with that ID was stored before.
func (p *producer) store(ctx context.Context, record *kgo.Record, m bridge.Message, id string) error {
	if err := p.check(record, m, room); err != nil {
		return err
	}
	stored, first := p.known.begin(id)
	if first {
		// Not with the caller's context: while the record waits for brokers that are away, the
		// next attempt to publish it joins this one, instead of standing behind it.
		p.client.TryProduce(context.WithoutCancel(ctx), record, func(_ *kgo.Record, err error) {
			p.known.finish(id, stored, p.explain(err, record, m))
		})
	}
	select {
	case <-stored.done:
		return stored.err
	case <-ctx.Done():
		return fmt.Errorf("kafkabridge: storing in the topic %s: %w", record.Topic, context.Cause(ctx))
	}
}

// put stores a record that is no message's.
func (p *producer) put(ctx context.Context, record *kgo.Record) error {
	stored := make(chan error, 1)
	p.client.TryProduce(ctx, record, func(_ *kgo.Record, err error) { stored <- err })
	var err error
	select {
	case err = <-stored:
	case <-ctx.Done(): // it may be on its way still
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("kafkabridge: storing in the topic %s: %w", record.Topic, err)
	}
	return nil
}

// check returns an error for a record that is too large for a batch of its own.
func (p *producer) check(record *kgo.Record, m bridge.Message, room int) error {
	const batch = 128 // what a batch needs besides its record, about
	others := batch + room + len(record.Key)
	for _, h := range record.Headers {
		others += len(h.Key) + len(h.Value) + 10
	}
	if limit := p.max - others; len(record.Value) > limit {
		return &bridge.TooLargeError{Size: len(m.Data), Max: max(0, limit)}
	}
	return nil
}

func (p *producer) explain(err error, record *kgo.Record, m bridge.Message) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return p.tooLarge(m)
	}
	return fmt.Errorf("kafkabridge: storing in the topic %s: %w", record.Topic, err)
}

// tooLarge is the error of a message that the brokers have refused for its size, though it
// seemed to fit.
func (p *producer) tooLarge(m bridge.Message) error {
	return &bridge.TooLargeError{Size: len(m.Data), Max: max(0, p.max-room)}
}
