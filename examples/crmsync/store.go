package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	_ "modernc.org/sqlite" // the driver, in pure Go

	"github.com/crisp-go/crisp"
)

// store keeps contacts. Each row has the time of its latest change, by this
// machine's clock, and older changes don't overwrite newer ones. So it doesn't
// matter if a change is received twice, or if a list was begun before a change.
type store struct{ db *sql.DB }

const schema = `
CREATE TABLE IF NOT EXISTS contacts (
	website_id TEXT NOT NULL,
	people_id  TEXT NOT NULL,
	email      TEXT NOT NULL DEFAULT '',
	nickname   TEXT NOT NULL DEFAULT '',
	phone      TEXT NOT NULL DEFAULT '',
	company    TEXT NOT NULL DEFAULT '',
	segments   TEXT NOT NULL DEFAULT '[]',
	removed    INTEGER NOT NULL DEFAULT 0, -- kept, so that a late event does not bring it back
	changed_at INTEGER NOT NULL,           -- ms
	listed_at  INTEGER NOT NULL DEFAULT 0, -- ms, of the last list that had it
	PRIMARY KEY (website_id, people_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
	session_id TEXT NOT NULL PRIMARY KEY,
	website_id TEXT NOT NULL,
	people_id  TEXT NOT NULL,
	changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;`

// openStore opens a database, which is created if it doesn't exist, for this user
// alone: visitors' addresses are in it.
func openStore(ctx context.Context, path string) (*store, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would let everybody read it
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"}}
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(path)+"?"+pragmas.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // SQLite has one writer
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close())
	}
	return &store{db}, nil
}

func (s *store) close() error { return s.db.Close() }

// contact is a row of the table contacts.
type contact struct {
	WebsiteID, PeopleID             string
	Email, Nickname, Phone, Company string
	Segments                        []string
}

func contactOf(websiteID, peopleID string, p crisp.Profile) contact {
	return contact{
		WebsiteID: websiteID, PeopleID: peopleID,
		Email: p.Email, Nickname: p.Person.Nickname, Phone: p.Person.Phone, Company: p.Company.Name,
		Segments: p.Segments,
	}
}

// The statements that write a contact unless the row is newer.
const (
	writeContact = `
		INSERT INTO contacts (website_id, people_id, email, nickname, phone, company, segments, changed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET removed = 0, changed_at = excluded.changed_at, `
	ifNewer = ` WHERE excluded.changed_at >= changed_at`

	mergeContact = writeContact + `
		email    = coalesce(nullif(excluded.email, ''), email),
		nickname = coalesce(nullif(excluded.nickname, ''), nickname),
		phone    = coalesce(nullif(excluded.phone, ''), phone),
		company  = coalesce(nullif(excluded.company, ''), company),
		segments = coalesce(nullif(excluded.segments, '[]'), segments)` + ifNewer

	replaceContact = writeContact + `
		email = excluded.email, nickname = excluded.nickname, phone = excluded.phone,
		company = excluded.company, segments = excluded.segments` + ifNewer
)

// merge updates a contact with what is known at a time. Fields that are zero are
// not known, and stay as they are.
func (s *store) merge(ctx context.Context, c contact, at time.Time) error {
	return s.write(ctx, mergeContact, c, at)
}

// replace replaces a contact by that of a list that was begun at a time.
func (s *store) replace(ctx context.Context, c contact, begun time.Time) error {
	if err := s.write(ctx, replaceContact, c, begun); err != nil {
		return err
	}
	_, err := s.db.ExecContext(ctx, `UPDATE contacts SET listed_at = ? WHERE website_id = ? AND people_id = ?`,
		begun.UnixMilli(), c.WebsiteID, c.PeopleID)
	return err
}

func (s *store) write(ctx context.Context, statement string, c contact, at time.Time) error {
	segments, err := json.Marshal(append([]string{}, c.Segments...))
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, statement,
		c.WebsiteID, c.PeopleID, c.Email, c.Nickname, c.Phone, c.Company, string(segments), at.UnixMilli())
	return err
}

// remove marks a contact as removed.
func (s *store) remove(ctx context.Context, websiteID, peopleID string, at time.Time) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO contacts (website_id, people_id, removed, changed_at) VALUES (?, ?, 1, ?)
		ON CONFLICT DO UPDATE SET removed = 1, changed_at = excluded.changed_at
		WHERE excluded.changed_at >= changed_at`, websiteID, peopleID, at.UnixMilli())
	return err
}

// bind records whose conversation it is.
func (s *store) bind(ctx context.Context, ref crisp.SessionRef, peopleID string, at time.Time) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO sessions (session_id, website_id, people_id, changed_at) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET people_id = excluded.people_id, changed_at = excluded.changed_at
		WHERE excluded.changed_at >= changed_at`, ref.SessionID, ref.WebsiteID, peopleID, at.UnixMilli())
	return err
}

// removeUnlisted removes the contacts of a website that are not in a list, except
// those that have changed since it was begun.
func (s *store) removeUnlisted(ctx context.Context, websiteID string, begun time.Time) error {
	_, err := s.db.ExecContext(ctx, `UPDATE contacts SET removed = 1, changed_at = ?1
		WHERE website_id = ?2 AND removed = 0 AND listed_at < ?1 AND changed_at < ?1`, begun.UnixMilli(), websiteID)
	return err
}

// personOf returns the ID of the person whose conversation it is, empty if that is
// not known.
func (s *store) personOf(ctx context.Context, sessionID string) (peopleID string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT people_id FROM sessions WHERE session_id = ?`, sessionID).Scan(&peopleID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return peopleID, err
}

// contacts returns the contacts that are not removed, sorted by email address.
func (s *store) contacts(ctx context.Context) ([]contact, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT website_id, people_id, email, nickname, phone, company, segments
		FROM contacts WHERE removed = 0 ORDER BY email, people_id`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has any error
	var all []contact
	for rows.Next() {
		var c contact
		var segments string
		if err := rows.Scan(&c.WebsiteID, &c.PeopleID, &c.Email, &c.Nickname, &c.Phone, &c.Company, &segments); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(segments), &c.Segments); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}
