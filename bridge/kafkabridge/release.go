package kafkabridge

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// goodbyeTimeout is how long the last word on a partition may take.
const goodbyeTimeout = 5 * time.Second

// release gives partitions up: it ends their handlers, waits for them, but not for ever, and
// tells the brokers, if they listen still, what is done.
func (m *member) release(gone []*partition, listening bool) {
	for _, p := range gone {
		p.end()
	}
	timer := time.NewTimer(m.c.e.cfg.handover)
	defer timer.Stop()
	late := false
	for _, p := range gone {
		select {
		case <-p.served:
			continue
		default:
		}
		if late {
			continue
		}
		select {
		case <-p.served:
		case <-timer.C:
			late = true
			m.c.e.logger().Warn("kafkabridge: handlers still run, and their partition goes to another member", "group", m.c.group, "partition", p.number)
		}
	}
	for _, p := range gone {
		p.release()
	}
	if listening {
		ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
		defer cancel()
		m.commit(ctx, gone)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range gone {
		if m.owned[p.number] == p {
			delete(m.owned, p.number)
		}
	}
}

// release has the partition refuse what comes from its handlers from now on.
func (p *partition) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = true
	p.queue = nil
	if p.paused { // the client would keep it so until the partition comes back
		p.m.resume(p.number)
	}
}

// progress is up to where all is done, if the brokers don't know yet.
func (p *partition) progress() (kgo.EpochOffset, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return kgo.EpochOffset{Epoch: p.epoch, Offset: p.floor}, p.floor > p.known
}

func (p *partition) knows(floor int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = max(p.known, floor)
}

// commit tells the brokers up to where all is done. It asks them itself: the client's own
// commits wait while the group shares its partitions out anew, which takes as long as other
// members' handlers do.
func (m *member) commit(ctx context.Context, of []*partition) {
	m.committed.Lock()
	defer m.committed.Unlock()
	at := make(map[int32]kgo.EpochOffset)
	for _, p := range of {
		if floor, news := p.progress(); news {
			at[int32(p.number)] = floor
		}
	}
	if len(at) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, goodbyeTimeout)
	defer cancel()
	resp, err := m.commitRequest(at).RequestWith(ctx, m.client)
	if err != nil {
		m.uncommitted(ctx, err)
		return
	}
	for _, t := range resp.Topics {
		for _, r := range t.Partitions {
			if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
				m.uncommitted(ctx, err)
			} else if p := m.of(int(r.Partition)); p != nil {
				p.knows(at[r.Partition].Offset)
			}
		}
	}
}

func (m *member) commitRequest(at map[int32]kgo.EpochOffset) *kmsg.OffsetCommitRequest {
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = m.topic, m.topicID
	for number, floor := range at {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = number, floor.Offset, floor.Epoch
		topic.Partitions = append(topic.Partitions, p)
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = m.c.e.cfg.groupID(m.c.group)
	req.MemberID, req.Generation = m.client.GroupMetadata()
	req.Topics = append(req.Topics, topic)
	return req
}
