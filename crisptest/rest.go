package crisptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
)

// Request is a request that REST has received.
type Request struct {
	Time   time.Time   // when it was received
	Method string      // such as "GET"
	Path   string      // below the base URL, escaped as it was sent, such as "website/…/message"
	Query  string      // without the question mark
	Header http.Header // including Authorization
	Body   []byte
	Status int // of the answer; 0 while there is none

	// NoRoute reports that the server has no such route, which may well be one of
	// Crisp's that is not modelled: [Server.HandleREST] adds it.
	NoRoute bool
}

// String describes the request by its method, path and status, for failure
// messages, and says if it has [Request.NoRoute]. It doesn't include the body, which may be private.
func (r Request) String() string {
	path := r.Path
	if r.Query != "" {
		path += "?" + r.Query
	}
	text := fmt.Sprintf("%s %s: %d", r.Method, path, r.Status)
	if r.NoRoute && r.Status == http.StatusNotFound {
		text += " (not modelled: see Server.HandleREST)"
	}
	return text
}

// maxBody is the largest body that REST accepts, in bytes.
const maxBody = 10 << 20

// Requests returns the latest requests ([WithHistory]) that REST has received, in
// order. It does not include those whose body is over 10 MiB.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return all(&s.requests)
}

// serveREST records a request and answers it.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		writeReply(w, refusal(http.StatusRequestEntityTooLarge, "invalid_data"))
		return
	}
	if err != nil {
		return // the client hung up
	}
	s.mu.Lock()
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	s.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	_, added := s.custom.Handler(r)
	_, known := s.mux.Handler(r)
	number := s.recordRequest(r, body, added == "" && known == anyPath)
	defer func() { s.recordStatus(number, recorder.status) }()
	if s.failREST(recorder, r) {
		return
	}
	if added != "" {
		s.custom.ServeHTTP(recorder, r)
		return
	}
	s.mux.ServeHTTP(recorder, r)
}

func (s *Server) recordRequest(r *http.Request, body []byte, noRoute bool) (number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests.add(&Request{
		Time:   time.Now(),
		Method: r.Method,
		Path:   strings.TrimPrefix(r.URL.EscapedPath(), restBase),
		Query:  r.URL.RawQuery,
		Header: r.Header.Clone(),
		Body:   body,

		NoRoute: noRoute,
	}, len(body))
}

func (s *Server) recordStatus(number, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if request := s.requests.get(number); request != nil {
		request.Status = status
		answered := *request
		s.note(Entry{Request: &answered})
	}
	s.changes.announce()
}

// statusRecorder records the status of the answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// restBase is the path of the base URL.
const restBase = "/v1/"

// restCall is a request that was authenticated with the token.
type restCall struct {
	*http.Request
	token crisp.Token
}

// restReply is an answer of REST.
type restReply struct {
	status int
	reason string
	data   json.RawMessage
}

// reply returns an answer. It encodes the data at once, because they may belong to
// the model, which changes.
func reply(status int, reason string, data any) restReply {
	return restReply{status: status, reason: reason, data: mustJSON(data)}
}

func success(reason string, data any) restReply { return reply(http.StatusOK, reason, data) }

func refusal(status int, reason string) restReply { return reply(status, reason, struct{}{}) }

// restHandler answers a call of one route.
type restHandler func(call restCall) restReply

// anyPath is the pattern that matches requests without a route.
const anyPath = "/"

// restRoutes returns the handler of all REST routes.
func (s *Server) restRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(method, path string, handler restHandler) {
		mux.Handle(method+" "+restBase+path, s.authenticated(handler))
	}
	handle("GET", "plugin/connect/endpoints", requireTier(crisp.TierPlugin, s.getEndpoints))
	handle("GET", "user/connect/endpoints", requireTier(crisp.TierUser, s.getEndpoints))
	handle("GET", "website/connect/endpoints", requireTier(crisp.TierWebsite, s.getEndpoints))
	handle("GET", "website/{website}/connect/endpoints", requireTier(crisp.TierWebsite, s.requireWebsite(s.getEndpoints)))
	s.conversationRoutes(handle)
	s.siteRoutes(handle)
	s.pluginRoutes(handle)
	s.peopleRoutes(handle)
	mux.Handle(anyPath, s.authenticated(func(restCall) restReply {
		return refusal(http.StatusNotFound, "not_found")
	}))
	return mux
}

// HandleREST adds a REST route that the server doesn't have, or replaces one. The
// pattern is a method and a path below the base URL, with wildcards as in
// [http.ServeMux]:
//
//	srv.HandleREST("GET website/{website_id}/helpdesk/redirection/{redirection_id}", func(r *http.Request) (int, any) {
//		return http.StatusOK, redirections[r.PathValue("redirection_id")]
//	})
//
// answer returns the HTTP status and the member "data" of the answer, which
// encoding/json must be able to encode. Requests are authenticated and recorded,
// and faults apply, as for any other route. HandleREST panics if the pattern is
// invalid, such as one that names the base URL's path, or if it conflicts with one
// that was added before.
func (s *Server) HandleREST(pattern string, answer func(r *http.Request) (status int, data any)) {
	method, path := splitPattern(pattern)
	s.custom.Handle(method+" "+restBase+path, s.authenticated(func(call restCall) restReply {
		status, data := answer(call.Request)
		if status < http.StatusBadRequest {
			return reply(status, "resolved", data)
		}
		return reply(status, reasons[status], data)
	}))
}

// splitPattern splits a pattern of HandleREST, and panics if it is invalid.
func splitPattern(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	path = strings.TrimLeft(path, " \t")
	below := strings.TrimPrefix(strings.TrimPrefix(path, "/"), strings.TrimPrefix(restBase, "/"))
	switch {
	case path == "" || strings.ContainsRune(method, '/'):
		panic(fmt.Sprintf("crisptest: HandleREST: %q is not a method, a space and a path, such as \"GET website/{website_id}/helpdesk\"", pattern))
	case below != path:
		panic(fmt.Sprintf("crisptest: HandleREST: %q: the path must be relative to the base URL, which ends with %s: write %q", pattern, restBase, method+" "+below))
	}
	return method, path
}

// authenticated calls the handler only if a request has the credentials of a token
// and names the token's tier.
func (s *Server) authenticated(handler restHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identifier, key, _ := r.BasicAuth()
		tier := crisp.Tier(r.Header.Get("X-Crisp-Tier"))
		token, ok := s.findToken(tier, identifier, key)
		if !ok || tier == "" {
			writeReply(w, refusal(http.StatusUnauthorized, "invalid_session"))
			return
		}
		writeReply(w, handler(restCall{Request: r, token: token}))
	})
}

// requireTier refuses the tokens of other tiers.
func requireTier(tier crisp.Tier, handler restHandler) restHandler {
	return func(call restCall) restReply {
		if call.token.Tier != tier {
			return refusal(http.StatusForbidden, "restricted_route_tier")
		}
		return handler(call)
	}
}

// requireWebsite refuses websites that don't exist, or that the token may not access.
func (s *Server) requireWebsite(handler restHandler) restHandler {
	return func(call restCall) restReply {
		website := call.PathValue("website")
		s.mu.Lock()
		exists, seen := s.websites.has(website), s.websitesOf(call.token).has(website)
		s.mu.Unlock()
		switch {
		case !exists:
			return refusal(http.StatusNotFound, "website_not_found")
		case !seen:
			return refusal(http.StatusForbidden, "not_allowed")
		default:
			return handler(call)
		}
	}
}

// writeReply writes a reply in the form that all REST answers have.
func writeReply(w http.ResponseWriter, reply restReply) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(reply.status)
	_, _ = w.Write(mustJSON(struct {
		Error  bool            `json:"error"`
		Reason string          `json:"reason"`
		Data   json.RawMessage `json:"data"`
	}{reply.status >= http.StatusBadRequest, reply.reason, reply.data}))
}

// endpoints says where the RTM API is, as REST returns it.
type endpoints struct {
	Socket socketURL `json:"socket"`
	Rescue *rescue   `json:"rescue,omitempty"`
}

type socketURL struct {
	App string `json:"app"`
}

type rescue struct {
	Socket socketURL `json:"socket"`
}

func (s *Server) getEndpoints(call restCall) restReply {
	return success("resolved", s.announced(call.Host))
}
