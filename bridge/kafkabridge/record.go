package kafkabridge

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// encode makes the record of a message, whose partition is still to be set.
func encode(topic string, m bridge.Message) *kgo.Record {
	record := &kgo.Record{Topic: topic, Key: []byte(m.Key()), Value: m.Data}
	for name, value := range m.Attributes() {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return record
}

// decode is the reverse of encode. The message has memory of its own: that of a record is
// part of what came with many others.
func decode(record *kgo.Record) (bridge.Message, error) {
	attributes := make(map[string]string, len(record.Headers))
	for _, h := range record.Headers {
		attributes[h.Key] = string(h.Value)
	}
	return bridge.ParseMessage(attributes, bytes.Clone(record.Value))
}

func header(record *kgo.Record, name string) string {
	for _, h := range record.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}
