package orderbot

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

// Memory is what the bot knows about all conversations. It is safe for concurrent
// use, as handlers of different conversations run at the same time.
type Memory struct {
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

// LoadMemory reads the memory from a file, which may not exist yet.
func LoadMemory(path string) (*Memory, error) {
	m := &Memory{path: path, known: make(map[crisp.SessionRef]entry), since: make(map[crisp.SessionRef]time.Time)}
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
func (m *Memory) save(paused iter.Seq2[crisp.SessionRef, time.Time]) error {
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

func (m *Memory) list(paused map[crisp.SessionRef]time.Time) []stored {
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
func (m *Memory) paused() iter.Seq2[crisp.SessionRef, time.Time] { return maps.All(m.since) }

// update changes what is known about a conversation.
func (m *Memory) update(ref crisp.SessionRef, change func(*dialogue)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.known[ref]
	change(&e.Dialogue)
	e.Time = time.Now()
	m.known[ref] = e
}

// Order returns the number of the order that a conversation is about; empty if that
// is not known.
func (m *Memory) Order(ref crisp.SessionRef) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[ref].Dialogue.Order
}

func (m *Memory) forget(ref crisp.SessionRef) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, ref)
}
