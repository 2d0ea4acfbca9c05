package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/crisp-go/crisp/crisptest"
)

// demoTimeout is far more than the demonstration takes.
const demoTimeout = time.Minute

// demo keeps the contacts of a Crisp on loopback and a database the same, across a
// restart.
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
	path := filepath.Join(dir, "contacts.db")

	say(out, "1. Before the program runs, Crisp has Ada and Bob.")
	ada := srv.AddProfile(card("ada@example.com", "Ada"))
	bob := srv.AddProfile(card("bob@example.com", "Bob"))
	err = whileRunning(ctx, srv, path, func(p *program) error {
		if err := p.until(ctx, "ada@example.com | Ada", "bob@example.com | Bob"); err != nil {
			return err
		}
		say(out, "2. While it runs, Cleo comes, Ada moves to ACME and Bob leaves: all in Crisp.")
		srv.AddProfile(card("cleo@example.com", "Cleo"))
		srv.UpdateProfile(ada.WebsiteID, ada.PeopleID, map[string]any{"company": map[string]any{"name": "ACME"}})
		srv.RemoveProfile(bob.WebsiteID, bob.PeopleID)
		if err := p.until(ctx, "ada@example.com | Ada | ACME", "cleo@example.com | Cleo"); err != nil {
			return err
		}
		say(out, "3. Somebody changes the database by SQL: Ada is a VIP, Eve is new, Cleo is removed.")
		if err := p.exec(ctx, `
			UPDATE contacts SET segments = '["vip"]' WHERE email = 'ada@example.com';
			INSERT INTO contacts (email, nickname) VALUES ('eve@example.com', 'Eve');
			UPDATE contacts SET removed = 1 WHERE email = 'cleo@example.com'`); err != nil {
			return err
		}
		return p.untilCrisp(ctx, "ada@example.com | Ada | ACME | vip", "eve@example.com | Eve")
	}, out)
	if err != nil {
		return err
	}
	say(out, "4. While it does not run, Dora comes in Crisp, and Eve gets a company in the database. It starts again.")
	srv.AddProfile(card("dora@example.com", "Dora"))
	if err := changeFile(ctx, path, `UPDATE contacts SET company = 'Initech' WHERE email = 'eve@example.com'`); err != nil {
		return err
	}
	all := []string{"ada@example.com | Ada | ACME | vip", "dora@example.com | Dora", "eve@example.com | Eve | Initech"}
	return whileRunning(ctx, srv, path, func(p *program) error {
		return errors.Join(p.until(ctx, all...), p.untilCrisp(ctx, all...))
	}, out)
}

func say(out io.Writer, line string) { _, _ = fmt.Fprintln(out, line) }

func card(email, nickname string) map[string]any {
	return map[string]any{"email": email, "person": map[string]any{"nickname": nickname}}
}

// changeFile changes a database as another program does.
func changeFile(ctx context.Context, path, statement string) error {
	s, err := openStore(ctx, path)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, statement)
	return errors.Join(err, s.close())
}

// program is this program in live mode, running.
type program struct {
	srv     *crisptest.Server
	store   *store
	changed chan struct{} // holds a token when something was brought from one side to the other
	out     io.Writer
}

// whileRunning runs the program until do returns.
func whileRunning(ctx context.Context, srv *crisptest.Server, path string, do func(*program) error, out io.Writer) error {
	s, err := openStore(ctx, path)
	if err != nil {
		return err
	}
	client := srv.Client()
	defer client.CloseIdleConnections()
	p := &program{srv: srv, store: s, changed: make(chan struct{}, 1), out: out}
	syncer := newSyncer(client, crisptest.WebsiteID, s)
	syncer.changed = func() {
		select {
		case p.changed <- struct{}{}:
		default: // one is there already
		}
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- syncer.run(running, srv.Watch) }()
	err = do(p)
	stop() // as Ctrl-C does
	return errors.Join(err, <-ended, s.close())
}

func (p *program) exec(ctx context.Context, statements string) error {
	_, err := p.store.db.ExecContext(ctx, statements)
	return err
}

// until waits until the database has these contacts, and no others, and prints them.
func (p *program) until(ctx context.Context, want ...string) error {
	return p.wait(ctx, "the database", want, func() ([]string, error) {
		contacts, err := p.store.contacts(ctx)
		var lines []string
		for _, c := range contacts {
			lines = append(lines, line(c.Email, c.Nickname, c.Company, strings.Join(c.Segments, ",")))
		}
		return lines, err
	})
}

// untilCrisp does the same with what Crisp has.
func (p *program) untilCrisp(ctx context.Context, want ...string) error {
	return p.wait(ctx, "Crisp", want, func() ([]string, error) {
		var lines []string
		for _, profile := range p.srv.Profiles() {
			company, _ := profile.Card["company"].(map[string]any)
			name, _ := company["name"].(string)
			var segments []string
			list, _ := profile.Card["segments"].([]any)
			for _, segment := range list {
				segments = append(segments, fmt.Sprint(segment))
			}
			lines = append(lines, line(profile.Email, profile.Nickname(), name, strings.Join(segments, ",")))
		}
		return lines, nil
	})
}

func line(fields ...string) string { return strings.TrimRight(strings.Join(fields, " | "), " |") }

func (p *program) wait(ctx context.Context, where string, want []string, lines func() ([]string, error)) error {
	for {
		got, err := lines()
		if err != nil {
			return err
		}
		if same(got, want) {
			say(p.out, "   "+where+" has:")
			for _, l := range want {
				say(p.out, "   - "+l)
			}
			return nil
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			return fmt.Errorf("%s has %q, not %q: %w", where, got, want, ctx.Err())
		}
	}
}

// same reports whether two lists have the same lines, in any order.
func same(got, want []string) bool {
	count := make(map[string]int)
	for _, l := range got {
		count[l]++
	}
	for _, l := range want {
		count[l]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}
