package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
)

// maxBody bounds what a request may have in its body.
const maxBody = 1 << 20

// refused is an error with a status of its own.
type refused struct {
	status int
	error
}

// route answers with JSON what a function returns: 400 for its error, unless that is a
// refused.
func route(answer func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		value, err := answer(r)
		var of refused
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &of):
			fail(w, of.status, of.Error())
		case errors.As(err, &large):
			fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", large.Limit))
		case err != nil:
			fail(w, http.StatusBadRequest, err.Error())
		default:
			write(w, http.StatusOK, value)
		}
	})
}

func fail(w http.ResponseWriter, status int, why string) {
	write(w, status, struct {
		Error string `json:"error"`
	}{why})
}

func write(w http.ResponseWriter, status int, value any) {
	text, err := encode(value)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer can't be made JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // an error means that the client is gone
}

// encode is json.Marshal without the escapes that are for HTML.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Info is what the page needs to know at first.
type Info struct {
	Run       string  `json:"run"`
	Command   string  `json:"command"`
	Version   string  `json:"version"`
	Oldest    *ID     `json:"oldest,omitempty"` // of the records that are kept
	Latest    *ID     `json:"latest,omitempty"`
	Records   int     `json:"records"`
	Bytes     int64   `json:"bytes"`
	MaxBytes  int64   `json:"max_bytes"`
	Targets   []Named `json:"targets"`
	Signing   bool    `json:"signing"`
	Control   bool    `json:"control"` // control.Prefix is there
	Capture   string  `json:"capture,omitempty"`
	Events    []Event `json:"events,omitempty"`
	Restarted bool    `json:"restarted,omitempty"` // what was asked for is of a run that is not known
}

// Named is a target.
type Named struct {
	Name string `json:"name"`
}

// Event is a kind of events.
type Event struct {
	Name    string `json:"name"`
	RTMOnly bool   `json:"rtm_only,omitempty"`
}

func (s *Server) newInfo() Info {
	state := s.cfg.Ring.State()
	info := Info{
		Run:      s.cfg.Ring.Run(),
		Command:  s.cfg.Command,
		Version:  s.cfg.Version,
		Records:  state.Records,
		Bytes:    state.Bytes,
		MaxBytes: maxBytes,
		Targets:  make([]Named, 0, len(s.cfg.Targets)),
		Signing:  s.cfg.Signing != nil,
		Control:  s.cfg.Control != nil,
		Capture:  s.cfg.Capture,
	}
	if state.Records > 0 {
		info.Oldest, info.Latest = &state.Oldest, &state.Latest
	}
	for _, target := range s.cfg.Targets {
		info.Targets = append(info.Targets, Named{target.Name})
	}
	return info
}

func (s *Server) info(*http.Request) (any, error) {
	info := s.newInfo()
	for _, of := range eventinfo.All() {
		info.Events = append(info.Events, Event{of.Name, !slices.Contains(of.Transports, eventinfo.Webhook)})
	}
	return info, nil
}

const (
	defaultLimit = 1000
	maxLimit     = 20_000
)

// events answers with the records behind one that meet a query.
func (s *Server) events(r *http.Request) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	query, err := ParseQuery(r.FormValue("q"))
	if err != nil {
		return nil, err
	}
	cursor, restarted, err := s.cursor(r.FormValue("after"))
	if err != nil {
		return nil, err
	}
	found, next, more := s.cfg.Ring.Find(query, cursor, limit)
	answer := struct {
		Records   []Summary `json:"records,omitempty"`
		IDs       []ID      `json:"ids,omitempty"`
		Next      string    `json:"next"`
		More      bool      `json:"more"`
		Restarted bool      `json:"restarted,omitempty"`
	}{Next: s.cfg.Ring.before(next), More: more, Restarted: restarted}
	for _, e := range found {
		if r.FormValue("only") == "ids" {
			answer.IDs = append(answer.IDs, e.ID)
		} else {
			answer.Records = append(answer.Records, e.Summary)
		}
	}
	return answer, nil
}

func limitOf(r *http.Request) (int, error) {
	text := r.FormValue("limit")
	if text == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, fmt.Errorf("limit is %q; it must be from 1 to %d", text, maxLimit)
	}
	return limit, nil
}

// cursor returns where to read on behind a record, given by its ID; without, at the
// oldest. restarted says that nothing is known of it.
func (s *Server) cursor(after string) (c Cursor, restarted bool, err error) {
	if after == "" {
		return s.cfg.Ring.Begin(), false, nil
	}
	id, err := ParseID(after)
	if err != nil {
		return c, false, fmt.Errorf("after: %w", err)
	}
	c, known := s.cfg.Ring.Behind(id)
	return c, !known, nil
}
