package crisp

import (
	"context"
	"slices"
)

// A handler's context carries the checks that guards impose on what the handler sends. There
// are two kinds, because a call may wait long for its turn: some count messages, and so are
// asked once, when a message is handed over; the others are asked again when it goes out.

// sendCheck returns an error if no message may be sent into a conversation.
type sendCheck func(ref SessionRef) error

// Keys of a context's checks, each a []sendCheck.
type (
	sendChecksKey   struct{} // asked once for each message
	sendRefusalsKey struct{} // asked whenever one is about to go out
)

// withSendCheck returns a context in which a check is asked once for each message.
func withSendCheck(ctx context.Context, check sendCheck) context.Context {
	return addSendCheck(ctx, sendChecksKey{}, check)
}

// withSendRefusal returns a context in which a check is asked whenever a message is about to
// go out.
func withSendRefusal(ctx context.Context, check sendCheck) context.Context {
	return addSendCheck(ctx, sendRefusalsKey{}, check)
}

// checkSend asks the checks that count messages, which count this one if none refuses it.
func checkSend(ctx context.Context, ref SessionRef) error {
	return askSendChecks(ctx, sendChecksKey{}, ref)
}

// checkGoing asks the checks that may refuse a message even after it was handed over.
func checkGoing(ctx context.Context, ref SessionRef) error {
	return askSendChecks(ctx, sendRefusalsKey{}, ref)
}

func addSendCheck(ctx context.Context, key any, check sendCheck) context.Context {
	checks, _ := ctx.Value(key).([]sendCheck)
	return context.WithValue(ctx, key, append(slices.Clip(checks), check))
}

// askSendChecks returns the first refusal.
func askSendChecks(ctx context.Context, key any, ref SessionRef) error {
	checks, _ := ctx.Value(key).([]sendCheck)
	for _, check := range checks {
		if err := check(ref); err != nil {
			return err
		}
	}
	return nil
}
