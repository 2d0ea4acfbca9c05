package cli_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/record"
	"github.com/crisp-go/crisp/crisptest"
)

// program is a program in development, which takes random times and keeps the bodies that
// it accepts.
type program struct {
	*httptest.Server
	mu     sync.Mutex          // guards what is below
	bodies map[string][]string // by conversation
	wrong  []error
}

func newProgram(t *testing.T, secret string) *program {
	p := &program{bodies: map[string][]string{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		err = errors.Join(err, crisp.Verify(secret, r.Header, body, time.Minute))
		ev, parseErr := record.Parse(body)
		time.Sleep(rand.N(time.Millisecond)) // its work
		p.mu.Lock()
		defer p.mu.Unlock()
		if err = errors.Join(err, parseErr); err != nil {
			p.wrong = append(p.wrong, err)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p.bodies[ev.SessionID()] = append(p.bodies[ev.SessionID()], string(body))
	}))
	t.Cleanup(p.Close)
	return p
}

// took returns the bodies, of which none was wrong.
func (p *program) took(t *testing.T) map[string][]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	assert.Empty(t, p.wrong)
	return p.bodies
}

// payload is one whose bytes no encoder would write like this.
func payload(conversation, i int) []byte {
	return fmt.Appendf(nil, `{"website_id":%q, "session_id":"session_%d","content":"\u00e9\/ <%d> é","fingerprint":%d.0e0}`,
		crisptest.WebsiteID, conversation, i, i)
}

// 10,000 events of 100 conversations reach two programs that take random times: in
// order within each conversation, the payloads byte for byte, rightly signed. What was
// captured comes again in the same order, with the same bodies.
func TestListenOrder(t *testing.T) {
	const events, conversations = 10_000, 100
	srv := crisptest.NewServer(t)
	one, two, later := newProgram(t, srv.SigningSecret()), newProgram(t, srv.SigningSecret()), newProgram(t, srv.SigningSecret())
	kept := inFolder(t, "kept.jsonl")
	listening := start(t, environment(srv), "listen", "-e", "message:send", "-f", one.URL, "-f", two.URL,
		"--count", strconv.Itoa(events), "--capture", kept, "--format", "json")
	require.NoError(t, srv.WaitAuthenticated(t.Context()))

	want := map[string][]string{}
	for i := range events {
		session := "session_" + strconv.Itoa(i%conversations)
		srv.EmitRaw("message:send", payload(i%conversations, i))
		want[session] = append(want[session], string(payload(i%conversations, i)))
	}
	assert.Equal(t, 0, listening.code(t, 2*time.Minute), listening.stderr.String())
	took := one.took(t)
	assert.True(t, assert.ObjectsAreEqual(took, two.took(t)), "the programs have heard different things")
	got := map[string][]string{}
	for session, bodies := range took {
		for _, body := range bodies {
			ev, err := record.Parse([]byte(body))
			require.NoError(t, err)
			got[session] = append(got[session], string(ev.Event.EventMeta().Raw))
		}
	}
	assert.True(t, assert.ObjectsAreEqual(want, got), "order or bytes differ")

	replaying := start(t, environment(srv), "replay", kept, "--to", later.URL, "--speed", "max")
	assert.Equal(t, 0, replaying.code(t, 2*time.Minute), replaying.stderr.String())
	assert.True(t, assert.ObjectsAreEqual(took, later.took(t)), "the replay differs")
	assert.Contains(t, replaying.stderr.String(), "sent 10000 events in ")
}

// Web hooks are forwarded as they came, byte for byte, signed by another secret. A slow
// or broken target keeps nobody else waiting.
func TestReceiveForwards(t *testing.T) {
	srv := crisptest.NewServer(t)
	local, broken := newProgram(t, "another secret"), newProgram(t, "unlike")
	ready, secret := inFolder(t, "ready"), inFolder(t, "secret")
	require.NoError(t, writeFile(secret, "another secret\n"))
	const events = 20
	receiving := start(t, environment(srv), "receive", "--addr", "127.0.0.1:0", "--path", "/hooks", "--ready-file", ready,
		"-f", local.URL, "-f", broken.URL, "--forward-secret-file", secret, "--attempts", "1", "--count", strconv.Itoa(events))
	url := awaitFile(t, ready)
	var want []string
	for i := range events {
		body := fmt.Sprintf(`{ "website_id":"w","event":"message:send", "data":%s,"timestamp":%d}`, payload(1, i), i+1)
		assert.Equal(t, http.StatusOK, post(t, url, body, crisp.Sign(srv.SigningSecret(), time.Now(), []byte(body))))
		want = append(want, body)
		if i == 0 { // Crisp has not seen the answer
			assert.Equal(t, http.StatusOK, post(t, url, body, crisp.Sign(srv.SigningSecret(), time.Now(), []byte(body))))
			assert.Equal(t, http.StatusUnauthorized, post(t, url, body, nil))
			assert.Equal(t, http.StatusNotFound, post(t, url+"/other", body, nil))
		}
	}
	assert.Equal(t, 1, receiving.code(t, 30*time.Second)) // since one has refused
	assert.Equal(t, want, local.took(t)["session_1"])
	told := receiving.stderr.String()
	assert.Contains(t, told, "ready: waiting for web hooks at "+url)
	assert.Contains(t, told, "answered 404: a request came to /hooks/other, but --path is /hooks")
	assert.Contains(t, told, "crisp: 20 deliveries were accepted, and 20 given up")
	assert.NotContains(t, told+receiving.stdout.String(), "another secret")
	assert.NotContains(t, told+receiving.stdout.String(), srv.SigningSecret())
}
