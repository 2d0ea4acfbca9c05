package natsbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// membership is a member's part in its group: it tells the others in the bucket that it
// is there, and which partitions it holds, and knows the same of them. Another is there for the
// member TTL after it was last heard of, by this process's clock alone.
type membership struct {
	e       *Engine
	group   string
	id      string
	watcher jetstream.KeyWatcher

	changed chan struct{} // something of the others' or the own partitions has changed
	tell    chan struct{} // what this member holds has changed
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	others  map[string]other
	holds   map[int]bool
	granted map[int]bool // what it was heard to hold, and whether it did so before any other
	leaving bool
	told    time.Time // when the others were told last
}

// other is another member, as it was last heard of.
type other struct {
	presence
	at time.Time
}

// presence is what a member writes.
type presence struct {
	Holds   []int `json:"holds"`
	Leaving bool  `json:"leaving,omitempty"` // it takes no more partitions
}

// join makes a member, which knows all those that are there when join returns.
func (c *Consumer) join(ctx context.Context, s *stored) (*membership, error) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	m := &membership{
		e:       c.e,
		group:   c.group,
		id:      nuid.Next(),
		changed: make(chan struct{}, 1),
		tell:    make(chan struct{}, 1),
		stop:    stop,
		others:  make(map[string]other),
		holds:   make(map[int]bool),
	}
	if err := m.begin(ctx, running, s); err != nil {
		stop()
		return nil, fmt.Errorf("natsbridge: joining the group %q: %w", c.group, explain(err))
	}
	return m, nil
}

func (m *membership) begin(ctx, running context.Context, s *stored) (err error) {
	if err := m.announce(ctx); err != nil {
		return err
	}
	m.watcher, err = s.members.Watch(running, m.keyOf("*"))
	if err != nil {
		return err
	}
	for known := false; !known; {
		select {
		case entry, ok := <-m.watcher.Updates():
			known = !ok || entry == nil
			m.hear(entry)
		case <-ctx.Done():
			_ = m.watcher.Stop() // it ends with its context, too
			return context.Cause(ctx)
		}
	}
	m.running.Go(func() { m.listen(running) })
	m.running.Go(func() { m.beat(running) })
	return nil
}

// leave says goodbye, unless the server does not answer.
func (m *membership) leave() {
	m.stop()
	m.running.Wait()
	_ = m.watcher.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	_ = m.e.remove(ctx, m.e.cfg.bucketPrefix()+m.keyOf(m.id)) // it expires otherwise
}

func (m *membership) keyOf(id string) string { return "member." + key(m.group) + "." + id }

// listen hears of the others.
func (m *membership) listen(ctx context.Context) {
	for {
		select {
		case entry, ok := <-m.watcher.Updates():
			if !ok {
				return
			}
			m.hear(entry)
		case <-ctx.Done():
			return
		}
	}
}

func (m *membership) hear(entry jetstream.KeyValueEntry) {
	if entry == nil {
		return
	}
	id := entry.Key()[len(m.keyOf("")):]
	var p presence
	there := entry.Operation() == jetstream.KeyValuePut && json.Unmarshal(entry.Value(), &p) == nil
	m.mu.Lock()
	switch {
	case id == m.id:
		m.hearSelf(p)
	case there:
		m.others[id] = other{p, time.Now()}
	default:
		delete(m.others, id)
	}
	m.mu.Unlock()
	m.wake()
}

// hearSelf takes what this member has written itself. All hear all in one order: who
// has written before it that they hold a partition was heard by now. m.mu is held.
func (m *membership) hearSelf(p presence) {
	before := m.granted
	m.granted = make(map[int]bool)
	for _, partition := range p.Holds {
		m.granted[partition] = before[partition] || !m.otherHolds(partition)
	}
}

// wake has the partitions shared again.
func (m *membership) wake() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// beat tells the others, three times within the member TTL and when there is something new.
func (m *membership) beat(ctx context.Context) {
	tick := time.NewTicker(m.e.cfg.memberTTL / 3)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-tick.C:
		case <-m.tell:
		case <-ctx.Done():
			return
		}
		err := m.announce(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			m.e.logger().Warn("natsbridge: a member can't tell its group that it is there; it goes on trying", "group", m.group, "error", explain(err))
		}
		failing = err != nil
	}
}

// announce writes to the bucket what this member holds.
func (m *membership) announce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.e.cfg.memberTTL/3)
	defer cancel()
	m.mu.Lock()
	own := presence{slices.Sorted(maps.Keys(m.holds)), m.leaving}
	m.mu.Unlock()
	data, err := json.Marshal(own)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := m.e.put(ctx, m.e.cfg.bucketPrefix()+m.keyOf(m.id), data, m.e.cfg.memberTTL); err != nil {
		return err
	}
	m.mu.Lock()
	m.told = began
	m.mu.Unlock()
	return nil
}

// setHolds notes whether this member holds a partition, and tells the others.
func (m *membership) setHolds(partition int, holds bool) {
	m.mu.Lock()
	news := m.holds[partition] != holds
	if holds {
		m.holds[partition] = true
	} else {
		delete(m.holds, partition)
	}
	m.mu.Unlock()
	if news {
		m.tellSoon()
	}
}

// goes notes that this member leaves, and tells the others.
func (m *membership) goes() {
	m.mu.Lock()
	m.leaving = true
	m.mu.Unlock()
	m.tellSoon()
}

func (m *membership) tellSoon() {
	select {
	case m.tell <- struct{}{}:
	default:
	}
}

// claim reports whether a partition may be begun with: if nobody else holds it, and all
// have been told that this member does.
func (m *membership) claim(partition int) bool {
	m.mu.Lock()
	granted, heard := m.granted[partition]
	claimed, free := m.holds[partition], !m.otherHolds(partition)
	m.mu.Unlock()
	switch {
	case claimed && granted:
		return true
	case claimed && heard: // another was first
		m.setHolds(partition, false)
	case !claimed && !heard && free:
		m.setHolds(partition, true)
	}
	return false
}

// otherHolds reports whether another member, which is there, holds a partition. m.mu
// is held.
func (m *membership) otherHolds(partition int) bool {
	for _, o := range m.others {
		if m.there(o) && slices.Contains(o.Holds, partition) {
			return true
		}
	}
	return false
}

func (m *membership) there(o other) bool { return time.Since(o.at) < m.e.cfg.memberTTL }

// share returns the partitions that are to be this member's: none while the others must
// take it for dead.
func (m *membership) share(partitions int) map[int]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.told) > m.e.cfg.memberTTL {
		return nil
	}
	members := []string{m.id}
	for id, o := range m.others {
		if m.there(o) && !o.Leaving {
			members = append(members, id)
		}
	}
	return share(partitions, members, m.id)
}
