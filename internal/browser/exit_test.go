//go:build browser && unix

package browser

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// exit is the proxy that a machine's commands would leave loopback by. None may.
type exit struct {
	url string

	mu  sync.Mutex // guards who
	who []string   // wanted to leave, and where to
}

func newExit(t *testing.T) *exit {
	t.Helper()
	x := &exit{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		x.who = append(x.who, r.Method+" "+r.Host+" ("+r.UserAgent()+")")
		x.mu.Unlock()
		w.WriteHeader(http.StatusForbidden)
	}))
	x.url = proxy.URL
	t.Cleanup(func() {
		proxy.Close()
		x.mu.Lock()
		defer x.mu.Unlock()
		assert.Empty(t, x.who, "requests that would have left loopback")
	})
	return x
}
