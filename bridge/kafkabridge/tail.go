package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tail reads a topic of one partition, from its beginning to what is its end each time that
// it is asked. It is used by one goroutine at a time.
type tail struct {
	e      *Engine
	topic  string
	client *kgo.Client
	next   int64 // the offset up to which it has read; -1 = not known yet
}

// tailWait is how long a broker that has nothing new waits for something.
const tailWait = 250 * time.Millisecond

func (e *Engine) newTail(topic string) (*tail, error) {
	client, err := e.client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // else nothing tells that what was aborted is over
		kgo.FetchMaxWait(tailWait),
	)
	if err != nil {
		return nil, err
	}
	return &tail{e: e, topic: topic, client: client, next: -1}, nil
}

func (t *tail) close() { t.client.Close() }

// catchUp calls each for what is in the topic and was not read yet, up to what was the end
// when it was called, or up to atLeast.
func (t *tail) catchUp(ctx context.Context, atLeast int64, each func(*kgo.Record)) error {
	end, err := t.offset(ctx, latest)
	if err != nil {
		return err
	}
	end = max(end, atLeast)
	if t.next < 0 {
		if t.next, err = t.offset(ctx, earliest); err != nil {
			return err
		}
	}
	for t.next < end {
		fetches := t.client.PollFetches(ctx)
		switch {
		case ctx.Err() != nil:
			return t.failed(context.Cause(ctx))
		case fetches.IsClientClosed():
			return t.failed(errors.New("the engine is closed"))
		}
		if err := fetches.Err(); err != nil {
			return t.failed(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			t.next = r.Offset + 1
			if !r.Attrs.IsControl() {
				each(r)
			}
		})
	}
	return nil
}

func (t *tail) failed(err error) error {
	return fmt.Errorf("kafkabridge: reading the topic %s: %w", t.topic, err)
}

// What is asked for instead of a time.
const (
	latest   = -1
	earliest = -2
)

// offset is where the topic ends or begins.
func (t *tail) offset(ctx context.Context, which int64) (int64, error) {
	partition := kmsg.NewListOffsetsRequestTopicPartition()
	partition.Timestamp = which
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = t.topic
	topic.Partitions = append(topic.Partitions, partition)
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.IsolationLevel = 1 // what is committed
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, t.e.admin)
	if err != nil {
		return 0, t.failed(err)
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, t.failed(errors.New("the brokers say nothing of it"))
	}
	answer := resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return 0, t.failed(err)
	}
	return answer.Offset, nil
}
