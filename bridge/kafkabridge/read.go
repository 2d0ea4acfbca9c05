package kafkabridge

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// readAll returns the records of a topic with one partition that are there by now.
func (e *Engine) readAll(ctx context.Context, topic string) ([]*kgo.Record, error) {
	start, end, err := e.bounds(ctx, topic)
	if err != nil || end <= start {
		return nil, err
	}
	client, err := e.reader(topic)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var all []*kgo.Record
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		all = append(all, fetches.Records()...)
		if n := len(all); n > 0 && all[n-1].Offset >= end-1 { // the last one is never compacted
			return all, nil
		}
	}
}

// bounds are the offsets of the first record of a topic with one partition, and behind the
// last one.
func (e *Engine) bounds(ctx context.Context, topic string) (start, end int64, err error) {
	starts, err := e.admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, 0, err
	}
	ends, err := e.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, 0, err
	}
	first, _ := starts.Lookup(topic, 0)
	last, ok := ends.Lookup(topic, 0)
	if !ok {
		return 0, 0, fmt.Errorf("the topic %s is not there", topic)
	}
	return first.Offset, last.Offset, nil
}

// reader makes a client that reads a topic with one partition from its start.
func (e *Engine) reader(topic string) (*kgo.Client, error) {
	return kgo.NewClient(append(append([]kgo.Opt{}, e.base...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)...)
}
