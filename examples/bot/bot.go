package main

import (
	"context"
	"fmt"
	"time"

	"github.com/crisp-go/crisp"
)

const (
	// resumeAfter is how long the bot stays out of a conversation after a person
	// has last answered in it.
	resumeAfter = 8 * time.Hour

	// repliesPerMinute is the most that the bot may say in a conversation. A
	// visitor can't read more, so beyond it something is wrong, such as a loop.
	repliesPerMinute = 10
)

// bot is a client with the handlers that answer visitors.
type bot struct {
	client *crisp.Client
	router *crisp.Router
	pauses *crisp.Pauses
	memory *memory
}

// newBot returns a bot. The given middleware runs before the bot's own.
func newBot(client *crisp.Client, m *memory, middleware ...func(crisp.Handler) crisp.Handler) *bot {
	b := &bot{client: client, router: crisp.NewRouter(), memory: m}
	b.router.Use(middleware...)
	b.pauses = crisp.PauseOnHuman(b.router, client, crisp.ResumeAfter(resumeAfter), crisp.ResumeOn(resolved))
	b.router.Use(
		crisp.IgnoreOperators(),
		crisp.IgnoreAutomated(),
		crisp.LimitReplies(repliesPerMinute),
		crisp.Typing(client), // last, so that the bot seems to type only if it will answer
	)
	crisp.On(b.router, b.message)
	crisp.On(b.router, b.state)
	for ref, since := range m.paused() {
		b.pauses.Pause(ref, since)
	}
	return b
}

func resolved(ev *crisp.SessionSetState) bool { return ev.State == crisp.SessionStateResolved }

// message answers a visitor.
func (b *bot) message(ctx context.Context, ev *crisp.MessageSend) error {
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
func (b *bot) handOver(ctx context.Context, ref crisp.SessionRef) error {
	b.pauses.Pause(ref, time.Now())
	note := "The visitor needs a person."
	if order := b.memory.get(ref).Order; order != "" {
		note = fmt.Sprintf("The visitor needs a person. It is about order %s.", order)
	}
	if _, err := b.client.SendMessage(ctx, ref, crisp.Message{Content: crisp.NoteContent(note)}); err != nil {
		return err
	}
	// To set the state twice is harmless, so the call may be repeated if it fails.
	return b.client.SetState(crisp.Idempotent(ctx), ref, crisp.StateChange{State: crisp.SessionStatePending})
}

// state forgets a conversation once it is resolved.
func (b *bot) state(_ context.Context, ev *crisp.SessionSetState) error {
	if resolved(ev) {
		b.memory.forget(ev.Session())
	}
	return nil
}

// save writes the bot's state to its file.
func (b *bot) save() error { return b.memory.save(b.pauses.All()) }
