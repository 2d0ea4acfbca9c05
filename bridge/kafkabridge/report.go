package kafkabridge

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// groupHeader is the header of a record in the log that is for one group only, and
// replayHeader says of which dead letter it is: then it is not skipped for its ID.
const (
	groupHeader  = "crisp-group"
	replayHeader = "crisp-replay"
)

// wants reports whether a record is for this group, and returns what it is known by again,
// if that is not the message's ID.
func (m *member) wants(record *kgo.Record) (wanted bool, id string) {
	group := header(record, groupHeader)
	if replay := header(record, replayHeader); replay != "" {
		id = replayID(group, replay)
	}
	return group == "" || group == escape(m.c.group), id
}

// replayID is what a replayed message is known by again.
func replayID(group, replay string) string { return "replay " + group + " " + replay }

func (m *member) pause(number int) {
	m.client.PauseFetchPartitions(map[string][]int32{m.topic: {int32(number)}})
}

func (m *member) resume(number int) {
	m.client.ResumeFetchPartitions(map[string][]int32{m.topic: {int32(number)}})
}

// unreadable reports a record that is no message: somebody else writes to the topic.
func (m *member) unreadable(number int, record *kgo.Record, err error) {
	m.c.e.logger().Error("kafkabridge: a record in the log is no message, and is skipped",
		"topic", m.topic, "partition", number, "offset", record.Offset, "error", err)
}

// missed reports that there are no messages where some were that the group is not done with.
func (m *member) missed(number int, expected, got int64) {
	m.c.e.logger().Error("kafkabridge: messages were removed from the log before the group was done with them: it is slower than the topic's retention",
		"group", m.c.group, "topic", m.topic, "partition", number, "offset", expected, "messages", got-expected)
}

// lostAtBroker reports that the brokers have lost messages that were done already.
func (m *member) lostAtBroker(number int32, end, done int64) {
	m.c.e.logger().Error("kafkabridge: the brokers have lost messages of the log; the group goes on where they end",
		"group", m.c.group, "topic", m.topic, "partition", number, "offset", end, "messages", done-end)
}

// unchecked reports that it is not known whether the brokers have lost messages.
func (m *member) unchecked(err error) {
	m.c.e.logger().Warn("kafkabridge: the brokers do not say whether they have lost messages", "group", m.c.group, "error", err)
}

// troubled reports what keeps messages from being fetched; the client goes on by itself.
func (m *member) troubled(number int32, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	m.c.e.logger().Warn("kafkabridge: messages can't be fetched; it is tried again",
		"group", m.c.group, "partition", number, "error", err)
}

// refusal returns the error, if it is one that another attempt would have again.
func refusal(err error) error {
	for _, of := range []error{
		kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.SaslAuthenticationFailed,
		kerr.InvalidSessionTimeout, kerr.InconsistentGroupProtocol, kerr.InvalidGroupID,
	} {
		if errors.Is(err, of) {
			return err
		}
	}
	return nil
}

// uncommitted reports that the brokers did not take what is done. They are told again,
// unless the partition is another member's by now.
func (m *member) uncommitted(ctx context.Context, err error) {
	if ctx.Err() != nil && m.ctx.Err() != nil || errors.Is(err, kerr.RebalanceInProgress) {
		return
	}
	m.c.e.logger().Warn("kafkabridge: the brokers were not told what is done; it comes again if the partition moves before they are",
		"group", m.c.group, "error", err)
}
