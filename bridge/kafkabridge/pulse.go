package kafkabridge

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// pulse knows when the group's coordinator has last heard of a member for certain: when it
// answered what the member had sent. After the session timeout from then, the partitions are
// another's, whether this member hears of that or not.
type pulse struct {
	mu      sync.Mutex // guards what follows
	heard   time.Time
	joining bool // the coordinator waits for other members, answers late, and does not count the time
}

var (
	_ kgo.HookBrokerWrite = (*pulse)(nil)
	_ kgo.HookBrokerE2E   = (*pulse)(nil)
)

// OnBrokerWrite notes that the member joins, or asks for its partitions.
func (p *pulse) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key != kmsg.JoinGroup.Int16() && key != kmsg.SyncGroup.Int16() || err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.joining = true
}

// OnBrokerE2E notes that there was an answer, and when what it answers was sent.
func (p *pulse) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch key {
	case kmsg.JoinGroup.Int16(), kmsg.SyncGroup.Int16():
		p.joining = false
		if e2e.Err() == nil {
			p.heard = time.Now() // the time counts from the answer
		}
	case kmsg.Heartbeat.Int16():
		if sent := time.Now().Add(-e2e.DurationE2E()); e2e.Err() == nil && sent.After(p.heard) {
			p.heard = sent
		}
	}
}

// silence is for how long the coordinator may not have heard of the member.
func (p *pulse) silence() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.joining {
		return 0
	}
	return time.Since(p.heard)
}
