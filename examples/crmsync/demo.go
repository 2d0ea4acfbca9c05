package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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
	s, err := openStore(ctx, filepath.Join(dir, "contacts.db"))
	if err != nil {
		return err
	}
	d := &scene{srv: srv, store: s, out: out}
	return errors.Join(d.play(ctx), s.close())
}

// scene is a Crisp and a database. What other programs do to the database is done
// through the same handle.
type scene struct {
	srv   *crisptest.Server
	store *store
	out   io.Writer
}

func (d *scene) play(ctx context.Context) error {
	d.say("1. Before the program runs, Crisp has Ada and Bob.")
	ada, bob := d.add("Ada"), d.add("Bob")
	err := d.whileRunning(ctx, func(same func() error) error {
		if err := same(); err != nil {
			return err
		}
		d.say("2. In Crisp, Cleo comes, Ada moves to ACME, Bob leaves.")
		d.add("Cleo")
		d.srv.UpdateProfile(crisptest.WebsiteID, ada, map[string]any{"company": map[string]any{"name": "ACME"}})
		d.srv.RemoveProfile(crisptest.WebsiteID, bob)
		if err := same(); err != nil {
			return err
		}
		d.say("3. In the database, Dora comes, Ada gets a phone, Cleo leaves.")
		if err := d.sql(ctx,
			`INSERT INTO contacts (email, nickname) VALUES ('dora@example.com', 'Dora')`,
			`UPDATE contacts SET phone = '+49 30 1' WHERE nickname = 'Ada'`,
			`UPDATE contacts SET removed = 1 WHERE nickname = 'Cleo'`); err != nil {
			return err
		}
		return same()
	})
	if err != nil {
		return err
	}
	d.say("4. While it does not run, Dora gets a phone in the database, Evi comes in Crisp, and Ada is\n" +
		"   changed in both: in Crisp later. It starts again.")
	if err := d.sql(ctx,
		`UPDATE contacts SET phone = '+49 30 4' WHERE nickname = 'Dora'`,
		`UPDATE contacts SET phone = '+49 30 5' WHERE nickname = 'Ada'`); err != nil {
		return err
	}
	d.add("Evi")
	d.srv.UpdateProfile(crisptest.WebsiteID, ada, map[string]any{"segments": []string{"vip"}})
	return d.whileRunning(ctx, func(same func() error) error { return same() })
}

func (d *scene) say(line string) { _, _ = fmt.Fprintln(d.out, line) }

// add adds a contact in Crisp.
func (d *scene) add(name string) (peopleID string) {
	return d.srv.AddProfile(map[string]any{
		"email": strings.ToLower(name) + "@example.com", "person": map[string]any{"nickname": name},
	}).PeopleID
}

// sql does what another program does to the database.
func (d *scene) sql(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := d.store.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// whileRunning runs the program, calls do, and stops the program when do returns. With
// same, do waits until Crisp and the database have the same contacts, and prints them.
func (d *scene) whileRunning(ctx context.Context, do func(same func() error) error) error {
	client := d.srv.Client()
	defer client.CloseIdleConnections()
	sync, changed := newSyncer(client, crisptest.WebsiteID, d.store), make(chan struct{}, 1)
	sync.changed = func() {
		select {
		case changed <- struct{}{}:
		default: // it will look anyway
		}
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- sync.run(running) }()
	err := do(func() error {
		for {
			here, err := d.here(ctx)
			if err != nil {
				return err
			}
			if slices.Equal(here, d.there()) {
				d.say("   " + strings.Join(here, "\n   "))
				return nil
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	})
	stop() // as Ctrl-C does
	return errors.Join(err, <-ended)
}

// here returns the contacts of the database, with those that wait in the outbox marked.
func (d *scene) here(ctx context.Context) (lines []string, err error) {
	rows, err := d.store.contacts(ctx)
	for _, r := range rows {
		line := r.line()
		if r.number != 0 {
			line += " (not sent yet)"
		}
		lines = append(lines, line)
	}
	return lines, err
}

// there returns the contacts of Crisp.
func (d *scene) there() (lines []string) {
	for _, p := range d.srv.Profiles() {
		person, _ := p.Card["person"].(map[string]any)
		company, _ := p.Card["company"].(map[string]any)
		f := fields{Email: p.Email, Nickname: p.Nickname()}
		f.Phone, _ = person["phone"].(string)
		f.Company, _ = company["name"].(string)
		segments, _ := p.Card["segments"].([]any)
		for _, segment := range segments {
			f.Segments = append(f.Segments, fmt.Sprint(segment))
		}
		lines = append(lines, f.line())
	}
	slices.Sort(lines)
	return lines
}

func (f fields) line() string {
	columns := []string{f.Email, f.Nickname, cmp.Or(f.Phone, "-"), cmp.Or(f.Company, "-"), strings.Join(f.Segments, ",")}
	return strings.TrimRight(strings.Join(columns, " | "), " |")
}
