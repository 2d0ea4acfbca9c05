package natsbridge

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/crisp-go/crisp/bridge"
)

// delivery is a message that the server has handed over.
type delivery struct {
	p       *partition
	msg     *nats.Msg
	message bridge.Message
}

var (
	acknowledge = []byte("+ACK")
	inProgress  = []byte("+WPI")
)

func (d *delivery) Message() bridge.Message { return d.message }

// Attempt is unknown: the server forgets it when the consumer is reset.
func (d *delivery) Attempt() int { return 0 }

func (d *delivery) Patience() time.Duration { return d.p.c.e.cfg.ackWait }

// Done sends the acknowledgement. It does not wait until the server has it: if it is lost,
// the message comes again.
func (d *delivery) Done(context.Context) error {
	if err := d.p.c.e.conn.Publish(d.msg.Reply, acknowledge); err != nil {
		return fmt.Errorf("natsbridge: acknowledging: %w", explain(err))
	}
	d.p.acknowledged.Store(&d.msg.Reply)
	return nil
}

func (d *delivery) Working(context.Context) error {
	if err := d.p.c.e.conn.Publish(d.msg.Reply, inProgress); err != nil {
		return fmt.Errorf("natsbridge: asking for more time: %w", explain(err))
	}
	return nil
}

// settle returns once the server has the acknowledgements that were sent: it takes them
// one after the other, and answers the last, which it gets again.
func (p *partition) settle(ctx context.Context) {
	if last := p.acknowledged.Load(); last != nil && p.c.e.conn.IsConnected() {
		_, _ = p.c.e.conn.RequestWithContext(ctx, *last, acknowledge) // what is lost comes again
	}
}

// lastReply is where the last acknowledgement was sent.
type lastReply = atomic.Pointer[string]
