package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// scene is a Crisp and a model that run in this program.
type scene struct {
	srv     *crisptest.Server
	model   *stub
	asked   chan struct{} // the model was asked
	left    chan struct{} // the bot has hung up on the model
	visitor *crisptest.Visitor
	ada     *crisptest.Operator
	out     io.Writer
}

// demo plays scenes with the bot on a Crisp on loopback.
func demo(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	srv, err := crisptest.Start()
	if err != nil {
		return err
	}
	defer srv.Close()
	s := &scene{srv: srv, asked: make(chan struct{}, maxStubCalls), left: make(chan struct{}, maxStubCalls), ada: srv.Operator("Ada"), out: out}
	s.model = &stub{think: 300 * time.Millisecond, perWord: 30 * time.Millisecond}
	s.model.began = func() { s.asked <- struct{}{} }
	s.model.ended = func(call stubCall) {
		if call.left {
			s.left <- struct{}{}
		}
	}
	m, err := newModel(srv.HTTPClient(), srv.Serve(s.model)+"/v1", "stub", "", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	client := srv.Client()
	defer client.CloseIdleConnections()
	b := newBot(client, m, settings{}, state{}, srv.Watch)
	rtm, err := client.NewRTM(b.router, crisp.WithConcurrency(concurrency), crisp.WithDrainTimeout(drainTimeout))
	if err != nil {
		return err
	}

	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.run(running, rtm, "") }()
	err = rtm.Ready(ctx)
	if err == nil {
		err = s.play(ctx)
	}
	stop() // as Ctrl-C does
	if late := <-ended; err == nil {
		err = late
	}
	return err
}

func (s *scene) play(ctx context.Context) error {
	for _, scene := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"The bot answers.", s.question},
		{"The visitor adds something while the model thinks: one answer to both.", s.addition},
		{"The model's server has too much to do, and then cuts an answer off: the bot asks again.", s.trouble},
		{"Ada answers while the model does: the bot keeps out, until she resolves it.", s.takeover},
		{"The model asks for help: the bot hands over.", s.help},
	} {
		_, _ = fmt.Fprintln(s.out, "\n"+scene.title)
		s.visitor = s.srv.Visitor()
		for _, earlier := range []chan struct{}{s.asked, s.left} {
			for len(earlier) > 0 {
				<-earlier
			}
		}
		if err := scene.play(ctx); err != nil {
			return fmt.Errorf("%s %w", scene.title, err)
		}
	}
	return nil
}

func (s *scene) question(ctx context.Context) error {
	s.say("Hi there")
	return s.answer(ctx)
}

func (s *scene) addition(ctx context.Context) error {
	s.say("Where is my order 1234?")
	if err := s.typing(ctx); err != nil {
		return err
	}
	s.say("And 5678?")
	return s.answer(ctx)
}

func (s *scene) trouble(ctx context.Context) error {
	s.model.fail(fault{status: http.StatusTooManyRequests, retryAfter: time.Second}, fault{cutAfter: 5})
	s.say("Where is my order 1234?")
	return s.answer(ctx)
}

func (s *scene) takeover(ctx context.Context) error {
	said := s.say("Is my order 1234 a gift?")
	if err := s.typing(ctx); err != nil {
		return err
	}
	s.line("Ada", "Hi, it is Ada. It is, with a ribbon.")
	s.ada.Say(s.visitor, "Hi, it is Ada. It is, with a ribbon.")
	_, err := s.srv.WaitHandled(ctx, func(h crisptest.Handled) bool {
		ev, ok := h.Event.(*crisp.MessageSend)
		return ok && ev.Fingerprint == said.Fingerprint
	})
	if err != nil {
		return err
	}
	if err := next(ctx, s.left); err != nil {
		return err
	}
	s.line("(bot)", "has hung up on the model, and says nothing")
	s.line("(Ada)", "resolves the conversation")
	s.ada.Resolve(s.visitor)
	s.say("One more thing: where is order 5678?")
	return s.answer(ctx)
}

func (s *scene) help(ctx context.Context) error {
	s.say("I want a refund for my order 1234")
	if err := s.answer(ctx); err != nil {
		return err
	}
	for _, m := range s.visitor.Conversation().Messages { // the note was there before the answer
		if m.Type == string(crisp.MessageTypeNote) {
			s.line("(note)", strings.ReplaceAll(m.Text(), "\n\n", " "))
		}
	}
	_, err := s.srv.WaitRequest(ctx, func(r crisptest.Request) bool { return strings.HasSuffix(r.Path, "/state") && r.Status != 0 })
	s.line("(state)", s.visitor.Conversation().State)
	return err
}

func (s *scene) line(who, text string) { _, _ = fmt.Fprintf(s.out, "  %-8s %s\n", who, text) }

func (s *scene) say(text string) crisptest.Message {
	s.line("visitor", text)
	return s.visitor.Say(text)
}

// answer waits for the bot's next answer.
func (s *scene) answer(ctx context.Context) error {
	for {
		answer, err := s.visitor.WaitAnswer(ctx)
		if err != nil {
			return err
		}
		if answer.Automated { // Ada's answers are not
			s.line("bot", answer.Text())
			return nil
		}
	}
}

// typing waits until the bot asks the model.
func (s *scene) typing(ctx context.Context) error {
	if err := next(ctx, s.asked); err != nil {
		return err
	}
	s.line("(bot)", "is typing")
	return nil
}

// next waits for something to happen.
func next(ctx context.Context, happens <-chan struct{}) error {
	select {
	case <-happens:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
