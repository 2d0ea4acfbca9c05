package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// witness is a transport that remembers each host's last answer, since a crisp.Client
// does not expose headers, TLS state and times.
type witness struct {
	next *http.Transport

	mu   sync.Mutex // guards seen
	seen map[string]sight
}

// sight is what the witness remembers of an answer.
type sight struct {
	status int
	header http.Header
	tls    *tls.ConnectionState // nil without TLS
	sent   time.Time
	came   time.Time
}

// RoundTrip sends a request and remembers the answer.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	answer, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = make(map[string]sight)
	}
	w.seen[r.URL.Host] = sight{answer.StatusCode, answer.Header.Clone(), answer.TLS, sent, time.Now()}
	return answer, nil
}

// CloseIdleConnections closes idle connections.
func (w *witness) CloseIdleConnections() { w.next.CloseIdleConnections() }

// last returns the host's last answer, if there was one.
func (w *witness) last(host string) (sight, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.seen[host]
	return s, ok
}

// proxyError says that a proxy refused to connect.
type proxyError struct {
	host   string
	status int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy %s refused to connect: %d %s", e.host, e.status, http.StatusText(e.status))
}

func refusedByProxy(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{proxy.Host, answer.StatusCode}
}
