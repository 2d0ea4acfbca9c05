package crisp

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// maxLimited bounds the conversations whose replies are counted at a time.
const maxLimited = 1 << 16

// replyPeriod is what replies are limited in.
const replyPeriod = time.Minute

// LimitReplies is middleware that lets handlers send at most n messages into a
// conversation within a minute, so that two bots can't talk each other into a
// frenzy. Once n have been sent, the visitor's messages are kept from all
// handlers until a minute after the first of them; what a handler sends beyond n
// fails with [ErrReplyLimit]. Each call of LimitReplies counts by itself.
//
// What counts are calls of [Client.SendMessage] and [Client.Reply] with the
// handler's context.
func LimitReplies(n int) func(Handler) Handler {
	if n < 1 {
		panic(fmt.Sprintf("crisp: LimitReplies(%d): at least 1", n))
	}
	limit := &replyLimit{most: n, sent: newLRU[string, []time.Time](maxLimited)}
	return func(next Handler) Handler {
		return func(ctx context.Context, ev Event) error {
			if ev, ok := ev.(*MessageSend); ok && limit.reached(ev.SessionID) {
				return nil
			}
			limits, _ := ctx.Value(replyLimitsKey{}).([]*replyLimit)
			return next(context.WithValue(ctx, replyLimitsKey{}, append(limits[:len(limits):len(limits)], limit)), ev)
		}
	}
}

// replyLimitsKey is where handlers' contexts have the limits that apply.
type replyLimitsKey struct{}

// countReply refuses a message that is beyond a limit of the context.
func countReply(ctx context.Context, sessionID string) error {
	limits, _ := ctx.Value(replyLimitsKey{}).([]*replyLimit)
	for _, limit := range limits {
		if !limit.take(sessionID) {
			return fmt.Errorf("%w: %d within a minute", ErrReplyLimit, limit.most)
		}
	}
	return nil
}

// replyLimit counts the replies of the last minute by session.
type replyLimit struct {
	most int

	mu   sync.Mutex
	sent *lru[string, []time.Time] // by session id, oldest first
}

func (l *replyLimit) reached(sessionID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.recent(sessionID)) >= l.most
}

func (l *replyLimit) take(sessionID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	recent := l.recent(sessionID)
	if len(recent) >= l.most {
		return false
	}
	l.sent.put(strings.Clone(sessionID), append(recent, time.Now()))
	return true
}

// recent are the times of the replies that still count.
func (l *replyLimit) recent(sessionID string) []time.Time {
	times, _ := l.sent.get(sessionID)
	for len(times) > 0 && time.Since(times[0]) >= replyPeriod {
		times = times[1:]
	}
	return times
}
