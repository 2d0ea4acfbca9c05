package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// demo keeps the contacts of a Crisp on loopback, across a restart.
func demo(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "crmsync")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	srv, err := crisptest.Start()
	if err != nil {
		return err
	}
	defer srv.Close()
	crm, path := newPeople(srv), filepath.Join(dir, "contacts.db")

	say(out, "1. Before the program runs, there are Ada and Bob.")
	crm.set("ada", crisp.Profile{Email: "ada@example.com", Person: crisp.Person{Nickname: "Ada"}})
	crm.set("bob", crisp.Profile{Email: "bob@example.com", Person: crisp.Person{Nickname: "Bob"}})
	err = whileRunning(ctx, srv, path, func(p *program) error {
		if err := p.print(ctx, out); err != nil {
			return err
		}
		say(out, "2. While it runs, Cleo comes, Ada moves to ACME, Bob leaves.")
		crm.set("cleo", crisp.Profile{Email: "cleo@example.com"})
		crm.set("ada", crisp.Profile{Company: crisp.Company{Name: "ACME"}})
		crm.remove("bob")
		return errors.Join(p.handled(ctx, 4), p.print(ctx, out)) // Cleo's profile is created and updated
	})
	if err != nil {
		return err
	}
	say(out, "3. While it does not run, Dora comes and Cleo leaves. It starts again.")
	crm.set("dora", crisp.Profile{Email: "dora@example.com", Segments: []string{"vip"}})
	crm.remove("cleo")
	return whileRunning(ctx, srv, path, func(p *program) error { return p.print(ctx, out) })
}

func say(out io.Writer, line string) { _, _ = fmt.Fprintln(out, line) }

// program is this program in live mode, running.
type program struct {
	srv    *crisptest.Server
	store  *store
	before int // how many events were handled before it was started
}

// whileRunning runs the program, calls do once its first list is complete, and
// stops the program when do returns.
func whileRunning(ctx context.Context, srv *crisptest.Server, path string, do func(*program) error) error {
	s, err := openStore(ctx, path)
	if err != nil {
		return err
	}
	client := srv.Client()
	defer client.CloseIdleConnections()
	sync := newSyncer(client, s, func(context.Context) ([]string, error) { return []string{crisptest.WebsiteID}, nil })
	listed := make(chan struct{}, 1)
	sync.onListed = func() {
		select {
		case listed <- struct{}{}:
		default: // only the first is waited for
		}
	}

	before := len(srv.Handled())
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- run(running, sync, srv.Watch) }()
	select {
	case <-listed:
		err = do(&program{srv: srv, store: s, before: before})
	case err := <-ended:
		stop()
		return errors.Join(err, s.close())
	}
	stop() // as Ctrl-C does
	return errors.Join(err, <-ended, s.close())
}

// handled waits until the program has handled n events.
func (p *program) handled(ctx context.Context, n int) error {
	_, err := p.srv.WaitHandled(ctx, func(crisptest.Handled) bool { return len(p.srv.Handled())-p.before >= n })
	return err
}

// print prints the contacts in the database.
func (p *program) print(ctx context.Context, out io.Writer) error {
	contacts, err := p.store.contacts(ctx)
	for _, c := range contacts {
		fields := []string{c.Email, c.Nickname, c.Company, strings.Join(c.Segments, ",")}
		say(out, "   "+strings.TrimRight(strings.Join(fields, " | "), " |"))
	}
	return err
}

// people adds contacts to a server of crisptest, which has none by itself.
type people struct {
	srv *crisptest.Server

	mu  sync.Mutex // guards what follows
	ids []string
	all map[string]crisp.Profile
}

func newPeople(srv *crisptest.Server) *people {
	p := &people{srv: srv, all: make(map[string]crisp.Profile)}
	srv.HandleREST("GET website/{website}/people/profiles/{page}", p.list)
	return p
}

// list returns a page of the list. The first has all contacts, the others none.
func (p *people) list(r *http.Request) (status int, data any) {
	type entry struct {
		PeopleID string        `json:"people_id"`
		Email    string        `json:"email"`
		Person   crisp.Person  `json:"person"`
		Company  crisp.Company `json:"company"`
		Segments []string      `json:"segments"`
	}
	entries := []entry{}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range p.ids {
		if profile, ok := p.all[id]; ok && r.PathValue("page") == "1" {
			entries = append(entries, entry{id, profile.Email, profile.Person, profile.Company, profile.Segments})
		}
	}
	return http.StatusOK, entries
}

// set creates or changes a contact, and emits the events of that.
func (p *people) set(id string, change crisp.Profile) {
	p.mu.Lock()
	defer p.mu.Unlock()
	profile, known := p.all[id]
	if !known {
		p.ids = append(p.ids, id)
		p.srv.Emit(&crisp.PeopleProfileCreated{WebsiteID: crisptest.WebsiteID, PeopleID: id, Email: change.Email})
	}
	if change.Email != "" {
		profile.Email = change.Email
	}
	if change.Person.Nickname != "" {
		profile.Person.Nickname = change.Person.Nickname
	}
	if change.Company.Name != "" {
		profile.Company.Name = change.Company.Name
	}
	if change.Segments != nil {
		profile.Segments = change.Segments
	}
	p.all[id] = profile
	p.srv.Emit(&crisp.PeopleProfileUpdated{WebsiteID: crisptest.WebsiteID, PeopleID: id, Update: change})
}

// remove removes a contact, and emits the event of that.
func (p *people) remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, id)
	p.srv.Emit(&crisp.PeopleProfileRemoved{WebsiteID: crisptest.WebsiteID, PeopleID: id})
}
