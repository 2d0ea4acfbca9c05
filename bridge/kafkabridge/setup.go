package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Setup makes in the cluster what is not there yet, and checks what is. It may be called
// by any number of processes at once, and again. Topics that are there keep their settings;
// it is an error if the log has another number of partitions, or if no broker answers. A program that may not make
// topics needs them to be there: see the package's documentation.
func (e *Engine) Setup(ctx context.Context) error {
	if e.closed.Err() != nil {
		_, err := e.stored()
		return err
	}
	brokers, err := e.reach(ctx)
	if err != nil {
		return err
	}
	replicas := int16(max(1, min(3, brokers)))
	if e.cfg.replicas != 0 {
		replicas = int16(e.cfg.replicas)
	}
	log := topic{name: e.cfg.logTopic(), partitions: e.cfg.partitions, replicas: replicas, config: e.logConfig()}
	if log.partitions == 0 {
		log.partitions = defaultPartitions
	}
	partitions, err := e.ensure(ctx, log)
	if err != nil {
		return err
	}
	if err := e.checkLog(partitions); err != nil {
		return err
	}
	for _, name := range []string{e.cfg.leaseTopic(), e.cfg.positionTopic()} {
		n, err := e.ensure(ctx, topic{name: name, partitions: 1, replicas: replicas, config: compacted()})
		if err != nil {
			return err
		}
		if n != 1 {
			return fmt.Errorf("kafkabridge: the topic %s has %d partitions: needs 1; choose another prefix (WithPrefix)", name, n)
		}
	}
	if e.ready.Load() != nil {
		return nil
	}
	return e.open(ctx, partitions, replicas)
}

func (e *Engine) checkLog(partitions int) error {
	name := e.cfg.logTopic()
	switch {
	case partitions > mostPartitions:
		return fmt.Errorf("kafkabridge: the topic %s has %d partitions: at most %d; choose another prefix (WithPrefix)", name, partitions, mostPartitions)
	case e.cfg.partitions != 0 && e.cfg.partitions != partitions:
		return fmt.Errorf("kafkabridge: the topic %s has %d partitions, not %d: their number stays; leave WithPartitions(%d) away, or begin another log (WithPrefix)",
			name, partitions, e.cfg.partitions, e.cfg.partitions)
	}
	return nil
}

// open makes the producer, whose batches are as large as the log takes them.
func (e *Engine) open(ctx context.Context, partitions int, replicas int16) error {
	limit, err := e.maxMessage(ctx)
	if err != nil {
		return err
	}
	log, err := e.describe(ctx, e.cfg.logTopic())
	if err != nil {
		return err
	}
	p, err := e.newProducer(limit)
	if err != nil {
		return err
	}
	s := &stored{partitions: partitions, topicID: log.TopicID, maxMessage: limit, replicas: replicas, producer: p}
	if !e.ready.CompareAndSwap(nil, s) { // another call of Setup was faster
		p.client.Close()
	}
	return nil
}

func (e *Engine) logConfig() map[string]string {
	age := "-1"
	if e.cfg.maxAge > 0 {
		age = strconv.FormatInt(e.cfg.maxAge.Milliseconds(), 10)
	}
	return map[string]string{"cleanup.policy": "delete", "retention.ms": age}
}

// compacted is the configuration of a topic that keeps the last record of each key. It is
// read from its beginning: the broker is to clean up soon.
func compacted() map[string]string {
	return map[string]string{
		"cleanup.policy":            "compact",
		"min.cleanable.dirty.ratio": "0.1",
		"segment.ms":                "3600000",
	}
}

// reach asks the brokers that the engine was told of which there are. It does not try again: what
// keeps a program from its brokers is to be said at once.
func (e *Engine) reach(ctx context.Context) (brokers int, err error) {
	var failures []error
	for _, seed := range e.admin.SeedBrokers() {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{} // none
		resp, err := seed.Request(ctx, req)
		if err == nil {
			return len(resp.(*kmsg.MetadataResponse).Brokers), nil
		}
		failures = append(failures, err)
	}
	return 0, fmt.Errorf("kafkabridge: no broker of %q answers: %w", e.seeds, errors.Join(failures...))
}

// maxMessage is the largest batch that the log takes, in bytes.
func (e *Engine) maxMessage(ctx context.Context) (int, error) {
	const key = "max.message.bytes"
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType = kmsg.ConfigResourceTypeTopic
	resource.ResourceName = e.cfg.logTopic()
	resource.ConfigNames = []string{key}
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, e.admin)
	if err != nil {
		return 0, fmt.Errorf("kafkabridge: asking for the settings of the topic %s: %w", e.cfg.logTopic(), err)
	}
	for _, r := range resp.Resources {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return 0, fmt.Errorf("kafkabridge: asking for the settings of the topic %s: %w", r.ResourceName, err)
		}
		for _, c := range r.Configs {
			if c.Name != key || c.Value == nil {
				continue
			}
			if n, err := strconv.Atoi(*c.Value); err == nil {
				return n, nil
			}
		}
	}
	return defaultMaxMessage, nil
}

// defaultMaxMessage is what a broker takes unless it was told otherwise.
const defaultMaxMessage = 1_048_588
