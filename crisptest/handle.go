package crisptest

import "net/http"

// Handle serves something else at the address of REST, outside of the base URL. The
// pattern is one of [http.ServeMux], such as "/debug/". Its requests are neither
// authenticated nor recorded, and no faults apply to them. Handle panics if the
// pattern is invalid or conflicts with one that was added before.
func (s *Server) Handle(pattern string, handler http.Handler) {
	s.others.Handle(pattern, handler)
}

// serveFront serves what comes to the address of REST.
func (s *Server) serveFront(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.others.Handler(r); pattern != "" {
		s.others.ServeHTTP(w, r)
		return
	}
	if s.isRTM(r.URL.Path) {
		s.serveRTM(w, r)
		return
	}
	s.serveREST(w, r)
}
