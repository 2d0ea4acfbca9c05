package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/crisp-go/crisp/crisptest"
	"github.com/crisp-go/crisp/internal/fifo"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// programs is the target that stands for all programs that are connected to a crisp
// serve, and its web hooks.
const programs = "programs"

// Serve is what the inspector of a crisp serve shows: the server's journal, and the
// visitors and operators of its conversations.
type Serve struct {
	server    *crisptest.Server
	websiteID string // of whoever names none
	run       string
	ring      *Ring

	mu     sync.Mutex // guards what is below, and the order of what is added to the ring
	n      uint64
	events *fifo.Map[uint64, uint64] // numbers of the latest, by what their deliveries have in common with them
	seed   maphash.Seed              // of the keys of events
}

// NewServe makes what feeds a ring from a server's journal.
func NewServe(server *crisptest.Server, websiteID, run string, ring *Ring) *Serve {
	return &Serve{server: server, websiteID: websiteID, run: run, ring: ring, events: fifo.New[uint64, uint64](mostEvents), seed: maphash.MakeSeed()}
}

// Feed adds what has happened, and what happens until ctx ends.
func (s *Serve) Feed(ctx context.Context) {
	last := 0
	for entry := range s.server.Follow(ctx, last) {
		if missed := entry.Number - last - 1; missed > 0 {
			s.add(entry.Time, &record.Dropped{Count: missed, Reason: "the server forgot them before they could be shown (--history)"})
		}
		last = entry.Number
		s.journal(entry)
	}
}

// Repeat takes what was sent by hand.
func (s *Serve) Repeat(what record.What) (record.Record, error) { return s.add(time.Now(), what), nil }

func (s *Serve) add(at time.Time, what record.What) record.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	r := record.Record{N: s.n, At: at, What: what}
	s.ring.Add(FromRecord(s.run, r))
	return r
}

// mostEvents bounds how many events are remembered whose deliveries may come.
const mostEvents = 10_000

// journal adds an entry of the journal.
func (s *Serve) journal(from crisptest.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	r := record.Record{N: s.n, At: from.Time}
	switch {
	case from.Event != nil:
		s.addEvent(r, *from.Event)
		return
	case from.Delivery != nil:
		r.What = s.delivery(*from.Delivery)
		s.ring.Add(FromRecord(s.run, r))
		return
	}
	s.ring.Add(s.fromEntry(r, control.EntryOf(from)))
}

func (s *Serve) addEvent(r record.Record, sent crisptest.Emission) {
	var of struct {
		WebsiteID string `json:"website_id"`
		SessionID string `json:"session_id"`
	}
	_ = json.Unmarshal(sent.Payload, &of) // it may be anything
	body := record.Body(of.WebsiteID, sent.Name, sent.Payload, r.At)
	s.events.Put(s.key(sent.Name, sent.Payload), r.N)
	ev, err := record.Parse(body)
	if err == nil {
		ev.Event.EventMeta().Time = r.At
		r.What = ev
		s.ring.Add(FromRecord(s.run, r))
		return
	}
	e := &Entry{Run: s.run, N: r.N, At: r.At, isEvent: true}
	e.Summary = Summary{Kind: string(record.KindEvent), Event: sent.Name, WebsiteID: of.WebsiteID, SessionID: of.SessionID,
		Preview: preview(string(sent.Payload), previewLength)}
	e.setBody(body)
	s.ring.Add(e)
}

// key is what an event and its deliveries have in common.
func (s *Serve) key(name string, payload []byte) uint64 {
	return maphash.String(s.seed, name) ^ maphash.Bytes(s.seed, payload)
}

func (s *Serve) delivery(d crisptest.Delivery) *record.Delivery {
	told := control.EntryOf(crisptest.Entry{Delivery: &d}).Delivery
	made := &record.Delivery{
		Event: d.Event, Target: told.URL, Attempt: d.Attempt, Limit: d.Limit,
		Status: d.Status, TookMS: told.Took, Error: told.Error, Outcome: record.Refused,
	}
	switch {
	case d.Delivered():
		made.Outcome = record.Accepted
	case d.Attempt >= d.Limit:
		made.Outcome = record.GivenUp
	}
	if made.Outcome != record.Accepted {
		made.Answer = record.Excerpt(withoutValues(d.URL, strings.TrimSpace(string(d.Answer))), answerLength)
	}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(d.Body, &envelope) == nil {
		made.Of, _ = s.events.Get(s.key(d.Event, envelope.Data))
	}
	return made
}

// answerLength is how much is shown of why a web hook was refused, in characters.
const answerLength = 200

// withoutValues replaces what the query of a URL holds, which may be secret, in an answer.
func withoutValues(at, answer string) string {
	u, err := url.Parse(at)
	if err != nil {
		return ""
	}
	for _, values := range u.Query() {
		for _, value := range values {
			if value != "" {
				answer = strings.NewReplacer(value, "…", url.QueryEscape(value), "…").Replace(answer)
			}
		}
	}
	return answer
}

// fromEntry makes an entry of what records know nothing of.
func (s *Serve) fromEntry(r record.Record, from control.Entry) *Entry {
	e := &Entry{Run: s.run, N: r.N, At: r.At, Summary: Summary{Kind: from.Kind}}
	sum := &e.Summary
	switch {
	case from.Message != nil:
		sum.WebsiteID, sum.SessionID = from.Message.WebsiteID, from.Message.SessionID
		sum.Preview = from.Message.From + ": " + from.Message.Text()
	case from.Request != nil:
		sum.Status = from.Request.Status
		sum.Preview = fmt.Sprintf("%s %s: %d", from.Request.Method, from.Request.Path, from.Request.Status)
	case from.Connection != nil:
		sum.Preview = from.Connection.String()
	case from.Bind != nil:
		sum.Preview = fmt.Sprintf("%s by %s: %d events", from.Bind.Name, from.Bind.Connection, len(from.Bind.Events))
	}
	sum.Preview = preview(sum.Preview, previewLength)
	text, err := output.Encode(from)
	if err != nil {
		text = []byte("{}") // of a body that is nested too deeply
	}
	e.setBody(text)
	return e
}

// emitPatience is how long what was emitted may take to be in the ring.
const emitPatience = 2 * time.Second

// emit sends an event to the programs, and returns a delivery with the entry that it
// has become.
func (s *Server) emit(ctx context.Context, body []byte) (any, error) {
	var envelope struct {
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, fmt.Errorf("programs can be sent only an event: %w", err)
	}
	if envelope.Event == "" || envelope.Data == nil {
		return nil, errors.New("programs can be sent only an event: event or data is missing")
	}
	began := time.Now()
	from := s.cfg.Ring.end()
	s.cfg.Serve.server.EmitRaw(envelope.Event, envelope.Data)
	took := time.Since(began).Milliseconds()
	made := Summary{Kind: string(record.KindDelivery), At: began.Format(milliseconds), Event: envelope.Event, Source: string(sourceInspector),
		Target: programs, Outcome: string(record.Accepted), TookMS: &took, Attempt: 1, Limit: 1}
	ctx, cancel := context.WithTimeout(ctx, emitPatience)
	defer cancel()
	for {
		list, next, _ := s.cfg.Ring.Read(from, batch)
		for _, e := range list {
			if e.isEvent && e.Summary.Event == envelope.Event {
				made.Of = e.ID()
				return made, nil
			}
		}
		from = next
		select {
		case <-s.cfg.Ring.Changed(from):
		case <-ctx.Done():
			return made, nil // it was sent all the same
		}
	}
}
