package kafkabridge

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crisp-go/crisp/bridge"
)

// Record is what is stored of a message.
func (e *Engine) Record(m bridge.Message) *kgo.Record {
	r := encode(m)
	r.Topic = e.cfg.logTopic()
	return r
}
