package main

import (
	"context"
	"fmt"
	"time"

	"github.com/crisp-go/crisp"
)

const (
	// quiet is how long no person must have answered for the bot to come back.
	quiet = 8 * time.Hour

	// repliesPerMinute is more than anybody reads.
	repliesPerMinute = 10
)

// bot is a client with the handlers that answer visitors.
type bot struct {
	client *crisp.Client
	router *crisp.Router
	pauses *crisp.Pauses
	memory *memory
}

// newBot makes a bot. The middleware given comes before the bot's own.
func newBot(client *crisp.Client, m *memory, middleware ...func(crisp.Handler) crisp.Handler) *bot {
	b := &bot{client: client, router: crisp.NewRouter(), memory: m}
	b.router.Use(middleware...)
	b.pauses = crisp.PauseOnHuman(b.router, client, crisp.ResumeAfter(quiet), crisp.ResumeOn(resolved))
	b.router.Use(
		crisp.IgnoreOperators(),
		crisp.IgnoreAutomated(),
		crisp.LimitReplies(repliesPerMinute),
		crisp.Typing(client), // last: nobody should seem to type who will not answer
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

// handOver keeps the bot out of a conversation and tells operators why.
func (b *bot) handOver(ctx context.Context, ref crisp.SessionRef) error {
	b.pauses.Pause(ref, time.Now())
	note := "The visitor needs a person."
	if order := b.memory.get(ref).Order; order != "" {
		note = fmt.Sprintf("The visitor needs a person. It is about order %s.", order)
	}
	if _, err := b.client.SendMessage(ctx, ref, crisp.Message{Content: crisp.NoteContent(note)}); err != nil {
		return err
	}
	// Setting a state twice does no harm: it may be tried again.
	return b.client.SetState(crisp.Idempotent(ctx), ref, crisp.StateChange{State: crisp.SessionStatePending})
}

// state forgets a conversation that has come to its end.
func (b *bot) state(_ context.Context, ev *crisp.SessionSetState) error {
	if resolved(ev) {
		b.memory.forget(ev.Session())
	}
	return nil
}

// save keeps what must outlive the program.
func (b *bot) save() error { return b.memory.save(b.pauses.All()) }
