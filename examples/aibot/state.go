package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/crisp-go/crisp"
)

// state is what a restart must not forget: whom the bot has left to people, and what
// conversations have cost. It has no texts.
type state struct {
	Paused  []paused `json:"paused"`
	Entries []entry  `json:"conversations"`
}

type paused struct {
	Session crisp.SessionRef `json:"session"`
	Since   time.Time        `json:"since"`
}

// loadState reads the state from a file, which may not exist yet.
func loadState(path string) (s state, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

func (s state) restore(b *bot) {
	for _, p := range s.Paused {
		b.pauses.Pause(p.Session, p.Since)
	}
	for _, e := range s.Entries {
		b.ledger.update(e.Session, func(now *entry) { *now = e })
	}
}

// save writes another file and renames it, so that a crash leaves either the old or the
// new one. The other one has always the same name: what a crash leaves is overwritten.
func (b *bot) save(path string) error {
	s := state{Entries: b.ledger.all()}
	for ref, since := range b.pauses.All() {
		s.Paused = append(s.Paused, paused{ref, since})
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return os.Rename(tmp.Name(), path)
}
