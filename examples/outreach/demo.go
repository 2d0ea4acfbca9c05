package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/rest"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// scene is a Crisp that runs in this program.
type scene struct {
	srv    *crisptest.Server
	client *crisp.Client
	out    io.Writer
}

// demo invites visitors of a Crisp on loopback, and sends a campaign.
func demo(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	srv, err := crisptest.Start(crisptest.WithTier(crisp.TierUser))
	if err != nil {
		return err
	}
	defer srv.Close()
	client := srv.Client()
	defer client.CloseIdleConnections()
	s := &scene{srv: srv, client: client, out: out}
	addContacts(srv)
	if err := s.invitations(ctx); err != nil {
		return err
	}
	return s.campaign(ctx)
}

// addContacts adds Ada, Ben and Cleo, of whom Cleo wants no emails.
func addContacts(srv *crisptest.Server) {
	for _, name := range []string{"Ada", "Ben", "Cleo"} {
		p := srv.AddProfile(map[string]any{
			"email": strings.ToLower(name) + "@example.com", "person": map[string]any{"nickname": name}, "segments": []string{"customers"},
		})
		if name == "Cleo" {
			srv.Subscribe(p.WebsiteID, p.PeopleID, false)
		}
	}
}

// invitations lets some visitors open pages while the inviter is at work.
func (s *scene) invitations(ctx context.Context) error {
	i := newInviter(s.client, crisptest.WebsiteID, "/pricing")
	i.spared = func(_ crisp.SessionRef, why string) { s.print("  (%s)", why) }
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- i.run(running, i.router(s.srv.Watch)) }()
	err := s.srv.WaitAuthenticated(ctx)
	if err == nil {
		err = s.visits(ctx)
	}
	stop() // as Ctrl-C does
	if err := <-ended; err != nil {
		return err
	}
	return err
}

func (s *scene) visits(ctx context.Context) error {
	s.print("1. Visitors open pages.")
	paul, rosa, cleo := s.visitor("Paul", ""), s.visitor("Rosa", ""), s.visitor("Cleo", "cleo@example.com")
	rosa.Say("Can I pay by card?")
	s.srv.Operator("Grace").Say(rosa, "Yes, you can.")
	for _, step := range []struct {
		who  *crisptest.Visitor
		page string
	}{{paul, "/"}, {paul, "/pricing"}, {paul, "/pricing"}, {rosa, "/pricing"}, {cleo, "/pricing"}} {
		if err := s.opens(ctx, step.who, step.page); err != nil {
			return err
		}
	}
	return nil
}

func (s *scene) print(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }

func (s *scene) visitor(nickname, email string) *crisptest.Visitor {
	v := s.srv.Visitor()
	metas := map[string]any{"nickname": nickname}
	if email != "" {
		metas["email"] = email
	}
	v.SetMeta(metas)
	return v
}

// opens has a visitor open a page, and prints what they are told.
func (s *scene) opens(ctx context.Context, v *crisptest.Visitor, page string) error {
	before, handled := v.Conversation(), s.pagesHandled()
	s.print("%s opens %s", before.Meta["nickname"], page)
	v.Visit("Page", "https://example.com"+page)
	_, err := s.srv.WaitHandled(ctx, func(crisptest.Handled) bool { return s.pagesHandled() > handled })
	if err != nil {
		return err
	}
	told := "nothing"
	if said := v.Conversation().Messages[len(before.Messages):]; len(said) > 0 {
		told = said[0].Text()
	}
	s.print("  is told: %s", told)
	return nil
}

// pagesHandled returns how many events of opened pages have been handled.
func (s *scene) pagesHandled() (n int) {
	for _, h := range s.srv.Handled() {
		if _, ok := h.Event.(*crisp.SessionSyncPages); ok {
			n++
		}
	}
	return n
}

// campaign sends a campaign to the customers, from a template.
func (s *scene) campaign(ctx context.Context) error {
	s.print("2. A campaign is made from a template, for the customers, and dispatched.")
	site := rest.Website(s.client, crisptest.WebsiteID)
	id, err := site.Templates.Create(ctx, "markdown", "Letter")
	if err != nil {
		return err
	}
	if err := site.Templates.Update(ctx, id, rest.TemplateInput{Content: rest.Set("Spring is here.")}); err != nil {
		return err
	}
	c := campaign{Name: "Spring news", Subject: "Spring is here", Template: "Letter", Segment: "customers"}
	if err := liveCampaign(ctx, s.client, crisptest.WebsiteID, c, s.out); err != nil {
		return err
	}
	for _, d := range s.srv.Dispatches() {
		for _, recipient := range d.Recipients {
			profile, _ := s.srv.Profile(d.WebsiteID, recipient)
			s.print("  %s has got it", profile.Nickname())
		}
	}
	return nil
}
