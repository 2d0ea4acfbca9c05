package kafkabridge

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// begin has what is fetched of partitions begin some messages before those that the group
// is not done with, so that the IDs of those before are known.
func (m *member) begin(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	known := make(map[int32]kgo.EpochOffset)
	for number, at := range offsets[m.topic] {
		if at := at.EpochOffset(); at.Offset > 0 {
			known[number] = at
		}
	}
	for number, end := range m.truncated(ctx, known) {
		m.lostAtBroker(number, end, known[number].Offset)
		known[number] = kgo.EpochOffset{Offset: end}
	}
	for number, at := range known {
		if p := m.of(int(number)); p != nil {
			p.begin(at.Offset)
			offsets[m.topic][number] = kgo.NewOffset().At(max(0, at.Offset-windowIDs)).WithEpoch(-1)
		}
	}
	return offsets, nil
}

// truncated returns where those partitions end, of what the brokers had when the group
// was done with it, that have lost some of that since: what is behind is new. The client can't
// see that, since it begins before.
func (m *member) truncated(ctx context.Context, known map[int32]kgo.EpochOffset) map[int32]int64 {
	topic := kmsg.NewOffsetForLeaderEpochRequestTopic()
	topic.Topic = m.topic
	for number, at := range known {
		if at.Epoch < 0 {
			continue
		}
		p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = number, -1, at.Epoch
		topic.Partitions = append(topic.Partitions, p)
	}
	if len(topic.Partitions) == 0 {
		return nil
	}
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.ReplicaID = -1
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		m.unchecked(err)
		return nil
	}
	ends := make(map[int32]int64)
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				m.unchecked(err)
			} else if p.EndOffset >= 0 && p.EndOffset < known[p.Partition].Offset {
				ends[p.Partition] = p.EndOffset
			}
		}
	}
	return ends
}
