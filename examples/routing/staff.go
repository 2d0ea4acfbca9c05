package main

import (
	"net/http"
	"sync"

	"github.com/crisp-go/crisp/crisptest"
)

const billingInbox = "b1111111-0000-4000-8000-000000000001"

// staff is who works for the website of the demonstration.
type staff struct {
	mu        sync.Mutex
	online    map[string]bool
	reminders []string
}

func newStaff(srv *crisptest.Server) *staff {
	s := &staff{online: map[string]bool{"operator-Ada": true, "operator-Bob": true}}
	srv.HandleREST("GET website/{website}/operators/list", func(*http.Request) (int, any) {
		entry := func(id, email, name string) any {
			return map[string]any{"type": "operator", "details": map[string]any{"user_id": id, "email": email, "first_name": name}}
		}
		return http.StatusOK, []any{entry("operator-Ada", "ada@example.com", "Ada"), entry("operator-Bob", "bob@example.com", "Bob"),
			entry("operator-Chloe", "chloe@example.com", "Chloe")}
	})
	srv.HandleREST("GET website/{website}/availability/operators", func(*http.Request) (int, any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		all := []any{}
		for id, online := range s.online {
			all = append(all, map[string]any{"user_id": id, "type": map[bool]string{true: "online", false: "offline"}[online]})
		}
		return http.StatusOK, all
	})
	srv.HandleREST("GET website/{website}/inboxes/list/{page}", func(r *http.Request) (int, any) {
		if r.PathValue("page") != "1" {
			return http.StatusOK, []any{}
		}
		return http.StatusOK, []any{map[string]any{"inbox_id": billingInbox, "name": "Billing"}}
	})
	srv.HandleREST("POST website/{website}/conversation/{session}/reminder", func(r *http.Request) (int, any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reminders = append(s.reminders, r.PathValue("session"))
		return http.StatusOK, map[string]any{}
	})
	return s
}

func (s *staff) set(id string, online bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.online[id] = online
}
