package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// scene is a Crisp that runs in this program, with the routing at work.
type scene struct {
	srv     *crisptest.Server
	staff   *staff
	routing *routing
	out     io.Writer
}

// demo routes some conversations on a Crisp on loopback.
func demo(ctx context.Context, out io.Writer, rules []rule) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	srv, err := crisptest.Start()
	if err != nil {
		return err
	}
	defer srv.Close()
	staff, err := addStaff(ctx, srv)
	if err != nil {
		return err
	}
	client := srv.Client()
	defer client.CloseIdleConnections()
	s := &scene{srv: srv, staff: staff, routing: newRouting(client, crisptest.WebsiteID, rules), out: out}

	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.routing.run(running, s.routing.router(srv.Watch)) }()
	err = srv.WaitAuthenticated(ctx)
	if err == nil {
		err = s.play(ctx)
	}
	stop() // as Ctrl-C does
	if err := <-ended; err != nil {
		return err
	}
	return err
}

func (s *scene) play(ctx context.Context) error {
	s.print("Ada and Bob are there, Chloe is not.")
	ada := s.staff.ada

	paul := s.visitor("Paul", "en-GB")
	if err := s.says(ctx, paul, "Hello!", "Where is my invoice?"); err != nil {
		return err
	}
	claire := s.visitor("Claire", "fr-CA")
	if err := s.says(ctx, claire, "Bonjour, une question"); err != nil {
		return err
	}
	rosa := s.visitor("Rosa", "es")
	if err := s.says(ctx, rosa, "Hola"); err != nil {
		return err
	}
	s.print("\nAda takes over by an answer.")
	ada.Say(rosa, "Hola Rosa, soy Ada")
	if err := s.says(ctx, rosa, "About that refund…"); err != nil {
		return err
	}
	ada.Say(rosa, "It is on its way.")
	if err := s.says(ctx, rosa, "Thank you, Ada!"); err != nil {
		return err
	}
	s.print("\nWhat is unresolved since yesterday:")
	return s.routing.printUnresolved(ctx, s.out)
}

func (s *scene) print(line string) { _, _ = fmt.Fprintln(s.out, line) }

func (s *scene) visitor(nickname, locale string) *crisptest.Visitor {
	v := s.srv.Visitor()
	v.SetMeta(map[string]any{"nickname": nickname, "device": map[string]any{"locales": []string{locale}}})
	return v
}

// says has a visitor say something, and prints what has become of the conversation.
func (s *scene) says(ctx context.Context, v *crisptest.Visitor, texts ...string) error {
	s.print("")
	for _, text := range texts {
		before := v.Conversation()
		said := v.Say(text)
		_, err := s.srv.WaitHandled(ctx, func(h crisptest.Handled) bool {
			ev, ok := h.Event.(*crisp.MessageSend)
			return ok && ev.Fingerprint == said.Fingerprint
		})
		if err != nil {
			return err
		}
		s.print(fmt.Sprintf("%s: %s", before.Meta["nickname"], text))
		s.print("  " + changes(before, v.Conversation()))
	}
	return nil
}

// changes describes how routing has changed a conversation.
func changes(before, after crisptest.Conversation) string {
	for _, m := range after.Messages[len(before.Messages):] {
		if m.Type == "note" {
			return "note: " + m.Text()
		}
	}
	if after.State == string(crisp.SessionStateResolved) {
		return "resolved"
	}
	return "stays where it is"
}
