package crisp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// HealthHandler answers the probes of what runs a program, such as Kubernetes. It serves, for
// GET and HEAD,
//
//   - /healthz: 200, or 503 once Run of one of the clients has ended. The program has to
//     be started again then, unless it is about to end.
//   - /readyz: 200 while all clients are connected, so that events flow; 503 before the
//     first connection, while a connection is lost, from Shutdown or Close on, and once
//     Run has ended.
//
// The answer is JSON, the same for both: "status" is "ok" or "unavailable", and "rtm" has an object
// for each client, with what [RTM.Stats] says: state, since, received, dropped,
// reconnects, queued_events, queued_bytes, oldest_wait_seconds (how long the oldest event
// has been waiting; 0 if none does) and last_event (absent if none came). There are no
// secrets in it, nor anything of events. Handlers that are slow, or hang, make a client
// neither unhealthy nor unready: oldest_wait_seconds shows them.
//
// Without clients, as in a program that has web hooks only, both are always 200.
// HealthHandler panics if a client is nil.
func HealthHandler(clients ...*RTM) http.Handler {
	for i, t := range clients {
		if t == nil {
			panic(fmt.Sprintf("crisp: HealthHandler: client %d is nil", i))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerHealth(w, clients, func(s State) bool { return s != StateClosed })
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		answerHealth(w, clients, func(s State) bool { return s == StateConnected })
	})
	return mux
}

// health is the JSON of an answer.
type health struct {
	Status string      `json:"status"`
	RTM    []rtmHealth `json:"rtm"`
}

// rtmHealth is one client's part of the answer.
type rtmHealth struct {
	State        string    `json:"state"`
	Since        time.Time `json:"since"`
	Received     uint64    `json:"received"`
	Dropped      uint64    `json:"dropped"`
	Reconnects   uint64    `json:"reconnects"`
	QueuedEvents int       `json:"queued_events"`
	QueuedBytes  int64     `json:"queued_bytes"`
	OldestWait   float64   `json:"oldest_wait_seconds"`
	LastEvent    time.Time `json:"last_event,omitzero"`
}

// answerHealth answers 200 if all clients are in a state that is good.
func answerHealth(w http.ResponseWriter, clients []*RTM, good func(State) bool) {
	answer, status := health{Status: "ok", RTM: make([]rtmHealth, 0, len(clients))}, http.StatusOK
	for _, t := range clients {
		stats := t.Stats()
		if !good(stats.State) {
			answer.Status, status = "unavailable", http.StatusServiceUnavailable
		}
		answer.RTM = append(answer.RTM, healthOf(stats))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // an error means that the client is gone
}

func healthOf(s Stats) rtmHealth {
	h := rtmHealth{
		State:        s.State.String(),
		Since:        s.Since,
		Received:     s.Received,
		Dropped:      s.Dropped,
		Reconnects:   s.Reconnects,
		QueuedEvents: s.QueuedEvents,
		QueuedBytes:  s.QueuedBytes,
		LastEvent:    s.LastEvent,
	}
	if !s.OldestEvent.IsZero() {
		h.OldestWait = max(0, time.Since(s.OldestEvent).Seconds())
	}
	return h
}
