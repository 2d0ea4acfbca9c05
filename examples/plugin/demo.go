package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/crisp-go/crisp/crisptest"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// The websites of the demonstration.
const (
	shop   = "5b1a1a52-6e3a-4b52-9a63-0d1c6f2a0001"
	blog   = "5b1a1a52-6e3a-4b52-9a63-0d1c6f2a0002"
	museum = "5b1a1a52-6e3a-4b52-9a63-0d1c6f2a0003"
)

// demo has websites of a Crisp on loopback install and remove the plugin.
func demo(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	srv, err := crisptest.Start(crisptest.WithWebsites(shop, blog))
	if err != nil {
		return err
	}
	defer srv.Close()
	srv.SavePluginSettings(shop, map[string]any{"greeting": "Welcome to the shop!"})
	client := srv.Client()
	defer client.CloseIdleConnections()
	g := &greeter{client: client}
	rtm, err := g.rtm(ctx, g.router(srv.Watch))
	if err != nil {
		return err
	}

	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- run(running, rtm) }()
	err = rtm.Ready(ctx)
	if err == nil {
		err = (&scene{srv: srv, out: out}).play(ctx)
	}
	stop() // as Ctrl-C does
	if late := <-ended; err == nil {
		err = late
	}
	return err
}

// scene is what happens on the Crisp that runs in this program.
type scene struct {
	srv *crisptest.Server
	out io.Writer
}

func (s *scene) play(ctx context.Context) error {
	s.note("The shop and the blog have installed the plugin; the shop has a greeting of its own.")
	for _, website := range []string{shop, blog} {
		if err := s.greeted(ctx, website); err != nil {
			return err
		}
	}

	s.note("The museum installs it.")
	s.srv.Install(museum)
	if err := s.handled(ctx, "plugin:subscription:updated", museum); err != nil {
		return err
	}
	// Crisp sends the museum's events once it was asked to look up the websites.
	if _, err := s.srv.WaitBind(ctx, func(crisptest.Bind) bool { return true }); err != nil {
		return err
	}
	if err := s.greeted(ctx, museum); err != nil {
		return err
	}

	s.note("It saves a greeting.")
	s.srv.SavePluginSettings(museum, map[string]any{"greeting": "Welcome to the museum!"})
	if err := s.handled(ctx, "plugin:settings:saved", museum); err != nil {
		return err
	}
	if err := s.greeted(ctx, museum); err != nil {
		return err
	}

	s.note("The blog removes it. The others go on.")
	s.srv.Uninstall(blog)
	if err := s.handled(ctx, "plugin:subscription:updated", blog); err != nil {
		return err
	}
	return s.greeted(ctx, shop)
}

func (s *scene) note(text string) { _, _ = fmt.Fprintln(s.out, text) }

// names are those of the websites.
var names = map[string]string{shop: "shop", blog: "blog", museum: "museum"}

// greeted has a new visitor of a website write, and waits for the greeting.
func (s *scene) greeted(ctx context.Context, website string) error {
	visitor := s.srv.Visitor(website)
	visitor.Say("Is anybody there?")
	answer, err := visitor.WaitAnswer(ctx)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.out, "  a visitor of the %s is told: %s\n", names[website], answer.Text())
	return nil
}

// handled waits until an event of a website has been handled.
func (s *scene) handled(ctx context.Context, name, website string) error {
	handled, err := s.srv.WaitHandled(ctx, func(h crisptest.Handled) bool {
		return h.Event.EventName() == name && h.Event.EventMeta().WebsiteID == website
	})
	if err != nil {
		return err
	}
	return handled.Err
}
