package crisp

import (
	"crypto/sha256"
	"strconv"
	"strings"
)

// EventID returns an identifier of an event, 64 hex digits, for logs, traces,
// queues and stores that must not take the same twice:
//
//   - A message ([*MessageSend], [*MessageReceived]) has the same over the RTM
//     API, by web hook and from a backfill, in every process: it is made of
//     website, session, fingerprint and event name.
//   - Any other event by web hook has the same in each of its deliveries: it is
//     their [DeliveryKey], the SHA-256 of the body.
//   - Other events have nothing to know them again by. Theirs is random,
//     but the same each time that it is asked of the same event.
//
// [EventIDStable] reports which of these it is.
func EventID(ev Event) string {
	if id, ok := messageEventID(ev); ok {
		return id
	}
	return DeliveryKey(identityOf(ev.EventMeta()).get()).String()
}

// EventIDStable reports whether [EventID] would be the same if the event came again: in another
// delivery, to another process or, if it is a message, by another transport.
func EventIDStable(ev Event) bool {
	_, isMessage := messageEventID(ev)
	if isMessage {
		return true
	}
	i := identityOf(ev.EventMeta())
	return i.body != nil || i.stable
}

// messageEventID returns the EventID of an event that brings a message; ok is false for others.
func messageEventID(ev Event) (id string, ok bool) {
	m, ok := messageOf(ev)
	if !ok || m.Fingerprint == 0 || m.SessionID == "" {
		return "", false
	}
	ref := (*MessageSend)(m).Session()
	parts := []string{ref.WebsiteID, ref.SessionID, strconv.FormatInt(m.Fingerprint, 10), canonicalName(ev.EventName())}
	return DeliveryKey(sha256.Sum256([]byte(strings.Join(parts, "\x00")))).String(), true
}
