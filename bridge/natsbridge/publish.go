package natsbridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crisp-go/crisp/bridge"
)

// Publisher returns what stores messages in the log. Each call waits for its own
// acknowledgement; calls at once share the connection and do not wait for each other.
func (e *Engine) Publisher() bridge.Publisher { return &publisher{e} }

type publisher struct{ e *Engine }

// errTooLarge is the server's code for a message above the limit of a stream.
const errTooLarge jetstream.ErrorCode = 10054

// errHeaderTooLarge is its code for headers of more than 64 KiB.
const errHeaderTooLarge jetstream.ErrorCode = 10097

// room is what a message in the log leaves of the largest that the server takes, for the
// headers that it gets as a dead letter.
const room = 2 << 10

// Publish is as [bridge.Publisher] says. The server knows a message again by its ID for
// ten minutes, also one that is not stable: the random ID of an event is the same when a
// publication is tried again.
func (p *publisher) Publish(ctx context.Context, m bridge.Message) error {
	s, err := p.e.stored()
	if err != nil {
		return err
	}
	msg := encode(p.e.cfg.subject(m, s.partitions), m)
	return p.e.publish(ctx, msg, p.e.cfg.logStream(), m.ID, len(m.Data), room)
}

// publish stores a message in a stream, once for an ID.
func (e *Engine) publish(ctx context.Context, msg *nats.Msg, stream, id string, payload, room int) error {
	others := msg.Size() - len(msg.Data) + len(id) + len(jetstream.MsgIDHeader) + len(jetstream.ExpectedStreamHeader) + len(stream) + room
	tooLarge := &bridge.TooLargeError{Size: payload, Max: max(0, int(e.conn.MaxPayload())-others)}
	if payload > tooLarge.Max {
		return tooLarge
	}
	_, err := e.js.PublishMsg(ctx, msg, jetstream.WithMsgID(id), jetstream.WithExpectStream(stream))
	refused := (*jetstream.APIError)(nil)
	switch {
	case err == nil: // stored, or stored before
		return nil
	case errors.Is(err, nats.ErrMaxPayload), errors.As(err, &refused) && refused.ErrorCode == errTooLarge:
		return tooLarge
	case refused != nil && refused.ErrorCode == errHeaderTooLarge: // no payload gets in with these
		return &bridge.TooLargeError{Size: payload}
	}
	return fmt.Errorf("natsbridge: storing in the stream %s: %w", stream, explain(err))
}

// encode makes what is stored of a message.
func encode(subject string, m bridge.Message) *nats.Msg {
	msg := &nats.Msg{Subject: subject, Header: make(nats.Header), Data: m.Data}
	for name, value := range m.Attributes() {
		msg.Header[name] = []string{value}
	}
	return msg
}

// decode is the reverse of encode.
func decode(header nats.Header, data []byte) (bridge.Message, error) {
	attributes := make(map[string]string, len(header))
	for name, values := range header {
		if len(values) > 0 {
			attributes[name] = values[0]
		}
	}
	return bridge.ParseMessage(attributes, data)
}
