package kafkabridge

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// Publisher returns what stores messages in the log, acknowledged by all replicas that are
// in sync. A call that ends with its context may store its message later on.
func (e *Engine) Publisher() bridge.Publisher { return &publisher{e} }

type publisher struct{ e *Engine }

func (p *publisher) Publish(ctx context.Context, m bridge.Message) error {
	r := encode(m)
	r.Topic = p.e.cfg.logTopic()
	return p.e.publish(ctx, r, len(m.Data))
}

// publish stores a record of a message with a payload of so many bytes.
func (e *Engine) publish(ctx context.Context, r *kgo.Record, size int) error {
	s, err := e.stored()
	if err != nil {
		return err
	}
	err = e.produce(ctx, r)
	switch {
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return &bridge.TooLargeError{Size: size, Max: s.maxBytes}
	case err != nil:
		return fmt.Errorf("kafkabridge: publishing: %w", err)
	}
	return nil
}

// The headers that a record may have besides those of its message.
const (
	groupHeader    = "crisp-group"  // also of a message in the log that is for one group only
	replayHeader   = "crisp-replay" // which replay it is, so that it is no repetition
	attemptsHeader = "crisp-attempts"
	errorHeader    = "crisp-error"
	buriedHeader   = "crisp-buried"
)

// Attributes of CloudEvents have another prefix in Kafka's binding.
const (
	attributePrefix = "ce-"
	headerPrefix    = "ce_"
)

func encode(m bridge.Message) *kgo.Record {
	attributes := m.Attributes()
	r := &kgo.Record{
		Key:     []byte(m.Key()), // never nil, which would go anywhere
		Value:   m.Data,
		Headers: make([]kgo.RecordHeader, 0, len(attributes)+1),
	}
	if r.Value == nil {
		r.Value = []byte{} // nil would be a tombstone
	}
	for name, value := range attributes {
		if attribute, ok := strings.CutPrefix(name, attributePrefix); ok {
			name = headerPrefix + attribute
		}
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return r
}

func decode(r *kgo.Record) (bridge.Message, error) {
	attributes := make(map[string]string, len(r.Headers))
	for _, h := range r.Headers {
		name := h.Key
		if attribute, ok := strings.CutPrefix(name, headerPrefix); ok {
			name = attributePrefix + attribute
		}
		attributes[name] = string(h.Value)
	}
	return bridge.ParseMessage(attributes, r.Value)
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func addHeader(r *kgo.Record, name, value string) {
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
}
