package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

// forgetAfter is how long a conversation is remembered after its last message.
const forgetAfter = 24 * time.Hour

// memory is what the bot knows about all conversations. It is safe for concurrent
// use, as handlers of different conversations run at the same time.
type memory struct {
	path  string                         // empty if it isn't saved
	since map[crisp.SessionRef]time.Time // the pauses that were loaded

	mu    sync.Mutex // guards known
	known map[crisp.SessionRef]entry
}

type entry struct {
	Dialogue dialogue  `json:"dialogue"`
	Time     time.Time `json:"time"` // of the last message
}

// stored is a conversation as it is in the file.
type stored struct {
	Session crisp.SessionRef `json:"session"`
	entry
	Paused time.Time `json:"paused,omitzero"`
}

// loadMemory reads the memory from a file, which may not exist yet.
func loadMemory(path string) (*memory, error) {
	m := &memory{path: path, known: make(map[crisp.SessionRef]entry), since: make(map[crisp.SessionRef]time.Time)}
	if path == "" {
		return m, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	var all []stored
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for _, s := range all {
		if !s.Time.IsZero() {
			m.known[s.Session] = s.entry
		}
		if !s.Paused.IsZero() {
			m.since[s.Session] = s.Paused
		}
	}
	return m, nil
}

// save writes another file and renames it, so that a crash leaves either the old
// or the new one. The other file has always the same name, as only one bot uses the
// memory: what a crash leaves of it is overwritten.
func (m *memory) save(paused iter.Seq2[crisp.SessionRef, time.Time]) error {
	if m.path == "" {
		return nil
	}
	data, err := json.Marshal(m.list(maps.Collect(paused)))
	if err != nil {
		return err
	}
	tmp, err := os.OpenFile(m.path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return os.Rename(tmp.Name(), m.path)
}

func (m *memory) list(paused map[crisp.SessionRef]time.Time) []stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.known, func(_ crisp.SessionRef, e entry) bool { return time.Since(e.Time) > forgetAfter })
	all := []stored{}
	for ref, e := range m.known {
		all = append(all, stored{Session: ref, entry: e, Paused: paused[ref]})
		delete(paused, ref)
	}
	for ref, since := range paused { // of conversations that only operators have answered
		all = append(all, stored{Session: ref, Paused: since})
	}
	return all
}

// paused returns the pauses that were loaded.
func (m *memory) paused() iter.Seq2[crisp.SessionRef, time.Time] { return maps.All(m.since) }

// update changes what is known about a conversation.
func (m *memory) update(ref crisp.SessionRef, change func(*dialogue)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.known[ref]
	change(&e.Dialogue)
	e.Time = time.Now()
	m.known[ref] = e
}

func (m *memory) get(ref crisp.SessionRef) dialogue {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[ref].Dialogue
}

func (m *memory) forget(ref crisp.SessionRef) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, ref)
}
