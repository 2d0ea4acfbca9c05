package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/crisp-go/crisp"
)

// eventsURI is the resource with the latest events.
const eventsURI = "crisp://events"

const (
	keptEvents  = 1000
	shownEvents = 100
	maxWait     = 55 * time.Second // most clients give up after a minute
)

// shownEvent is what agents see of an event, or of something that happened to the
// connection.
type shownEvent struct {
	Number    int64         `json:"number" jsonschema:"counts up from 1"`
	Name      string        `json:"name" jsonschema:"of Crisp's event, such as message:send; or connected, disconnected, gap"`
	At        *time.Time    `json:"at,omitempty"`
	WebsiteID string        `json:"website_id,omitempty"`
	SessionID string        `json:"session_id,omitempty"`
	Message   *shownMessage `json:"message,omitempty"`
	State     string        `json:"state,omitempty" jsonschema:"the new one of the conversation"`
	Note      string        `json:"note,omitempty"`
}

// live keeps the latest events, and notifies agents that follow them.
type live struct {
	server *mcp.Server

	mu     sync.Mutex    // guards the fields below
	events []shownEvent  // the newest, at most keptEvents
	last   int64         // number of the latest event
	more   chan struct{} // closed and replaced when an event is added
}

func newLive(server *mcp.Server) *live {
	return &live{server: server, more: make(chan struct{})}
}

// add adds an event, forgets the oldest if there are too many, and notifies subscribers.
func (l *live) add(event shownEvent) {
	l.mu.Lock()
	l.last++
	event.Number = l.last
	if len(l.events) == keptEvents {
		l.events = append(l.events[:0], l.events[1:]...)
	}
	l.events = append(l.events, event)
	close(l.more)
	l.more = make(chan struct{})
	l.mu.Unlock()
	// An agent may be gone.
	_ = l.server.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: eventsURI})
}

// after returns the first events after a number, whether some were forgotten before
// them, and a channel that is closed when there are more.
func (l *live) after(number int64) (events []shownEvent, forgotten bool, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.last - int64(len(l.events)) // the number before the first
	skip := min(max(number-first, 0), int64(len(l.events)))
	events = l.events[skip:]
	if len(events) > shownEvents {
		events = events[:shownEvents]
	}
	return append([]shownEvent{}, events...), number < first, l.more
}

func (l *live) latest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (s *Server) addLive() {
	addTool(s, reading("wait_for_events", "Wait for events",
		"Wait until something happens: messages, states of conversations, trouble with the connection. Without after, "+
			"it begins with what happens from now on; pass the answer's next as after to miss nothing in between."), s.waitForEvents)
	s.mcp.AddResource(&mcp.Resource{
		URI: eventsURI, Name: "events", Title: "Latest events", MIMEType: "application/json",
		Description: "What happened last, at most 100 events. Subscribe to be told when there is more.",
	}, s.readEvents)
}

type waitIn struct {
	After   *int64 `json:"after,omitempty" jsonschema:"the next of an earlier answer; 0 for all that is remembered"`
	Seconds int    `json:"seconds,omitempty" jsonschema:"how long to wait at most: 1 to 55, 25 without it"`
}

type waitOut struct {
	Events    []shownEvent `json:"events" jsonschema:"empty if nothing happened in time"`
	Next      int64        `json:"next" jsonschema:"what to pass as after"`
	Forgotten bool         `json:"forgotten" jsonschema:"whether events after the given number are forgotten already: read the conversations instead"`
}

func (s *Server) waitForEvents(ctx context.Context, in waitIn) (waitOut, error) {
	wait := 25 * time.Second
	if in.Seconds != 0 {
		wait = time.Duration(in.Seconds) * time.Second
	}
	if wait < time.Second || wait > maxWait {
		return waitOut{}, fmt.Errorf("seconds is %d; it must be 1 to %d", in.Seconds, maxWait/time.Second)
	}
	after := s.live.latest()
	if in.After != nil {
		after = *in.After
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		events, forgotten, more := s.live.after(after)
		if len(events) > 0 {
			return waitOut{events, events[len(events)-1].Number, forgotten}, nil
		}
		select {
		case <-more:
		case <-timer.C:
			return waitOut{Events: events, Next: after}, nil
		case <-ctx.Done():
			return waitOut{}, ctx.Err()
		}
	}
}

func (s *Server) readEvents(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	latest := s.live.latest()
	events, _, _ := s.live.after(max(latest-shownEvents, 0))
	text, err := json.MarshalIndent(events, "", "  ")
	if err != nil {
		return nil, err
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{
		URI: eventsURI, MIMEType: "application/json", Text: string(text),
	}}}, nil
}

// Follow receives events over the RTM API until ctx ends, or Crisp refuses the
// token for good.
func (s *Server) Follow(ctx context.Context) error {
	router := crisp.NewRouter()
	crisp.OnMessage(router, func(_ context.Context, ev crisp.MessageEvent) error {
		message := showMessage(ev.Message())
		s.live.add(shownEvent{
			Name: ev.EventName(), At: shownTime(ev.EventMeta().Time), Message: &message,
			WebsiteID: ev.Session().WebsiteID, SessionID: ev.Session().SessionID,
		})
		return nil
	})
	crisp.On(router, func(_ context.Context, ev *crisp.SessionSetState) error {
		s.live.add(shownEvent{
			Name: ev.EventName(), At: shownTime(ev.EventMeta().Time), State: string(ev.State),
			WebsiteID: ev.WebsiteID, SessionID: ev.SessionID,
		})
		return nil
	})
	rtm, err := s.client.NewRTM(router,
		crisp.WithFilter(crisp.Filter{Rooms: s.websites}),
		crisp.WithHooks(crisp.Hooks{
			Connected: func(crisp.Connected) { s.live.add(shownEvent{Name: "connected", At: shownTime(time.Now())}) },
			Disconnected: func(crisp.Disconnected) {
				s.live.add(shownEvent{Name: "disconnected", At: shownTime(time.Now()), Note: "another connection is being made"})
			},
			Gap: func(gap crisp.Gap) {
				s.live.add(shownEvent{Name: "gap", At: shownTime(gap.To), Note: fmt.Sprintf(
					"events since %s may have been missed: read the conversations", gap.From.UTC().Format(time.RFC3339))})
			},
		}))
	if err != nil {
		return err
	}
	return rtm.Run(ctx)
}
