package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/crisp-go/crisp"
)

// ticket is a request of a visitor.
type ticket struct {
	Number   int       `json:"number"`
	Session  string    `json:"session"` // session ID of the conversation
	Open     bool      `json:"open"`
	OpenedAt time.Time `json:"opened_at"`
	ClosedAt time.Time `json:"closed_at,omitzero"`

	announced bool // the visitor was told the number
}

// desk keeps tickets up to date by web hooks. These may arrive at the same time,
// in any order, and again if the answer to one was lost.
type desk struct {
	client *crisp.Client

	mu      sync.Mutex // guards tickets
	tickets []*ticket
}

// router returns the router of the desk.
func (d *desk) router() *crisp.Router {
	router := crisp.NewRouter()
	router.Use(crisp.IgnoreOperators(), crisp.IgnoreAutomated(), crisp.LimitReplies(3))
	crisp.On(router, d.asked)
	crisp.On(router, d.changed)
	return router
}

// asked opens a ticket, unless the visitor has one, and sends its number to the
// visitor. If that fails, so does the handler, and Crisp delivers the event again.
func (d *desk) asked(ctx context.Context, ev *crisp.MessageSend) error {
	number, announced := d.open(ev)
	if announced {
		return nil
	}
	if _, err := d.client.Reply(ctx, ev, crisp.TextContent(fmt.Sprintf("Thank you. Your ticket is number %d.", number))); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tickets[number-1].announced = true
	return nil
}

// open returns the ticket that a message belongs to. It opens one if the visitor
// has no open ticket, and the message is not one that comes late for a closed one.
func (d *desk) open(ev *crisp.MessageSend) (number int, announced bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	latest := d.latest(ev.SessionID)
	if latest != nil && (latest.Open || !ev.Time.After(latest.ClosedAt)) {
		return latest.Number, latest.announced
	}
	t := &ticket{Number: len(d.tickets) + 1, Session: ev.SessionID, Open: true, OpenedAt: ev.Time}
	d.tickets = append(d.tickets, t)
	return t.Number, false
}

// changed closes the ticket of a conversation that was resolved.
func (d *desk) changed(_ context.Context, ev *crisp.SessionSetState) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.latest(ev.SessionID)
	if ev.State == crisp.SessionStateResolved && t != nil && t.Open && !ev.Time.Before(t.OpenedAt) {
		t.Open, t.ClosedAt = false, ev.Time
	}
	return nil
}

// latest returns the last ticket of a conversation, nil if there is none; d.mu is
// held.
func (d *desk) latest(session string) *ticket {
	for _, t := range slices.Backward(d.tickets) {
		if t.Session == session {
			return t
		}
	}
	return nil
}

// list answers with the tickets.
func (d *desk) list(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	body, err := json.MarshalIndent(d.tickets, "", "  ")
	d.mu.Unlock()
	if err != nil {
		http.Error(w, "the tickets can't be listed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // an error means that the client is gone
}
