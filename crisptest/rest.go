package crisptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
)

// Request is a request that REST has received.
type Request struct {
	Time   time.Time
	Method string
	Path   string      // below the base URL, as it was sent: "website/…/message"
	Query  string      // without its question mark
	Header http.Header // Authorization too
	Body   []byte
	Status int // of the answer; 0 while there is none
}

// String is the request's line and the answer's status. What was sent stays
// out of it.
func (r Request) String() string {
	path := r.Path
	if r.Query != "" {
		path += "?" + r.Query
	}
	return fmt.Sprintf("%s %s: %d", r.Method, path, r.Status)
}

// maxBody is the largest body that REST takes, in bytes.
const maxBody = 10 << 20

// Requests lists what REST has received so far, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
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
	r.Body = io.NopCloser(bytes.NewReader(body))
	recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	number := s.recordRequest(r, body)
	defer func() { s.recordStatus(number, recorder.status) }()
	if s.failREST(recorder, r) {
		return
	}
	if _, pattern := s.custom.Handler(r); pattern != "" {
		s.custom.ServeHTTP(recorder, r)
		return
	}
	s.mux.ServeHTTP(recorder, r)
}

func (s *Server) recordRequest(r *http.Request, body []byte) (number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{
		Time:   time.Now(),
		Method: r.Method,
		Path:   strings.TrimPrefix(r.URL.EscapedPath(), restBase),
		Query:  r.URL.RawQuery,
		Header: r.Header.Clone(),
		Body:   body,
	})
	return len(s.requests) - 1
}

func (s *Server) recordStatus(number, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[number].Status = status
	s.changes.announce()
}

// statusRecorder remembers the status of the answer.
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

// restCall is a request whose credentials are right.
type restCall struct {
	*http.Request
	token crisp.Token
}

// restReply is what REST answers.
type restReply struct {
	status int
	reason string
	data   json.RawMessage
}

// reply marshals its data at once, which may be the model's.
func reply(status int, reason string, data any) restReply {
	return restReply{status: status, reason: reason, data: mustJSON(data)}
}

func done(reason string, data any) restReply { return reply(http.StatusOK, reason, data) }

func refusal(status int, reason string) restReply { return reply(status, reason, struct{}{}) }

// restHandler answers a call of one route.
type restHandler func(call restCall) restReply

// restRoutes lays out REST.
func (s *Server) restRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(method, path string, handler restHandler) {
		mux.Handle(method+" "+restBase+path, s.authenticated(handler))
	}
	handle("GET", "plugin/connect/endpoints", ofTier(crisp.TierPlugin, s.getEndpoints))
	handle("GET", "user/connect/endpoints", ofTier(crisp.TierUser, s.getEndpoints))
	handle("GET", "website/connect/endpoints", ofTier(crisp.TierWebsite, s.getEndpoints))
	handle("GET", "website/{website}/connect/endpoints", ofTier(crisp.TierWebsite, s.ofWebsite(s.getEndpoints)))
	s.conversationRoutes(handle)
	mux.Handle("/", s.authenticated(func(restCall) restReply {
		return refusal(http.StatusNotFound, "route_not_found")
	}))
	return mux
}

// HandleREST answers a route that the server does not know, or answers it
// differently. The pattern is a method and a path below the base URL, with
// wildcards as in [http.ServeMux]:
//
//	srv.HandleREST("GET website/{website_id}/people/profile/{people_id}", func(r *http.Request) (int, any) {
//		return http.StatusOK, profiles[r.PathValue("people_id")]
//	})
//
// The answer is a status and the "data"; credentials, recording and faults are
// as for other routes. It panics if the pattern is wrong or taken.
func (s *Server) HandleREST(pattern string, answer func(r *http.Request) (status int, data any)) {
	method, path, _ := strings.Cut(pattern, " ")
	s.custom.Handle(method+" "+restBase+path, s.authenticated(func(call restCall) restReply {
		status, data := answer(call.Request)
		if status < http.StatusBadRequest {
			return reply(status, "resolved", data)
		}
		return reply(status, reasons[status], data)
	}))
}

// authenticated answers only those who hold a token of the tier they name.
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

// ofTier refuses tokens of other tiers.
func ofTier(tier crisp.Tier, handler restHandler) restHandler {
	return func(call restCall) restReply {
		if call.token.Tier != tier {
			return refusal(http.StatusForbidden, "not_allowed")
		}
		return handler(call)
	}
}

// ofWebsite refuses websites that don't exist and those beyond the token's
// reach.
func (s *Server) ofWebsite(handler restHandler) restHandler {
	return func(call restCall) restReply {
		website := call.PathValue("website")
		s.mu.Lock()
		exists, seen := s.websites.covers(website), s.reachOf(call.token).covers(website)
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

// writeReply puts a reply into the form of every REST answer.
func writeReply(w http.ResponseWriter, reply restReply) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(reply.status)
	_, _ = w.Write(mustJSON(struct {
		Error  bool            `json:"error"`
		Reason string          `json:"reason"`
		Data   json.RawMessage `json:"data"`
	}{reply.status >= http.StatusBadRequest, reply.reason, reply.data}))
}

// endpoints is where RTM is, as REST tells it.
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

func (s *Server) getEndpoints(restCall) restReply {
	return done("resolved", s.announced())
}
