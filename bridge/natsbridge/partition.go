package natsbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/crisp-go/crisp/bridge"
)

// partition is one that is this member's, for the time of its tenure.
//
// The server hands the messages of a consumer to the client that it has pinned, in order
// only as long as nothing unusual happens: to a new client, it first sends what is new, and
// then again what the one before has not done; what it sent into a connection that broke
// comes again after the time for acknowledgements, behind what came later. So the partition
// has courses. At the beginning of each, the server resets the consumer: it begins again
// behind the last message up to which all are done, and numbers what it sends from 1. The
// course ends with a message of another number than the next, one that comes again, another
// pin, or a new connection: what is in the buffer is dropped, and what was returned is to be
// forgotten.
type partition struct {
	c      *Consumer
	number int
	out    chan handed
	ended  chan struct{} // closed when run has returned

	acknowledged lastReply // for any goroutine

	// What follows is run's.

	pin     string // the server's name for this client; empty if another may be pinned
	inbox   *nats.Subscription
	arrived chan *nats.Msg
	reset   bool   // the server has reset the consumer for this course
	next    uint64 // the number of the next message of this course
	asked   int    // how many messages of this course the server may still send
	buffer  []*delivery
	told    bool // something was returned since the last rewinding
	rewound bool // that is to be told
	fails   int  // courses without a message, one after the other
	failing bool // that was logged
}

// handed is what Next returns.
type handed struct {
	d   *delivery
	err error
}

func newPartition(c *Consumer, number int) *partition {
	return &partition{c: c, number: number, out: make(chan handed), ended: make(chan struct{})}
}

func (p *partition) Number() int { return p.number }

func (p *partition) Next(ctx context.Context) (bridge.Delivery, error) {
	select {
	case h := <-p.out:
		if h.err != nil {
			return nil, h.err
		}
		return h.d, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.ended:
		return nil, fmt.Errorf("natsbridge: partition %d is no longer this member's", p.number)
	}
}

// run hands messages over until ctx ends.
func (p *partition) run(ctx context.Context) {
	defer close(p.ended)
	defer p.drop()
	defer p.learnPin()
	for ctx.Err() == nil {
		err := p.restore(ctx)
		if err == nil {
			err = p.begin(ctx)
		}
		if err == nil {
			err = p.course(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		p.drop()
		p.rewound = p.told
		p.fails++
		if err != nil && p.fails >= tolerated && !p.failing {
			p.failing = true
			p.c.e.logger().Warn("natsbridge: a partition can't be read; that is tried again",
				"group", p.c.group, "partition", p.number, "error", explain(err))
		}
		if p.fails > 1 { // the first may have been to learn the pin
			p.wait(ctx, min(time.Second, time.Duration(p.fails)*20*time.Millisecond))
		}
	}
}

// tolerated is how many courses in a row may fail until that is logged: while a cluster
// elects leaders, some do.
const tolerated = 10

// restore makes the consumer again after some courses that have failed: somebody may have
// removed it, or the log is another one. Otherwise it changes nothing.
func (p *partition) restore(ctx context.Context) error {
	if p.fails == 0 || p.fails%restoredAfter != 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.refresh())
	defer cancel()
	return p.c.ensure(ctx, p.number)
}

// restoredAfter is how many courses in a row fail until the consumer is made again.
const restoredAfter = 5

// wait waits, and tells that the messages come again if that is to be told.
func (p *partition) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		out, h := p.toReturn()
		select {
		case out <- h:
			p.returned(h)
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// begin begins a course. For a client that is not pinned, it is one without a reset, which
// ends with the first message: that says that the client is pinned.
func (p *partition) begin(ctx context.Context) error {
	p.reset, p.next, p.asked = false, 1, 0
	if p.pin != "" {
		if err := p.rewind(ctx); err != nil {
			return err
		}
	}
	p.arrived = make(chan *nats.Msg, 4*maxAckPending)
	inbox, err := p.c.e.conn.ChanSubscribe(p.c.e.conn.NewInbox(), p.arrived)
	if err != nil {
		return err
	}
	p.inbox = inbox
	return nil
}

// rewind has the server begin again with what is not done, if the client is still
// pinned: otherwise another one is at it.
func (p *partition) rewind(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.refresh())
	defer cancel()
	if pinned, _, err := p.pinned(ctx); err != nil {
		return err
	} else if pinned != p.pin {
		p.pin = ""
		return nil
	}
	if err := p.resetConsumer(ctx); err != nil {
		return err
	}
	p.reset = true
	return nil
}

func (p *partition) resetConsumer(ctx context.Context) error {
	if _, err := p.c.e.js.ResetConsumer(ctx, p.c.e.cfg.logStream(), p.c.durable(p.number)); err != nil {
		return fmt.Errorf("resetting the consumer: %w", explain(err))
	}
	return nil
}

// pinned is the client that the server has pinned, and how many messages are in the hands
// of it, or of one before.
func (p *partition) pinned(ctx context.Context) (pin string, inHand int, err error) {
	consumer, err := p.c.e.js.Consumer(ctx, p.c.e.cfg.logStream(), p.c.durable(p.number))
	if err != nil {
		return "", 0, fmt.Errorf("asking for the consumer: %w", explain(err))
	}
	info := consumer.CachedInfo()
	for _, group := range info.PriorityGroups {
		if group.Group == pinGroup {
			pin = group.PinnedClientID
		}
	}
	return pin, info.NumAckPending, nil
}

// claim frees what a client had in hand that is no longer pinned. The server pins another
// only when it has a message for it: if there is no new one, that would be when the time for
// acknowledgements is over.
func (p *partition) claim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.refresh())
	defer cancel()
	if pinned, inHand, err := p.pinned(ctx); err != nil || pinned != "" || inHand == 0 {
		return err
	}
	return p.resetConsumer(ctx)
}

// learnPin learns, at the end, whether the server has pinned the client just now: to
// unpin it spares another member the time until that ends by itself.
func (p *partition) learnPin() {
	if p.pin != "" || p.inbox == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	if p.c.e.conn.FlushWithContext(ctx) != nil { // what the server has sent until now is here then
		return
	}
	for {
		select {
		case msg := <-p.arrived:
			if pin := msg.Header.Get(pinHeader); pin != "" {
				p.pin = pin
			}
		default:
			return
		}
	}
}

// drop ends a course.
func (p *partition) drop() {
	p.buffer = nil
	if p.inbox != nil {
		_ = p.inbox.Unsubscribe() // the connection is closed otherwise
		p.inbox = nil
	}
}

// refresh is how often the server is asked, so that it keeps the client pinned.
func (p *partition) refresh() time.Duration { return p.c.e.cfg.memberTTL / 3 }

// course hands over what arrives until the course is over.
func (p *partition) course(ctx context.Context) error {
	connections := p.c.e.conn.Stats().Reconnects
	if err := p.ask(); err != nil {
		return err
	}
	refresh, working, look := time.NewTicker(p.refresh()), time.NewTicker(p.c.e.cfg.ackWait/3), time.NewTicker(shareInterval)
	defer refresh.Stop()
	defer working.Stop()
	defer look.Stop()
	for {
		out, h := p.toReturn()
		select {
		case <-ctx.Done():
			return nil
		case out <- h:
			p.returned(h)
		case msg := <-p.arrived:
			if goes, err := p.take(msg); !goes {
				return err
			}
		case <-refresh.C:
			if p.pin == "" {
				if err := p.claim(ctx); err != nil {
					return err
				}
			}
			if err := p.ask(); err != nil {
				return err
			}
		case <-working.C:
			for _, d := range p.buffer {
				_ = d.Working(ctx) // it comes again otherwise
			}
		case <-look.C:
			if p.c.e.conn.Stats().Reconnects != connections {
				return nil // what was under way is lost
			}
		}
	}
}

// toReturn is what Next is to return, if there is something.
func (p *partition) toReturn() (chan<- handed, handed) {
	switch {
	case p.rewound:
		return p.out, handed{err: bridge.ErrRewound}
	case len(p.buffer) > 0:
		return p.out, handed{d: p.buffer[0]}
	}
	return nil, handed{}
}

func (p *partition) returned(h handed) {
	if h.err != nil {
		p.rewound, p.told = false, false
		return
	}
	p.buffer[0] = nil
	p.buffer = p.buffer[1:]
	p.told = true
}

// pullRequest asks for messages.
type pullRequest struct {
	Batch   int           `json:"batch"`
	Expires time.Duration `json:"expires"`
	Group   string        `json:"group"`
	ID      string        `json:"id,omitempty"`
}

// ask asks the server for as many messages as there may be in hand, or for one that
// brings the pin. A request lasts until after the next, so that there is always one.
func (p *partition) ask() error {
	batch := maxAckPending
	if p.pin == "" {
		batch = 1
	}
	data, err := json.Marshal(pullRequest{batch, p.refresh() * 3 / 2, pinGroup, p.pin})
	if err != nil {
		return err
	}
	p.asked = maxAckPending
	subject := "$JS.API.CONSUMER.MSG.NEXT." + p.c.e.cfg.logStream() + "." + p.c.durable(p.number)
	err = p.c.e.conn.PublishRequest(subject, p.inbox.Subject, data)
	if err != nil && !errors.Is(err, nats.ErrReconnectBufExceeded) { // asked again when it is connected
		return fmt.Errorf("asking for messages: %w", explain(err))
	}
	return nil
}

// take takes what the server has sent, and reports whether the course goes on.
func (p *partition) take(msg *nats.Msg) (goes bool, err error) {
	if status := msg.Header.Get(statusHeader); status != "" && len(msg.Data) == 0 && msg.Reply == "" {
		return p.takeStatus(status, msg.Header.Get(descriptionHeader))
	}
	if pin := msg.Header.Get(pinHeader); pin != p.pin {
		p.pin = pin
		return false, nil
	}
	meta, err := msg.Metadata()
	if err != nil {
		return false, fmt.Errorf("the server has sent something else than messages: %w", explain(err))
	}
	if !p.reset || meta.Sequence.Consumer != p.next || meta.NumDelivered != 1 {
		return false, nil
	}
	p.next++
	p.fails, p.failing = 0, false
	if p.asked--; p.asked <= maxAckPending/4 {
		if err := p.ask(); err != nil {
			return false, err
		}
	}
	return true, p.add(msg)
}

const (
	statusHeader      = "Status"
	descriptionHeader = "Description"
	pinHeader         = "Nats-Pin-Id"
)

// The server's statuses that say nothing but that a request is over or waits.
const (
	statusWaits   = "100"
	statusNone    = "404"
	statusOver    = "408"
	statusPinLost = "423"
)

func (p *partition) takeStatus(status, description string) (goes bool, err error) {
	switch status {
	case statusWaits, statusNone, statusOver:
		return true, nil
	case statusPinLost:
		p.pin = ""
		return false, nil
	}
	return false, fmt.Errorf("the server says %s %s", status, description)
}

// add puts a message into the buffer, unless it is not for this group.
func (p *partition) add(msg *nats.Msg) error {
	d := &delivery{p: p, msg: msg}
	if group := msg.Header.Get(groupHeader); group != "" && group != key(p.c.group) {
		return d.Done(context.Background())
	}
	message, err := decode(msg.Header, msg.Data)
	if err != nil {
		p.c.e.logger().Error("natsbridge: a message of the log can't be read, and is left out",
			"group", p.c.group, "subject", msg.Subject, "error", explain(err))
		return d.Done(context.Background())
	}
	d.message = message
	p.buffer = append(p.buffer, d)
	return nil
}

// release gives the partition up, when its handlers have ended: first the server has to have
// all acknowledgements, then it takes back what is in hand, and may pin another client.
// What fails of that happens by itself, but later.
func (p *partition) release() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	p.settle(ctx)
	if pinned, _, err := p.pinned(ctx); p.pin == "" || err != nil || pinned != p.pin {
		return
	}
	if err := p.resetConsumer(ctx); err != nil {
		return
	}
	stream, err := p.c.e.js.Stream(ctx, p.c.e.cfg.logStream())
	if err == nil {
		_ = stream.UnpinConsumer(ctx, p.c.durable(p.number), pinGroup) // see above
	}
}
