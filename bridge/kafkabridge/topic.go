package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topic is one that is to be there.
type topic struct {
	name       string
	partitions int
	replicas   int16
	config     map[string]string
}

// ensure makes a topic if it is not there, and returns how many partitions it has.
func (e *Engine) ensure(ctx context.Context, t topic) (partitions int, err error) {
	partitions, err = e.countPartitions(ctx, t.name)
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return partitions, err
	}
	if err := e.create(ctx, t); err == nil {
		return t.partitions, nil
	} else if !errors.Is(err, kerr.TopicAlreadyExists) {
		return 0, fmt.Errorf("kafkabridge: making the topic %s with %d replicas: %w", t.name, t.replicas, err)
	}
	return e.countPartitions(ctx, t.name) // made by another process, perhaps with other settings
}

func (e *Engine) countPartitions(ctx context.Context, name string) (int, error) {
	t, err := e.describe(ctx, name)
	return len(t.Partitions), err
}

// describe returns what the brokers know of a topic.
func (e *Engine) describe(ctx context.Context, name string) (found kmsg.MetadataResponseTopic, err error) {
	wanted := kmsg.NewMetadataRequestTopic()
	wanted.Topic = &name
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, wanted)
	resp, err := req.RequestWith(ctx, e.admin)
	if err != nil {
		return found, fmt.Errorf("kafkabridge: asking for the topic %s: %w", name, err)
	}
	for _, t := range resp.Topics {
		if t.Topic == nil || *t.Topic != name {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return found, fmt.Errorf("kafkabridge: asking for the topic %s: %w", name, err)
		}
		return t, nil
	}
	return found, fmt.Errorf("kafkabridge: asking for the topic %s: %w", name, kerr.UnknownTopicOrPartition)
}

func (e *Engine) create(ctx context.Context, t topic) error {
	wanted := kmsg.NewCreateTopicsRequestTopic()
	wanted.Topic = t.name
	wanted.NumPartitions = int32(t.partitions)
	wanted.ReplicationFactor = t.replicas
	put := func(name, value string) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, &value
		wanted.Configs = append(wanted.Configs, c)
	}
	for name, value := range t.config {
		put(name, value)
	}
	put("min.insync.replicas", strconv.Itoa(max(1, int(t.replicas)-1)))
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, wanted)
	resp, err := req.RequestWith(ctx, e.admin)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return err
		}
	}
	return nil
}
