package inspect

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
)

// A command closes its capture behind the page: nothing may be noted any more by then.
func TestClosingEndsWhatIsSentAgain(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(reached)
		<-release
	}))
	t.Cleanup(target.Close)
	t.Cleanup(func() { close(release) })
	var noted atomic.Int32
	b := begin(t, func(cfg *Config) {
		repeat := cfg.Repeat
		cfg.Repeat = func(what record.What) (record.Record, error) {
			defer noted.Add(1)
			return repeat(what)
		}
	})
	go func() {
		r := httptest.NewRequest(http.MethodPost, b.url+"api/replay", strings.NewReader(`{"body":"x","target":"`+target.URL+`"}`))
		r.RequestURI = ""
		r.Header.Set("Authorization", "Bearer "+testToken)
		if response, err := http.DefaultClient.Do(r); err == nil {
			_ = response.Body.Close() // what it says does not matter
		}
	}()
	<-reached
	b.Close()
	assert.EqualValues(t, 1, noted.Load(), "it is noted by the end, and not behind it")
}

// A program that asks and does not read must not hold what it has asked for.
func TestWhoReadsNothingIsLetGo(t *testing.T) {
	b := begin(t)
	for _, path := range []string{"/", "/assets/main.js", "/api/info", "/api/events", "/api/export", "/nothing"} {
		r := httptest.NewRequest(http.MethodGet, b.url+strings.TrimPrefix(path, "/"), nil)
		r.Header.Set("Authorization", "Bearer "+testToken)
		w := &limited{ResponseRecorder: httptest.NewRecorder()}
		before := time.Now()
		b.http.Handler.ServeHTTP(w, r)
		assert.WithinRange(t, w.until, before, before.Add(2*tooSlow), path)
	}
}

// limited remembers until when it may be written to.
type limited struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (l *limited) SetWriteDeadline(at time.Time) error {
	l.until = at
	return nil
}

func TestNoAnswerWithoutTheGuard(t *testing.T) {
	b := begin(t)
	conn, err := net.Dial("tcp", strings.Trim(strings.TrimPrefix(b.url, "http:"), "/"))
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // it was read
	_, err = conn.Write([]byte("OPTIONS * HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"))
	require.NoError(t, err)
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	require.NoError(t, err)
	assert.Contains(t, string(answer[:n]), "403 Forbidden")
	assert.Contains(t, string(answer[:n]), "Content-Security-Policy: ")
}
