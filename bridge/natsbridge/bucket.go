package natsbridge

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// markerTTL is how long the bucket keeps that a key was removed, or has expired.
const markerTTL = time.Minute

// What says that a message of the bucket is no value: the client's header, and the server's.
const (
	operationHeader = "KV-Operation"
	operationDelete = "DEL"
)

// value is what a key of the bucket has.
type value struct {
	data     []byte
	revision uint64 // the sequence of the last message of the key, 0 if there is none
	there    bool   // it is neither removed nor expired
}

// get reads a key from the bucket's leader.
func (s *stored) get(ctx context.Context, subject string) (value, error) {
	msg, err := s.bucket.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return value{}, nil
	}
	if err != nil {
		return value{}, err
	}
	gone := msg.Header.Get(operationHeader) != "" || msg.Header.Get(jetstream.MarkerReasonHeader) != ""
	return value{data: msg.Data, revision: msg.Sequence, there: !gone}, nil
}

// put writes a key, which expires if there is a ttl: an update by [jetstream.KeyValue]
// would take that away.
func (e *Engine) put(ctx context.Context, subject string, data []byte, ttl time.Duration, options ...jetstream.PublishOpt) error {
	if ttl > 0 {
		options = append(options, jetstream.WithMsgTTL(wholeSeconds(ttl)))
	}
	_, err := e.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data}, options...)
	return err
}

// remove removes a key.
func (e *Engine) remove(ctx context.Context, subject string, options ...jetstream.PublishOpt) error {
	msg := &nats.Msg{Subject: subject, Header: nats.Header{operationHeader: []string{operationDelete}}}
	_, err := e.js.PublishMsg(ctx, msg, append(options, jetstream.WithMsgTTL(markerTTL))...)
	return err
}

// wholeSeconds rounds up: the server counts in seconds.
func wholeSeconds(d time.Duration) time.Duration {
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}

// changedMeanwhile reports whether a key has another revision than was expected. A cluster
// says so with another code while somebody else is writing the key.
func changedMeanwhile(err error) bool {
	refused := (*jetstream.APIError)(nil)
	return errors.As(err, &refused) &&
		(refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
