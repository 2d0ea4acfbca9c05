package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// demo plays a conversation on a Crisp on loopback.
func demo(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	srv, err := crisptest.Start()
	if err != nil {
		return err
	}
	defer srv.Close()

	p := newPrinter(w)
	router := p.router()
	p.note("A Crisp runs on loopback: no account, no keys, no network.\n")

	p.note("1. The RTM API: events over one Socket.IO connection")
	rtm, err := srv.Client().NewRTM(router, crisp.WithHooks(p.hooks()))
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- rtm.Run(ctx) }()
	if err := converse(ctx, srv, p); err != nil {
		return err
	}

	p.note("\n2. Web hooks: the same handlers, by signed HTTP requests")
	if err := deliver(ctx, srv, router, p); err != nil {
		return err
	}

	p.note("\n3. A connection that is lost")
	srv.DropConnections(crisptest.DropCut)
	if err := reconnected(ctx, srv, p); err != nil {
		return err
	}

	if err := rtm.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, crisp.ErrClosed) {
		return err
	}
	p.note("\nThat was all. The rest is in docs/.")
	return nil
}

// The people of the conversation.
var (
	session  = crisp.SessionRef{WebsiteID: crisptest.WebsiteID, SessionID: "session_700c65e1-85e2-465a-b9ac-ecb5ec2c9881"}
	visitor  = crisp.User{Type: "website", UserID: session.SessionID, Nickname: "Ada"}
	operator = crisp.User{Type: "website", UserID: "a4c32c68-be91-4e29-8a05-976e93abbe3f", Nickname: "Grace"}
)

// converse has Crisp send the events of a short conversation.
func converse(ctx context.Context, srv *crisptest.Server, p *printer) error {
	if err := srv.WaitAuthenticated(ctx); err != nil {
		return err
	}
	script := []crisp.Event{
		&crisp.SessionSetNickname{WebsiteID: session.WebsiteID, SessionID: session.SessionID, Nickname: "Ada"},
		&crisp.MessageComposeSend{WebsiteID: session.WebsiteID, SessionID: session.SessionID,
			Type: crisp.ComposeStateStart, Excerpt: "Hello, is", Timestamp: time.Now()},
		says(visitor, crisp.TextContent("Hello, is anybody there?"), 1),
		answers(operator, crisp.TextContent("Hi Ada! What can I do for you?"), 2),
		says(visitor, &crisp.FileContent{Name: "engine.pdf", URL: "https://files.example/engine.pdf", Type: "application/pdf"}, 3),
		answers(operator, &crisp.PickerContent{ID: "topic", Text: "What is it about?", Choices: []crisp.PickerChoice{
			{Value: "bug", Label: "A bug"}, {Value: "idea", Label: "An idea"},
		}}, 4),
		&crisp.SessionSetState{WebsiteID: session.WebsiteID, SessionID: session.SessionID, State: crisp.SessionStateResolved},
	}
	for _, ev := range script {
		srv.Emit(ev)
	}
	return p.wait(ctx, len(script))
}

func says(who crisp.User, content crisp.Content, fingerprint int64) *crisp.MessageSend {
	return &crisp.MessageSend{
		WebsiteID: session.WebsiteID, SessionID: session.SessionID,
		Type: crisp.MessageType(content.ContentType()), From: crisp.FromUser, Origin: "chat",
		Content: content, Fingerprint: fingerprint, Timestamp: time.Now(), User: who,
	}
}

func answers(who crisp.User, content crisp.Content, fingerprint int64) *crisp.MessageReceived {
	return &crisp.MessageReceived{
		WebsiteID: session.WebsiteID, SessionID: session.SessionID,
		Type: crisp.MessageType(content.ContentType()), From: crisp.FromOperator, Origin: "chat",
		Content: content, Fingerprint: fingerprint, Timestamp: time.Now(), User: who,
	}
}

// deliver has Crisp send web hooks, and somebody else a forged one.
func deliver(ctx context.Context, srv *crisptest.Server, router *crisp.Router, p *printer) error {
	handler, err := crisp.NewWebhook(router, crisp.WithSigningSecrets(srv.SigningSecret()))
	if err != nil {
		return err
	}
	url := srv.Serve(handler)
	rating := &crisp.SessionSyncRating{
		WebsiteID: session.WebsiteID, SessionID: session.SessionID,
		Rating: crisp.Rating{Stars: 5, Comment: "Thank you!"},
	}
	hooks := []struct {
		what string
		ev   crisp.Event
		opts []crisptest.HookOption
		want int
	}{
		{"signed", says(visitor, crisp.TextContent("One more thing…"), 5), nil, http.StatusOK},
		{"signed", rating, nil, http.StatusOK},
		{"forged", says(visitor, crisp.TextContent("Give me everybody's data"), 6),
			[]crisptest.HookOption{crisptest.HookSecret("a guess")}, http.StatusUnauthorized},
	}
	for _, hook := range hooks {
		answer, err := srv.PostHook(ctx, url, hook.ev, hook.opts...)
		if err != nil {
			return err
		}
		p.note("  a %s hook is answered %s", hook.what, answer.Status)
		if answer.StatusCode != hook.want {
			return fmt.Errorf("a %s hook was answered %s, not %d", hook.what, answer.Status, hook.want)
		}
	}
	return nil
}

// reconnected waits for the next connection, and shows that events are received
// again.
func reconnected(ctx context.Context, srv *crisptest.Server, p *printer) error {
	if err := srv.WaitAuthenticated(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	before := p.events
	p.mu.Unlock()
	srv.Emit(says(visitor, crisp.TextContent("Still there?"), 7))
	return p.wait(ctx, before+1)
}
