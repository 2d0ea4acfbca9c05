package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crisptest"

	"github.com/crisp-go/crisp/cmd/crisp/internal/fault"
	"github.com/crisp-go/crisp/cmd/crisp/internal/jsontext"
)

// Prefix is the path of all routes. Crisp itself has nothing there.
const Prefix = "/control/v1/"

// Config is what the handler needs to know about the server.
type Config struct {
	WebsiteID string   // the default website
	Hosts     []string // besides loopback, the hosts that requests may name without Key
	Hooks     []Hook   // to add at the start
	Key       string   // required from other machines; if empty, they are all refused
}

// handler answers the routes.
type handler struct {
	srv     *crisptest.Server
	website string
	hooks   hooks
}

// Handler returns the handler for all paths below Prefix. The server must keep a journal.
// It returns an error if a hook's URL is invalid.
func Handler(srv *crisptest.Server, c Config) (http.Handler, error) {
	h := &handler{srv: srv, website: c.WebsiteID, hooks: hooks{srv: srv, byURL: map[string]*crisptest.Subscriber{}}}
	for _, hook := range c.Hooks {
		if err := h.hooks.add(hook); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	for _, route := range h.routes() {
		mux.Handle(route.method+" "+Prefix+route.path, route.handle)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, fmt.Errorf("there is no %s %s; GET %s lists what there is", r.Method, r.URL.Path, Prefix))
	})
	return &guard{hosts: c.Hosts, key: c.Key, cross: http.NewCrossOriginProtection(), next: mux}, nil
}

// route is one of the routes.
type route struct {
	method, path string
	what         string
	handle       answerer
}

func (h *handler) routes() []route {
	list := []route{
		{"GET", "state", "what there is now: connections, conversations, how much of what has happened", h.state},
		{"GET", "connections", "the RTM connections", h.connections},
		{"GET", "conversations/{session_id}", "a conversation, with its messages", h.conversation},
		{"GET", "journal", "what has happened: ?after=NUMBER&kind=KIND&wait=30s", h.journal},
		{"POST", "wait", "wait until something has happened", h.wait},
		{"POST", "events/{name}", "send an event; the body is its data, byte for byte; without one, a sample", h.emit},
		{"POST", "visitors", "begin a conversation of a new visitor", h.begin},
		{"POST", "visitors/{session_id}/{act}", "a visitor does something: " + actNames(visitorActs), h.visitorAct},
		{"POST", "operators/{name}/{act}", "an operator does something: " + actNames(operatorActs), h.operatorAct},
		{"GET", "hooks", "the URLs to which web hooks are sent", h.listHooks},
		{"POST", "hooks", "send web hooks to another URL", h.addHook},
		{"DELETE", "hooks", "send none to a URL any more: ?url=URL", h.removeHook},
		{"GET", "faults", "what can go wrong", func(*http.Request) (any, error) { return fault.Kinds(), nil }},
		{"POST", "faults/{fault}", "let something go wrong; the body has what can be chosen about it", h.addFault},
		{"DELETE", "faults", "let all be well again", h.heal},
		{"POST", "reset", "forget what has happened, and let all be well", h.reset},
	}
	return append(list, route{"GET", "{$}", "this list", func(*http.Request) (any, error) { return described(list), nil }})
}

func described(routes []route) any {
	type line struct {
		Route string `json:"route"`
		What  string `json:"what"`
	}
	var lines []line
	for _, r := range routes {
		lines = append(lines, line{r.method + " " + Prefix + r.path, r.what})
	}
	return map[string]any{"routes": lines}
}

// answerer answers a request with a value or an error.
type answerer func(r *http.Request) (any, error)

// refused is an error with a status of its own; others get 400.
type refused struct {
	error
	status int
}

func (answer answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	value, err := answer(r)
	var with refused
	switch {
	case errors.As(err, &with):
		fail(w, with.status, err)
	case err != nil:
		fail(w, http.StatusBadRequest, err)
	default:
		write(w, http.StatusOK, value)
	}
}

func fail(w http.ResponseWriter, status int, err error) {
	write(w, status, map[string]string{"error": err.Error()})
}

func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // the client may have gone
}

// maxBody is the largest body that is read, in bytes.
const maxBody = 10 << 20

func read(r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, refused{fmt.Errorf("the body: %w", err), http.StatusRequestEntityTooLarge}
	}
	return text, nil
}

// decode reads a body, which must be empty or one JSON value without unknown members.
func decode(r *http.Request, into any) error {
	text, err := read(r)
	if err != nil || len(text) == 0 {
		return err
	}
	if err := jsontext.Decode(text, into); err != nil {
		return fmt.Errorf("the body: %w", err)
	}
	return nil
}

func (h *handler) emit(r *http.Request) (any, error) {
	name := r.PathValue("name")
	data, err := read(r)
	switch {
	case err != nil:
		return nil, err
	case len(data) == 0 && !known(name):
		return nil, fmt.Errorf("there is no sample of %s: give its data", name)
	case len(data) == 0:
		h.srv.Emit(crisptest.Sample(name))
	case !json.Valid(data):
		return nil, errors.New("the body, which is the event's data, is no JSON")
	default:
		h.srv.EmitRaw(name, data)
	}
	return struct{}{}, nil
}

func known(name string) bool {
	for _, event := range crisp.Events() {
		if event.Name == name {
			return true
		}
	}
	return false
}

func (h *handler) addFault(r *http.Request) (any, error) {
	var chosen map[string]any
	if err := decode(r, &chosen); err != nil {
		return nil, err
	}
	var params []string
	for name, value := range chosen {
		params = append(params, fmt.Sprintf("%s=%v", name, value))
	}
	f, err := fault.Parse(r.PathValue("fault"), params...)
	if err != nil {
		return nil, err
	}
	f.Apply(h.srv)
	return struct{}{}, nil
}

func (h *handler) heal(*http.Request) (any, error) {
	h.srv.Heal()
	return struct{}{}, nil
}

func (h *handler) reset(*http.Request) (any, error) {
	h.srv.Reset()
	return struct{}{}, nil
}

// number returns a number of the query, or otherwise if it has none.
func number(r *http.Request, name string, otherwise int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is %q; it must be a number from 0", name, text)
	}
	return n, nil
}

// span reads a duration, or returns otherwise if the text is empty.
func span(name, text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s is %q; it must be a time such as 500ms, 2s or 1m", name, text)
	}
	return d, nil
}
