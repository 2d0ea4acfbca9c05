package bridgetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge"
)

// Log is an engine in memory, for tests: it keeps all that was published, and shares it
// among the members of groups as engines of many machines do. It is used by several
// goroutines at once, also in a bubble of testing/synctest.
type Log struct {
	cfg    logConfig
	claims *crisp.MemoryClaims

	mu        sync.Mutex // guards what follows
	changed   chan struct{}
	failing   error
	stored    [][]bridge.Message // by partition
	known     map[string]time.Time
	groups    map[string]*group
	positions map[string]crisp.Position
	processes []*Process
}

type logConfig struct {
	partitions, maxPayload      int
	patience, takeOver, release time.Duration
	window                      time.Duration
	fault                       fault
}

// fault is a promise that a log doesn't keep, so that it can be seen that Run notices.
type fault string

const (
	storesTwice    fault = "stores an ID twice"
	takesAnything  fault = "takes what is too large"
	anyPartitions  fault = "takes any number of partitions"
	twoHolders     fault = "gives a lease to two"
	endlessLease   fault = "never ends a lease"
	unevenShares   fault = "gives all to one member"
	twoOwners      fault = "gives a partition to two members"
	neverTakesOver fault = "waits for the dead forever"
	newestFirst    fault = "begins with the newest at a takeover"
	losesMessages  fault = "takes another message for done, too"
	neverRewinds   fault = "never hands over again"
	buriesNothing  fault = "keeps no dead letters"
	noPositions    fault = "keeps no positions"
)

func withFault(f fault) LogOption { return func(c *logConfig) { c.fault = f } }

// LogOption changes a default of [NewLog].
type LogOption func(*logConfig)

// WithPartitions sets the number of partitions; default 16.
func WithPartitions(n int) LogOption { return func(c *logConfig) { c.partitions = n } }

// WithMaxPayload sets how many bytes of a payload the log takes; default 1 MiB.
func WithMaxPayload(bytes int) LogOption { return func(c *logConfig) { c.maxPayload = bytes } }

// WithPatience sets how long the log waits for a message to be done until it comes
// again; default 30 s. 0 = forever.
func WithPatience(d time.Duration) LogOption { return func(c *logConfig) { c.patience = d } }

// WithTakeOver sets after which time the partitions of a process that was killed are
// another's; default 5 s.
func WithTakeOver(d time.Duration) LogOption { return func(c *logConfig) { c.takeOver = d } }

// WithRelease sets how long a member that is to give up a partition may take to; default
// 30 s.
func WithRelease(d time.Duration) LogOption { return func(c *logConfig) { c.release = d } }

// WithWindow sets for how long a message's ID is known, so that it is stored once;
// default 10 min.
func WithWindow(d time.Duration) LogOption { return func(c *logConfig) { c.window = d } }

// NewLog makes an empty log.
func NewLog(opts ...LogOption) *Log {
	cfg := logConfig{
		partitions: 16,
		maxPayload: 1 << 20,
		patience:   30 * time.Second,
		takeOver:   5 * time.Second,
		release:    30 * time.Second,
		window:     10 * time.Minute,
	}
	for _, opt := range opts {
		opt(&cfg)
	}
	return &Log{
		cfg:       cfg,
		claims:    crisp.NewMemoryClaims(0),
		changed:   make(chan struct{}),
		stored:    make([][]bridge.Message, cfg.partitions),
		known:     make(map[string]time.Time),
		groups:    make(map[string]*group),
		positions: make(map[string]crisp.Position),
	}
}

// Publisher stores messages in the log.
func (l *Log) Publisher() bridge.Publisher { return l.Join().Publisher() }

// Consumer is a member of a group.
func (l *Log) Consumer(group string) bridge.Consumer { return l.Join().Consumer(group) }

// Fail lets all that is asked of the log fail with an error, until it is called with
// nil: the engine is away. Messages that are handed over stay so.
func (l *Log) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing = err
	l.change()
}

// Messages are those of a partition, in order.
func (l *Log) Messages(partition int) []bridge.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.stored[partition])
}

// All are the messages of all partitions, one after the other.
func (l *Log) All() []bridge.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.stored...)
}

// DeadLetters are those of a group, in the order in which they were buried.
func (l *Log) DeadLetters(group string) []bridge.DeadLetter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.group(group).buried)
}

// Left is how many messages a group is not done with.
func (l *Log) Left(group string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := 0
	for p, stored := range l.stored {
		left += len(stored) - len(l.group(group).partitions[p].done)
	}
	return left
}

// change wakes those who wait for something of the log; l.mu is held.
func (l *Log) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// group returns that of a name; l.mu is held.
func (l *Log) group(name string) *group {
	g := l.groups[name]
	if g == nil {
		g = &group{log: l, name: name, partitions: make([]groupPartition, l.cfg.partitions)}
		for p := range g.partitions {
			g.partitions[p] = groupPartition{done: make(map[int]bool), attempts: make(map[int]int)}
		}
		l.groups[name] = g
	}
	return g
}

// Process is what another process would have of the log.
type Process struct {
	log *Log
	end context.Context
	die context.CancelCauseFunc
}

var (
	errKilled = errors.New("bridgetest: the process was killed")
	errAway   = errors.New("bridgetest: the engine is away")
)

// Join makes another process, which can be killed apart from the rest.
func (l *Log) Join() *Process {
	p := &Process{log: l}
	p.end, p.die = context.WithCancelCause(context.Background())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes = append(l.processes, p)
	return p
}

// JoinWith is Join for a process that was told how many partitions the log has; it is an
// error if the log has another number.
func (l *Log) JoinWith(partitions int) (*Process, error) {
	if partitions != l.cfg.partitions && l.cfg.fault != anyPartitions {
		return nil, fmt.Errorf("bridgetest: the log has %d partitions, not %d", l.cfg.partitions, partitions)
	}
	return l.Join(), nil
}

// Kill ends the process without a goodbye: the log does not hear from it any more, and
// gives its partitions to others after a while ([WithTakeOver]).
func (p *Process) Kill() {
	p.die(errKilled)
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	p.log.change()
}

// usable returns why the log can't be asked; l.mu is held.
func (p *Process) usable() error { return cmp.Or(context.Cause(p.end), p.log.failing) }

// Publisher stores messages in the log.
func (p *Process) Publisher() bridge.Publisher { return memoryPublisher{p} }

// Consumer is a member of a group.
func (p *Process) Consumer(group string) bridge.Consumer { return &member{process: p, group: group} }

// Lease is a lease of the log; those of one name are the same in all processes.
func (p *Process) Lease(name string) crisp.Lease {
	return memoryLease{p, crisp.NewLease(p.log.claims, name)}
}

// Position is a store of a position; those of one name are the same in all processes.
func (p *Process) Position(name string) crisp.PositionStore { return memoryPosition{p, name} }

type memoryPublisher struct{ process *Process }

func (m memoryPublisher) Publish(ctx context.Context, msg bridge.Message) error {
	l := m.process.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := cmp.Or(m.process.usable(), context.Cause(ctx)); err != nil {
		return err
	}
	if len(msg.Data) > l.cfg.maxPayload && l.cfg.fault != takesAnything {
		return &bridge.TooLargeError{Size: len(msg.Data), Max: l.cfg.maxPayload}
	}
	if at, known := l.known[msg.ID]; known && time.Since(at) < l.cfg.window && l.cfg.fault != storesTwice {
		return nil
	}
	stored, err := bridge.ParseMessage(msg.Attributes(), slices.Clone(msg.Data))
	if err != nil {
		return err
	}
	l.known[msg.ID] = time.Now()
	p := bridge.PartitionOf(msg.Key(), l.cfg.partitions)
	l.stored[p] = append(l.stored[p], stored)
	l.change()
	return nil
}

type memoryLease struct {
	process *Process
	lease   crisp.Lease
}

func (m memoryLease) Acquire(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	if err := m.process.check(); err != nil {
		return false, err
	}
	if m.process.log.cfg.fault == twoHolders {
		return true, nil
	}
	if m.process.log.cfg.fault == endlessLease {
		ttl = 1000 * time.Hour
	}
	return m.lease.Acquire(ctx, holder, ttl)
}

func (m memoryLease) Release(ctx context.Context, holder string) error {
	if err := m.process.check(); err != nil {
		return err
	}
	return m.lease.Release(ctx, holder)
}

func (p *Process) check() error {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.usable()
}

type memoryPosition struct {
	process *Process
	name    string
}

func (m memoryPosition) Load(context.Context) (crisp.Position, error) {
	m.process.log.mu.Lock()
	defer m.process.log.mu.Unlock()
	p := m.process.log.positions[m.name]
	p.Handled = slices.Clone(p.Handled)
	return p, m.process.usable()
}

func (m memoryPosition) Save(_ context.Context, p crisp.Position) error {
	m.process.log.mu.Lock()
	defer m.process.log.mu.Unlock()
	if err := m.process.usable(); err != nil {
		return err
	}
	if m.process.log.cfg.fault == noPositions {
		return nil
	}
	p.Handled = slices.Clone(p.Handled)
	m.process.log.positions[m.name] = p
	return nil
}

// group is what a group has got to, and who is in it.
type group struct {
	log        *Log
	name       string
	members    []*member // in the order in which they joined
	partitions []groupPartition
	buried     []bridge.DeadLetter
}

type groupPartition struct {
	owner    *memoryPartition // nil = nobody has it
	done     map[int]bool     // by the message's place in the partition
	attempts map[int]int      // likewise
}

// share gives each partition to a member, once whoever has it has given it up;
// log.mu is held.
func (g *group) share() {
	for number := range g.partitions {
		p := &g.partitions[number]
		var wanted *member
		if len(g.members) > 0 {
			wanted = g.members[number%len(g.members)]
			if g.log.cfg.fault == unevenShares {
				wanted = g.members[0]
			}
		}
		switch {
		case p.owner == nil && wanted != nil && wanted.ctx.Err() == nil:
			p.owner = wanted.begin(g, number)
		case p.owner != nil && p.owner.member != wanted:
			p.owner.giveUp()
			if g.log.cfg.fault == twoOwners && wanted != nil {
				p.owner = wanted.begin(g, number)
			}
		}
	}
}

// member is one of a group.
type member struct {
	process *Process
	group   string

	ctx     context.Context // of Consume
	serve   func(context.Context, bridge.Partition)
	serving sync.WaitGroup
}

func (m *member) Consume(ctx context.Context, serve func(ctx context.Context, p bridge.Partition)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.process.end, cancel)()
	l := m.process.log
	l.mu.Lock()
	if err := m.process.usable(); err != nil {
		l.mu.Unlock()
		return err
	}
	// In another's place if it consumes again.
	this := &member{process: m.process, group: m.group, ctx: ctx, serve: serve}
	g := l.group(m.group)
	g.members = append(g.members, this)
	g.share()
	l.mu.Unlock()

	<-ctx.Done()
	if m.process.end.Err() != nil {
		time.AfterFunc(l.cfg.takeOver, func() { this.leave(true) })
		this.serving.Wait()
		return context.Cause(m.process.end)
	}
	this.leave(false)
	this.serving.Wait()
	return nil
}

// leave takes the member out of its group. Of one that was killed, nobody waits for the
// partitions.
func (m *member) leave(killed bool) {
	l := m.process.log
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.group(m.group)
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == m })
	if killed && l.cfg.fault != neverTakesOver {
		for p := range g.partitions {
			if owner := g.partitions[p].owner; owner != nil && owner.member == m {
				g.partitions[p].owner = nil
			}
		}
	}
	g.share()
}

// begin makes a partition the member's; log.mu is held.
func (m *member) begin(g *group, number int) *memoryPartition {
	p := &memoryPartition{group: g, member: m, number: number, inHand: make(map[int]time.Time)}
	p.ctx, p.end = context.WithCancel(m.ctx)
	m.serving.Add(1)
	go func() {
		defer m.serving.Done()
		defer p.end()
		m.serve(p.ctx, p)
		if m.process.end.Err() == nil {
			p.release()
		}
	}()
	return p
}

func (m *member) Bury(ctx context.Context, letter bridge.DeadLetter) error {
	l := m.process.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := cmp.Or(m.process.usable(), context.Cause(ctx)); err != nil {
		return err
	}
	letter.Group = m.group
	letter.Message.Data = slices.Clone(letter.Message.Data)
	letter.Message.Trace = maps.Clone(letter.Message.Trace)
	g := l.group(m.group)
	if l.cfg.fault == buriesNothing {
		return nil
	}
	g.buried = append(g.buried, letter)
	l.change()
	return nil
}

// memoryPartition is a partition while it is a member's.
type memoryPartition struct {
	group  *group
	member *member
	number int
	ctx    context.Context
	end    context.CancelFunc

	// Guarded by log.mu.
	givingUp bool
	next     int               // the place from which to look for the next message
	inHand   map[int]time.Time // when each comes again that was handed over, by its place
}

func (p *memoryPartition) Number() int { return p.number }

// giveUp lets the member know that the partition is to be another's; log.mu is held.
func (p *memoryPartition) giveUp() {
	if p.givingUp {
		return
	}
	p.givingUp = true
	p.end()
	time.AfterFunc(p.group.log.cfg.release, p.release)
}

// release frees the partition for others.
func (p *memoryPartition) release() {
	p.group.log.mu.Lock()
	defer p.group.log.mu.Unlock()
	if at := &p.group.partitions[p.number]; at.owner == p {
		at.owner = nil
		p.group.share()
	}
}

// check returns why the partition can't be asked; log.mu is held.
func (p *memoryPartition) check(ctx context.Context) error {
	if p.group.partitions[p.number].owner != p {
		return fmt.Errorf("bridgetest: partition %d is another member's", p.number)
	}
	return cmp.Or(p.member.process.usable(), context.Cause(ctx))
}

func (p *memoryPartition) Next(ctx context.Context) (bridge.Delivery, error) {
	for {
		d, changed, wait, err := p.look(ctx)
		if d != nil || err != nil {
			return d, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		case <-p.ctx.Done():
		}
		timer.Stop()
	}
}

// look returns the next message, or what to wait for until there is one.
func (p *memoryPartition) look(ctx context.Context) (d bridge.Delivery, changed chan struct{}, wait time.Duration, err error) {
	l := p.group.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := cmp.Or(p.ctx.Err(), ctx.Err()); err != nil {
		return nil, nil, 0, err
	}
	if err := p.check(ctx); err != nil {
		return nil, nil, 0, err
	}
	wait = time.Hour
	for _, due := range p.inHand {
		if due.IsZero() || l.cfg.fault == neverRewinds {
			continue
		}
		if left := time.Until(due); left <= 0 {
			p.next = 0
			clear(p.inHand)
			return nil, nil, 0, bridge.ErrRewound
		} else if left < wait {
			wait = left
		}
	}
	at := &p.group.partitions[p.number]
	if l.cfg.fault == newestFirst && p.next == 0 && p.givenBefore() {
		p.next = max(0, len(l.stored[p.number])-1)
	}
	for ; p.next < len(l.stored[p.number]); p.next++ {
		if at.done[p.next] {
			continue
		}
		place := p.next
		p.next++
		at.attempts[place]++
		p.inHand[place] = p.due()
		return &memoryDelivery{partition: p, place: place, message: l.stored[p.number][place], attempt: at.attempts[place]}, nil, 0, nil
	}
	return nil, l.changed, wait, nil
}

// givenBefore reports whether another member had some of the partition; log.mu is held.
func (p *memoryPartition) givenBefore() bool {
	return len(p.inHand) == 0 && len(p.group.partitions[p.number].attempts) > 0
}

// due is when what is handed over now comes again; zero = never.
func (p *memoryPartition) due() time.Time {
	if p.group.log.cfg.patience == 0 {
		return time.Time{}
	}
	return time.Now().Add(p.group.log.cfg.patience)
}

type memoryDelivery struct {
	partition *memoryPartition
	place     int
	message   bridge.Message
	attempt   int
}

func (d *memoryDelivery) Message() bridge.Message { return d.message }

func (d *memoryDelivery) Attempt() int { return d.attempt }

func (d *memoryDelivery) Patience() time.Duration { return d.partition.group.log.cfg.patience }

func (d *memoryDelivery) Done(ctx context.Context) error {
	return d.tell(ctx, func() {
		delete(d.partition.inHand, d.place)
		d.partition.group.partitions[d.partition.number].done[d.place] = true
		if d.partition.group.log.cfg.fault == losesMessages {
			d.partition.group.partitions[d.partition.number].done[d.place+5] = true
		}
		d.partition.group.log.change()
	})
}

func (d *memoryDelivery) Working(ctx context.Context) error {
	return d.tell(ctx, func() {
		if _, ok := d.partition.inHand[d.place]; ok {
			d.partition.inHand[d.place] = d.partition.due()
		}
	})
}

func (d *memoryDelivery) tell(ctx context.Context, what func()) error {
	d.partition.group.log.mu.Lock()
	defer d.partition.group.log.mu.Unlock()
	if err := d.partition.check(ctx); err != nil {
		return err
	}
	what()
	return nil
}
