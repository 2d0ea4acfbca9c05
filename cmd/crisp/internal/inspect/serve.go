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

// programs is the name of the target that stands for all programs that a crisp serve
// reaches, by RTM and web hooks.
const programs = "programs"

// Serve connects the inspector to a crisp serve: it copies the server's journal to the
// ring, and acts as the visitors and the operator of its conversations.
type Serve struct {
	server    *crisptest.Server
	websiteID string // the default website
	run       string
	ring      *Ring
	seed      maphash.Seed // for key

	mu     sync.Mutex                // guards the fields below and the order of entries in the ring
	n      uint64                    // number of the last entry
	events *fifo.Map[uint64, uint64] // numbers of the latest events, by key, for their deliveries
}

// NewServe makes a Serve. The caller runs Feed.
func NewServe(server *crisptest.Server, websiteID, run string, ring *Ring) *Serve {
	return &Serve{server: server, websiteID: websiteID, run: run, ring: ring, events: fifo.New[uint64, uint64](mostEvents), seed: maphash.MakeSeed()}
}

// Feed adds the journal so far to the ring, and each new entry until ctx ends.
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

// Repeat records what a user sent by hand on the page.
func (s *Serve) Repeat(what record.What) (record.Record, error) { return s.add(time.Now(), what), nil }

func (s *Serve) add(at time.Time, what record.What) record.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	r := record.Record{N: s.n, At: at, What: what}
	s.ring.Add(FromRecord(s.run, r))
	return r
}

// mostEvents is how many events are remembered for deliveries that may still come.
const mostEvents = 10_000

// journal adds an entry of the server's journal to the ring.
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
	_ = json.Unmarshal(sent.Payload, &of) // the payload may be anything
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

// key returns a hash that an event and its deliveries share.
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

// answerLength is how much of the answer that refused a web hook is shown, in characters.
const answerLength = 200

// withoutValues removes the values of a URL's query, which may be secret, from an answer.
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

// fromEntry makes an entry of something that there is no kind of record for.
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
		text = []byte("{}") // its body is nested too deeply
	}
	e.setBody(text)
	return e
}

// emitPatience is how long an emitted event may take to reach the ring.
const emitPatience = 2 * time.Second

// emit sends an event to the programs, and returns a delivery that names its entry.
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
			return made, nil // it was sent, but its entry is not known
		}
	}
}
