package crisp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/crisp-go/crisp/internal/fifo"
)

// ignoring makes middleware that keeps messages from all handlers. Other events
// pass.
func ignoring(ignored func(context.Context, *ConversationMessage) bool) func(Handler) Handler {
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
	return ignoring(func(_ context.Context, m *ConversationMessage) bool { return m.From == FromOperator })
}

// IgnoreAutomated is middleware that keeps automated messages from all
// handlers: those of Crisp's own bots, of other bots, and of this one, as long as
// they are marked as such.
func IgnoreAutomated() func(Handler) Handler {
	return ignoring(func(_ context.Context, m *ConversationMessage) bool { return m.Automated })
}

// IgnoreSelf is middleware that keeps the messages that a client has sent, with
// [Client.Reply] or [Client.SendMessage], from all handlers. It knows them by
// their fingerprints, also where a message comes back before the call that sends
// it has returned. The client remembers the last 16,384.
func IgnoreSelf(client *Client) func(Handler) Handler {
	return ignoring(func(ctx context.Context, m *ConversationMessage) bool {
		return client.sent.has(ctx, idOf(m), false)
	})
}

func idOf(m *ConversationMessage) messageID {
	return messageID{sessionKeyOf(m.SessionID), m.Fingerprint}
}

// maxLimited bounds the conversations whose replies are counted at a time.
const maxLimited = 1 << 16

// replyPeriod is the time in which replies are counted.
const replyPeriod = time.Minute

// LimitReplies is middleware that lets handlers send at most n messages into a
// conversation within a minute, so that two bots can't talk each other into a
// frenzy. Once n have been sent, the visitor's messages are kept from all
// handlers until a minute after the first of them; what a handler sends beyond n
// fails with [ErrReplyLimit]. Each call of LimitReplies counts by itself. It
// panics if n is less than 1.
//
// The callbacks hear of each message that is kept from the handlers; without any,
// [slog.Default] does, at most once a minute.
//
// What counts are calls of [Client.SendMessage] and [Client.Reply] with the
// handler's context.
func LimitReplies(n int, reached ...func(ctx context.Context, ev *MessageSend)) func(Handler) Handler {
	if n < 1 {
		panic(fmt.Sprintf("crisp: LimitReplies(%d): needs at least 1", n))
	}
	for _, callback := range reached {
		if callback == nil {
			panic("crisp: LimitReplies: a callback is nil")
		}
	}
	if len(reached) == 0 {
		reached = append(reached, warnOfReplyLimit(defaultLogger()))
	}
	limit := &replyLimit{most: n, epoch: time.Now(), sent: fifo.New[sessionKey, []time.Duration](maxLimited)}
	return func(next Handler) Handler {
		return func(ctx context.Context, ev Event) error {
			if ev, ok := ev.(*MessageSend); ok && limit.reached(sessionKeyOf(ev.SessionID)) {
				for _, callback := range reached {
					callback(ctx, ev)
				}
				return nil
			}
			return next(withSendCheck(ctx, limit.take), ev)
		}
	}
}

func warnOfReplyLimit(logger *slog.Logger) func(context.Context, *MessageSend) {
	return func(ctx context.Context, _ *MessageSend) {
		logger.WarnContext(ctx, "crisp: LimitReplies keeps visitors' messages from the handlers: has the bot met another one, or is the limit too low?")
	}
}

// replyLimit counts the replies of the last replyPeriod, by conversation.
type replyLimit struct {
	most  int
	epoch time.Time // times are kept as durations since then: setting the clock doesn't move them

	mu   sync.Mutex                             // guards sent
	sent *fifo.Map[sessionKey, []time.Duration] // each oldest first
}

// reached reports whether no more may be sent into a conversation for now.
func (l *replyLimit) reached(session sessionKey) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.recent(session, time.Since(l.epoch))) >= l.most
}

// take is a sendCheck: it refuses a message that is beyond the limit, and counts any other.
func (l *replyLimit) take(ref SessionRef) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	session, now := sessionKeyOf(ref.SessionID), time.Since(l.epoch)
	l.forgetOver(now)
	recent := l.recent(session, now)
	if len(recent) >= l.most {
		return fmt.Errorf("%w: %d within a minute", ErrReplyLimit, l.most)
	}
	l.sent.Put(session, append(recent, now))
	return nil
}

// recent returns the times of the replies that still count; l.mu is held.
func (l *replyLimit) recent(session sessionKey, now time.Duration) []time.Duration {
	times, _ := l.sent.Get(session)
	for len(times) > 0 && now-times[0] >= replyPeriod {
		times = times[1:]
	}
	return times
}

// forgetOver forgets the conversations of which no reply counts any more; l.mu is held.
func (l *replyLimit) forgetOver(now time.Duration) {
	l.sent.DeleteOldestWhile(func(times []time.Duration) bool { return now-times[len(times)-1] >= replyPeriod })
}

const (
	// typingInterval is how often the indicator is renewed: often enough for it to stay.
	typingInterval = 10 * time.Second

	// typingPatience bounds each call: a late one is of no use.
	typingPatience = 3 * time.Second
)

// Typing is middleware that shows the visitor that somebody is typing while
// handlers deal with a message of theirs, however that ends. Each message costs
// two REST calls, and one more for every ten seconds; if they fail, only the
// client's logger hears of it. A message whose context has ended before its turn, as
// [Supersede] ends it, costs none.
//
// Add it behind the middleware that decides whether a message is dealt with at
// all.
func Typing(client *Client) func(Handler) Handler {
	return func(next Handler) Handler {
		return func(ctx context.Context, ev Event) error {
			message, ok := ev.(*MessageSend)
			if !ok || message.SessionID == "" || ctx.Err() != nil {
				return next(ctx, ev)
			}
			stop := client.startTyping(ctx, message.Session())
			defer stop()
			return next(ctx, ev)
		}
	}
}

// startTyping shows that somebody types, until stop is called.
func (c *Client) startTyping(ctx context.Context, ref SessionRef) (stop func()) {
	c.showTyping(ctx, ref, ComposeStateStart)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.keepTyping(ctx, ref)
	}()
	return func() {
		cancel()
		<-ended
		// Even if the handler's context has ended: the visitor should not go on waiting.
		c.showTyping(context.WithoutCancel(ctx), ref, ComposeStateStop)
	}
}

func (c *Client) keepTyping(ctx context.Context, ref SessionRef) {
	ticker := time.NewTicker(typingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.showTyping(ctx, ref, ComposeStateStart)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Client) showTyping(ctx context.Context, ref SessionRef, state ComposeState) {
	ctx, cancel := context.WithTimeout(ctx, typingPatience)
	defer cancel()
	if err := c.Compose(ctx, ref, Composing{State: state}); err != nil {
		c.logger.LogAttrs(ctx, slog.LevelDebug, "crisp: the typing indicator failed", slog.Any("error", err))
	}
}
