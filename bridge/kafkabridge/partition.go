package kafkabridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crisp-go/crisp/bridge"
)

// Fetching a partition pauses while many records wait for Next. A pause costs what was
// fetched ahead, and up to fetchWait until more comes.
const (
	highWater = 4096
	lowWater  = 2048
)

// partition is one of the log's while it is this member's.
type partition struct {
	m      *member
	number int32
	ctx    context.Context // of serve
	end    context.CancelFunc
	served chan struct{}
	wake   chan struct{} // has one if there may be something in the queue

	mu        sync.Mutex // guards what follows
	queue     []*kgo.Record
	paused    bool
	gone      bool        // it may be another's
	next      int64       // the offset behind what was pushed
	open      []*delivery // what was handed over or passed over, from the first that is not done
	taken     int64       // the offset behind that
	committed int64
	seen      map[string]struct{}
	order     []string // seen, the oldest first
}

func newPartition(m *member, n int32) *partition {
	p := &partition{
		m: m, number: n,
		served: make(chan struct{}), wake: make(chan struct{}, 1),
		seen: make(map[string]struct{}),
	}
	p.ctx, p.end = context.WithCancel(m.ctx)
	return p
}

func (p *partition) Number() int { return int(p.number) }

// push takes a record that was fetched. Those that the group is done with are there for
// their IDs only.
func (p *partition) push(r *kgo.Record) {
	from := p.m.fromOf(p.number)
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Offset < p.next || p.gone {
		return
	}
	p.next = r.Offset + 1
	if r.Offset < from {
		p.repeated(r)
		return
	}
	p.queue = append(p.queue, r)
	if len(p.queue) >= highWater && !p.paused {
		p.paused = true
		p.m.client.PauseFetchPartitions(map[string][]int32{r.Topic: {p.number}})
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *partition) Next(ctx context.Context) (bridge.Delivery, error) {
	for {
		if p.ctx.Err() != nil {
			return nil, context.Cause(p.ctx)
		}
		if d := p.take(); d != nil {
			return d, nil
		}
		select {
		case <-p.wake:
		case <-p.ctx.Done():
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// take returns what is to be handed over next, if that is there.
func (p *partition) take() *delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 {
		r := p.queue[0]
		p.queue = p.queue[1:]
		p.resume()
		d := &delivery{p: p, offset: r.Offset}
		p.taken = r.Offset + 1
		p.open = append(p.open, d)
		if group := header(r, groupHeader); p.repeated(r) || group != "" && group != p.m.group {
			p.finish(d)
			continue
		}
		message, err := decode(r)
		if err != nil {
			p.m.e.logger().ErrorContext(p.ctx, "kafkabridge: what is no message is passed over", "partition", p.number, "offset", r.Offset, "error", err)
			p.finish(d)
			continue
		}
		d.message = message
		return d
	}
	return nil
}

func (p *partition) resume() {
	if p.paused && len(p.queue) <= lowWater {
		p.paused = false
		p.m.client.ResumeFetchPartitions(map[string][]int32{p.m.e.cfg.logTopic(): {p.number}})
	}
}

// repeated reports whether the record's ID was there before, and remembers it.
func (p *partition) repeated(r *kgo.Record) bool {
	if p.m.e.cfg.window == 0 {
		return false
	}
	id := header(r, headerPrefix+"id") + " " + header(r, replayHeader)
	if _, there := p.seen[id]; there {
		return true
	}
	p.seen[id] = struct{}{}
	p.order = append(p.order, id)
	if len(p.order) > p.m.e.cfg.window {
		delete(p.seen, p.order[0])
		p.order = p.order[1:]
	}
	return false
}

// finish notes that a delivery is done.
func (p *partition) finish(d *delivery) {
	d.done = true
	n := 0
	for n < len(p.open) && p.open[n].done {
		n++
	}
	p.open = p.open[n:]
}

// progress is the offset up to which all is done, if that is not written yet.
func (p *partition) progress() (at int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at = p.taken
	if len(p.open) > 0 {
		at = p.open[0].offset
	}
	return at, at > p.committed && !p.gone && p.taken > 0
}

func (p *partition) written(at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.committed = max(p.committed, at)
}

// giveUp ends it: what is done from then on does not count.
func (p *partition) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.queue = nil
	p.resume() // for its next time here
}

var errGone = errors.New("kafkabridge: the partition may be another member's: the message comes again")

type delivery struct {
	p       *partition
	offset  int64
	message bridge.Message
	done    bool // guarded by p.mu
}

func (d *delivery) Message() bridge.Message       { return d.message }
func (d *delivery) Attempt() int                  { return 0 }
func (d *delivery) Working(context.Context) error { return nil }
func (d *delivery) Patience() time.Duration       { return 0 }

func (d *delivery) Done(context.Context) error {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	if d.p.gone {
		return errGone
	}
	d.p.finish(d)
	return nil
}

// onCommit calls written for each partition whose offset the cluster has taken.
func onCommit(written func(n int32)) func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {
	return func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			return
		}
		for _, t := range response.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 0 {
					written(p.Partition)
				}
			}
		}
	}
}
