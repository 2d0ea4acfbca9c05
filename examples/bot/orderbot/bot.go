// Package orderbot has the handlers that answer visitors' questions about their orders.
package orderbot

import (
	"context"
	"fmt"
	"time"

	"github.com/crisp-go/crisp"
)

const (
	// ResumeAfter is how long the bot stays out of a conversation after a person
	// has last answered in it.
	ResumeAfter = 8 * time.Hour

	// repliesPerMinute is the most that the bot may say in a conversation. A
	// visitor can't read more, so beyond it something is wrong, such as a loop.
	repliesPerMinute = 10
)

// Bot is a client with the handlers that answer visitors.
type Bot struct {
	Router *crisp.Router

	client *crisp.Client
	pauses *crisp.Pauses
	memory *Memory
}

// New returns a bot. The given middleware runs before the bot's own.
func New(client *crisp.Client, m *Memory, middleware ...func(crisp.Handler) crisp.Handler) *Bot {
	b := &Bot{Router: crisp.NewRouter(), client: client, memory: m}
	b.Router.Use(middleware...)
	b.pauses = crisp.PauseOnHuman(b.Router, client, crisp.ResumeAfter(ResumeAfter), crisp.ResumeOn(resolved))
	b.Router.Use(
		crisp.IgnoreOperators(),
		crisp.IgnoreAutomated(),
		crisp.LimitReplies(repliesPerMinute),
		crisp.Typing(client), // last, so that the bot seems to type only if it will answer
	)
	crisp.On(b.Router, b.message)
	crisp.On(b.Router, b.state)
	for ref, since := range m.paused() {
		b.pauses.Pause(ref, since)
	}
	return b
}

func resolved(ev *crisp.SessionSetState) bool { return ev.State == crisp.SessionStateResolved }

// message answers a visitor.
func (b *Bot) message(ctx context.Context, ev *crisp.MessageSend) error {
	var answer string
	var handOver bool
	b.memory.update(ev.Session(), func(d *dialogue) { answer, handOver = d.answer(ev.Content) })
	if _, err := b.client.Reply(ctx, ev, crisp.TextContent(answer), crisp.WithUser(crisp.User{Nickname: "Robby"})); err != nil {
		return err
	}
	if handOver {
		return b.handOver(ctx, ev.Session())
	}
	return nil
}

// handOver pauses the bot in a conversation and leaves a note for operators.
func (b *Bot) handOver(ctx context.Context, ref crisp.SessionRef) error {
	b.pauses.Pause(ref, time.Now())
	note := "The visitor needs a person."
	if order := b.memory.Order(ref); order != "" {
		note = fmt.Sprintf("The visitor needs a person. It is about order %s.", order)
	}
	if _, err := b.client.SendMessage(ctx, ref, crisp.Message{Content: crisp.NoteContent(note)}); err != nil {
		return err
	}
	// To set the state twice is harmless, so the call may be repeated if it fails.
	return b.client.SetState(crisp.Idempotent(ctx), ref, crisp.StateChange{State: crisp.SessionStatePending})
}

// state forgets a conversation once it is resolved.
func (b *Bot) state(_ context.Context, ev *crisp.SessionSetState) error {
	if resolved(ev) {
		b.memory.forget(ev.Session())
	}
	return nil
}

// Save writes the bot's state to its file.
func (b *Bot) Save() error { return b.memory.save(b.pauses.All()) }
