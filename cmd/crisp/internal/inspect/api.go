package inspect

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/crisp-go/crisp"

	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
)

func (s *Server) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", servePage)
	mux.HandleFunc("GET "+assets, servePage)
	mux.Handle("GET /api/info", answerer(s.getInfo))
	mux.Handle("GET /api/events", answerer(s.getEvents))
	mux.Handle("GET /api/events/{id}", answerer(s.getEvent))
	mux.HandleFunc("GET /api/stream", s.stream)
	mux.Handle("POST /api/replay", answerer(s.replay))
	mux.HandleFunc("GET /api/export", s.export)
	mux.Handle("GET /api/code/{id}", answerer(s.getCode))
	if s.cfg.Serve != nil {
		mux.Handle("GET /api/chat", answerer(s.getChats))
		mux.Handle("GET /api/chat/{session}", answerer(s.getChat))
		mux.Handle("POST /api/chat/{session}", answerer(s.postChat))
		mux.Handle("POST /api/chat/{session}/compose", answerer(s.postCompose))
		mux.Handle("POST /api/chat/{session}/state", answerer(s.postState))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, refused{fmt.Errorf("there is no %s %s", r.Method, r.URL.Path), http.StatusNotFound})
	})
}

// answerer answers a request with a value or an error.
type answerer func(r *http.Request) (any, error)

func (answer answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	value, err := answer(r)
	if err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusOK, value)
}

// refused is an error with a status of its own; others get 400.
type refused struct {
	error
	status int
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var with refused
	if errors.As(err, &with) {
		status = with.status
	}
	write(w, status, map[string]string{"error": err.Error()})
}

func write(w http.ResponseWriter, status int, value any) {
	text, err := output.Encode(value)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client may have gone
}

// maxBody is the largest body that is read, in bytes.
const maxBody = 1 << 20

// decode reads a body, which must be one JSON value without unknown members.
func decode(r *http.Request, into any) error {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return refused{fmt.Errorf("the body: %w", err), http.StatusRequestEntityTooLarge}
	}
	if err := jsontext.Decode(text, into); err != nil {
		return fmt.Errorf("the body: %w", err)
	}
	return nil
}

// Info is what the page needs to know first.
type Info struct {
	Run     string `json:"run"`
	Command string `json:"command"`
	Version string `json:"version"`
	Size
	Targets   []targetName `json:"targets"`
	Signing   bool         `json:"signing"` // there is a secret to sign with
	Chat      bool         `json:"chat"`
	Capture   string       `json:"capture"`
	Events    []eventName  `json:"events,omitempty"`
	Restarted bool         `json:"restarted,omitempty"` // the run that the page last saw is not known here
}

type targetName struct {
	Name string `json:"name"`
}

type eventName struct {
	Name    string `json:"name"`
	RTMOnly bool   `json:"rtm_only,omitempty"`
}

func (s *Server) info() Info {
	info := Info{
		Run:     s.cfg.Run,
		Command: s.cfg.Command,
		Version: crisp.Version,
		Size:    s.cfg.Ring.Size(),
		Targets: []targetName{},
		Signing: s.cfg.Signing.Secret != "",
		Chat:    s.cfg.Serve != nil,
		Capture: s.cfg.Capture,
	}
	for _, target := range s.cfg.Targets {
		info.Targets = append(info.Targets, targetName{target.Name()})
	}
	if s.cfg.Serve != nil {
		info.Targets = append(info.Targets, targetName{programs})
	}
	return info
}

func (s *Server) getInfo(*http.Request) (any, error) {
	info := s.info()
	for _, event := range crisp.Events() {
		info.Events = append(info.Events, eventName{event.Name, event.RTMOnly})
	}
	return info, nil
}

// How many entries an answer has: by default, and at most.
const (
	defaultLimit = 1000
	mostLimit    = 20_000
)

// place returns the place of the first entry after an ID, or 0 without one. restarted
// reports that the ID's run is not known.
func (s *Server) place(after string) (next uint64, restarted bool) {
	if after == "" {
		return 0, false
	}
	next, known := s.cfg.Ring.Place(after)
	return next, !known
}

func (s *Server) getEvents(r *http.Request) (any, error) {
	query := r.URL.Query()
	q, err := ParseQuery(query.Get("q"))
	if err != nil {
		return nil, err
	}
	limit := defaultLimit
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return nil, fmt.Errorf("limit is %q; it must be a number from 1 to %d", text, mostLimit)
		}
		limit = min(limit, mostLimit)
	}
	from, restarted := s.place(query.Get("after"))
	list, next, more := s.cfg.Ring.Find(q, from, limit)
	part := struct {
		Records   *[]*Entry `json:"records,omitempty"`
		IDs       *[]string `json:"ids,omitempty"`
		Next      string    `json:"next"`
		More      bool      `json:"more"`
		Restarted bool      `json:"restarted,omitempty"`
	}{Next: s.cfg.Ring.before(next), More: more, Restarted: restarted}
	if part.Next == "" && !restarted {
		part.Next = query.Get("after")
	}
	if query.Get("only") == "ids" {
		ids := make([]string, len(list))
		for i, e := range list {
			ids[i] = e.ID()
		}
		part.IDs = &ids
	} else {
		list = append([]*Entry{}, list...)
		part.Records = &list
	}
	return part, nil
}

// before returns the ID of the entry just before a place; empty if there is none.
func (r *Ring) before(place uint64) string {
	if place == 0 {
		return ""
	}
	list, _, oldest := r.Read(place-1, 1)
	if len(list) == 0 || place <= oldest {
		return ""
	}
	return list[0].ID()
}

func (s *Server) getEvent(r *http.Request) (any, error) {
	e, err := s.find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return s.detail(e)
}

// find returns the entry with an ID, or an error with status 404.
func (s *Server) find(id string) (*Entry, error) {
	e, ok := s.cfg.Ring.Get(id)
	if !ok {
		return nil, refused{errors.New("it is not there any more, or never was: the newest 64 MiB are kept"), http.StatusNotFound}
	}
	return e, nil
}
