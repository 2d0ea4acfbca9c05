//go:build browser && unix

package browser

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
)

// target is a program in development, which takes web hooks.
type target struct {
	t   *testing.T
	url string

	mu     sync.Mutex // guards what is below
	status int        // to answer with
	came   []arrival
}

// arrival is a web hook that has come.
type arrival struct {
	envelope
	attempt string
	error   error // of its signature
}

func newTarget(t *testing.T) *target {
	t.Helper()
	x := &target{t: t, status: http.StatusOK}
	web := httptest.NewServer(x)
	t.Cleanup(web.Close)
	x.url = web.URL + "/hooks"
	return x
}

// ServeHTTP takes a web hook.
func (x *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	assert.NoError(x.t, err)
	a := arrival{attempt: r.Header.Get("X-Delivery-Attempt-Count"), error: crisp.Verify(secret, r.Header, body, time.Minute)}
	assert.NoError(x.t, json.Unmarshal(body, &a.envelope))
	x.mu.Lock()
	defer x.mu.Unlock()
	x.came = append(x.came, a)
	w.WriteHeader(x.status)
	_, _ = io.WriteString(w, http.StatusText(x.status))
}

// answer sets the status to answer with.
func (x *target) answer(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.status = status
}

// arrivals waits until n web hooks have come, and returns them.
func (x *target) arrivals(n int) []arrival {
	x.t.Helper()
	var came []arrival
	require.Eventually(x.t, func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		came = append([]arrival(nil), x.came...)
		return len(came) >= n
	}, patience, pause, "%d web hooks come to the target", n)
	require.Len(x.t, came, n)
	return came
}

// content is what the message of a web hook says.
func (a arrival) content(t *testing.T) string {
	t.Helper()
	var data struct {
		Content string `json:"content"`
	}
	require.NoError(t, json.Unmarshal(a.Data, &data))
	return data.Content
}
