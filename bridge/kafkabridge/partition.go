package kafkabridge

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

const (
	// A partition of which so many records, or so many bytes, wait for their handlers is not
	// fetched until there is half of that.
	highWater      = 4096
	highWaterBytes = 4 << 20
	// windowIDs is of how many of the last messages of a partition the IDs are known.
	windowIDs = 4096
)

// errRevoked is what is said of a message whose partition is another member's by now.
var errRevoked = errors.New("kafkabridge: the partition is no longer this member's")

// partition is one while it is this member's.
type partition struct {
	m      *member
	number int
	ctx    context.Context // of serve
	end    context.CancelFunc
	served chan struct{} // closed when serve has returned

	filled chan struct{} // capacity 1; there is something in queue

	mu       sync.Mutex // guards what follows
	queue    []*kgo.Record
	bytes    int // of those in queue, about
	paused   bool
	first    int64 // of the messages to be handled, the first offset; those before only tell their IDs
	fetched  int64 // behind the last record that was fetched
	next     int64 // behind the last record that was taken from queue
	window   *window
	open     []mark // of the messages that were handed over, from the oldest that is not done
	floor    int64  // all before it is done; -1 = not known
	epoch    int32  // of the leader of what is before floor
	known    int64  // the floor that the brokers know
	released bool   // the partition is no longer this member's
}

// mark is an offset, and whether the group is done with it.
type mark struct {
	offset int64
	epoch  int32
	done   bool
}

func newPartition(m *member, number int) *partition {
	ctx, end := context.WithCancel(m.ctx)
	return &partition{
		m: m, number: number, ctx: ctx, end: end,
		served: make(chan struct{}),
		filled: make(chan struct{}, 1),
		window: newWindow(windowIDs),
		floor:  -1, known: -1,
	}
}

func (p *partition) Number() int { return p.number }

// begin says from which offset on the group is not done.
func (p *partition) begin(first int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.first = first
}

// put adds what was fetched, and has no more fetched if that is enough.
func (p *partition) put(records []*kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released || len(records) == 0 {
		return
	}
	if records[0].Offset < p.fetched {
		p.m.end(errWentBack)
		return
	}
	p.fetched = records[len(records)-1].Offset + 1
	p.queue = append(p.queue, records...)
	for _, r := range records {
		p.bytes += sizeOf(r)
	}
	if !p.paused && (len(p.queue) > highWater || p.bytes > highWaterBytes) {
		p.paused = true
		p.m.pause(p.number)
	}
	select {
	case p.filled <- struct{}{}:
	default:
	}
}

// sizeOf is about what a record takes of memory, in bytes.
func sizeOf(r *kgo.Record) int { return 1024 + len(r.Value) }

// take returns the oldest record that was fetched, or nil, and has more fetched if that
// leaves few.
func (p *partition) take() *kgo.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil
	}
	record := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	p.bytes -= sizeOf(record)
	if p.paused && len(p.queue) < highWater/2 && p.bytes < highWaterBytes/2 {
		p.paused = false
		p.m.resume(p.number)
	}
	return record
}

// Next is as [bridge.Partition] says.
func (p *partition) Next(ctx context.Context) (bridge.Delivery, error) {
	for {
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case p.ctx.Err() != nil:
			return nil, errRevoked
		}
		if record := p.take(); record != nil {
			if d := p.receive(record); d != nil {
				return d, nil
			}
			continue
		}
		select {
		case <-p.filled:
		case <-ctx.Done():
		case <-p.ctx.Done():
		}
	}
}

// receive makes a delivery of a record, or nil if it is none of this group's, or none that
// is new.
func (p *partition) receive(record *kgo.Record) *delivery {
	wanted, id := p.m.wants(record)
	message, err := decode(record)
	p.mu.Lock()
	defer p.mu.Unlock()
	if id == "" {
		id = message.ID
	}
	fresh := err == nil && p.window.add(id)
	if expected := max(p.first, p.next); expected > 0 && record.Offset > expected {
		p.m.missed(p.number, expected, record.Offset)
	}
	p.next = record.Offset + 1
	if record.Offset < p.first {
		return nil
	}
	if p.floor < 0 {
		p.floor, p.known = record.Offset, record.Offset
	}
	p.open = append(p.open, mark{offset: record.Offset, epoch: record.LeaderEpoch})
	if wanted && fresh {
		return &delivery{p: p, message: message, offset: record.Offset}
	}
	if err != nil && wanted {
		p.m.unreadable(p.number, record, err)
	}
	p.settle(record.Offset)
	return nil
}

// settle notes that the group is done with an offset; p.mu is held.
func (p *partition) settle(offset int64) {
	i, there := slices.BinarySearchFunc(p.open, offset, func(m mark, offset int64) int { return cmp.Compare(m.offset, offset) })
	if there {
		p.open[i].done = true
	}
	for len(p.open) > 0 && p.open[0].done {
		p.floor, p.epoch = p.open[0].offset+1, p.open[0].epoch
		p.open = p.open[1:]
	}
}

// delivery is a message that was handed over.
type delivery struct {
	p       *partition
	message bridge.Message
	offset  int64
}

func (d *delivery) Message() bridge.Message       { return d.message }
func (d *delivery) Attempt() int                  { return 0 }
func (d *delivery) Working(context.Context) error { return nil }
func (d *delivery) Patience() time.Duration       { return 0 }

// Done lets the offset of the group pass the message, once all before it is done.
func (d *delivery) Done(context.Context) error {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	if d.p.released {
		return errRevoked
	}
	d.p.settle(d.offset)
	return nil
}
