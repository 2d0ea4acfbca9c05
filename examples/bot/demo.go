package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/examples/bot/orderbot"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// scene is a conversation on a Crisp that runs in this program.
type scene struct {
	srv      *crisptest.Server
	visitor  *crisptest.Visitor
	operator *crisptest.Operator
	out      io.Writer
}

// demo plays a conversation with the bot on a Crisp on loopback.
func demo(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	srv, err := crisptest.Start()
	if err != nil {
		return err
	}
	defer srv.Close()
	m, err := orderbot.LoadMemory("")
	if err != nil {
		return err
	}
	client := srv.Client()
	defer client.CloseIdleConnections()
	b := orderbot.New(client, m, srv.Watch)
	rtm, err := client.NewRTM(b.Router, crisp.WithDrainTimeout(drainTimeout))
	if err != nil {
		return err
	}

	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- run(running, b, rtm) }()
	if err := srv.WaitAuthenticated(ctx); err != nil {
		stop()
		return err
	}
	s := &scene{srv: srv, visitor: srv.Visitor(), operator: srv.Operator("Ada"), out: out}
	err = s.play(ctx)
	stop() // as Ctrl-C does
	if err != nil {
		return err
	}
	return <-ended
}

func (s *scene) play(ctx context.Context) error {
	for _, text := range []string{"Hi there", "1234", "Is it wrapped as a gift?", "Please let me talk to a person"} {
		if err := s.ask(ctx, text); err != nil {
			return err
		}
	}
	s.say("Ada", "Hi, it is Ada. Yes, it is wrapped.")
	s.operator.Say(s.visitor, "Hi, it is Ada. Yes, it is wrapped.")
	if err := s.askInVain(ctx, "Wonderful, and my order 5678?"); err != nil {
		return err
	}
	s.say("(Ada)", "resolves the conversation")
	s.operator.Resolve(s.visitor)
	return s.ask(ctx, "One more thing: where is order 5678?")
}

func (s *scene) say(who, text string) { _, _ = fmt.Fprintf(s.out, "%-8s %s\n", who, text) }

// ask has the visitor say something that the bot answers.
func (s *scene) ask(ctx context.Context, text string) error {
	s.say("visitor", text)
	s.visitor.Say(text)
	for {
		answer, err := s.visitor.WaitAnswer(ctx)
		if err != nil {
			return err
		}
		if answer.Automated { // Ada's answers are not
			s.say("bot", answer.Text())
			return nil
		}
	}
}

// askInVain has the visitor say something that the bot leaves to the operator.
func (s *scene) askInVain(ctx context.Context, text string) error {
	s.say("visitor", text)
	said := s.visitor.Say(text)
	_, err := s.srv.WaitHandled(ctx, func(h crisptest.Handled) bool {
		ev, ok := h.Event.(*crisp.MessageSend)
		return ok && ev.Fingerprint == said.Fingerprint
	})
	if err != nil {
		return err
	}
	s.say("(bot)", "keeps out")
	return nil
}
