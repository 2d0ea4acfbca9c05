package daemon

import (
	"encoding/json"
	"net/http"

	"github.com/crisp-go/crisp"
)

// readiness is the answer to /readyz.
type readiness struct {
	Status  string   `json:"status"` // ok or unavailable
	Reasons []string `json:"reasons"`
	Engine  struct {
		Kind      string `json:"kind"`
		Reachable bool   `json:"reachable"`
	} `json:"engine"`
	RTM   *rtmState `json:"rtm,omitempty"`
	Hooks bool      `json:"hooks"`
}

// rtmState is what this process is to the RTM API.
type rtmState struct {
	Role      Role   `json:"role"`
	Connected bool   `json:"connected"`
	State     string `json:"state,omitempty"` // of the leader's connection
	Error     string `json:"error,omitempty"` // why this process does not even stand by for a moment
}

// readiness finds out whether events can be taken now.
func (d *Daemon) readiness() readiness {
	answer := readiness{Status: "ok", Reasons: []string{}, Hooks: d.hook != nil}
	not := func(reason string) {
		answer.Status = "unavailable"
		answer.Reasons = append(answer.Reasons, reason)
	}
	answer.Engine.Kind = d.config.Engine.Kind
	if err := d.probe.state(); err != nil {
		not("the engine does not answer: " + d.hide(err.Error()))
	} else {
		answer.Engine.Reachable = true
	}
	d.metrics.SetEngine(answer.Engine.Reachable)
	if d.ending.Load() {
		not("the program is about to end")
	}
	if d.lease == nil {
		return answer
	}
	role, err := d.lease.state()
	answer.RTM = &rtmState{Role: role}
	if rtm := d.rtm.Load(); rtm != nil {
		state := rtm.State()
		answer.RTM.State, answer.RTM.Connected = state.String(), state == crisp.StateConnected
	}
	switch ended := d.rtmEnded.Load(); {
	case ended != nil: // web hooks go on
		answer.RTM.Role, answer.RTM.Error = RoleStandby, d.hide((*ended).Error())
	case role == RoleUnknown && err != nil:
		not("whether this process leads is not known: " + d.hide(err.Error()))
	case role == RoleUnknown:
		not("whether this process leads is not known yet")
	}
	return answer
}

// readyz answers 200 if events can be taken now, and otherwise 503.
func (d *Daemon) readyz(w http.ResponseWriter, _ *http.Request) {
	answer := d.readiness()
	status := http.StatusOK
	if answer.Status != "ok" {
		status = http.StatusServiceUnavailable
	}
	answerJSON(w, status, answer)
}

// healthz answers 200 as long as the process answers at all.
func (*Daemon) healthz(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // an error means that the client is gone
}
