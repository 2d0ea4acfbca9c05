package crisp

import "context"

// messageOf is the message that an event tells of, if it does.
func messageOf(ev Event) (*PastMessage, bool) {
	switch ev := ev.(type) {
	case *MessageSend:
		return (*PastMessage)(ev), true
	case *MessageReceived:
		return (*PastMessage)(ev), true
	}
	return nil, false
}

// ignoring makes middleware that keeps messages from all handlers. Other events
// pass.
func ignoring(ignored func(context.Context, *PastMessage) bool) func(Handler) Handler {
	return func(next Handler) Handler {
		return func(ctx context.Context, ev Event) error {
			if m, ok := messageOf(ev); ok && ignored(ctx, m) {
				return nil
			}
			return next(ctx, ev)
		}
	}
}

// IgnoreOperators is middleware that keeps messages from the operators' side
// from all handlers, whether a person or automation has sent them.
func IgnoreOperators() func(Handler) Handler {
	return ignoring(func(_ context.Context, m *PastMessage) bool { return m.From == FromOperator })
}

// IgnoreAutomated is middleware that keeps automated messages from all
// handlers: those of Crisp's own bots, of other bots, and of this one, as long as
// they are marked as such.
func IgnoreAutomated() func(Handler) Handler {
	return ignoring(func(_ context.Context, m *PastMessage) bool { return m.Automated })
}

// IgnoreSelf is middleware that keeps the messages that a client has sent, with
// [Client.Reply] or [Client.SendMessage], from all handlers. It knows them by
// their fingerprints, also where a message comes back before the call that sends
// it has returned. The client remembers the last 16,384.
func IgnoreSelf(client *Client) func(Handler) Handler {
	return ignoring(func(ctx context.Context, m *PastMessage) bool {
		return client.sent.own(ctx, messageID{m.SessionID, m.Fingerprint})
	})
}
