package inspect

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// maxBytes is how much memory a ring takes.
const maxBytes = 64 << 20

// ID identifies a record among those of all runs: "<run>-<n>".
type ID struct {
	Run string
	N   uint64
}

func (id ID) String() string { return id.Run + "-" + strconv.FormatUint(id.N, 10) }

// MarshalText writes the ID as String does.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// ParseID is the reverse of [ID.String].
func ParseID(text string) (ID, error) {
	run, digits, found := strings.Cut(text, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	if !found || run == "" || err != nil {
		return ID{}, fmt.Errorf("%q is not the ID of a record, such as ab12cd34-17", text)
	}
	return ID{run, n}, nil
}

// NewRun returns a name for the records of one run of the command.
func NewRun() string { return strings.ToLower(rand.Text()[:8]) }

// entry is a record as the ring keeps it: what lists need, and what there is to fetch.
type entry struct {
	Summary
	what record.What // nil for an event, which is made again of body
	body []byte      // of an event's web hook
}

// overhead is about what an entry takes besides the bytes that vary.
const overhead = 640

func (e *entry) size() int64 {
	s := &e.Summary
	return int64(overhead + len(e.body) + len(s.Preview) + len(s.Error) + len(s.Answer) + len(s.Target) + len(s.SessionID))
}

// Ring keeps the newest records. It is safe for use by several goroutines, and adding
// never waits for who reads.
type Ring struct {
	run string
	max int64

	mu         sync.RWMutex // guards what follows
	entries    []*entry     // oldest first, without gaps in their positions
	first      uint64       // the position of entries[0]; positions count all that was ever added, from 0
	bytes      int64
	runs       []runStart
	index      index
	deliveries map[uint64][]uint64 // by the position of the event: those of its deliveries
	changed    chan struct{}       // closed when something is added
}

// runStart is where the records of a run begin.
type runStart struct {
	run      string
	position uint64
}

// NewRing makes a ring for the records of a run, and those of earlier runs before them.
func NewRing(run string) *Ring {
	return &Ring{
		run:        run,
		max:        maxBytes,
		index:      newIndex(),
		deliveries: make(map[uint64][]uint64),
		changed:    make(chan struct{}),
	}
}

// Run is the name of this run.
func (r *Ring) Run() string { return r.run }

// Add keeps a record of this run. Records are added in the order of their numbers.
func (r *Ring) Add(rec record.Record) { r.AddOf(r.run, rec) }

// AddOf keeps a record of an earlier run. All of these come before the first of this run.
func (r *Ring) AddOf(run string, rec record.Record) {
	e := newEntry(run, rec)
	r.mu.Lock()
	defer r.mu.Unlock()
	position := r.first + uint64(len(r.entries))
	if len(r.runs) == 0 || r.runs[len(r.runs)-1].run != run {
		r.runs = append(r.runs, runStart{run, position})
	}
	r.entries = append(r.entries, e)
	r.bytes += e.size()
	r.index.add(e, position)
	if e.Of != nil {
		if of, ok := r.find(*e.Of); ok {
			r.deliveries[of] = append(r.deliveries[of], position)
		}
	}
	for r.bytes > r.max && len(r.entries) > 1 {
		r.forget()
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// forget removes the oldest entry; r.mu is held.
func (r *Ring) forget() {
	e := r.entries[0]
	r.entries[0] = nil // frees it, though the array stays
	r.entries = r.entries[1:]
	r.index.remove(e)
	delete(r.deliveries, r.first)
	r.bytes -= e.size()
	r.first++
	for len(r.runs) > 1 && r.runs[1].position <= r.first {
		r.runs = r.runs[1:]
	}
}

// find returns the position of a record that is kept; r.mu is held.
func (r *Ring) find(id ID) (position uint64, ok bool) {
	from, to := r.span(id.Run)
	i := sort.Search(int(to-from), func(i int) bool { return r.at(from+uint64(i)).ID.N >= id.N })
	position = from + uint64(i)
	return position, position < to && r.at(position).ID.N == id.N
}

// span returns the positions of the records of a run that are kept; r.mu is held.
func (r *Ring) span(run string) (from, to uint64) {
	i := slices.IndexFunc(r.runs, func(s runStart) bool { return s.run == run })
	if i < 0 {
		return 0, 0
	}
	from, to = max(r.runs[i].position, r.first), r.first+uint64(len(r.entries))
	if i+1 < len(r.runs) {
		to = r.runs[i+1].position
	}
	return from, max(from, to)
}

// at returns the entry at a position; r.mu is held.
func (r *Ring) at(position uint64) *entry { return r.entries[position-r.first] }

// State says what a ring has.
type State struct {
	Oldest, Latest ID // zero if it is empty
	Records        int
	Bytes          int64
}

// State returns what the ring has.
func (r *Ring) State() State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := State{Records: len(r.entries), Bytes: r.bytes}
	if len(r.entries) > 0 {
		s.Oldest, s.Latest = r.entries[0].ID, r.entries[len(r.entries)-1].ID
	}
	return s
}

// Cursor is a place between two records: what is behind it is still to be read.
type Cursor struct{ position uint64 }

// Begin is the cursor before the oldest record that is kept.
func (r *Ring) Begin() Cursor {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return Cursor{r.first}
}

// Behind returns the cursor behind a record. ok is false if nothing is known of its run:
// the cursor is then that of Begin. Where the record was forgotten, the cursor is still
// behind it, and [Ring.Read] counts what is missing.
func (r *Ring) Behind(id ID) (c Cursor, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	from, to := r.span(id.Run)
	if from == to {
		return Cursor{r.first}, false
	}
	oldest := r.at(from).ID.N
	if id.N+1 < oldest && from == r.first {
		missing := oldest - id.N - 1
		return Cursor{from - min(missing, from)}, true
	}
	i := sort.Search(int(to-from), func(i int) bool { return r.at(from+uint64(i)).ID.N > id.N })
	return Cursor{from + uint64(i)}, true
}

// Part is what was read in one go.
type Part struct {
	Missed  uint64 // records that were forgotten before they could be read
	Entries []*entry
	Next    Cursor
	Changed <-chan struct{} // closed once there is more
}

// Read returns up to limit records behind a cursor.
func (r *Ring) Read(c Cursor, limit int) Part {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var p Part
	position := c.position
	if position < r.first {
		p.Missed = r.first - position
		position = r.first
	}
	from := min(int(position-r.first), len(r.entries))
	to := min(from+limit, len(r.entries))
	p.Entries = slices.Clone(r.entries[from:to])
	p.Next = Cursor{r.first + uint64(to)}
	p.Changed = r.changed
	return p
}

// Find returns the records behind a cursor that a query is met by, looking at all but
// at most limit of them; next is behind the last that was looked at.
func (r *Ring) Find(q Query, c Cursor, limit int) (found []*entry, next Cursor, more bool) {
	r.mu.RLock()
	entries, first := slices.Clone(r.entries), r.first
	candidates, narrowed := r.index.lookup(q)
	candidates = slices.Clone(candidates)
	r.mu.RUnlock()

	begin, end := max(c.position, first), first+uint64(len(entries))
	if !narrowed {
		for position := begin; position < end; position++ {
			if e := entries[position-first]; q.met(e) {
				if len(found) == limit {
					return found, Cursor{position}, true
				}
				found = append(found, e)
			}
		}
		return found, Cursor{end}, false
	}
	for _, position := range candidates {
		if position < begin || position >= end {
			continue
		}
		if e := entries[position-first]; q.met(e) {
			if len(found) == limit {
				return found, Cursor{position}, true
			}
			found = append(found, e)
		}
	}
	return found, Cursor{end}, false
}

// Get returns a record, and the attempts to deliver it that are kept.
func (r *Ring) Get(id ID) (e *entry, deliveries []*entry, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	position, ok := r.find(id)
	if !ok {
		return nil, nil, false
	}
	for _, of := range r.deliveries[position] {
		if of >= r.first {
			deliveries = append(deliveries, r.at(of))
		}
	}
	return r.at(position), deliveries, true
}

// before returns the ID of the record before a cursor, to read on behind; empty if none is kept.
func (r *Ring) before(c Cursor) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if c.position <= r.first || len(r.entries) == 0 {
		return ""
	}
	return r.at(c.position - 1).ID.String()
}

// since looks at what was recorded since a time: how many events, by the namespaces of
// their names, and how long deliveries took, in milliseconds.
func (r *Ring) since(at time.Time) (events map[string]int, took []int64) {
	events = make(map[string]int)
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range slices.Backward(r.entries) {
		if e.Time.Before(at) {
			break
		}
		switch e.Kind {
		case record.KindEvent:
			namespace, _, _ := strings.Cut(e.Event, ":")
			events[namespace]++
		case record.KindDelivery:
			took = append(took, e.TookMS)
		}
	}
	return events, took
}
