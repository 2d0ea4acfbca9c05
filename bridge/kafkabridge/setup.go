package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Setup makes in the cluster what is not there yet, and checks what is. It may be called
// by any number of processes at once, and again. It changes nothing of a topic that is
// there. It is an error if the log has another number of partitions than the engine was
// given, or if the topic of leases does not have the brokers' time.
//
// Keep three replicas and min.insync.replicas 2 ([WithReplicas]): with fewer, an
// acknowledged message is lost with one broker's disk. Setup says so in the log where it finds that.
func (e *Engine) Setup(ctx context.Context) error {
	for _, t := range e.topics() {
		if err := e.create(ctx, t); err != nil {
			return fmt.Errorf("kafkabridge: making the topic %s: %w", t.name, err)
		}
	}
	details, err := e.admin.ListTopics(ctx, e.cfg.logTopic())
	if err != nil {
		return fmt.Errorf("kafkabridge: looking at the log: %w", err)
	}
	detail := details[e.cfg.logTopic()]
	if detail.Err != nil {
		return fmt.Errorf("kafkabridge: looking at the log: %w", detail.Err)
	}
	n := len(detail.Partitions)
	if e.cfg.partitions != 0 && n != e.cfg.partitions {
		return fmt.Errorf("kafkabridge: the log %s has %d partitions, and the engine was told of %d: give it the number that there is", e.cfg.logTopic(), n, e.cfg.partitions)
	}
	maxBytes, err := e.checkConfigs(ctx, detail)
	if err != nil {
		return err
	}
	e.ready.Store(&stored{partitions: n, maxBytes: maxBytes})
	return nil
}

type topic struct {
	name       string
	partitions int
	configs    map[string]*string
}

// leaseRetention is how long claims are kept, at least.
const leaseRetention = time.Hour

func (e *Engine) topics() []topic {
	age := "-1"
	if e.cfg.maxAge > 0 {
		age = millis(e.cfg.maxAge)
	}
	partitions := e.cfg.partitions
	if partitions == 0 {
		partitions = defaultPartitions
	}
	all := []topic{
		{e.cfg.logTopic(), partitions, map[string]*string{"cleanup.policy": new("delete"), "retention.ms": &age}},
		{e.cfg.letterTopic(), 1, map[string]*string{"cleanup.policy": new("compact")}},
		{e.cfg.positionTopic(), 1, map[string]*string{"cleanup.policy": new("compact")}},
		{e.cfg.leaseTopic(), 1, map[string]*string{
			"cleanup.policy":         new("delete"),
			"message.timestamp.type": new("LogAppendTime"),
			"retention.ms":           new(millis(leaseRetention)),
			"segment.ms":             new(millis(leaseRetention / 6)),
		}},
	}
	if e.cfg.replicas >= 3 {
		for _, t := range all {
			t.configs["min.insync.replicas"] = new("2")
		}
	}
	return all
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (e *Engine) create(ctx context.Context, t topic) error {
	replicas := int16(-1)
	if e.cfg.replicas != 0 {
		replicas = int16(e.cfg.replicas)
	}
	_, err := e.admin.CreateTopic(ctx, int32(t.partitions), replicas, t.configs, t.name)
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}

// checkConfigs returns how large a message may be.
func (e *Engine) checkConfigs(ctx context.Context, log kadm.TopicDetail) (maxBytes int, err error) {
	all, err := e.admin.DescribeTopicConfigs(ctx, e.cfg.logTopic(), e.cfg.leaseTopic())
	if err != nil {
		return 0, fmt.Errorf("kafkabridge: looking at the topics' settings: %w", err)
	}
	values := make(map[string]string)
	for _, r := range all {
		if r.Err != nil {
			return 0, fmt.Errorf("kafkabridge: looking at the settings of the topic %s: %w", r.Name, r.Err)
		}
		for _, c := range r.Configs {
			values[r.Name+" "+c.Key] = c.MaybeValue()
		}
	}
	if kind := values[e.cfg.leaseTopic()+" message.timestamp.type"]; kind != "LogAppendTime" {
		return 0, fmt.Errorf("kafkabridge: the topic %s needs message.timestamp.type=LogAppendTime, so that leases have one clock", e.cfg.leaseTopic())
	}
	insync := values[e.cfg.logTopic()+" min.insync.replicas"]
	if log.Partitions.NumReplicas() < 3 || insync == "1" {
		e.logger().WarnContext(ctx, "kafkabridge: one broker's loss can lose acknowledged messages: keep 3 replicas and min.insync.replicas=2",
			"topic", log.Topic, "replicas", log.Partitions.NumReplicas(), "min.insync.replicas", insync)
	}
	maxBytes = defaultMaxBytes
	if n, err := strconv.Atoi(values[e.cfg.logTopic()+" max.message.bytes"]); err == nil && n > 0 {
		maxBytes = min(maxBytes, n)
	}
	return maxBytes, nil
}

// defaultMaxBytes is what the client and Kafka take by default, with the headers.
const defaultMaxBytes = 1_000_000
