-- Contacts, as this program and others see them. Other programs may insert rows, and
-- update the fields of a contact: triggers put what they have changed into the outbox,
-- in the same transaction.
CREATE TABLE IF NOT EXISTS contacts (
	id        INTEGER PRIMARY KEY,
	people_id TEXT UNIQUE,               -- Crisp's identifier; NULL until Crisp has the contact
	email     TEXT NOT NULL DEFAULT '',
	nickname  TEXT NOT NULL DEFAULT '',
	phone     TEXT NOT NULL DEFAULT '',
	company   TEXT NOT NULL DEFAULT '',
	segments  TEXT NOT NULL DEFAULT '[]', -- a list in JSON
	removed   INTEGER NOT NULL DEFAULT 0, -- 1: to remove a contact, set this

	-- What follows is this program's own.
	changed_at INTEGER NOT NULL DEFAULT 0,  -- when another program has changed it last, in ms
	crisp_at   INTEGER NOT NULL DEFAULT 0,  -- updated_at of the profile that is known of it, in ms
	seen_at    INTEGER NOT NULL DEFAULT 0,  -- when it was last seen in Crisp, in ms
	writes     INTEGER NOT NULL DEFAULT 0,  -- how often this program has written the row
	sent       TEXT NOT NULL DEFAULT ''     -- the fields that were sent to Crisp last
) STRICT;

-- The contacts that Crisp has to be told of. A later change takes the place of an
-- earlier one, under another number.
CREATE TABLE IF NOT EXISTS outbox (
	number     INTEGER PRIMARY KEY AUTOINCREMENT,
	contact_id INTEGER NOT NULL UNIQUE REFERENCES contacts (id),
	refusal    TEXT NOT NULL DEFAULT '' -- why Crisp does not take it; then it waits for another change
) STRICT;

-- This program counts its writes, the others do not: so what comes from Crisp does not
-- go back there.
CREATE TRIGGER IF NOT EXISTS contact_inserted AFTER INSERT ON contacts WHEN NEW.writes = 0
BEGIN
	UPDATE contacts SET changed_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) WHERE id = NEW.id;
	INSERT INTO outbox (contact_id) VALUES (NEW.id);
END;

CREATE TRIGGER IF NOT EXISTS contact_updated
AFTER UPDATE OF email, nickname, phone, company, segments, removed ON contacts WHEN NEW.writes = OLD.writes
BEGIN
	UPDATE contacts SET changed_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) WHERE id = NEW.id;
	DELETE FROM outbox WHERE contact_id = NEW.id;
	INSERT INTO outbox (contact_id) VALUES (NEW.id);
END;

CREATE TRIGGER IF NOT EXISTS contact_deleted BEFORE DELETE ON contacts
BEGIN
	SELECT RAISE(ABORT, 'set removed = 1 instead, so that Crisp gets to know of it');
END;
